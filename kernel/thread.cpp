// SPDX-License-Identifier: BSD-2-Clause
// Operations on threads and their scheduling contexts; how a thread is stopped and killed on its home core.
#include "kernel/invocation.hpp"
#include "kernel/reclaim.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/scheduling.hpp"

namespace kernel {

namespace {

// Leaves every queue and partner; not current afterwards.
void detach(Core& core, Thread& thread) {
    if (thread.in_guest && core.current == &thread)
        leave_guest(core, thread, abi::Trap::event);
    else if (thread.in_guest)
        abandon_guest(core, thread, Error::aborted, abi::Trap::event);
    abort_partners(core, thread);
    dequeue(core, thread);
    thread.fault_pending = false;
    if (core.current == &thread) {
        account(core, arch::read_tsc());
        core.reschedule = true;
    }
}

// On the home core, of a thread that it has left.
void start_here(Core& core, Thread& thread, Word rip, Word rsp, Word argument) {
    Registers& start = thread.registers;
    start = {};
    start.rip = rip;
    start.rsp = rsp;
    start.rdi = argument;
    start.rflags = arch::rflags_fixed | arch::rflags_interrupts;
    start.cs = arch::user_code;
    start.ss = arch::user_data;
    make_ready(core, thread);
}

} // namespace

void stop_thread(Core& core, Thread& thread) {
    if (thread.state == ThreadState::dead)
        return;
    bool blocked = thread.state != ThreadState::ready;
    detach(core, thread);
    if (blocked)
        thread.registers.rax = static_cast<Word>(Error::aborted);
    thread.state = ThreadState::inactive;
    __atomic_store_n(&thread.start_pending, false, __ATOMIC_RELEASE); // from here on it can be started
}

// request_start: who started it elsewhere left the arguments; who has moved here goes on where it was.
void arrive(Core& core, Thread& thread) {
    if (!thread.start_pending)
        return;
    if (thread.state == ThreadState::ready)
        make_ready(core, thread);
    else
        start_here(core, thread, thread.start_rip, thread.start_rsp, thread.start_argument);
    __atomic_store_n(&thread.start_pending, false, __ATOMIC_RELEASE);
}

void kill_thread(Core& core, Thread& thread) {
    detach(core, thread);
    thread.state = ThreadState::dead;
    if (core.fpu_owner == &thread)
        forget_fpu(core);
    if (thread.notification)
        thread.notification->bound = nullptr;
    if (thread.vcpu && thread.vcpu->notification)
        thread.vcpu->notification->vcpu = nullptr;
    if (thread.own_context)
        thread.own_context->owner = nullptr;
    thread.own_context = thread.context = nullptr; // may be another thread's now
}

// thread_configure(priority, scheduling, fault_endpoint, notification): before the thread is started
void invoke_thread_configure(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock); // before the lookups: nothing of it begins to die meanwhile
    Lookup<Thread> target(thread, r.rdi, abi::thread_right::control);
    if (!target)
        return reply(r, target.error);
    if (!is_inactive(*target) && target.object != &thread)
        return reply(r, Error::wrong_state);
    if (r.rsi >= abi::priorities)
        return reply(r, Error::bad_argument);
    SchedulingContext* context = nullptr;
    if (r.rdx) {
        Lookup<SchedulingContext> scheduling(thread, r.rdx, abi::scheduling_right::bind);
        if (!scheduling)
            return reply(r, scheduling.error);
        if (scheduling->core != target->core)
            return reply(r, Error::wrong_core);
        if (!outlives(*scheduling, target->pool))
            return reply(r, Error::bad_argument);
        if (scheduling->owner && scheduling->owner != target.object)
            return reply(r, Error::occupied);
        context = scheduling.object;
    } else {
        context = target->own_context;
    }
    if (context && r.rsi > context->priority_limit)
        return reply(r, Error::no_right);
    Endpoint* endpoint = nullptr;
    Word badge = 0;
    if (r.r10) {
        Lookup<Endpoint> fault(thread, r.r10, abi::endpoint_right::send);
        if (!fault)
            return reply(r, fault.error);
        if (fault->core != target->core)
            return reply(r, Error::wrong_core);
        if (!outlives(*fault, target->pool))
            return reply(r, Error::bad_argument);
        endpoint = fault.object;
        badge = fault.badge;
    }
    if (r.r8) {
        Lookup<Notification> notification(thread, r.r8, abi::notification_right::receive);
        if (!notification)
            return reply(r, notification.error);
        if (notification->core != target->core)
            return reply(r, Error::wrong_core);
        if (notification->bound || notification->vcpu)
            return reply(r, Error::occupied);
        if (target->notification)
            target->notification->bound = nullptr;
        target->notification = notification.object;
        notification->bound = target.object;
    }
    target->base_priority = target->priority = static_cast<std::uint8_t>(r.rsi);
    if (target.object == &thread)
        core.reschedule = true; // with another priority, perhaps not the first any more
    if (context) {
        if (target->own_context)
            target->own_context->owner = nullptr;
        context->owner = target.object;
        target->own_context = context;
        if (!target->caller) // else it runs on its caller's until it replies
            target->context = context;
    }
    if (endpoint) {
        target->fault_endpoint = endpoint;
        target->fault_badge = badge;
    }
    reply(r, Error::ok);
}

void invoke_thread_start(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    Lookup<Thread> target(thread, r.rdi, abi::thread_right::control);
    if (!target)
        return reply(r, target.error);
    if (r.rsi >= abi::user_end)
        return reply(r, Error::bad_address);
    if (!is_inactive(*target))
        return reply(r, Error::wrong_state);
    reply(r, Error::ok);
    __atomic_store_n(&target->starts, target->starts + 1, __ATOMIC_RELEASE);
    if (target->core == core.index)
        return start_here(core, *target, r.rsi, r.rdx, r.r10);
    target->start_rip = r.rsi;
    target->start_rsp = r.rdx;
    target->start_argument = r.r10;
    __atomic_store_n(&target->start_pending, true, __ATOMIC_RELEASE); // now there is something to stop
    send_request(*target, request_start);
}

void invoke_thread_stop(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Thread> target(thread, r.rdi, abi::thread_right::control);
    if (!target)
        return reply(r, target.error);
    if (is_inactive(*target))
        return reply(r, Error::ok);
    if (target->core == core.index) {
        reply(r, Error::ok);
        return stop_thread(core, *target);
    }
    LockGuard guard(structure_lock); // no start comes between the look and the request
    if (is_inactive(*target))
        return reply(r, Error::ok);
    __atomic_store_n(&target->stop_for, target->starts, __ATOMIC_RELEASE);
    send_request(*target, request_stop);
    restart(r);
}

void invoke_thread_info(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Thread> target(thread, r.rdi, abi::thread_right::control);
    if (!target)
        return reply(r, target.error);
    ThreadState state = target->start_pending ? ThreadState::ready : target->state;
    reply(r, Error::ok, static_cast<Word>(state));
    r.rsi = target->ticks;
}

// timer_set(deadline)
void invoke_timer_set(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Timer> timer(thread, r.rdi, abi::timer_right::set);
    if (!timer)
        return reply(r, timer.error);
    if (timer->core != core.index)
        return reply(r, Error::wrong_core);
    reply(r, Error::ok);
    if (r.rsi == 0)
        return core.timers.remove(timer->node);
    core.timers.insert(timer->node, r.rsi);
    program_timer(core, arch::read_tsc());
}

} // namespace kernel
