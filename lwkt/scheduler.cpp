// SPDX-License-Identifier: BSD-2-Clause
// The scheduler of a core. Everything here runs on the core it is about, in a critical section, except
// wake_elsewhere.
//
// A thread that gives up the core sets its own state first (ready and queued, blocked, waiting_token, zombie)
// and calls switch_away(): its tokens are released, the next thread is picked, that thread's tokens are
// acquired on its behalf, and the stacks are switched. An interrupt thread that preempted somebody returns to
// that thread directly, whose tokens were never released.
//
// Exactly one critical section is held across the switch: the old thread entered it, and the new thread,
// which left the core in the same place (or starts in thread_main), leaves its own.
#include "lwkt/switch.hpp"

namespace lwkt {

GlobalData* globaldata_of[abi::max_cores];
bool running;
PageProvider page_provider;

namespace {

// An interrupt thread is ready and above the current thread: runs it on top until it blocks.
void preempt(GlobalData& gd, Thread* self) {
    for (;;) {
        if (gd.ready_bits < (1u << static_cast<unsigned>(Priority::interrupt_low)))
            return;
        unsigned level = 31 - static_cast<unsigned>(__builtin_clz(gd.ready_bits));
        if (level <= static_cast<unsigned>(self->priority))
            return;
        Thread* thread = pick(gd);
        if (thread->priority < Priority::interrupt_low || thread->priority <= self->priority) {
            // The interrupt thread waits for a token; somebody else came up, who does not preempt.
            if (thread != &gd.idle) {
                TokenScheduler::release_all(thread, thread->token_top);
                enqueue_ready(gd, thread);
            }
            return;
        }
        self->state = ThreadState::preempted;
        count(gd.counters.preemptions);
        ktr(KtrEvent::preempted, thread, reinterpret_cast<std::uintptr_t>(self));
        thread->preempted = self;
        switch_to(gd, self, thread);
        self->state = ThreadState::runnable;
    }
}

} // namespace

// Frees threads that have exited; their stacks are not in use any more. A wake-up may still be under way to
// one (its sender knew the thread alive then): the inbox is emptied first, and a thread whose waker has
// announced itself but not pushed it yet stays a zombie until the next switch.
void reap(GlobalData& gd) {
    Thread* list = gd.zombies;
    gd.zombies = nullptr;
    while (list) {
        Thread* thread = list;
        list = thread->run_next;
        if (__atomic_load_n(&thread->inbox_reasons, __ATOMIC_ACQUIRE) != 0)
            drain_inbox(gd);
        if (__atomic_load_n(&thread->inbox_reasons, __ATOMIC_ACQUIRE) != 0) {
            thread->run_next = gd.zombies;
            gd.zombies = thread;
            request(gd, request_reap);
        } else {
            free_thread(thread);
        }
    }
}

void enqueue_ready(GlobalData& gd, Thread* thread) {
    enqueue(gd, thread);
}

void make_ready(GlobalData& gd, Thread* thread) {
    wake_local(gd, thread);
}

Thread* pick_slowly(GlobalData& gd, Thread* candidate) {
    while (candidate->has_tokens() && !TokenScheduler::reacquire_all(gd, candidate)) {
        if (gd.ready_bits == 0)
            return &gd.idle;
        candidate = pop_highest(gd);
    }
    return candidate;
}

void block_self_slowly(GlobalData& gd, Thread* self) {
    TokenScheduler::release_all(self, self->token_top);
    give_up_core(gd, self);
}

void switch_with_tokens(GlobalData& gd, Thread* self, Thread* candidate) {
    switch_to(gd, self, pick_slowly(gd, candidate));
}

void switch_away(GlobalData& gd) {
    Thread* self = gd.current;
    if (self->has_tokens())
        TokenScheduler::release_all(self, self->token_top);
    give_up_core(gd, self);
}

void switch_released(GlobalData& gd) {
    give_up_core(gd, gd.current);
}

void lwkt_switch_blocked() {
    GlobalData& gd = here();
    Thread* self = current();
    verify(critical_count() == 1 && self != &gd.idle);
    block_self(gd, self);
}

namespace {
// yield() when it is not only its own queue that turns: somebody above is ready, tokens are held, or an
// interrupt thread that preempted gives the core back.
[[gnu::noinline]] void yield_slow(GlobalData& gd, Thread* self) {
    if ((gd.ready_bits >> static_cast<unsigned>(self->priority)) == 0 && self->preempted == nullptr)
        return;
    enqueue(gd, self);
    switch_away(gd);
}
} // namespace

void yield() {
    GlobalData& gd = here();
    Thread* self = current();
    verify(gd.gate == gate_quiet);
    critical_enter();
    unsigned level = level_of(self);
    Thread* last = gd.ready_last[level]; // not to be followed before the bit is known to be set
    if ((31u ^ static_cast<unsigned>(__builtin_clz(gd.ready_bits | 1))) == level &&
        self->preempted == nullptr && !self->has_tokens() && !last->run_next->has_tokens()) [[likely]] {
        Thread* next = last->run_next;
        last->run_next = self;
        self->run_next = next->run_next; // itself, if the next one was the last one, too
        gd.ready_last[level] = self;
        switch_stacks(gd, self, next);
    } else {
        yield_slow(gd, self);
    }
    critical_exit();
}

bool should_yield() {
    GlobalData& gd = here();
    return (gd.ready_bits >> static_cast<unsigned>(gd.current->priority)) != 0;
}

void set_priority(Thread* thread, Priority priority) {
    verify((priority >= Priority::interrupt_low) == (thread->priority >= Priority::interrupt_low));
    verify(thread == current() || (!is_runnable(thread) && home_of(thread) == core().cpu));
    thread->priority = priority;
}

SchedulerStatistics scheduler_statistics(CpuId cpu) {
    const SchedulerStatistics& from = globaldata_of[cpu.value]->counters;
    auto read = [](const std::uint64_t& counter) { return __atomic_load_n(&counter, __ATOMIC_RELAXED); };
    return {read(from.upcalls),    read(from.preemptions), read(from.events),
            read(from.idle_waits), read(from.given_away),  read(from.callouts),
            read(from.wakeups),    read(from.departures),  read(from.timers)};
}

// --- waking
// -------------------------------------------------------------------------------------------------------
void schedule(Thread* thread) {
    if (home_of(thread) != core().cpu)
        return wake_elsewhere(thread, inbox_schedule);
    CriticalSection critical;
    if (thread->state == ThreadState::blocked)
        make_ready(here(), thread);
}

namespace {
// By whoever has set the first reason, and by a core that the thread has left.
void push_on_inbox(Thread* thread) {
    GlobalData& target = *globaldata_of[home_of(thread)];
    Thread* head = __atomic_load_n(&target.inbox, __ATOMIC_RELAXED);
    do
        __atomic_store_n(&thread->inbox_next, head, __ATOMIC_RELAXED);
    while (
        !__atomic_compare_exchange_n(&target.inbox, &head, thread, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    notify(target);
}
} // namespace

// The thread's reasons collect until its core looks; only the first one pushes it, so a thread is on an inbox
// once.
void wake_elsewhere(Thread* thread, std::uint32_t reason) {
    if (__atomic_fetch_or(&thread->inbox_reasons, reason, __ATOMIC_SEQ_CST) == 0)
        push_on_inbox(thread);
}

void drain_inbox(GlobalData& gd) {
    if (__atomic_load_n(&gd.inbox, __ATOMIC_RELAXED) == nullptr)
        return;
    Thread* newest = __atomic_exchange_n(&gd.inbox, nullptr, __ATOMIC_SEQ_CST);
    Thread* oldest = nullptr;
    while (newest) { // in the order of arrival
        Thread* next = __atomic_load_n(&newest->inbox_next, __ATOMIC_RELAXED);
        __atomic_store_n(&newest->inbox_next, oldest, __ATOMIC_RELAXED);
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        Thread* thread = oldest;
        oldest = __atomic_load_n(&thread->inbox_next, __ATOMIC_RELAXED);
        if (home_of(thread) != gd.cpu) { // it has left; its reasons stay, so that it is not freed meanwhile
            push_on_inbox(thread);
            continue;
        }
        std::uint32_t reasons = __atomic_exchange_n(&thread->inbox_reasons, 0, __ATOMIC_SEQ_CST);
        // From here another core may push the thread again.
        if ((reasons & inbox_token) && thread->state == ThreadState::waiting_token)
            make_ready(gd, thread);
        if (reasons & inbox_interrupt)
            interrupt_local(gd, thread);
        if (reasons & inbox_call)
            thread->call_done = true;
        if ((reasons & (inbox_schedule | inbox_call)) && thread->state == ThreadState::blocked)
            make_ready(gd, thread);
    }
}

namespace {
struct BlockTimer {
    Thread* thread;
    bool fired;
};
void block_timer_fired(void* argument) {
    auto& timer = *static_cast<BlockTimer*>(argument);
    if (timer.thread->state == ThreadState::blocked) {
        timer.fired = true;
        make_ready(here(), timer.thread);
    }
}
} // namespace

bool block_until(GlobalData& gd, Nanoseconds deadline) {
    Thread* self = gd.current;
    verify(critical_count() == 1 && self != &gd.idle);
    self->state = ThreadState::blocked;
    if (deadline == no_timeout) {
        switch_away(gd);
        return true;
    }
    Callout callout;
    BlockTimer timer{self, false};
    CalloutQueue::arm(callout, glue::Clock::to_ticks(deadline), block_timer_fired, &timer, true);
    switch_away(gd);
    CalloutQueue::cancel(callout); // cannot be running: direct callouts run on this core only
    return !timer.fired;
}

// --- deferred work
// ------------------------------------------------------------------------------------------------ The
// outermost critical section was left (count is 0). Runs what upcalls and wake-ups asked for, until nothing
// is.
void run_deferred() {
    GlobalData& gd = here();
    Thread* self = gd.current;
    do {
        __atomic_store_n(&gd.gate, gate_quiet | 1, __ATOMIC_RELAXED);
        asm volatile("" ::: "memory");
        std::uint32_t what = __atomic_exchange_n(&gd.requests, 0, __ATOMIC_RELAXED);
        if (what & request_reap)
            reap(gd);
        if (what & request_move)
            send_movers(gd);
        if ((what & request_events) || glue::upcall_due())
            process_events(gd);
        preempt(gd, self);
    } while (glue::cpu_local_decrement<offsetof(CoreHead, gate)>() || glue::upcall_due());
}

// --- other cores
namespace {
// The thread leaves its stack here and continues on the other core: nothing that it knows of this one may be
// used after the switch.
[[gnu::noinline]] void depart(CpuId cpu) {
    critical_enter();
    GlobalData& gd = here();
    Thread* self = gd.current;
    verify(cpu.value < cpu_count() && critical_count() == 1 && self != &gd.idle);
    verify(!self->has_tokens() && self->preempted == nullptr && self->wait_ident == nullptr);
    verify(self->priority < Priority::interrupt_low);
    self->moves_to = cpu.value;
    self->state = ThreadState::moving;
    self->run_next = gd.movers;
    gd.movers = self;
    count(gd.counters.departures);
    request(gd, request_move);
    switch_away(gd);
}
[[gnu::noinline]] void arrive() {
    critical_exit();
}
} // namespace

void migrate(CpuId cpu) {
    if (cpu == current_cpu())
        return;
    depart(cpu);
    arrive();
}

// The threads are off their stacks. The reason is set while the thread still belongs here: if there was none,
// nobody else pushes it until it is on the other core's inbox; else it is, or will be, on ours, which
// forwards it.
void send_movers(GlobalData& gd) {
    Thread* list = gd.movers;
    gd.movers = nullptr;
    while (list) {
        Thread* thread = list;
        list = thread->run_next;
        thread->state = ThreadState::blocked;
        bool push = __atomic_fetch_or(&thread->inbox_reasons, inbox_schedule, __ATOMIC_SEQ_CST) == 0;
        __atomic_store_n(&thread->cpu, thread->moves_to,
                         __ATOMIC_SEQ_CST); // from here on it is the other core's
        if (push)
            push_on_inbox(thread);
    }
}

bool core_idle(CpuId cpu) {
    return __atomic_load_n(&globaldata_of[cpu.value]->waiting, __ATOMIC_RELAXED) != 0;
}

// --- life
// ---------------------------------------------------------------------------------------------------------
extern "C" void lwkt_thread_main() {
    GlobalData& gd = here();
    Thread* thread = gd.current;
    glue::fiber_after_switch(thread->fiber);
    critical_exit(); // entered by whoever switched here
    thread->function(thread->argument);
    exit();
}

void exit() {
    critical_enter();
    GlobalData& gd = here();
    Thread* self = gd.current;
    verify(critical_count() == 1 && self != &gd.idle && self->wait_ident == nullptr);
    TokenScheduler::release_all(self, self->token_top);
    self->token_top = self->tokens;
    self->state = ThreadState::zombie;
    self->run_next = gd.zombies;
    gd.zombies = self;
    request(gd, request_reap); // by whoever leaves its critical section next, or the idle thread
    switch_away(gd);
    panic("an exited thread ran");
}

} // namespace lwkt
