// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/scheduler.hpp"
#include "kernel/invariant.hpp"

#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/machine.hpp"
#include "kernel/scheduling.hpp"
#include "kernel/switch.hpp"
#include "kernel/trace.hpp"

extern "C" [[noreturn]] void enter_idle();

namespace kernel {

Core cores[abi::max_cores];
unsigned core_count;

void forget_guest(Core& core, Thread& thread) {
    (thread.guest_previous ? thread.guest_previous->guest_next : core.preempted_guests) = thread.guest_next;
    if (thread.guest_next)
        thread.guest_next->guest_previous = thread.guest_previous;
}

void abandon_guest(Core& core, Thread& thread, Error error, abi::Trap trap) {
    forget_guest(core, thread);
    thread.in_guest = false;
    thread.registers.rax = static_cast<Word>(error);
    thread.registers.rdx = static_cast<Word>(trap);
}

// An exhausted context suspends its thread until the next replenishment.
[[gnu::noinline, gnu::cold]] static void suspend(Core& core, Thread& thread) {
    thread.timer.what = TimerNode::What::replenish;
    core.timers.insert(thread.timer, thread.context->replenishments.next_time());
}

[[gnu::noinline, gnu::cold]] static void exhaust(Core& core, Thread& thread) {
    suspend(core, thread);
    tell_exhausted(*thread.context);
}

void make_ready(Core& core, Thread& thread) {
    invariant(thread.type == Type::thread && thread.home == &core && !thread.killed, "ready: whose?");
    invariant(!thread.ready_queued && !thread.queue && !thread.callee, "ready: waits or is queued");
    thread.state = ThreadState::ready;
    if (!thread.context) // passive: runs when it is called
        return;
    Replenishments& budget = thread.context->replenishments;
    Word now = arch::read_tsc();
    thread.ready_since = now;
    budget.activate(now);
    if (budget.available(now) == 0) [[unlikely]] {
        suspend(core, thread);
        return program_timer(core, now);
    }
    core.ready.push(thread);
    if (!core.current || thread.priority > core.current->priority)
        core.reschedule = true;
}

void dequeue(Core& core, Thread& thread) {
    if (thread.ready_queued)
        core.ready.remove(thread);
    else if (thread.queue)
        thread.queue->remove(thread);
    core.timers.remove(thread.timer);
}

[[gnu::always_inline]] static inline void charge_current(Core& core, Word now) {
    Thread* thread = core.current;
    Word used = now - core.accounted_at;
    core.accounted_at = now;
    if (!thread)
        return;
    thread->ticks += used;
    if (thread->context && thread->context->replenishments.consume(used))
        core.turn_over = true;
}

void account(Core& core, Word now) {
    charge_current(core, now);
}

namespace {

// Keeps the segment bases of a thread that is switched from in guest mode; its space may be destroyed while
// it waits.
void save_guest(Core& core, Thread& thread) {
    thread.vcpu->page->fs_base = arch::read_fs_base();
    thread.vcpu->page->gs_base = arch::read_user_gs_base();
    thread.guest_previous = nullptr;
    thread.guest_next = core.preempted_guests;
    if (thread.guest_next)
        thread.guest_next->guest_previous = &thread;
    core.preempted_guests = &thread;
}

void save_bases(Core& core, Thread& thread) {
    if (thread.in_guest)
        return save_guest(core, thread);
    thread.fs_base = arch::read_fs_base();
    thread.gs_base = arch::read_user_gs_base();
}

// The bases are read once; the server can have written anything meanwhile, and one that is not canonical
// would fault here.
void load_guest_bases(const Thread& thread) {
    Word fs = __atomic_load_n(&thread.vcpu->page->fs_base, __ATOMIC_RELAXED);
    Word gs = __atomic_load_n(&thread.vcpu->page->gs_base, __ATOMIC_RELAXED);
    arch::write_fs_base(fs < abi::user_end ? fs : 0);
    arch::write_user_gs_base(gs < abi::user_end ? gs : 0);
}

// The cases that switch_threads does not know: from idle, from and to guest mode.
void switch_general(Core& core, Thread* last, Thread& next) {
    if (last)
        save_bases(core, *last);
    core.current = &next;
    core.in_guest = next.in_guest;
    if (next.in_guest) {
        forget_guest(core, next);
        set_frame(core, next.vcpu->page->user);
        load_space(core, next.guest_task);
        load_guest_bases(next);
    } else {
        set_frame(core, next.registers);
        load_space(core, next.task);
        arch::write_fs_base(next.fs_base);
        arch::write_user_gs_base(next.gs_base);
    }
    switch_special(core, next);
    ++core.counters[static_cast<unsigned>(abi::Counter::context_switches)];
}

void set_task_switched(Core& core, bool on) {
    if (core.task_switched == on)
        return;
    core.task_switched = on;
    core.plain = on && core.held == 0;
    if (on)
        arch::write_cr0(arch::read_cr0() | 8);
    else
        arch::clear_task_switched();
}

} // namespace

// Interrupts whose handlers have a lower priority than a realtime thread wait in the local APIC until the
// core goes to lower priorities, or idles. Those of its own priority do not: its turn may be over before it
// blocks.
static void hold_interrupts(Core& core, unsigned priority) {
    std::uint8_t held = arch::held_class(priority);
    if (core.held == held)
        return;
    core.held = held;
    core.plain = core.task_switched && held == 0;
    arch::write_task_priority(held);
}

// Threads that use the FPU are switched eagerly; others leave the state of the last one in the registers and
// cannot touch it.
void switch_special(Core& core, Thread& next) {
    hold_interrupts(core, next.priority);
    if (!next.uses_fpu)
        return set_task_switched(core, true);
    set_task_switched(core, false);
    if (core.fpu_owner == &next)
        return;
    if (core.fpu_owner)
        arch::save_fpu(core.fpu_owner->fpu, machine.xsave_mask);
    arch::restore_fpu(next.fpu, machine.xsave_mask);
    core.fpu_owner = &next;
}

void save_fpu_of(Thread& owner) {
    arch::save_fpu(owner.fpu, machine.xsave_mask);
}

void forget_fpu(Core& core) {
    set_task_switched(core, false);
    arch::restore_fpu(machine.clean_fpu, machine.xsave_mask);
    core.fpu_owner = nullptr;
    if (core.current && !core.current->uses_fpu) // whose registers stay locked
        set_task_switched(core, true);
}

// (invariant.hpp) Who runs does so on the time of somebody in its chain of callers, and nobody else there has
// any.
[[gnu::always_inline]] static inline void check_chain(const Thread& last) {
    if constexpr (!checks_invariants)
        return;
    bool known = last.context == last.own_context;
    for (const Thread *at = &last, *caller; (caller = at->caller); at = caller) {
        invariant(caller->callee == at && !caller->context && caller->home == last.home, "chain: broken");
        invariant(caller->state == ThreadState::waiting_reply || caller->state == ThreadState::sending,
                  "chain: its caller does not wait");
        known |= last.context == caller->own_context;
    }
    invariant(known, "chain: not its time");
}

[[gnu::always_inline]] static inline void switch_from(Core& core, Thread* last, Thread& next) {
    invariant(next.type == Type::thread && next.home == &core && !next.killed, "switch: to whom?");
    invariant(!next.ready_queued && !next.queue && !next.timer.queued && next.context && !next.callee &&
                  next.state != ThreadState::dead,
              "switch: it cannot run");
    invariant(!next.own_context || next.own_context->owner == &next, "switch: another's context");
    check_chain(next);
    next.state = ThreadState::ready;
    core.switched = true;
    if (last && !last->in_guest && !next.in_guest) [[likely]]
        switch_threads(core, *last, next);
    else
        switch_general(core, last, next);
}

void switch_to(Core& core, Thread& next) {
    if (core.current != &next)
        switch_from(core, core.current, next);
}

// The earliest of the core's timers and the end of the current thread's budget.
[[gnu::always_inline]] static inline Word earliest(Core& core, Word now) {
    TimerNode* node = core.timers.first();
    Word next = node ? node->deadline : abi::no_deadline;
    Thread* thread = core.current;
    if (!thread || !thread->context)
        return next;
    Word end = now + thread->context->replenishments.available(now);
    return end < next ? end : next;
}

[[gnu::always_inline]] static inline void arm(Core& core, Word next, Word now) {
    if (next >= core.programmed) [[likely]]
        return; // it fires earlier, or is about to, and is set again then
    core.programmed = next;
    arch::set_timer(next, now);
}

void program_timer(Core& core, Word now) {
    Word next = earliest(core, now);
    if (core.current && core.current->vcpu) {
        Word deadline = vcpu_deadline(*core.current);
        next = deadline < next ? deadline : next;
    }
    arm(core, next, now);
}

void handle_timer(Core& core) {
    Word now = arch::read_tsc();
    core.programmed = abi::no_deadline;
    account(core, now);
    for (unsigned most = 4; most > 0; --most) { // the rest by the next interrupt, which comes at once
        TimerNode* node = core.timers.first();
        if (!node || node->deadline > now)
            break;
        core.timers.remove(*node);
        if (node->what == TimerNode::What::timer) {
            Timer& timer = *reinterpret_cast<Timer*>(reinterpret_cast<char*>(node) - offsetof(Timer, node));
            if (timer.notification)
                signal(core, *timer.notification, timer.bits);
            continue;
        }
        Thread& thread = *reinterpret_cast<Thread*>(reinterpret_cast<char*>(node) - offsetof(Thread, timer));
        if (node->what == TimerNode::What::replenish)
            make_ready(core, thread);
        else if (node->what == TimerNode::What::timeout)
            cancel(core, thread, Error::timed_out);
        else
            finish(core, thread, Error::ok);
    }
    if (Thread* thread = core.current) {
        core.reschedule |= core.turn_over;
        if (thread->vcpu && vcpu_deadline(*thread) <= now)
            vcpu_event(core, *thread, abi::Trap::deadline);
    }
    program_timer(core, now);
}

// Whether the current thread keeps the core; if not, it has been queued where it belongs.
[[gnu::always_inline]] static inline bool keeps_core(Core& core, Thread& current, Word now, Thread*& next) {
    if (current.state != ThreadState::ready || current.ready_queued || !current.context)
        return false;
    Replenishments& budget = current.context->replenishments;
    if (budget.available(now) == 0) [[unlikely]] {
        exhaust(core, current);
        return false;
    }
    // It keeps its place in front of its priority until its turn is over.
    int others = core.ready.highest();
    if (core.turn_over) [[unlikely]] {
        if (others < current.priority)
            return true;
        next = core.ready.first();
        core.ready.remove(*next);
        core.ready.push(current);
    } else {
        if (others <= current.priority)
            return true;
        next = &core.ready.exchange_first(current);
    }
    current.ready_since = now;
    return false;
}

[[gnu::noinline]] static void resume_vcpu(Core& core, Thread& thread, Word now) {
    if (now > thread.ready_since)
        thread.vcpu->page->stolen += now - thread.ready_since;
    program_timer(core, now);
    if (vcpu_deadline(thread) <= now)
        vcpu_event(core, thread, abi::Trap::deadline);
}

extern "C" void schedule(Core& core) {
    if (!core.reschedule)
        return;
    core.reschedule = false;
    Word now = arch::read_tsc();
    charge_current(core, now);
    Thread* current = core.current;
    Thread* next = nullptr;
    bool keeps = current && keeps_core(core, *current, now, next);
    core.turn_over = false;
    if (keeps) {
        hold_interrupts(core, current->priority);
        return program_timer(core, now);
    }
    if (!next) {
        next = core.ready.first();
        if (!next) {
            if (current)
                save_bases(core, *current);
            core.current = nullptr;
            core.in_guest = false;
            hold_interrupts(core, 0);
            program_timer(core, now);
            if (core.traced)
                trace_idle(core);
            enter_idle();
        }
        core.ready.remove(*next);
    }
    if (next != current)
        switch_from(core, current, *next);
    if (next->vcpu)
        return resume_vcpu(core, *next, now);
    arm(core, earliest(core, now), now);
}

void finish(Core& core, Thread& thread, Error error) {
    dequeue(core, thread);
    thread.registers.rax = static_cast<Word>(error);
    make_ready(core, thread);
}

} // namespace kernel
