// SPDX-License-Identifier: BSD-2-Clause
// DragonFly's threads: lwp_*, extexit, TLS areas, umtx_sleep and umtx_wakeup.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/cpuset.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/stack_image.hpp"
#include "bsd-personality/kern/umtx.hpp"
#include "bsd-personality/kern/upmap.hpp"
#include "bsd-personality/vm/usermem.hpp"

#include <cstring>

namespace bsd {

namespace {

struct LwpParameters { // struct lwp_params
    std::uint64_t function, argument, stack, tid1, tid2;
};
static_assert(sizeof(LwpParameters) == 40);

struct TlsInfo {
    std::uint64_t base;
    std::int64_t size;
};

SysResult<void> prepare(Lwp& parent, Lwp& thread, const LwpParameters& p) {
    VmSpace& space = *parent.proc.vmspace;
    UserContext& c = thread.saved;
    c.cs = parent.frame->cs;
    c.ss = parent.frame->ss;
    set_entry_registers(c, p.function, 0);
    c.rdi = p.argument;
    c.rsp = p.stack - 8;
    thread.mask = parent.mask;
    TRY(copyout(space, UserAddress{c.rsp}, std::uint64_t{0}));
    if (p.tid1)
        TRY(copyout(space, UserAddress{p.tid1}, thread.tid));
    if (p.tid2)
        TRY(copyout(space, UserAddress{p.tid2}, thread.tid));
    return {};
}

SysResult<Return> make_thread(Lwp& lwp, UserAddress parameters, std::uint64_t affinity) {
    auto p = TRY(copyin<LwpParameters>(*lwp.proc.vmspace, parameters));
    if (p.function >= user_address_end)
        return Failure(Errno::einval);
    Lwp* thread = TRY(create_lwp(lwp.proc));
    inherit_schedule(lwp, *thread);
    thread->affinity = affinity;
    if (auto ready = prepare(lwp, *thread, p); !ready) {
        destroy_unstarted_lwp(*thread);
        return Failure(ready.error());
    }
    start_lwp(*thread);
    return Return(0);
}

} // namespace

SysResult<Return> sys_lwp_create(Lwp& lwp, const SystemCall& call) {
    return make_thread(lwp, call.address(0), lwp.affinity);
}
// lwp_create2(parameters, mask): the mask may be null.
SysResult<Return> sys_lwp_create2(Lwp& lwp, const SystemCall& call) {
    std::uint64_t affinity = lwp.affinity;
    if (call.word(1) != 0)
        affinity = TRY(copyin<std::uint64_t>(*lwp.proc.vmspace, call.address(1))) & cpuset_of(lwp.proc).mask;
    return affinity != 0 ? make_thread(lwp, call.address(0), affinity)
                         : SysResult<Return>(Failure(Errno::eperm));
}
SysResult<Return> sys_lwp_gettid(Lwp& lwp, const SystemCall&) {
    return Return(static_cast<std::uint64_t>(lwp.tid));
}

namespace {

// pid -1: the caller's process; tid -1: any thread.
SysResult<Lwp*> find_thread(Lwp& lwp, pid_t pid, lwpid_t tid) {
    Proc* proc = pid == -1 || pid == 0 ? &lwp.proc : find_process(pid);
    if (!proc || proc->state != ProcState::alive)
        return Failure(Errno::esrch);
    Lwp* target = tid == -1 ? proc->lwps.first() : find_lwp(tid);
    if (!target || &target->proc != proc)
        return Failure(Errno::esrch);
    return target;
}

} // namespace

SysResult<Return> sys_lwp_kill(Lwp& lwp, const SystemCall& call) {
    int pid = call.integer(0), tid = call.integer(1), signal = call.integer(2);
    if (signal != 0 && !SignalSet::valid(signal))
        return Failure(Errno::einval);
    Lwp* target = TRY(find_thread(lwp, pid, tid));
    if (!may_signal(lwp.proc, target->proc, signal))
        return Failure(Errno::eperm);
    if (signal == 0)
        return Return(0);
    SignalInfo info;
    info.signal = signal;
    info.code = si_lwp;
    info.pid = lwp.proc.pid;
    info.uid = lwp.proc.cred->ruid;
    tid == -1 ? post_signal(target->proc, info) : post_signal(*target, info);
    return Return(0);
}

SysResult<Return> sys_lwp_setname(Lwp& lwp, const SystemCall& call) {
    char name[sizeof(Lwp::name)] = {};
    auto length = copyinstr(*lwp.proc.vmspace, call.address(1), name, sizeof name);
    if (!length && length.error() != Errno::enametoolong)
        return Failure(length.error());
    name[sizeof name - 1] = '\0';
    Lwp* target = TRY(find_thread(lwp, -1, call.integer(0)));
    std::memcpy(target->name, name, sizeof name);
    if (char* title = thread_title(*target))
        std::memcpy(title, name, sizeof name);
    return Return(0);
}

SysResult<Return> sys_lwp_getname(Lwp& lwp, const SystemCall& call) {
    Lwp* target = TRY(find_thread(lwp, -1, call.integer(0)));
    if (const char* title = thread_title(*target)) // which programs write themselves
        std::memcpy(target->name, title, sizeof target->name - 1);
    std::uint64_t length = text(target->name).size + 1;
    if (call.word(2) < length)
        return Failure(Errno::erange);
    TRY(copyout(*lwp.proc.vmspace, target->name, call.address(1), length));
    return Return(0);
}

// extexit(how, status, address): ends the thread or the process, and may store the status first.
SysResult<Return> sys_extexit(Lwp& lwp, const SystemCall& call) {
    enum : std::uint32_t { action_mask = 0xffff, set_int = 1, who_mask = 0xffff'0000, who_lwp = 0x1'0000 };
    std::uint32_t how = call.natural(0);
    std::int32_t status = call.integer(1);
    if ((how & action_mask) > set_int || (how & who_mask) > who_lwp)
        return Failure(Errno::einval);
    if ((how & action_mask) == set_int) {
        VmSpace& space = *lwp.proc.vmspace;
        TRY(copyout(space, call.address(2), status));
        if (auto key = umtx_key(space, call.address(2), false))
            umtx_wake(key.value(), ~0u);
    }
    if ((how & who_mask) == who_lwp && lwp.proc.lwp_count > 1)
        exit_thread(lwp);
    else
        exit_process(lwp, exit_status(status));
    return Failure(Errno::ejustreturn);
}

SysResult<Return> sys_set_tls_area(Lwp& lwp, const SystemCall& call) {
    int which = call.integer(0);
    if (which < 0 || which > 1 || call.word(2) < sizeof(TlsInfo))
        return Failure(Errno::einval);
    auto info = TRY(copyin<TlsInfo>(*lwp.proc.vmspace, call.address(1)));
    if (info.base >= user_address_end)
        return Failure(Errno::einval);
    (which == 0 ? lwp.frame->fs_base : lwp.frame->gs_base) = info.base;
    return Return(0);
}

SysResult<Return> sys_get_tls_area(Lwp& lwp, const SystemCall& call) {
    int which = call.integer(0);
    if (which < 0 || which > 1 || call.word(2) < sizeof(TlsInfo))
        return Failure(Errno::einval);
    TRY(copyout(*lwp.proc.vmspace, call.address(1),
                TlsInfo{which == 0 ? lwp.frame->fs_base : lwp.frame->gs_base, -1}));
    return Return(0);
}

// The key of a word for umtx_sleep and umtx_wakeup. Errors: EFAULT (not aligned), EINVAL (nothing is there).
static SysResult<UmtxKey> word_key(Lwp& lwp, UserAddress word) {
    if (word.value & 3)
        return Failure(Errno::efault);
    auto key = umtx_key(*lwp.proc.vmspace, word, false);
    if (!key)
        return Failure(Errno::einval);
    return key.value();
}

// umtx_sleep(word, value, microseconds): while the word has the value. There, every sleep ends after
// kern.umtx_timeout_max, since a word may have got another page meanwhile; here it cannot lose its waiters.
SysResult<Return> sys_umtx_sleep(Lwp& lwp, const SystemCall& call) {
    std::int32_t microseconds = call.integer(2);
    if (microseconds < 0)
        return Failure(Errno::einval);
    UmtxKey key = TRY(word_key(lwp, call.address(0)));
    auto value = user_load32(*lwp.proc.vmspace, call.address(0));
    if (!value)
        return Failure(Errno::einval);
    if (value.value() != call.natural(1))
        return Failure(Errno::ebusy);
    auto deadline = lwkt::no_timeout;
    if (microseconds)
        deadline =
            glue::Nanoseconds{glue::Clock::now().value + static_cast<std::uint64_t>(microseconds) * 1000};
    UmtxWaiter waiter;
    umtx_enqueue(waiter, key);
    auto slept = umtx_sleep(lwp, waiter, "umtxsl", deadline);
    if (!slept)
        return Failure(slept.error() == Errno::etimedout ? Errno::eagain : never_restart(slept.error()));
    return Return(0);
}

SysResult<Return> sys_umtx_wakeup(Lwp& lwp, const SystemCall& call) {
    std::int32_t count = call.integer(1);
    UmtxKey key = TRY(word_key(lwp, call.address(0)));
    umtx_wake(key, count > 0 ? static_cast<unsigned>(count) : ~0u);
    return Return(0);
}

} // namespace bsd
