// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/debug.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/cpu.hpp"
#include "bsd-personality/kern/hold.hpp"
#include "bsd-personality/kern/ktrace.hpp"
#include "bsd-personality/kern/reaper.hpp"
#include "lwkt/slab.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

namespace {

unsigned debugged_processes = 0; // guarded by giant

void move_to(Proc& proc, Proc& parent) {
    if (proc.parent == &parent)
        return;
    if (proc.parent)
        proc.parent->children.remove(&proc);
    set_parent(proc, parent);
}

// The debugger's wait looks, and it has SIGCHLD unless it wants none of stops.
void report_stop(Proc& proc, int signal) {
    Proc& debugger = *proc.parent;
    lwkt::wakeup(&debugger.children);
    if (debugger.actions[sigchld].flags & sa_nocldstop)
        return;
    SignalInfo info;
    info.signal = sigchld;
    info.code = cld_trapped;
    info.pid = proc.pid;
    info.uid = proc.cred->ruid;
    info.status = signal;
    post_signal(debugger, info);
}

bool is_to_end(const Lwp& lwp) {
    return (lwp.ast & ast_exit) || lwp.proc.pending.set().has(sigkill) || lwp.pending.set().has(sigkill);
}

// A child of vfork that asked to be debugged has its parent's memory, and its parent sleeps: until exec it
// does not stop.
bool stops(const Proc& proc) {
    return proc.debug && !(proc.debug->by_itself && (proc.flags & proc_vfork_wait));
}

} // namespace

SysResult<void> begin_debugging(Proc& proc, Proc& debugger) {
    auto* state = lwkt::construct<DebugState>();
    if (!state)
        return Failure(Errno::enomem);
    state->original_parent = proc.parent;
    proc.debug = state;
    debugged_processes++;
    pid_t parent_pid = proc.parent_pid;
    move_to(proc, debugger);
    if (debugger.abi->kind == AbiKind::freebsd) // getppid tells the original parent
        __atomic_store_n(&proc.parent_pid, parent_pid, __ATOMIC_RELAXED);
    update_observers(proc);
    return {};
}

void end_debugging(Proc& proc) {
    DebugState* state = proc.debug;
    if (!state)
        return;
    if (state->reporter)
        resume_debugged(proc, 0);
    if (state->stop_is_due)
        proc.pending.discard(SignalSet::of(sigstop));
    proc.debug = nullptr;
    debugged_processes--;
    move_to(proc, state->original_parent ? *state->original_parent : reaper_of(proc));
    lwkt::destroy(state);
    for (Lwp* each = proc.lwps.first(); each; each = proc.lwps.next(each)) {
        each->debug_suspended = false;
        each->debug_flags = 0;
    }
    update_observers(proc);
    lwkt::wakeup(&proc.stop_signal);
}

void forget_debugger(Proc& debugger) {
    if (debugged_processes == 0)
        return;
    for (Proc *proc = all_processes.first(), *next; proc; proc = next) {
        next = all_processes.next(proc);
        if (!proc->debug)
            continue;
        if (proc->debug->original_parent == &debugger)
            proc->debug->original_parent = nullptr;
        if (proc->parent != &debugger)
            continue;
        end_debugging(*proc);
        if (proc->state == ProcState::alive)
            post_kernel_signal(*proc, sigkill);
        else if (proc->parent == init_process) // which does not wait
            destroy_process(*proc);
        else
            report_end(*proc);
    }
}

void resume_debugged(Proc& proc, int signal) {
    proc.debug->reporter->stop->resume_signal = signal;
    proc.debug->reporter = nullptr;
    proc.debug->waited = false;
    lwkt::wakeup(&proc.stop_signal);
}

int stop_for_debugger(Lwp& lwp, DebugStop& stop) {
    Proc& proc = lwp.proc;
    if (!stops(proc) || !hold_threads(lwp))
        return stop.info ? stop.signal : 0;
    if (!stops(proc)) { // no longer
        release_threads(lwp);
        return stop.info ? stop.signal : 0;
    }
    put_away_registers(lwp);
    if (stop.signal == sigstop)
        proc.debug->stop_is_due = false;
    lwp.stop = &stop;
    proc.debug->reporter = &lwp;
    proc.debug->waited = false;
    proc.stop_signal = stop.signal;
    report_stop(proc, stop.signal);
    while (proc.debug && proc.debug->reporter == &lwp && !is_to_end(lwp))
        (void)lwkt::tsleep(&proc.stop_signal, lwkt::sleep_interruptible, "ptrace");
    if (proc.debug && proc.debug->reporter == &lwp)
        proc.debug->reporter = nullptr;
    lwp.stop = nullptr;
    release_threads(lwp);
    return stop.resume_signal;
}

bool ask_debugger(Lwp& lwp, SignalInfo& info) {
    DebugStop stop;
    stop.signal = info.signal;
    stop.info = &info;
    int signal = stop_for_debugger(lwp, stop);
    if (signal != info.signal) {
        info = SignalInfo{};
        info.signal = signal;
        info.code = si_user;
    }
    return signal != 0;
}

void note_debug_event(Lwp& lwp, DebugEvent event, unsigned flags, pid_t child) {
    if (!lwp.proc.debug || !(lwp.proc.debug->events & event))
        return;
    lwp.debug_flags |= static_cast<std::uint16_t>(flags);
    if (child)
        lwp.debug_child = child;
    __atomic_fetch_or(&lwp.ast, ast_debug, __ATOMIC_SEQ_CST);
}

void report_debug_events(Lwp& lwp) {
    DebugStop stop;
    stop.flags = lwp.debug_flags;
    stop.child = lwp.debug_child;
    lwp.debug_flags = 0;
    lwp.debug_child = 0;
    if (stop.flags & stop_child)
        stop.signal = sigstop;
    if (stop.flags == 0)
        return;
    take_from_debugger(lwp, stop_for_debugger(lwp, stop));
}

void take_from_debugger(Lwp& lwp, int signal) {
    if (signal == 0)
        return;
    lwp.fault = SignalInfo{};
    lwp.fault.signal = signal;
    lwp.fault.code = si_user;
    lwp.fault_reported = true;
    __atomic_fetch_or(&lwp.ast, ast_signal, __ATOMIC_SEQ_CST);
}

void update_observers(Proc& proc) {
    std::uint32_t events = proc.debug ? proc.debug->events : 0;
    std::uint8_t bits = static_cast<std::uint8_t>(((events & debug_call_entry) ? observe_entry : 0) |
                                                  ((events & debug_call_exit) ? observe_exit : 0));
    constexpr std::uint8_t mine = observe_entry | observe_exit;
    for (Lwp* each = proc.lwps.first(); each; each = proc.lwps.next(each)) {
        std::uint8_t others = each->observers & static_cast<std::uint8_t>(~mine);
        if (!proc.debug)
            others &= static_cast<std::uint8_t>(~observe_step);
        __atomic_store_n(&each->observers, static_cast<std::uint8_t>(others | bits), __ATOMIC_RELAXED);
    }
}

CallStop::CallStop(Lwp& lwp, const SystemCallEntry& entry, const SystemCall& call, std::uint32_t number)
    : lwp_(lwp), entry_(entry) {
    stop_.call = number;
    stop_.argument_count = least<std::uint32_t>(entry.words, most_arguments);
    stop_.arguments = arguments_;
    for (unsigned i = 0; i < stop_.argument_count; i++)
        arguments_[i] = call.word(i);
}

void CallStop::enter() {
    if (lwp_.observers & observe_ktrace)
        ktrace_call(lwp_, stop_.call, arguments_, stop_.argument_count);
    if (!(lwp_.observers & observe_entry))
        return;
    stop_.flags = stop_call_entry;
    take_from_debugger(lwp_, stop_for_debugger(lwp_, stop_));
}

void CallStop::leave(const SysResult<Return>& result) {
    constexpr std::uint64_t trap_flag = 0x100;
    if ((lwp_.observers & observe_ktrace) && !(lwp_.ast & ast_exit)) { // exit does not return
        ktrace_arguments(lwp_, entry_, arguments_, stop_.argument_count, result);
        ktrace_return(lwp_, stop_.call, result);
    }
    if ((lwp_.observers & observe_exit) && !(lwp_.ast & ast_exit)) {
        stop_.flags = static_cast<std::uint16_t>(stop_call_exit | lwp_.debug_flags);
        stop_.child = lwp_.debug_child;
        lwp_.debug_flags = 0;
        lwp_.debug_child = 0;
        stop_.error = result.ok() || result.error() == Errno::ejustreturn
                          ? 0
                          : lwp_.proc.abi->errno_number(result.error());
        stop_.results[0] = lwp_.frame->rax;
        stop_.results[1] = lwp_.frame->rdx;
        stop_.resume_signal = 0;
        take_from_debugger(lwp_, stop_for_debugger(lwp_, stop_));
    }
    if (!(lwp_.observers & observe_step) || lwp_.restart)
        return;
    // The instruction that was stepped is the call.
    __atomic_fetch_and(&lwp_.observers, static_cast<std::uint8_t>(~observe_step), __ATOMIC_RELAXED);
    if (!(lwp_.frame->rflags & trap_flag) || lwp_.fault.signal)
        return;
    lwp_.frame->rflags &= ~trap_flag;
    SignalInfo info;
    info.signal = sigtrap;
    info.code = trap_trace;
    info.address = lwp_.frame->rip;
    post_fault(lwp_, info);
}

bool has_debugged_child(const Proc& parent) {
    if (debugged_processes == 0)
        return false;
    for (const Proc* proc = all_processes.first(); proc; proc = all_processes.next(proc))
        if (proc->debug && proc->debug->original_parent == &parent && proc->parent != &parent)
            return true;
    return false;
}

} // namespace bsd
