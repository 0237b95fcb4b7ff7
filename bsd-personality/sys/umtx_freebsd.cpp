// SPDX-License-Identifier: BSD-2-Clause
// FreeBSD's _umtx_op: words, mutexes, condition variables, read-write locks and semaphores of libthr, and
// what Go and Rust use directly. Each operation is one step under the giant token between its sleeps.
// Layouts: sys/_umtx.h.
#include "bsd-personality/kern/umtx_priority.hpp"
#include "bsd-personality/sys/umtx_request.hpp"

namespace bsd {

using namespace umtx;

namespace {

enum Operation {
    op_wait = 2,
    op_wake,
    op_mutex_trylock,
    op_mutex_lock,
    op_mutex_unlock,
    op_set_ceiling,
    op_cv_wait,
    op_cv_signal,
    op_cv_broadcast,
    op_wait_uint,
    op_rw_rdlock,
    op_rw_wrlock,
    op_rw_unlock,
    op_wait_uint_private,
    op_wake_private,
    op_mutex_wait,
    op_mutex_wake,
    op_sem_wait,
    op_sem_wake,
    op_nwake_private,
    op_mutex_wake2,
    op_sem2_wait,
    op_sem2_wake,
    op_shm,
    op_robust_lists,
    op_get_min_timeout,
    op_set_min_timeout,
};
constexpr std::uint32_t contested = 0x8000'0000, owner_dead = 0x8000'0010, not_recoverable = 0x8000'0011;
constexpr std::uint32_t flag_inherit = 4, flag_protect = 8, flag_robust = 0x10, flag_nonconsistent = 0x20;
constexpr std::uint64_t flags_field = 4, ceiling_field = 8; // of struct umutex; the owner is its first word
constexpr std::uint32_t highest_ceiling = 31;               // RTP_PRIO_MAX

// --- words
// -----------------------------------------------------------------------------------------------------------

SysResult<Return> wait(const Request& r, bool wide, bool process_private) {
    Timeout timeout = TRY(read_timeout(r));
    UmtxKey key = TRY(umtx_key(r.space, r.object, process_private));
    bool equal = wide ? TRY(user_load64(r.space, r.object)) == r.value
                      : TRY(user_load32(r.space, r.object)) == static_cast<std::uint32_t>(r.value);
    if (!equal)
        return Return(0);
    UmtxWaiter waiter;
    umtx_enqueue(waiter, key);
    TRY(sleep_on(r, waiter, timeout));
    return Return(0);
}

SysResult<Return> wake(const Request& r, bool process_private) {
    UmtxKey key = TRY(umtx_key(r.space, r.object, process_private));
    umtx_wake(key, static_cast<std::int32_t>(r.value) > 0 ? static_cast<std::uint32_t>(r.value) : 0);
    return Return(0);
}

SysResult<Return> wake_many(const Request& r) {
    for (std::uint64_t i = 0; i < r.value; i++) {
        auto address = TRY(copyin<std::uint64_t>(r.space, at(r.object, i * 8)));
        umtx_wake(TRY(umtx_key(r.space, UserAddress{address}, true)), ~0u);
    }
    return Return(0);
}

// --- mutexes
// ---------------------------------------------------------------------------------------------------------

enum class MutexMode { lock, try_lock, wait };

// The realtime level that a protected mutex gives. Errors: EINVAL (no such ceiling, or the caller is above
// it).
SysResult<std::uint32_t> ceiling_of(const Request& r) {
    std::uint32_t ceiling = TRY(user_load32(r.space, at(r.object, ceiling_field)));
    SchedulingClass own = r.lwp.scheduling_class();
    bool realtime = own.kind == SchedulingKind::realtime || own.kind == SchedulingKind::fifo;
    if (ceiling > highest_ceiling || (realtime && own.level < highest_ceiling - ceiling))
        return Failure(Errno::einval);
    return highest_ceiling - ceiling;
}

SysResult<Return> mutex_lock(const Request& r, MutexMode mode) {
    auto flags = TRY(user_load32(r.space, at(r.object, flags_field)));
    Timeout timeout = mode == MutexMode::try_lock ? Timeout{} : TRY(read_timeout(r));
    UmtxKey key = TRY(key_of(r, flags));
    auto id = static_cast<std::uint32_t>(r.lwp.tid);
    bool protect = (flags & flag_protect) != 0 && mode != MutexMode::wait;
    std::uint32_t level = 0;
    if (protect)
        level = TRY(ceiling_of(r));
    PriorityLoan loan(r.lwp);
    for (;;) {
        std::uint32_t owner = TRY(user_load32(r.space, r.object));
        if (mode == MutexMode::wait) {
            if (owner == 0 || owner == contested || owner == owner_dead || owner == not_recoverable)
                return Return(0);
        } else if (owner == 0 || owner == contested || owner == owner_dead) {
            std::uint32_t mine = owner == 0 && !protect ? id : id | contested;
            if (TRY(user_exchange32(r.space, r.object, owner, mine)) != owner)
                continue;
            loan.give_to(0);
            if (flags & flag_inherit)
                change_loans(key, r.lwp.tid);
            // A thread that may not be a realtime one gets no such priority by a mutex.
            if (protect && r.lwp.proc.cred->is_superuser())
                if (auto held = hold_ceiling(r.lwp, key, level); !held) {
                    TRY(user_exchange32(r.space, r.object, mine, owner));
                    return Failure(held.error());
                }
            if (owner == owner_dead)
                return Failure(Errno::eownerdead);
            return Return(0);
        } else if (owner == not_recoverable) {
            return Failure(Errno::enotrecoverable);
        } else if ((flags & flag_inherit) && (owner & ~contested) == id) {
            return Failure(Errno::edeadlk);
        }
        if (mode == MutexMode::try_lock)
            return Failure(Errno::ebusy);
        if (!(owner & contested) &&
            TRY(user_exchange32(r.space, r.object, owner, owner | contested)) != owner)
            continue;
        UmtxWaiter waiter;
        umtx_enqueue(waiter, key);
        if ((flags & flag_inherit) && mode == MutexMode::lock) {
            loan.give_to(static_cast<lwpid_t>(owner & ~contested));
            waiter.loan = &loan;
        }
        TRY(sleep_on(r, waiter, timeout));
    }
}

// UMTX_OP_SET_CEILING: of a mutex that is free or the caller's own; uaddr1 gets the old one.
SysResult<Return> set_ceiling(const Request& r) {
    auto flags = TRY(user_load32(r.space, at(r.object, flags_field)));
    auto ceiling = static_cast<std::uint32_t>(r.value);
    if (!(flags & flag_protect) || ceiling > highest_ceiling)
        return Failure(Errno::einval);
    UmtxKey key = TRY(key_of(r, flags));
    auto id = static_cast<std::uint32_t>(r.lwp.tid);
    for (;;) {
        std::uint32_t owner = TRY(user_load32(r.space, r.object));
        if (owner == owner_dead)
            return Failure(Errno::eownerdead);
        if (owner == not_recoverable)
            return Failure(Errno::enotrecoverable);
        bool mine = (owner & ~contested) == id, free = (owner & ~contested) == 0;
        if (mine || free) { // nobody comes in between: locking goes through here, too
            std::uint32_t old = TRY(user_load32(r.space, at(r.object, ceiling_field)));
            TRY(user_store32(r.space, at(r.object, ceiling_field), ceiling));
            if (mine && r.lwp.proc.cred->is_superuser())
                TRY(hold_ceiling(r.lwp, key, highest_ceiling - ceiling));
            if (r.size)
                TRY(copyout(r.space, UserAddress{r.size}, old));
            return Return(0);
        }
        if (!(owner & contested) &&
            TRY(user_exchange32(r.space, r.object, owner, owner | contested)) != owner)
            continue;
        UmtxWaiter waiter;
        umtx_enqueue(waiter, key);
        TRY(sleep_on(r, waiter, Timeout{}));
    }
}

// User space has stored 0: who waits must be woken, and the contested bit kept for those who stay.
SysResult<Return> mutex_wake(const Request& r, std::uint32_t flags) {
    UmtxKey key = TRY(key_of(r, flags));
    unsigned waiters = umtx_count(key);
    std::uint32_t owner = TRY(user_load32(r.space, r.object));
    while (waiters > 1 || (waiters == 1 && (owner & ~contested) != 0)) {
        if ((owner & contested) != 0 || owner == owner_dead || owner == not_recoverable)
            break;
        std::uint32_t seen = TRY(user_exchange32(r.space, r.object, owner, owner | contested));
        if (seen == owner)
            break;
        owner = seen;
    }
    owner = TRY(user_load32(r.space, r.object));
    if (waiters != 0 && ((owner & ~contested) == 0 || owner == owner_dead || owner == not_recoverable))
        umtx_wake(key, 1);
    return Return(0);
}

SysResult<Return> robust_lists(const Request& r) {
    if (r.value > sizeof r.lwp.robust_lists)
        return Failure(Errno::einval);
    std::uint64_t lists[3] = {};
    TRY(copyin(r.space, UserAddress{r.size}, lists, r.value));
    for (unsigned i = 0; i < 3; i++)
        r.lwp.robust_lists[i] = lists[i];
    return Return(0);
}

} // namespace

namespace umtx {

SysResult<glue::Nanoseconds> absolute(Lwp& lwp, TimeSpec spec, std::uint32_t clock, bool is_absolute) {
    std::uint64_t span = TRY(to_nanoseconds(spec)), now = glue::Clock::now().value;
    auto after = [&](std::uint64_t time) {
        return time > ~std::uint64_t{0} - now ? ~std::uint64_t{0} : now + time;
    };
    const glue::Nanoseconds earliest{after(lwp.proc.umtx_min_timeout)};
    if (!is_absolute)
        return most(glue::Nanoseconds{after(span)}, earliest);
    if (clock == 0 || clock == 9 || clock == 10 || clock == 13) // of the wall clock
        return most(from_wall_clock(span), earliest);
    TRY(read_clock(lwp, static_cast<std::int32_t>(clock)));
    return most(glue::Nanoseconds{span}, earliest);
}

SysResult<Timeout> read_timeout(const Request& r) {
    Timeout timeout;
    if (r.pointer.value == 0)
        return timeout;
    UmtxTime time{};
    if (r.size <= sizeof(TimeSpec))
        time.timeout = TRY(copyin<TimeSpec>(r.space, r.pointer));
    else
        time = TRY(copyin<UmtxTime>(r.space, r.pointer));
    timeout.relative = !(time.flags & 1);
    timeout.deadline = TRY(absolute(r.lwp, time.timeout, time.clock, !timeout.relative));
    return timeout;
}

SysResult<void> sleep_on(const Request& r, UmtxWaiter& waiter, const Timeout& timeout) {
    auto slept = umtx_sleep(r.lwp, waiter, "umtx", timeout.deadline);
    if (!slept)
        return Failure(ended_by(slept.error(), timeout));
    return {};
}

SysResult<void> unlock_mutex(Lwp& lwp, UserAddress mutex) {
    VmSpace& space = *lwp.proc.vmspace;
    auto flags = TRY(user_load32(space, at(mutex, flags_field)));
    UmtxKey key = TRY(umtx_key(space, mutex, !(flags & flag_shared)));
    bool gives_up = (flags & flag_nonconsistent) != 0; // an owner died, and nobody has repaired what it left
    for (;;) {
        std::uint32_t owner = TRY(user_load32(space, mutex));
        if ((owner & ~contested) != static_cast<std::uint32_t>(lwp.tid))
            return Failure(Errno::eperm);
        unsigned waiters = umtx_count(key);
        // A protected mutex is always contested, so that who locks it comes here.
        std::uint32_t left = gives_up                                     ? not_recoverable
                             : waiters > 1 || (flags & flag_protect) != 0 ? contested
                                                                          : 0;
        if (TRY(user_exchange32(space, mutex, owner, left)) != owner)
            continue;
        if (flags & flag_inherit)
            change_loans(key, 0);
        drop_ceiling(lwp, key);
        umtx_wake(key, gives_up ? ~0u : 1);
        return {};
    }
}

} // namespace umtx

// _umtx_op(obj, op, val, uaddr1, uaddr2)
SysResult<Return> sys_umtx_op(Lwp& lwp, const SystemCall& call) {
    const Request r{lwp, *lwp.proc.vmspace, call.address(0), call.word(2), call.word(3), call.address(4)};
    switch (call.integer(1)) {
    case op_wait:
        return wait(r, true, false);
    case op_wait_uint:
        return wait(r, false, false);
    case op_wait_uint_private:
        return wait(r, false, true);
    case op_wake:
        return wake(r, false);
    case op_wake_private:
        return wake(r, true);
    case op_nwake_private:
        return wake_many(r);
    case op_mutex_trylock:
        return mutex_lock(r, MutexMode::try_lock);
    case op_mutex_lock:
        return mutex_lock(r, MutexMode::lock);
    case op_mutex_wait:
        return mutex_lock(r, MutexMode::wait);
    case op_set_ceiling:
        return set_ceiling(r);
    case op_mutex_unlock:
        TRY(unlock_mutex(lwp, r.object));
        return Return(0);
    case op_mutex_wake:
        return mutex_wake(r, TRY(user_load32(r.space, at(r.object, flags_field))));
    case op_mutex_wake2:
        return mutex_wake(r, static_cast<std::uint32_t>(r.value));
    case op_cv_wait:
        return cv_wait(r);
    case op_cv_signal:
        return cv_wake(r, 1);
    case op_cv_broadcast:
        return cv_wake(r, ~0u);
    case op_rw_rdlock:
        return rw_lock(r, false);
    case op_rw_wrlock:
        return rw_lock(r, true);
    case op_rw_unlock:
        return rw_unlock(r);
    case op_sem_wait:
        return sem_wait(r);
    case op_sem_wake:
        return sem_wake(r);
    case op_sem2_wait:
        return sem2_wait(r);
    case op_sem2_wake:
        return sem2_wake(r);
    case op_robust_lists:
        return robust_lists(r);
    case op_get_min_timeout:
        if (r.value < sizeof lwp.proc.umtx_min_timeout)
            return Failure(Errno::einval);
        TRY(copyout(r.space, UserAddress{r.size}, lwp.proc.umtx_min_timeout));
        return Return(0);
    case op_set_min_timeout:
        if (static_cast<std::int64_t>(r.value) < 0)
            return Failure(Errno::einval);
        lwp.proc.umtx_min_timeout = r.value;
        return Return(0);
    case op_shm:
        return shared_page(r);
    default:
        return Failure(Errno::einval);
    }
}

// A thread ends: the mutexes on its robust lists get a mark, and one waiter each learns of it. The lists lie
// in user memory: a bounded number of steps, and a broken list ends there.
void umtx_thread_exit(Lwp& lwp) {
    drop_ceilings(lwp);
    constexpr unsigned longest_list = 1000;
    constexpr std::uint64_t link_field = 16;
    VmSpace* space = lwp.proc.vmspace;
    for (std::uint64_t head : lwp.robust_lists) {
        if (!head || !space)
            continue;
        auto next = user_load64(*space, UserAddress{head});
        for (unsigned i = 0; i < longest_list && next && next.value() != 0; i++) {
            UserAddress mutex{next.value()};
            auto flags = user_load32(*space, at(mutex, flags_field));
            auto owner = user_load32(*space, mutex);
            auto after = user_load64(*space, at(mutex, link_field));
            if (!flags || !owner || !after)
                break;
            if ((flags.value() & flag_robust) &&
                (owner.value() & ~contested) == static_cast<std::uint32_t>(lwp.tid)) {
                if (!user_store32(*space, mutex, owner_dead))
                    break;
                if (auto key = umtx_key(*space, mutex, !(flags.value() & flag_shared)))
                    umtx_wake(key.value(), 1);
            }
            std::uint64_t following = after.value();
            if (following == head)
                break;
            next.value() = following;
        }
    }
}

} // namespace bsd
