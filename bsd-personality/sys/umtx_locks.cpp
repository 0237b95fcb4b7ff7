// SPDX-License-Identifier: BSD-2-Clause
// Condition variables, read-write locks and semaphores of _umtx_op. Layouts: sys/_umtx.h.
#include "bsd-personality/sys/umtx_request.hpp"

namespace bsd::umtx {

// --- condition variables
// ---------------------------------------------------------------------------------------------

// struct ucond: has_waiters 0, flags 4, clock 8. value: 2 = absolute time, 4 = use the clock; size = the
// mutex.
SysResult<Return> cv_wait(const Request& r) {
    auto flags = TRY(user_load32(r.space, at(r.object, 4)));
    UmtxKey key = TRY(key_of(r, flags));
    Timeout timeout;
    if (r.pointer.value) {
        std::uint32_t clock = r.value & 4 ? TRY(user_load32(r.space, at(r.object, 8))) : 0;
        timeout.relative = !(r.value & 2);
        timeout.deadline =
            TRY(absolute(r.lwp, TRY(copyin<TimeSpec>(r.space, r.pointer)), clock, !timeout.relative));
    }
    UmtxWaiter waiter;
    umtx_enqueue(waiter, key);
    auto marked = user_store32(r.space, r.object, 1);
    auto unlocked =
        marked ? unlock_mutex(r.lwp, UserAddress{r.size}) : SysResult<void>(Failure(marked.error()));
    if (!unlocked) {
        umtx_dequeue(waiter);
        return Failure(unlocked.error());
    }
    auto slept = umtx_sleep(r.lwp, waiter, "ucond", timeout.deadline);
    if (slept)
        return Return(0);
    if (umtx_count(key) == 0)
        TRY(user_store32(r.space, r.object, 0));
    return Failure(never_restart(slept.error())); // the mutex is gone: it cannot be issued again
}

SysResult<Return> cv_wake(const Request& r, unsigned count) {
    auto flags = TRY(user_load32(r.space, at(r.object, 4)));
    UmtxKey key = TRY(key_of(r, flags));
    umtx_wake(key, count);
    if (umtx_count(key) == 0)
        TRY(user_store32(r.space, r.object, 0));
    return Return(0);
}

// --- read-write locks
// ------------------------------------------------------------------------------------------------

// struct urwlock: state 0, flags 4, blocked readers 8, blocked writers 12.
static constexpr std::uint32_t write_owner = 0x8000'0000, write_waiters = 0x4000'0000,
                               read_waiters = 0x2000'0000, readers_mask = 0x1fff'ffff;
constexpr std::uint32_t prefer_reader = 2;

static SysResult<void> count_blocked(const Request& r, std::uint64_t field, std::int32_t change) {
    std::uint32_t count = TRY(user_load32(r.space, at(r.object, field)));
    return user_store32(r.space, at(r.object, field), count + static_cast<std::uint32_t>(change));
}

SysResult<Return> rw_lock(const Request& r, bool writer) {
    auto flags = TRY(user_load32(r.space, at(r.object, 4)));
    UmtxKey key = TRY(key_of(r, flags));
    Timeout timeout = TRY(read_timeout(r));
    bool readers_first = (flags & prefer_reader) || (r.value & prefer_reader);
    const std::uint32_t blocking = writer          ? write_owner | readers_mask
                                   : readers_first ? write_owner
                                                   : write_owner | write_waiters;
    const std::uint32_t waiting = writer ? write_waiters : read_waiters;
    const std::uint64_t field = writer ? 12 : 8;
    for (;;) {
        std::uint32_t state = TRY(user_load32(r.space, r.object));
        if (!(state & blocking)) {
            if (!writer && (state & readers_mask) == readers_mask)
                return Failure(Errno::eagain);
            std::uint32_t wanted = writer ? state | write_owner : state + 1;
            if (TRY(user_exchange32(r.space, r.object, state, wanted)) == state)
                return Return(0);
            continue;
        }
        if (!(state & waiting) && TRY(user_exchange32(r.space, r.object, state, state | waiting)) != state)
            continue;
        UmtxWaiter waiter;
        TRY(count_blocked(r, field, 1));
        umtx_enqueue(waiter, key, writer ? UmtxQueue::writers : UmtxQueue::readers);
        auto slept = umtx_sleep(r.lwp, waiter, "urwlck", timeout.deadline);
        TRY(count_blocked(r, field, -1));
        if (TRY(user_load32(r.space, at(r.object, field))) == 0) // the last one that waited clears the mark
            for (state = TRY(user_load32(r.space, r.object)); state & waiting;) {
                std::uint32_t seen = TRY(user_exchange32(r.space, r.object, state, state & ~waiting));
                if (seen == state)
                    break;
                state = seen;
            }
        if (!slept)
            return Failure(ended_by(slept.error(), timeout));
    }
}

SysResult<Return> rw_unlock(const Request& r) {
    auto flags = TRY(user_load32(r.space, at(r.object, 4)));
    UmtxKey key = TRY(key_of(r, flags));
    std::uint32_t state;
    for (;;) {
        state = TRY(user_load32(r.space, r.object));
        if (!(state & write_owner) && (state & readers_mask) == 0)
            return Failure(Errno::eperm);
        std::uint32_t wanted = state & write_owner ? state & ~write_owner : state - 1;
        if (TRY(user_exchange32(r.space, r.object, state, wanted)) == state) {
            state = wanted;
            break;
        }
    }
    if (state & readers_mask)
        return Return(0);
    bool readers_first = (flags & prefer_reader) != 0;
    if ((state & write_waiters) && !(readers_first && (state & read_waiters)))
        umtx_wake(key, 1, UmtxQueue::writers);
    else if (state & read_waiters)
        umtx_wake(key, ~0u, UmtxQueue::readers);
    return Return(0);
}

// --- semaphores
// ------------------------------------------------------------------------------------------------------

// struct _usem2: count 0 (top bit: has waiters), flags 4.
SysResult<Return> sem2_wait(const Request& r) {
    constexpr std::uint32_t has_waiters = 0x8000'0000;
    auto flags = TRY(user_load32(r.space, at(r.object, 4)));
    UmtxKey key = TRY(key_of(r, flags));
    Timeout timeout = TRY(read_timeout(r));
    for (;;) {
        std::uint32_t count = TRY(user_load32(r.space, r.object));
        if (count & ~has_waiters)
            return Return(0);
        if ((count & has_waiters) ||
            TRY(user_exchange32(r.space, r.object, count, count | has_waiters)) == count)
            break;
    }
    UmtxWaiter waiter;
    umtx_enqueue(waiter, key);
    auto slept = umtx_sleep(r.lwp, waiter, "usem", timeout.deadline);
    if (slept)
        return Return(0);
    if (slept.error() == Errno::erestart && timeout.relative &&
        r.size >= sizeof(UmtxTime) + sizeof(TimeSpec)) {
        std::uint64_t now = glue::Clock::now().value;
        std::uint64_t left = timeout.deadline.value > now ? timeout.deadline.value - now : 0;
        TRY(copyout(r.space, at(r.pointer, sizeof(UmtxTime)), to_timespec(left)));
    }
    return Failure(ended_by(slept.error(), timeout));
}

SysResult<Return> sem2_wake(const Request& r) {
    constexpr std::uint32_t has_waiters = 0x8000'0000;
    auto flags = TRY(user_load32(r.space, at(r.object, 4)));
    UmtxKey key = TRY(key_of(r, flags));
    if (umtx_count(key) == 1)
        for (std::uint32_t count = TRY(user_load32(r.space, r.object)); count & has_waiters;) {
            std::uint32_t seen = TRY(user_exchange32(r.space, r.object, count, count & ~has_waiters));
            if (seen == count)
                break;
            count = seen;
        }
    umtx_wake(key, 1);
    return Return(0);
}

// struct _usem (old): has_waiters 0, count 4, flags 8.
SysResult<Return> sem_wait(const Request& r) {
    auto flags = TRY(user_load32(r.space, at(r.object, 8)));
    UmtxKey key = TRY(key_of(r, flags));
    Timeout timeout = TRY(read_timeout(r));
    TRY(user_store32(r.space, r.object, 1));
    if (TRY(user_load32(r.space, at(r.object, 4))) != 0)
        return Return(0);
    UmtxWaiter waiter;
    umtx_enqueue(waiter, key);
    TRY(sleep_on(r, waiter, timeout));
    return Return(0);
}

SysResult<Return> sem_wake(const Request& r) {
    auto flags = TRY(user_load32(r.space, at(r.object, 8)));
    UmtxKey key = TRY(key_of(r, flags));
    umtx_wake(key, 1);
    if (umtx_count(key) == 0)
        TRY(user_store32(r.space, r.object, 0));
    return Return(0);
}

} // namespace bsd::umtx
