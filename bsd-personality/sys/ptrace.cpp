// SPDX-License-Identifier: BSD-2-Clause
// ptrace(2): who may ask, and what lets a process go on. Requests about one thread that stands still are in
// sys/ptrace_state.cpp. DragonFly knows few of them, and no threads: it means the first one.
#include "bsd-personality/sys/ptrace_request.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/debug_access.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

constexpr std::uint64_t trap_flag = 0x100;

bool is_known(AbiKind kind, int request) {
    if (kind == AbiKind::dragonfly)
        return (request >= pt_trace_me && request <= pt_io && request != 3 && request != 6) ||
               (request >= pt_get_registers && request <= pt_set_fpu);
    return (request >= pt_trace_me && request <= pt_get_call_result && request != 3 && request != 6) ||
           (request >= pt_get_registers && request <= pt_set_fpu) ||
           (request >= pt_get_state_info && request <= pt_set_gs_base);
}

// The process or, with FreeBSD's numbers of threads, the thread that is meant. Errors: ESRCH.
SysResult<void> find_target(Lwp& lwp, pid_t id, PtraceRequest& request) {
    if (id > max_pid && request.kind == AbiKind::freebsd) {
        request.thread = find_lwp(id);
        request.target = request.thread ? &request.thread->proc : nullptr;
    } else {
        request.target = find_process(id);
    }
    Proc* target = request.target;
    if (!target || target->state != ProcState::alive || (target->flags & proc_exiting))
        return Failure(Errno::esrch);
    if (target == init_process)
        return Failure(Errno::einval);
    if (!request.thread)
        request.thread = target->debug && target->debug->reporter && request.kind == AbiKind::freebsd
                             ? target->debug->reporter
                             : target->lwps.first();
    return request.thread ? may_debug(lwp.proc, *target) : SysResult<void>(Failure(Errno::esrch));
}

SysResult<Return> trace_me(Lwp& lwp, AbiKind kind) {
    Proc& proc = lwp.proc;
    if (proc.debug)
        return kind == AbiKind::freebsd ? SysResult<Return>(Failure(Errno::ebusy)) : Return(0);
    if (!proc.parent || proc.parent == init_process)
        return Failure(Errno::eperm);
    TRY(begin_debugging(proc, *proc.parent));
    proc.debug->by_itself = true;
    return Return(0);
}

SysResult<Return> attach(Lwp& lwp, Proc& target) {
    if (&target == &lwp.proc)
        return Failure(Errno::einval);
    if (target.debug)
        return Failure(Errno::ebusy);
    for (const Proc* each = lwp.proc.debug ? lwp.proc.parent : nullptr; each; each = each->parent)
        if (each == &target) // they would wait for each other
            return Failure(Errno::einval);
    TRY(begin_debugging(target, lwp.proc));
    target.debug->stop_is_due = true;
    resume_stopped(target);
    SignalInfo info;
    info.signal = sigstop;
    info.code = si_user;
    info.pid = lwp.proc.pid;
    info.uid = lwp.proc.cred->ruid;
    post_signal(target, info);
    return Return(0);
}

void step(Lwp& thread) {
    thread.frame->rflags |= trap_flag;
    __atomic_fetch_or(&thread.observers, observe_step, __ATOMIC_RELAXED);
}
void no_step(Lwp& thread) {
    thread.frame->rflags &= ~trap_flag;
    __atomic_fetch_and(&thread.observers, static_cast<std::uint8_t>(~observe_step), __ATOMIC_RELAXED);
}

// PT_CONTINUE and its kin: at `address` unless it is 1, with a signal unless it is 0.
SysResult<Return> go_on(const PtraceRequest& request) {
    Proc& target = *request.target;
    if (request.data < 0 || request.data > signal_count)
        return Failure(Errno::einval);
    bool moves = request.request != pt_detach || request.kind == AbiKind::dragonfly;
    if (request.request == pt_step && request.kind == AbiKind::freebsd)
        moves = false;
    if (moves && request.address.value != 1)
        request.thread->frame->rip = request.address.value;
    switch (request.request) {
    case pt_step:
        step(*request.thread);
        break;
    case pt_to_entry:
        target.debug->events |= debug_call_entry;
        break;
    case pt_to_exit:
        target.debug->events |= debug_call_exit;
        break;
    case pt_syscall:
        target.debug->events |= debug_call_entry | debug_call_exit;
        break;
    default:
        break;
    }
    update_observers(target);
    resume_debugged(target, request.data);
    if (request.request == pt_detach)
        end_debugging(target);
    return Return(0);
}

// Errors: EPERM (nobody debugs it), EBUSY (another does, or it is not stopped).
SysResult<void> check_stopped(const Lwp& lwp, const Proc& target) {
    if (!target.debug)
        return Failure(Errno::eperm);
    if (target.parent != &lwp.proc || !target.debug->reporter || !target.debug->waited)
        return Failure(Errno::ebusy);
    return {};
}

SysResult<Return> set_events(const PtraceRequest& request, std::uint32_t event) {
    std::uint32_t& events = request.target->debug->events;
    events = request.data ? events | event : events & ~event;
    return Return(0);
}

SysResult<Return> event_mask(Lwp& lwp, const PtraceRequest& request) {
    std::uint32_t& events = request.target->debug->events;
    if (request.data != sizeof events)
        return Failure(Errno::einval);
    if (request.request == pt_get_events) {
        TRY(copyout(*lwp.proc.vmspace, request.address, events));
        return Return(0);
    }
    auto wanted = TRY(copyin<std::uint32_t>(*lwp.proc.vmspace, request.address));
    if (wanted & ~std::uint32_t{debug_all})
        return Failure(Errno::einval);
    events = wanted;
    update_observers(*request.target);
    return Return(0);
}

SysResult<Return> ask(Lwp& lwp, const PtraceRequest& request) {
    switch (request.request) {
    case pt_continue:
    case pt_step:
    case pt_detach:
    case pt_to_entry:
    case pt_to_exit:
    case pt_syscall:
        return go_on(request);
    case pt_kill:
        post_kernel_signal(*request.target, sigkill);
        return Return(0);
    case pt_set_step:
        step(*request.thread);
        return Return(0);
    case pt_clear_step:
        no_step(*request.thread);
        return Return(0);
    case pt_suspend:
    case pt_resume:
        request.thread->debug_suspended = request.request == pt_suspend;
        return Return(0);
    case pt_follow_fork:
        return set_events(request, debug_fork);
    case pt_lwp_events:
        return set_events(request, debug_lwp);
    case pt_get_events:
    case pt_set_events:
        return event_mask(lwp, request);
    default:
        return ptrace_state(lwp, request);
    }
}

} // namespace

// ptrace(request, pid, address, data)
SysResult<Return> sys_ptrace(Lwp& lwp, const SystemCall& call) {
    PtraceRequest request;
    request.kind = lwp.proc.abi->kind;
    request.request = call.integer(0);
    request.address = call.address(2);
    request.data = call.integer(3);
    if (request.request == pt_trace_me)
        return trace_me(lwp, request.kind);
    TRY(find_target(lwp, call.integer(1), request));
    if (!is_known(request.kind, request.request))
        return Failure(Errno::einval);
    if (request.request == pt_attach)
        return attach(lwp, *request.target);
    TRY(check_stopped(lwp, *request.target));
    return ask(lwp, request);
}

} // namespace bsd
