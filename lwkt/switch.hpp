// SPDX-License-Identifier: BSD-2-Clause
// Internal: how a core goes from one thread to another, inline, because every blocking primitive is a few
// instructions around it. All of it runs on the core it is about, in exactly one critical section, which the
// thread that gives the core up has entered and the thread that gets it leaves.
#pragma once

#include "lwkt/arch/x86_64/stack.hpp"
#include "lwkt/globaldata.hpp"

namespace lwkt {

constexpr unsigned level_of(const Thread* thread) {
    return static_cast<unsigned>(thread->priority);
}

// Takes the first of the highest priority that has a ready thread; there is one.
[[gnu::always_inline]] inline Thread* pop_highest(GlobalData& gd) {
    std::uint64_t level = 31u ^ static_cast<unsigned>(__builtin_clz(gd.ready_bits));
    Thread* last = gd.ready_last[level];
    Thread* first = last->run_next;
    if (first == last)
        gd.ready_bits ^= 1u << level;
    else
        last->run_next = first->run_next;
    return first;
}

// Takes the first ready thread whose tokens can all be had; the idle thread when there is none.
[[gnu::noinline]] Thread* pick_slowly(GlobalData& gd, Thread* candidate);
[[gnu::always_inline]] inline Thread* pick(GlobalData& gd) {
    if (gd.ready_bits == 0)
        return &gd.idle;
    Thread* thread = pop_highest(gd);
    return thread->has_tokens() ? pick_slowly(gd, thread) : thread;
}

// From `self`, whose new state is set, to another thread. Returns when `self` has the core again.
[[gnu::always_inline]] inline void switch_stacks(GlobalData& gd, Thread* self, Thread* next) {
    ++next->switches;
    gd.current = next;
    glue::fiber_before_switch(self->fiber, next->fiber, self->state == ThreadState::zombie);
    lwkt_switch_stacks(&self->stack_pointer, next->stack_pointer);
    glue::fiber_after_switch(self->fiber);
}

[[gnu::always_inline]] inline void switch_to(GlobalData& gd, Thread* self, Thread* next) {
    verify(self->guard == Thread::guard_value); // else its stack has overflowed
    if (next == self) [[unlikely]] {
        self->state = ThreadState::runnable;
        return;
    }
    switch_stacks(gd, self, next);
}

[[gnu::always_inline]] inline void enqueue(GlobalData& gd, Thread* thread) {
    unsigned level = level_of(thread);
    thread->state = ThreadState::runnable;
    if (gd.ready_bits & (1u << level)) {
        Thread* last = gd.ready_last[level];
        thread->run_next = last->run_next;
        last->run_next = thread;
    } else {
        thread->run_next = thread;
        gd.ready_bits |= 1u << level;
    }
    gd.ready_last[level] = thread;
}

// enqueue(), and asks for preemption if it is due.
[[gnu::always_inline]] inline void wake_local(GlobalData& gd, Thread* thread) {
    enqueue(gd, thread);
    if (thread->priority >= Priority::interrupt_low && thread->priority > gd.current->priority) [[unlikely]]
        request(gd, request_preempt);
}

[[gnu::always_inline]] inline void give_up_core(GlobalData& gd, Thread* self) {
    Thread* next = self->preempted;
    if (next == nullptr) [[likely]]
        next = pick(gd);
    else
        self->preempted = nullptr;
    switch_to(gd, self, next);
}

// Blocks the current thread until somebody makes it ready.
[[gnu::noinline]] void block_self_slowly(GlobalData& gd,
                                         Thread* self); // it has tokens, or took the core away
[[gnu::noinline]] void switch_with_tokens(GlobalData& gd, Thread* self, Thread* candidate);
[[gnu::always_inline]] inline void block_self(GlobalData& gd, Thread* self) {
    self->state = ThreadState::blocked;
    if (self->has_tokens() || self->preempted != nullptr) [[unlikely]]
        return block_self_slowly(gd, self);
    verify(self->guard == Thread::guard_value); // else its stack has overflowed
    if (gd.ready_bits == 0)
        return switch_stacks(gd, self, &gd.idle);
    Thread* next = pop_highest(gd);
    if (next->has_tokens()) [[unlikely]]
        return switch_with_tokens(gd, self, next);
    switch_stacks(gd, self, next);
}

// Whether a scheduler that made the blocked thread `next` ready, and then blocked `self`, would just run
// `next`.
[[gnu::always_inline]] inline bool can_hand_over(GlobalData& gd, Thread* self, Thread* next) {
    return (gd.ready_bits >> level_of(next)) == 0 && self->preempted == nullptr && !self->has_tokens() &&
           !next->has_tokens();
}
[[gnu::always_inline]] inline void hand_over(GlobalData& gd, Thread* self, Thread* next) {
    verify(self->guard == Thread::guard_value);
    self->state = ThreadState::blocked;
    next->state = ThreadState::runnable;
    switch_stacks(gd, self, next);
}

} // namespace lwkt
