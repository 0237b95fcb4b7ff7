// SPDX-License-Identifier: BSD-2-Clause
// The scheduler of a core: strict priorities, time from scheduling contexts. A thread switch is switch_to().
// All functions run on the core they are given, with interrupts off, without locks.
#pragma once

#include "kernel/core.hpp"

namespace kernel {

// Makes a thread ready: queued if it has a context with budget, else it waits for its replenishment.
void make_ready(Core& core, Thread& thread);
// Takes a thread out of the ready queue, a wait queue and the timer queue, whatever it is in.
void dequeue(Core& core, Thread& thread);
// The current thread does not go on; the next one is chosen on the way out.
inline void block_current(Core& core, ThreadState state) {
    core.current->state = state;
    core.reschedule = true;
}
// Switches to a thread that is not queued, charging the current context if the thread runs on another one.
void switch_to(Core& core, Thread& next);
// Chooses who runs next if `reschedule` is set; called once on every way out. Does not return when idle.
extern "C" void schedule(Core& core);
// Brings the charge of the current context up to now.
void account(Core& core, Word now);
// Arms the core's timer for the earliest of everything it waits for.
void program_timer(Core& core, Word now);
void handle_timer(Core& core);
// A deadline of a blocking operation: absolute ticks, 0 for none; one that has passed makes it a poll.
inline bool has_passed(Word deadline) {
    return deadline != 0 && deadline <= arch::read_tsc();
}
inline void set_timeout(Core& core, Thread& thread, Word deadline) {
    thread.timer.what = TimerNode::What::timeout;
    core.timers.insert(thread.timer, deadline);
}
// Ends a blocked operation of a thread: error in its registers, ready again.
void finish(Core& core, Thread& thread, Error error);

void stop_thread(Core& core, Thread& thread); // inactive; a blocked operation ends with aborted
void arrive(Core& core, Thread& thread);      // who was started on another core, or comes from there
// The thread leaves everything for good; its home core calls it.
void kill_thread(Core& core, Thread& thread);
void handle_inbox(Core& core);
// Asks an object's home core; interrupts it if needed.
void send_request(CoreObject& object, std::uint32_t requests);

// vCPUs (vcpu.cpp)
// Of a thread that has a vCPU; no_deadline when it has been delivered.
inline Word vcpu_deadline(const Thread& thread) {
    Word deadline = __atomic_load_n(&thread.vcpu->page->deadline, __ATOMIC_RELAXED);
    return deadline == thread.vcpu->delivered_deadline ? abi::no_deadline : deadline;
}
void vcpu_event(Core& core, Thread& thread, abi::Trap reason); // an event or deadline for a vCPU's thread
void leave_guest(Core& core, Thread& thread, abi::Trap trap);  // the current thread returns from vcpu_run
// A thread that is not current leaves guest mode: its registers and bases are in the page since it was
// switched from.
void abandon_guest(Core& core, Thread& thread, Error error, abi::Trap trap);
void forget_guest(Core& core, Thread& thread);
// Notifications (notification.cpp)
void signal(Core& core, Notification& notification, Word bits); // on its home core
void signal_anywhere(Notification& notification, Word bits);
// IPC (ipc.cpp, ipc_abort.cpp)
void send_fault(Core& core, Thread& thread, std::uint32_t label, Word address, Word error, Word vector);
bool kill_endpoint(Core& core, Endpoint& endpoint, unsigned limit); // true when its queues are empty
void abort_partners(Core& core, Thread& thread);
void cancel(Core& core, Thread& thread, Error error); // what a blocked thread waits for ends with the error
bool deliver_bound(Core& core, Thread& thread);       // bits of the bound notification to a receiving thread

} // namespace kernel
