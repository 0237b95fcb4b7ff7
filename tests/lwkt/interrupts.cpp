// SPDX-License-Identifier: BSD-2-Clause
// Interrupt threads and soft interrupts under stress.
#include "irq-threads/irq_thread.hpp"
#include "irq-threads/queue.hpp"
#include "lwkt/irq.hpp"
#include "tests/lwkt/stress.hpp"

using namespace lwkt;
using namespace lwkt::native;

namespace {

// The chain of an interrupt: an L4 thread above the vCPU, its queue, the event bit, the interrupt thread. The
// thread that is preempted loops without a system call.
struct Chain {
    irq::Queue<std::uint64_t, 256> queue;
    irq::IrqThread thread;
    InterruptHandler handler;
    std::uint64_t received = 0, wrong = 0, made = 0, longest = 0;
    static constexpr unsigned bit = glue::Vcpu::event_irq_shift + 1;
    alignas(16) std::byte stack[8192];

    static bool top(void* self) {
        auto& c = *static_cast<Chain*>(self);
        ++c.made;
        return c.queue.push(glue::Clock::ticks().value);
    }
    static void bottom(void* self) {
        auto& c = *static_cast<Chain*>(self);
        std::uint64_t sent;
        while (c.queue.pop(sent)) {
            std::uint64_t now = glue::Clock::ticks().value; // after the pop: the top half goes on queueing
            __atomic_fetch_add(&c.received, 1, __ATOMIC_RELAXED);
            c.wrong += sent > now;
            c.longest = now - sent > c.longest ? now - sent : c.longest;
        }
    }
};

bool start_chain(Chain& chain) {
    auto core = glue::start().core[0];
    unsigned priority = glue::start().priority + 1;
    auto target = glue::Notification(glue::Vcpu::of(CpuId{0}).notification()).badged(1u << Chain::bit);
    if (!target.ok() || !chain.handler.attach(CpuId{0}, Chain::bit, Chain::bottom, &chain, "timer").ok())
        return false;
    irq::IrqThread::Parameters p;
    p.pool = glue::start_pool;
    p.core = core;
    p.priority = priority;
    p.scheduling = glue::start_irq_scheduling;
    p.buffer = glue::buffer_address + 0x8000;
    p.stack = chain.stack;
    p.stack_size = sizeof chain.stack;
    p.top_half = Chain::top;
    p.argument = &chain;
    p.target = target.value();
    return chain.thread.start_periodic(p, glue::Clock::now(), glue::Nanoseconds{500'000}).ok();
}

} // namespace

void interrupts() {
    static Chain chain;
    if (!start_chain(chain))
        return report("an IRQ thread starts", false);
    while (__atomic_load_n(&chain.received, __ATOMIC_RELAXED) < 100)
        asm volatile("pause");
    chain.thread.stop();
    chain.handler.detach();
    report("an IRQ thread's events preempt a loop", chain.wrong == 0 && chain.handler.runs() != 0);
    print("  longest from top half to interrupt thread: ");
    print(chain.longest * 1'000'000 / (glue::Clock::ticks_per_second() / 1000));
    print(" ns\n");
}

namespace {

// Raised in critical sections on all cores: what was there before a raise is seen by a run after it.
struct Soft {
    SoftInterrupt interrupt;
    std::uint64_t queued = 0, done = 0; // atomic
    static constexpr std::uint64_t rounds = 300;

    static void run(void* self) {
        auto& s = *static_cast<Soft*>(self);
        __atomic_store_n(&s.done, __atomic_load_n(&s.queued, __ATOMIC_SEQ_CST), __ATOMIC_SEQ_CST);
        wakeup(&s.done);
    }
    bool over(std::uint64_t mine) const { return __atomic_load_n(&done, __ATOMIC_SEQ_CST) >= mine; }
    static void thread(void* context, unsigned) {
        auto& s = *static_cast<Soft*>(context);
        for (std::uint64_t n = 0; n < rounds; ++n) {
            std::uint64_t mine;
            {
                CriticalSection critical;
                mine = __atomic_add_fetch(&s.queued, 1, __ATOMIC_SEQ_CST);
                s.interrupt.raise();
            }
            while (!s.over(mine)) {
                tsleep_interlock(&s.done, 0);
                if (s.over(mine))
                    tsleep_remove();
                else
                    (void)tsleep(&s.done, sleep_interlocked, "soft");
            }
        }
    }
};

} // namespace

void soft_interrupts() {
    static Soft soft;
    if (!soft.interrupt.attach(CpuId{cpu_count() - 1}, Soft::run, &soft, "soft").ok())
        return report("a soft interrupt starts", false);
    unsigned threads = 2 * cpu_count();
    Group group;
    for (unsigned i = 0; i < threads; ++i)
        group.spawn(i % cpu_count(), Soft::thread, &soft, i);
    group.wait();
    std::uint64_t runs = soft.interrupt.runs();
    soft.interrupt.detach();
    report("soft interrupts run after each raise", runs != 0 && runs <= threads * Soft::rounds);
}
