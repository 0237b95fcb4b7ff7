// SPDX-License-Identifier: BSD-2-Clause
// Signal calls of both ABIs; their structures are the same but for siginfo's codes.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/abi/signal_frame.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/vm/usermem.hpp"

#include <limits>

namespace bsd {

namespace {

struct ActionRecord { // struct sigaction
    std::uint64_t handler;
    std::int32_t flags;
    std::uint32_t mask[4];
    std::uint32_t padding;
};
static_assert(sizeof(ActionRecord) == 32);

SignalInfo sent_by(const Lwp& lwp, int signal, int code) {
    SignalInfo info;
    info.signal = signal;
    info.code = code;
    info.pid = lwp.proc.pid;
    info.uid = lwp.proc.cred->ruid;
    return info;
}

// Signals one process for kill(2); signal 0 only asks.
Errno try_kill(Lwp& lwp, Proc& target, const SignalInfo& info) {
    if (!may_signal(lwp.proc, target, info.signal))
        return Errno::eperm;
    if (info.signal)
        post_signal(target, info);
    return Errno{};
}

// To a group, or with group 0 to everybody: success if at least one could be signalled.
SysResult<Return> kill_many(Lwp& lwp, pid_t group, const SignalInfo& info) {
    bool found = false, sent = false;
    for (Proc *proc = all_processes.first(), *next; proc; proc = next) {
        next = all_processes.next(proc);
        bool wanted =
            group ? proc->pgrp && proc->pgrp->id == group : proc != init_process && proc != &lwp.proc;
        if (!wanted || proc->state != ProcState::alive)
            continue;
        found = true;
        sent |= try_kill(lwp, *proc, info) == Errno{};
    }
    if (!found)
        return Failure(Errno::esrch);
    return sent ? SysResult<Return>(Return(0)) : Failure(Errno::eperm);
}

} // namespace

SysResult<Return> sys_kill(Lwp& lwp, const SystemCall& call) {
    int pid = call.integer(0), signal = call.integer(1);
    if (signal != 0 && !SignalSet::valid(signal))
        return Failure(Errno::einval);
    SignalInfo info = sent_by(lwp, signal, si_user);
    if (pid > 0) {
        Proc* target = find_process(pid);
        if (!target)
            return Failure(Errno::esrch);
        if (target->state == ProcState::zombie)
            return Return(0);
        if (Errno error = try_kill(lwp, *target, info); error != Errno{})
            return Failure(error);
        return Return(0);
    }
    if (pid == std::numeric_limits<int>::min()) // no group has the number that it would name
        return Failure(Errno::esrch);
    return kill_many(lwp, pid == -1 ? 0 : pid == 0 ? lwp.proc.pgrp->id : -pid, info);
}

// sigqueue(pid, signo, value)
SysResult<Return> sys_sigqueue(Lwp& lwp, const SystemCall& call) {
    int pid = call.integer(0), signal = call.integer(1);
    if (signal != 0 && !SignalSet::valid(signal))
        return Failure(Errno::einval);
    Proc* target = pid > 0 ? find_process(pid) : nullptr;
    if (pid <= 0)
        return Failure(Errno::einval);
    if (!target)
        return Failure(Errno::esrch);
    SignalInfo info = sent_by(lwp, signal, si_queue);
    info.value = call.word(2);
    if (target->state == ProcState::alive)
        if (Errno error = try_kill(lwp, *target, info); error != Errno{})
            return Failure(error);
    return Return(0);
}

SysResult<Return> sys_sigaction(Lwp& lwp, const SystemCall& call) {
    int signal = call.integer(0);
    if (!SignalSet::valid(signal))
        return Failure(Errno::einval);
    VmSpace& space = *lwp.proc.vmspace;
    SignalAction& action = lwp.proc.actions[signal];
    ActionRecord wanted{};
    if (call.word(1)) {
        wanted = TRY(copyin<ActionRecord>(space, call.address(1)));
        if ((signal == sigkill || signal == sigstop) && wanted.handler != sig_dfl)
            return Failure(Errno::einval);
    }
    if (call.word(2)) {
        ActionRecord old{action.handler, action.flags, {}, 0};
        __builtin_memcpy(old.mask, &action.mask, sizeof old.mask);
        TRY(copyout(space, &old, call.address(2), offsetof(ActionRecord, padding)));
    }
    if (!call.word(1))
        return Return(0);
    action.handler = wanted.handler;
    action.flags = wanted.flags & 0x7f;
    __builtin_memcpy(&action.mask, wanted.mask, sizeof wanted.mask);
    action.mask = action.mask & ~unmaskable;
    bool ignored_default = signal == sigurg || signal == sigcont || signal == sigchld || signal == sigio ||
                           signal == sigwinch || signal == siginfo;
    if (wanted.handler == sig_ign || (wanted.handler == sig_dfl && ignored_default)) {
        lwp.proc.pending.discard(SignalSet::of(signal));
        for (Lwp* each = lwp.proc.lwps.first(); each; each = lwp.proc.lwps.next(each))
            each->pending.discard(SignalSet::of(signal));
    }
    return Return(0);
}

SysResult<Return> sys_sigprocmask(Lwp& lwp, const SystemCall& call) {
    enum { block = 1, unblock = 2, set_mask = 3 };
    VmSpace& space = *lwp.proc.vmspace;
    SignalSet old = lwp.mask, mask = old;
    if (call.word(1)) {
        SignalSet set = TRY(copyin<SignalSet>(space, call.address(1)));
        switch (call.integer(0)) {
        case block:
            mask = old | set;
            break;
        case unblock:
            mask = old & ~set;
            break;
        case set_mask:
            mask = set;
            break;
        default:
            return Failure(Errno::einval);
        }
    }
    if (call.word(2))
        TRY(copyout(space, call.address(2), old));
    if (call.word(1))
        set_signal_mask(lwp, mask);
    return Return(0);
}

SysResult<Return> sys_sigpending(Lwp& lwp, const SystemCall& call) {
    SignalSet set = lwp.pending.set() | lwp.proc.pending.set();
    TRY(copyout(*lwp.proc.vmspace, call.address(0), set));
    return Return(0);
}

SysResult<Return> sys_sigsuspend(Lwp& lwp, const SystemCall& call) {
    SignalSet mask = TRY(copyin<SignalSet>(*lwp.proc.vmspace, call.address(0)));
    lwp.saved_mask = lwp.mask;
    set_signal_mask(lwp, mask);
    set_ast(lwp, ast_restore_mask);
    for (;;) {
        auto slept = interruptible_sleep(lwp, &lwp.saved_mask, "pause");
        if (!slept)
            return Failure(never_restart(slept.error()));
    }
}

SysResult<Return> sys_sigaltstack(Lwp& lwp, const SystemCall& call) {
    constexpr int on_stack = 1, disable = 4;
    constexpr std::uint64_t smallest = 2048;
    VmSpace& space = *lwp.proc.vmspace;
    UserStack wanted{};
    bool active = on_alternate_stack(lwp, lwp.frame->rsp);
    if (call.word(0)) {
        wanted = TRY(copyin<UserStack>(space, call.address(0)));
        if (active)
            return Failure(Errno::eperm);
        if (wanted.flags & ~(disable | on_stack))
            return Failure(Errno::einval);
        if (!(wanted.flags & disable) && wanted.size < smallest)
            return Failure(Errno::enomem);
    }
    if (call.word(1))
        TRY(copyout(space, call.address(1), describe_stack(lwp, lwp.frame->rsp)));
    if (call.word(0))
        lwp.altstack =
            wanted.flags & disable ? AlternateStack{} : AlternateStack{wanted.base, wanted.size, 0};
    return Return(0);
}

SysResult<Return> sys_sigreturn(Lwp& lwp, const SystemCall& call) {
    auto result = lwp.proc.abi->signal_return(lwp, call.address(0));
    if (!result)
        return Failure(result.error());
    return Failure(Errno::ejustreturn);
}

// --- waiting for signals
// -------------------------------------------------------------------------------------------

namespace {

SysResult<SignalInfo> wait_for_signal(Lwp& lwp, SignalSet set, glue::Nanoseconds deadline, bool poll) {
    set = set & ~unmaskable;
    for (;;) {
        if (int signal = ((lwp.pending.set() | lwp.proc.pending.set()) & set).first()) {
            lwp.waiting = SignalSet{};
            return lwp.pending.set().has(signal) ? lwp.pending.take(signal) : lwp.proc.pending.take(signal);
        }
        if (poll)
            return Failure(Errno::eagain);
        lwp.waiting = set;
        auto slept = interruptible_sleep(lwp, &lwp.waiting, "sigwait", deadline);
        bool arrived = !((lwp.pending.set() | lwp.proc.pending.set()) & set).empty();
        lwp.waiting = SignalSet{};
        if (arrived)
            continue;
        if (!slept)
            return Failure(slept.error());
        if (!slept.value())
            return Failure(Errno::eagain);
    }
}

SysResult<void> put_info(Lwp& lwp, UserAddress to, const SignalInfo& info) {
    std::byte record[80];
    lwp.proc.abi->signal_info(info, record);
    return copyout(*lwp.proc.vmspace, record, to, sizeof record);
}

} // namespace

// sigtimedwait(set, info, timeout)
SysResult<Return> sys_sigtimedwait(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    SignalSet set = TRY(copyin<SignalSet>(space, call.address(0)));
    glue::Nanoseconds deadline = lwkt::no_timeout;
    bool poll = false;
    if (call.word(2)) {
        std::uint64_t span = TRY(to_nanoseconds(TRY(copyin<TimeSpec>(space, call.address(2)))));
        poll = span == 0;
        deadline = glue::Nanoseconds{glue::Clock::now().value + span};
    }
    auto info = wait_for_signal(lwp, set, deadline, poll);
    if (!info)
        return Failure(never_restart(info.error()));
    if (call.word(1))
        TRY(put_info(lwp, call.address(1), info.value()));
    return Return(static_cast<std::uint64_t>(info.value().signal));
}

SysResult<Return> sys_sigwaitinfo(Lwp& lwp, const SystemCall& call) {
    SignalSet set = TRY(copyin<SignalSet>(*lwp.proc.vmspace, call.address(0)));
    auto info = wait_for_signal(lwp, set, lwkt::no_timeout, false);
    if (!info)
        return Failure(never_restart(info.error()));
    if (call.word(1))
        TRY(put_info(lwp, call.address(1), info.value()));
    return Return(static_cast<std::uint64_t>(info.value().signal));
}

// sigwait(set, signal): the error is the result, EINTR is not one of them.
SysResult<Return> sys_sigwait(Lwp& lwp, const SystemCall& call) {
    auto set = copyin<SignalSet>(*lwp.proc.vmspace, call.address(0));
    if (!set)
        return Return(static_cast<std::uint64_t>(set.error()));
    auto info = wait_for_signal(lwp, set.value(), lwkt::no_timeout, false);
    if (!info)
        return Failure(info.error());
    auto stored = copyout(*lwp.proc.vmspace, call.address(1), static_cast<std::int32_t>(info.value().signal));
    return Return(stored ? 0 : static_cast<std::uint64_t>(stored.error()));
}

} // namespace bsd
