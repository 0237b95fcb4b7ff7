// SPDX-License-Identifier: BSD-2-Clause
// Where the outside reaches a core: events of its vCPU, upcalls, kicks of other cores; the idle thread;
// start.
#include "lwkt/globaldata.hpp"

namespace lwkt {

namespace {

std::uint32_t stopping; // atomic: shutdown() was called
void (*idle_handler)(); // immutable after start

// How long a core sleeps in the kernel below when a spin lock or a full IPI queue has exhausted its bound:
// this, and twice as long each further time, up to 64 times.
constexpr std::uint64_t away = 20'000;

// Upcall: on the interrupted stack, upcalls disabled. Inside a critical section only remembers; else works
// and lets interrupt threads run before the interrupted code continues.
void upcall() {
    GlobalData& gd = here();
    count(gd.counters.upcalls);
    request(gd, request_events);
    if (gd.programmed <= glue::Clock::ticks()) { // else the same deadline would bring the next upcall
        count(gd.counters.timers);
        gd.programmed = glue::no_deadline;
        gd.vcpu->set_deadline(glue::no_deadline);
    }
    gd.vcpu->enable_upcalls();
    if (!in_critical_section())
        run_deferred();
}

// The idle thread is the stack that the vCPU started on. It is always in a critical section.
void idle_loop(GlobalData& gd) {
    for (;;) {
        __atomic_store_n(&gd.gate, gate_quiet | 1, __ATOMIC_RELAXED);
        __atomic_exchange_n(&gd.requests, 0, __ATOMIC_RELAXED);
        reap(gd);
        send_movers(gd);
        process_events(gd);
        if (gd.ready_bits == 0 && idle_handler)
            idle_handler();
        if (gd.ready_bits != 0) {
            switch_away(gd); // runnable, but on no queue
            continue;
        }
        drain_remote_frees(gd);
        if (__atomic_load_n(&stopping, __ATOMIC_SEQ_CST) != 0)
            return;
        // An event from here on makes wait() return at once.
        gd.vcpu->disable_upcalls();
        if (__atomic_load_n(&gd.requests, __ATOMIC_RELAXED) == 0 && !gd.vcpu->pending()) {
            count(gd.counters.idle_waits);
            __atomic_store_n(&gd.waiting, 1, __ATOMIC_RELAXED);
            gd.vcpu->wait();
            __atomic_store_n(&gd.waiting, 0, __ATOMIC_RELAXED);
        }
        gd.vcpu->enable_upcalls();
    }
}

void core_main(CpuId cpu) {
    GlobalData& gd = *globaldata_of[cpu.value];
    glue::set_cpu_local(static_cast<CoreHead*>(&gd));
    gd.idle.fiber.adopt_current();
    gd.vcpu->set_upcall_handler(upcall);
    gd.vcpu->enable_upcalls();
    idle_loop(gd);
    gd.vcpu->disable_upcalls();
    gd.vcpu->set_deadline(glue::no_deadline);
}

std::size_t power_of_two_pages(std::size_t bytes) {
    std::size_t pages = 1;
    while (pages * glue::page_size < bytes)
        pages *= 2;
    return pages;
}

GlobalData* create_core(unsigned cpu) {
    auto* queues =
        static_cast<IpiQueue*>(page_provider.allocate(power_of_two_pages(sizeof(IpiQueue) * cpu_count())));
    void* memory = page_provider.allocate(power_of_two_pages(sizeof(GlobalData)));
    if (queues == nullptr || memory == nullptr)
        return nullptr;
    for (unsigned source = 0; source != cpu_count(); ++source)
        new (&queues[source]) IpiQueue{};
    auto* gd = new (memory) GlobalData;
    gd->self = gd;
    gd->cpu = cpu;
    gd->requests = 0;
    gd->from = queues;
    gd->current = &gd->idle;
    gd->idle.cpu = gd->waker = cpu;
    gd->gate = gate_quiet | 1; // the idle thread's
    gd->idle.state = ThreadState::runnable;
    __builtin_memcpy(gd->idle.name, "idle", 5);
    gd->callouts.thread =
        create(CalloutQueue::thread_main, &gd->callouts, Priority::soft_timer, CpuId{cpu}, "callout");
    return gd->callouts.thread ? gd : nullptr;
}

void free_core(unsigned cpu) {
    GlobalData* gd = globaldata_of[cpu];
    drain_remote_frees(*gd); // of cores that stopped after this one
    release_empty_zones(*gd);
    destroy_unstarted(gd->callouts.thread); // it is blocked for ever
    page_provider.release(gd->from, power_of_two_pages(sizeof(IpiQueue) * cpu_count()));
    gd->~GlobalData();
    page_provider.release(gd, power_of_two_pages(sizeof(GlobalData)));
    globaldata_of[cpu] = nullptr;
}

} // namespace

void notify(GlobalData& target) {
    if (__atomic_exchange_n(&target.notified, 1, __ATOMIC_SEQ_CST) == 0) {
        ++here().ipi_counters.kicks;
        target.vcpu->kick();
    }
}

void process_events(GlobalData& gd) {
    count(gd.counters.events);
    std::uint64_t bits = gd.vcpu->take_events() | gd.stashed_events;
    gd.stashed_events = 0;
    for (bits &= ~glue::Vcpu::event_kick; bits != 0; bits &= bits - 1) {
        EventSlot& slot = gd.events[__builtin_ctzl(bits)];
        if (slot.handler)
            slot.handler(slot.argument);
    }
    if (__atomic_load_n(&gd.notified, __ATOMIC_RELAXED) != 0) {
        count(gd.ipi_counters.arrivals);
        __atomic_exchange_n(&gd.notified, 0, __ATOMIC_SEQ_CST); // before looking: a later push kicks again
        drain_inbox(gd);
        drain_messages(gd);
        drain_ipiq(gd);
    }
    process_timers(gd);
}

bool vcpu_event(glue::Trap) {
    {
        CriticalSection critical;
        process_events(here());
    } // interrupt threads that became ready run here
    GlobalData& gd = here();
    std::uint32_t level = static_cast<std::uint32_t>(gd.current->priority);
    std::uint32_t above_or_same = gd.ready_bits >> level;
    return (above_or_same & ~1u) != 0 || (gd.slice_expired && above_or_same != 0);
}

void give_time_away(GlobalData& gd, unsigned times) {
    count(gd.counters.given_away);
    ktr(KtrEvent::time_given_away, std::uintptr_t{times});
    gd.vcpu->disable_upcalls();
    gd.stashed_events |= gd.vcpu->take_events();
    request(gd, request_events);
    gd.vcpu->set_deadline(
        glue::Clock::to_ticks(glue::Clock::now() + Nanoseconds{away << (times < 6 ? times : 6)}));
    gd.vcpu->wait();
    gd.stashed_events |= gd.vcpu->take_events();
    gd.vcpu->set_deadline(gd.programmed);
    gd.vcpu->enable_upcalls();
}

// Not inlined: before LWKT runs there is no globaldata, and the compiler must not fetch from it ahead of the
// test.
[[gnu::noinline]] static void give_own_time_away(unsigned times) {
    give_time_away(here(), times);
}
[[gnu::noinline]] static void enter_own_section() {
    critical_enter();
}
[[gnu::noinline]] static void exit_own_section() {
    critical_exit();
}

void SpinLock::lock() {
    if (running)
        enter_own_section();
    for (unsigned spins = 0; __atomic_exchange_n(&word_, 1, __ATOMIC_ACQUIRE) != 0;)
        do {
            __builtin_ia32_pause();
            if (++spins >= spin_bound && running) // once spun in vain, it only looks now and then
                give_own_time_away(spins - spin_bound);
        } while (__atomic_load_n(&word_, __ATOMIC_RELAXED) != 0);
}

void SpinLock::unlock() {
    __atomic_store_n(&word_, 0, __ATOMIC_RELEASE);
    if (running)
        exit_own_section();
}

void set_idle_handler(void (*handler)()) {
    idle_handler = handler;
}

void set_event_handler(CpuId cpu, unsigned bit, EventHandler handler, void* argument) {
    verify(cpu.value < cpu_count() && bit < 64);
    globaldata_of[cpu.value]->events[bit] = {handler, argument};
}

glue::Outcome<void> start(ThreadFunction main, void* argument, const PageProvider& provider,
                          std::size_t main_stack_size) {
    page_provider = provider;
    __atomic_store_n(&stopping, 0, __ATOMIC_SEQ_CST);
    for (unsigned cpu = 0; cpu != cpu_count(); ++cpu)
        if ((globaldata_of[cpu] = create_core(cpu)) == nullptr)
            return Failure(glue::Error::no_memory);
    Thread* first = create(main, argument, Priority::kernel_daemon, CpuId{0}, "main", main_stack_size);
    if (first == nullptr)
        return Failure(glue::Error::no_memory);
    enqueue_ready(*globaldata_of[0], first);
    for (unsigned cpu = 0; cpu != cpu_count(); ++cpu)
        globaldata_of[cpu]->vcpu = &glue::Vcpu::of(CpuId{cpu});
    running = true;
    auto started = glue::Vcpu::start_all(core_main);
    running = false;
    for (unsigned cpu = 0; cpu != cpu_count(); ++cpu)
        free_core(cpu);
    return started.ok() ? glue::Outcome<void>{} : glue::Outcome<void>{Failure(started.error())};
}

void shutdown() {
    __atomic_store_n(&stopping, 1, __ATOMIC_SEQ_CST);
    for (unsigned cpu = 0; cpu != cpu_count(); ++cpu)
        globaldata_of[cpu]->vcpu->kick();
}

} // namespace lwkt
