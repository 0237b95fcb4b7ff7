// SPDX-License-Identifier: BSD-2-Clause
// Debugging: what ptrace(2) makes of a process. A process that is debugged is a child of its debugger. Each
// signal that one of its threads is about to take, and events that the debugger asked for, stop it: all
// threads stand still (kern/hold.hpp), wait4 reports the stop, and the thread that stopped sleeps in
// stop_for_debugger() until the debugger says how to go on. Under the giant token.
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/text.hpp"

namespace bsd {

/// Optional stops; numbers of FreeBSD's PTRACE_.
enum DebugEvent : std::uint32_t {
    debug_exec = 1,
    debug_call_entry = 2,
    debug_call_exit = 4,
    debug_fork = 8,
    debug_lwp = 0x10,
    debug_vfork = 0x20,
    debug_all = 0x3f,
};

/// Why a thread stopped, besides a signal; numbers of FreeBSD's PL_FLAG_.
enum StopFlag : std::uint16_t {
    stop_call_entry = 4,
    stop_call_exit = 8,
    stop_exec = 0x10,
    stop_forked = 0x40,
    stop_child = 0x80,
    stop_born = 0x100,
    stop_exited = 0x200,
    stop_vforked = 0x400,
    stop_vfork_done = 0x800,
};

/// A stop, on the stack of the thread that stopped: lwp.stop.
struct DebugStop {
    int signal = sigtrap;
    const SignalInfo* info = nullptr; // of a signal; null for events
    std::uint16_t flags = 0;          // StopFlag
    pid_t child = 0;
    // With stop_call_entry and stop_call_exit.
    std::uint32_t call = 0, argument_count = 0;
    const std::uint64_t* arguments = nullptr;
    std::uint64_t results[2] = {};
    int error = 0;
    int resume_signal = 0; // what the debugger said: to be taken when the thread goes on
};

/// Of a process that is debugged: proc.debug.
struct DebugState {
    Proc* original_parent = nullptr; // null: gone
    std::uint32_t events = debug_exec;
    Lwp* reporter = nullptr;  // the thread that stopped; null: the process is not stopped
    bool waited = false;      // wait has reported the stop
    bool by_itself = false;   // PT_TRACE_ME
    bool stop_is_due = false; // the SIGSTOP of an attach has not come yet
};

/// Makes a process debugged. Errors: ENOMEM.
SysResult<void> begin_debugging(Proc& proc, Proc& debugger);
/// Makes it an ordinary process again, of its original parent, that is not stopped.
void end_debugging(Proc& proc);
/// A process ends: those that it debugs are killed, and those whose original parent it is forget it.
void forget_debugger(Proc& proc);
/// Lets a stopped process go on with a signal, or 0.
void resume_debugged(Proc& proc, int signal);

/// The calling thread stops; returns the signal to take. The stop's own if nobody debugs it.
int stop_for_debugger(Lwp& lwp, DebugStop& stop);
/// What a stop that was no signal's is answered with: a signal to take, or 0.
void take_from_debugger(Lwp& lwp, int signal);
/// Before the calling thread takes a signal. False: it is not to be taken. May change it. Sleeps.
bool ask_debugger(Lwp& lwp, SignalInfo& info);
/// Events that happened to the calling thread in a call, before it returns: lwp.debug_flags. Sleeps.
void report_debug_events(Lwp& lwp);
/// Notes an event of the calling thread for its return to user mode, if the debugger wants it.
void note_debug_event(Lwp& lwp, DebugEvent event, unsigned flags, pid_t child = 0);
/// The thread is asked about for each call and step that its debugger, or anyone, observes: Lwp::observers.
void update_observers(Proc& proc);

/// A call that is observed: where its debugger may stop it. Under giant; sleeps.
class CallStop {
public:
    CallStop(Lwp& lwp, const SystemCallEntry& entry, const SystemCall& call, std::uint32_t number);
    /// Before the call.
    void enter();
    /// After it, with the results in the registers.
    void leave(const SysResult<Return>& result);

private:
    static constexpr unsigned most_arguments = 8;
    Lwp& lwp_;
    const SystemCallEntry& entry_;
    DebugStop stop_;
    std::uint64_t arguments_[most_arguments];
};

/// Whether `proc` is a child of `parent` for wait's ECHILD, though another debugs it.
bool has_debugged_child(const Proc& parent);

} // namespace bsd
