// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/scheduler.hpp"

#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/machine.hpp"
#include "kernel/switch.hpp"

extern "C" [[noreturn]] void enter_idle();

namespace kernel {

Core cores[abi::max_cores];
unsigned core_count;

void ThreadQueue::push_front(Thread& thread) {
    thread.queue = this;
    thread.queue_previous = nullptr;
    thread.queue_next = first;
    (first ? first->queue_previous : last) = &thread;
    first = &thread;
}

void ThreadQueue::remove(Thread& thread) {
    (thread.queue_previous ? thread.queue_previous->queue_next : first) = thread.queue_next;
    (thread.queue_next ? thread.queue_next->queue_previous : last) = thread.queue_previous;
    thread.queue = nullptr;
}

void ReadyQueue::mark(unsigned priority) {
    bitmap_[priority / 64] |= Word{1} << priority % 64;
    if (static_cast<int>(priority) > listed_)
        listed_ = static_cast<int>(priority);
}

void ReadyQueue::append(Thread& thread) {
    queues_[thread.priority].push(thread);
    mark(thread.priority);
    thread.ready_queued = true;
}

void ReadyQueue::prepend(Thread& thread) {
    queues_[thread.priority].push_front(thread);
    mark(thread.priority);
    thread.ready_queued = true;
}

void ReadyQueue::unlink(Thread& thread) {
    unsigned priority = static_cast<unsigned>(thread.queue - queues_);
    queues_[priority].remove(thread);
    if (queues_[priority].first)
        return;
    bitmap_[priority / 64] &= ~(Word{1} << priority % 64);
    if (static_cast<int>(priority) < listed_)
        return;
    listed_ = -1;
    for (int i = abi::priorities / 64 - 1; i >= 0 && listed_ < 0; --i)
        if (bitmap_[i])
            listed_ = i * 64 + 63 - __builtin_clzll(bitmap_[i]);
}

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

void make_ready(Core& core, Thread& thread) {
    thread.state = ThreadState::ready;
    if (!thread.context) // passive: runs when it is called
        return;
    Replenishments& budget = thread.context->replenishments;
    Word now = arch::read_tsc();
    thread.ready_since = now;
    if (!budget.unlimited()) {
        budget.activate(now);
        if (budget.available(now) == 0) {
            thread.timer.what = TimerNode::What::replenish;
            core.timers.insert(thread.timer, budget.next_time());
            program_timer(core, now);
            return;
        }
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

void block_current(Core& core, ThreadState state) {
    core.current->state = state;
    core.reschedule = true;
}

void account(Core& core, Word now) {
    Thread* thread = core.current;
    Word used = now - core.accounted_at;
    core.accounted_at = now;
    if (!thread)
        return;
    thread->ticks += used;
    if (thread->context && !thread->context->replenishments.unlimited())
        core.turn_over |= thread->context->replenishments.consume(used);
}

namespace {

void save_bases(Thread& thread) {
    Word fs = arch::read_fs_base(), gs = arch::read_user_gs_base();
    if (thread.in_guest) {
        thread.vcpu->page->fs_base = fs;
        thread.vcpu->page->gs_base = gs;
        thread.guest_previous = nullptr;
        thread.guest_next = thread.home->preempted_guests;
        if (thread.guest_next)
            thread.guest_next->guest_previous = &thread;
        thread.home->preempted_guests = &thread;
    } else {
        thread.fs_base = fs;
        thread.gs_base = gs;
    }
}

void load_bases(Thread& thread) {
    Word fs = thread.fs_base, gs = thread.gs_base;
    if (thread.in_guest) {
        fs = __atomic_load_n(&thread.vcpu->page->fs_base, __ATOMIC_RELAXED);
        gs = __atomic_load_n(&thread.vcpu->page->gs_base, __ATOMIC_RELAXED);
        if (fs >= abi::user_end)
            fs = 0; // written by the server meanwhile: a base that is not canonical would fault here
        if (gs >= abi::user_end)
            gs = 0;
    }
    arch::write_fs_base(fs);
    arch::write_user_gs_base(gs);
}

void set_task_switched(Core& core, bool on) {
    if (core.task_switched == on)
        return;
    core.task_switched = on;
    if (on)
        arch::write_cr0(arch::read_cr0() | 8);
    else
        arch::clear_task_switched();
}

} // namespace

// Threads that use the FPU are switched eagerly; others leave the state of the last one in the registers and,
// if it is another task's, cannot touch it.
void switch_fpu(Core& core, Thread& next) {
    if (next.no_fpu) {
        set_task_switched(core, core.fpu_owner && core.fpu_owner->task != next.task);
        return;
    }
    set_task_switched(core, false);
    if (core.fpu_owner == &next)
        return;
    if (core.fpu_owner)
        arch::save_fpu(core.fpu_owner->fpu, machine.xsave_mask);
    arch::restore_fpu(next.fpu, machine.xsave_mask);
    core.fpu_owner = &next;
}

void switch_to(Core& core, Thread& next) {
    Thread* last = core.current;
    if (last == &next)
        return;
    if (last)
        save_bases(*last);
    if (next.in_guest)
        forget_guest(core, next);
    core.current = &next;
    core.switched = true;
    next.state = ThreadState::ready;
    core.in_guest = next.in_guest;
    set_frame(core, next.in_guest ? next.vcpu->page->user : next.registers);
    load_space(core, next.in_guest ? next.guest_task : next.task);
    load_bases(next);
    switch_fpu(core, next);
    ++core.statistics[static_cast<unsigned>(abi::Statistic::context_switches)];
}

void program_timer(Core& core, Word now) {
    Word next = abi::no_deadline;
    if (TimerNode* node = core.timers.first())
        next = node->deadline;
    if (Thread* thread = core.current) {
        if (thread->context && !thread->context->replenishments.unlimited()) {
            Word end = now + thread->context->replenishments.available(now);
            next = end < next ? end : next;
        }
        if (thread->vcpu) {
            Word deadline = vcpu_deadline(*thread);
            next = deadline < next ? deadline : next;
        }
    }
    if (next >= core.programmed && core.programmed > now)
        return; // it will fire earlier and be set again
    core.programmed = next;
    arch::set_timer(next, now);
}

void handle_timer(Core& core) {
    Word now = arch::read_tsc();
    core.programmed = abi::no_deadline;
    account(core, now);
    while (TimerNode* node = core.timers.first()) {
        if (node->deadline > now)
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

extern "C" void schedule(Core& core) {
    if (!core.reschedule) [[likely]]
        return;
    core.reschedule = false;
    Word now = arch::read_tsc();
    account(core, now);
    Thread* current = core.current;
    bool turn_over = core.turn_over;
    core.turn_over = false;
    if (current && current->state == ThreadState::ready && !current->ready_queued) {
        // Still wants to run: it keeps its place in front of its priority until its turn is over.
        Replenishments* budget = current->context ? &current->context->replenishments : nullptr;
        if (budget && (budget->unlimited() || budget->available(now) > 0)) {
            if (core.ready.highest() < current->priority + !turn_over) {
                program_timer(core, now);
                return;
            }
            current->ready_since = now;
            turn_over ? core.ready.push(*current) : core.ready.push_front(*current);
        } else if (budget) {
            current->timer.what = TimerNode::What::replenish;
            core.timers.insert(current->timer, budget->next_time());
        }
    }
    Thread* next = core.ready.first();
    if (!next) {
        if (current)
            save_bases(*current);
        core.current = nullptr;
        core.in_guest = false;
        program_timer(core, now);
        enter_idle();
    }
    core.ready.remove(*next);
    if (next->vcpu && now > next->ready_since)
        next->vcpu->page->stolen += now - next->ready_since;
    switch_to(core, *next);
    program_timer(core, now);
    if (next->vcpu && vcpu_deadline(*next) <= now)
        vcpu_event(core, *next, abi::Trap::deadline);
}

void finish(Core& core, Thread& thread, Error error) {
    dequeue(core, thread);
    thread.registers.rax = static_cast<Word>(error);
    make_ready(core, thread);
}

} // namespace kernel
