// SPDX-License-Identifier: BSD-2-Clause
// Posting and delivering signals, stops and continues.
#include "bsd-personality/kern/signal.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/core.hpp"
#include "bsd-personality/kern/debug.hpp"
#include "bsd-personality/kern/ktrace.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "lwkt/slab.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

namespace {

constexpr SignalSet stop_signals{{std::uint64_t{1} << (sigstop - 1) | std::uint64_t{1} << (sigtstp - 1) |
                                      std::uint64_t{1} << (sigttin - 1) | std::uint64_t{1} << (sigttou - 1),
                                  0}};

constexpr bool ignored_by_default(int signal) {
    return signal == sigurg || signal == sigcont || signal == sigchld || signal == sigio ||
           signal == sigwinch || signal == siginfo || signal == sigthr || signal == siglibrt;
}
bool is_ignored(const Proc& proc, int signal) {
    std::uint64_t handler = proc.actions[signal].handler;
    return handler == sig_ign || (handler == sig_dfl && ignored_by_default(signal));
}

void notify_parent(Proc& proc, int code, int status) {
    Proc* parent = proc.parent;
    if (!parent)
        return;
    lwkt::wakeup(&parent->children);
    if (parent->actions[sigchld].flags & sa_nocldstop)
        return;
    SignalInfo info;
    info.signal = sigchld;
    info.code = code;
    info.pid = proc.pid;
    info.uid = proc.cred->ruid;
    info.status = status;
    post_signal(*parent, info);
}

void stop_process(Lwp& lwp, int signal) {
    Proc& proc = lwp.proc;
    proc.flags = (proc.flags | proc_stopped | proc_stop_report) & ~std::uint32_t{proc_continue_report};
    proc.stop_signal = signal;
    for (Lwp* each = proc.lwps.first(); each; each = proc.lwps.next(each))
        set_ast(*each, ast_stop);
    notify_parent(proc, cld_stopped, signal);
}

void continue_process(Proc& proc, bool report) {
    if (!(proc.flags & proc_stopped))
        return;
    proc.flags &= ~std::uint32_t{proc_stopped | proc_stop_report};
    lwkt::wakeup(&proc.stop_signal);
    if (report) {
        proc.flags |= proc_continue_report;
        notify_parent(proc, cld_continued, sigcont);
    }
}

// Who takes a signal sent to the whole process: a thread that waits for it, else one that does not block it
// (the caller first, so that kill(getpid()) is delivered before it returns).
Lwp* choose_thread(Proc& proc, int signal) {
    Lwp* self = current_lwp();
    if (self && &self->proc == &proc && !self->mask.has(signal))
        return self;
    Lwp* found = nullptr;
    for (Lwp* lwp = proc.lwps.first(); lwp; lwp = proc.lwps.next(lwp)) {
        if (lwp->waiting.has(signal))
            return lwp;
        if (!found && !lwp->mask.has(signal) && !(lwp->ast & ast_exit) && !lwp->debug_suspended)
            found = lwp;
    }
    return found;
}

// What every posting does first. False: the signal has no further effect.
bool prepare(Proc& proc, int signal, bool waited_for) {
    proc.events.notify(note_signal | static_cast<std::uint32_t>(signal));
    if (proc.state != ProcState::alive || (proc.flags & proc_exiting) || &proc == init_process)
        return false;
    if (signal == sigcont) {
        proc.pending.discard(stop_signals);
        for (Lwp* lwp = proc.lwps.first(); lwp; lwp = proc.lwps.next(lwp))
            lwp->pending.discard(stop_signals);
        continue_process(proc, true);
    } else if (stop_signals.has(signal)) {
        proc.pending.discard(SignalSet::of(sigcont));
        for (Lwp* lwp = proc.lwps.first(); lwp; lwp = proc.lwps.next(lwp))
            lwp->pending.discard(SignalSet::of(sigcont));
    } else if (signal == sigkill) {
        continue_process(proc, false);
        if (proc.holder) // it sleeps until the others stand still, or for its debugger
            set_ast(*proc.holder, ast_signal);
        for (Lwp* lwp = proc.lwps.first(); lwp; lwp = proc.lwps.next(lwp)) {
            lwp->debug_suspended = false;
            __atomic_fetch_and(&lwp->ast, ~std::uint32_t{ast_suspend}, __ATOMIC_SEQ_CST);
        }
        lwkt::wakeup(&proc.stop_signal);
    }
    return waited_for || proc.debug || !is_ignored(proc, signal);
}

SignalSet unmasked(const Lwp& lwp) {
    return (lwp.pending.set() | lwp.proc.pending.set()) & ~lwp.mask;
}
// Of the calling thread.
SignalSet deliverable(Lwp& lwp) {
    SignalSet set = unmasked(lwp);
    if (!set.empty() && is_fast_blocked(lwp))
        set = set & unmaskable;
    return set;
}

} // namespace

void PendingSignals::add(const SignalInfo& info) {
    constexpr unsigned longest_queue =
        128; // _SIGQUEUE_MAX of the real system: later ones lose their information
    bool realtime = info.signal >= sigrtmin;
    if (set_.has(info.signal) && !realtime)
        return;
    set_.add(info.signal);
    unsigned length = 0;
    for (QueuedSignal* each = queue_.first(); each; each = queue_.next(each))
        length++;
    if (length >= longest_queue)
        return;
    if (auto* entry = lwkt::construct<QueuedSignal>()) {
        entry->info = info;
        queue_.push_back(entry);
    }
}

SignalInfo PendingSignals::take(int signal) {
    SignalInfo info;
    info.signal = signal;
    info.code = si_kernel;
    bool found = false, more = false;
    for (QueuedSignal *entry = queue_.first(), *next; entry; entry = next) {
        next = queue_.next(entry);
        if (entry->info.signal != signal)
            continue;
        if (found) {
            more = true;
            break;
        }
        found = true;
        info = entry->info;
        queue_.remove(entry);
        lwkt::destroy(entry);
    }
    if (!more)
        set_.remove(signal);
    return info;
}

void PendingSignals::discard(SignalSet which) {
    if ((set_ & which).empty())
        return;
    set_ = set_ & ~which;
    for (QueuedSignal *entry = queue_.first(), *next; entry; entry = next) {
        next = queue_.next(entry);
        if (which.has(entry->info.signal)) {
            queue_.remove(entry);
            lwkt::destroy(entry);
        }
    }
}

void post_signal(Proc& proc, const SignalInfo& info) {
    Lwp* waiter = nullptr;
    for (Lwp* lwp = proc.lwps.first(); lwp && !waiter; lwp = proc.lwps.next(lwp))
        if (lwp->waiting.has(info.signal))
            waiter = lwp;
    if (!prepare(proc, info.signal, waiter != nullptr))
        return;
    proc.pending.add(info);
    if (Lwp* lwp = waiter ? waiter : choose_thread(proc, info.signal))
        set_ast(*lwp, ast_signal);
}

void post_signal(Lwp& lwp, const SignalInfo& info) {
    bool waited_for = lwp.waiting.has(info.signal);
    if (!prepare(lwp.proc, info.signal, waited_for))
        return;
    lwp.pending.add(info);
    if (waited_for || !lwp.mask.has(info.signal))
        set_ast(lwp, ast_signal);
}

void post_kernel_signal(Proc& proc, int signal) {
    SignalInfo info;
    info.signal = signal;
    info.code = si_kernel;
    post_signal(proc, info);
}

void post_kernel_signal(Pgrp& pgrp, int signal) {
    for (Proc* proc = pgrp.members.first(); proc; proc = pgrp.members.next(proc))
        post_kernel_signal(*proc, signal);
}

void post_fault(Lwp& lwp, const SignalInfo& info) {
    Proc& proc = lwp.proc;
    proc.events.notify(note_signal | static_cast<std::uint32_t>(info.signal));
    if (lwp.mask.has(info.signal) || proc.actions[info.signal].handler == sig_ign || is_fast_blocked(lwp)) {
        lwp.mask.remove(info.signal); // the instruction would fault for ever
        lwp.fast_block = no_fast_block;
        proc.actions[info.signal] = SignalAction{};
    }
    lwp.fault = info;
    set_ast(lwp, ast_signal);
}

bool settle_with_debugger(Lwp& lwp) {
    Proc& proc = lwp.proc;
    bool stopped = false;
    while (proc.debug && !lwp.fault.signal && !(lwp.ast & ast_exit)) {
        int signal = deliverable(lwp).first();
        if (signal == 0 || signal == sigkill)
            break;
        SignalInfo info =
            lwp.pending.set().has(signal) ? lwp.pending.take(signal) : proc.pending.take(signal);
        stopped = true;
        if (!ask_debugger(lwp, info) || is_ignored(proc, info.signal))
            continue;
        lwp.fault = info;
        lwp.fault_reported = true;
    }
    return stopped;
}

void resume_stopped(Proc& proc) {
    continue_process(proc, false);
}

bool signal_pending(Lwp& lwp) {
    if ((lwp.ast & ast_exit) || lwp.fault.signal)
        return true;
    SignalSet candidates = deliverable(lwp);
    while (int signal = candidates.first()) {
        if (!is_ignored(lwp.proc, signal))
            return true;
        candidates.remove(signal);
    }
    return !((lwp.pending.set() | lwp.proc.pending.set()) & lwp.waiting).empty();
}

void set_signal_mask(Lwp& lwp, SignalSet mask) {
    lwp.mask = mask & ~unmaskable;
    if (!deliverable(lwp).empty())
        set_ast(lwp, ast_signal);
}

void reset_signals_for_exec(Lwp& lwp) {
    for (int signal = 1; signal <= signal_count; signal++) {
        SignalAction& action = lwp.proc.actions[signal];
        action = SignalAction{action.handler == sig_ign ? sig_ign : sig_dfl, 0, {}};
    }
    lwp.altstack = AlternateStack{};
    lwp.fast_block = no_fast_block;
}

namespace {

constexpr std::uint64_t carry_flag = 1;

// The call in progress answered ERESTART: it is issued again, unless a handler without SA_RESTART runs first.
void settle_restart(Lwp& lwp, bool restart) {
    if (!lwp.restart)
        return;
    lwp.restart = false;
    if (restart) {
        lwp.frame->rip -= 2; // the SYSCALL instruction; rax still holds the number
    } else {
        lwp.frame->rax = static_cast<std::uint64_t>(lwp.proc.abi->errno_number(Errno::eintr));
        lwp.frame->rflags |= carry_flag;
    }
}

// Runs the handler of a caught signal.
void call_handler(Lwp& lwp, const SignalInfo& info) {
    SignalAction action = lwp.proc.actions[info.signal];
    SignalSet return_mask = lwp.mask;
    if (__atomic_fetch_and(&lwp.ast, ~std::uint32_t{ast_restore_mask}, __ATOMIC_SEQ_CST) & ast_restore_mask)
        return_mask = lwp.saved_mask;
    settle_restart(lwp, (action.flags & sa_restart) != 0);
    if (ktrace_wants(lwp, Ktr::signal))
        ktrace_signal(lwp, info, action.handler, return_mask);
    lwp.proc.usage.signals++;
    if (!lwp.proc.abi->send_signal(lwp, action, info, return_mask)) {
        exit_process(lwp, signal_status(sigill, false)); // no stack to deliver it on
        return;
    }
    lwp.mask = lwp.mask | action.mask;
    if (!(action.flags & sa_nodefer))
        lwp.mask.add(info.signal);
    lwp.mask = lwp.mask & ~unmaskable;
    if (action.flags & sa_resethand)
        lwp.proc.actions[info.signal] = SignalAction{};
}

} // namespace

void deliver_signals(Lwp& lwp) {
    Proc& proc = lwp.proc;
    for (;;) {
        if (lwp.ast & ast_exit)
            return;
        SignalInfo info;
        bool reported = lwp.fault_reported;
        lwp.fault_reported = false;
        if (lwp.fault.signal) {
            info = lwp.fault;
            lwp.fault.signal = 0;
        } else if (int signal = deliverable(lwp).first()) {
            info = lwp.pending.set().has(signal) ? lwp.pending.take(signal) : proc.pending.take(signal);
        } else {
            if (!unmasked(lwp).empty()) // it waits for the thread's word
                mark_fast_block(lwp);
            break;
        }
        if (proc.debug && !reported && info.signal != sigkill) {
            if (!ask_debugger(lwp, info))
                continue;
            if (lwp.mask.has(info.signal)) { // another one than it was
                lwp.pending.add(info);
                continue;
            }
        }
        int signal = info.signal;
        std::uint64_t handler = proc.actions[signal].handler;
        if (handler != sig_dfl && handler != sig_ign) {
            call_handler(lwp, info);
        } else if (is_ignored(proc, signal)) {
            continue;
        } else if (stop_signals.has(signal)) {
            if (proc.debug || (signal != sigstop && proc.pgrp->orphaned))
                continue; // its debugger has stopped it, or nobody would ever continue it
            stop_process(lwp, signal);
            break;
        } else {
            if (ktrace_wants(lwp, Ktr::signal))
                ktrace_signal(lwp, info, sig_dfl, lwp.mask);
            exit_process(lwp, signal_status(signal, dumps_core(signal) && dump_core(lwp, info)));
            return;
        }
    }
    if (__atomic_fetch_and(&lwp.ast, ~std::uint32_t{ast_restore_mask}, __ATOMIC_SEQ_CST) & ast_restore_mask)
        set_signal_mask(lwp, lwp.saved_mask);
    settle_restart(lwp, true);
}

} // namespace bsd
