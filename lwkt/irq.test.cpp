// SPDX-License-Identifier: BSD-2-Clause
// The whole chain on the host: a line or timer, its IRQ thread, the queue, the event bit, the LWKT interrupt
// thread.
#include "lwkt/irq.hpp"
#include "irq-threads/irq_thread.hpp"
#include "irq-threads/queue.hpp"
#include "lwkt/test_support.hpp"

using namespace lwkt;
using lwkt::test::Group;
using lwkt::test::run;

namespace {

LWKT_ON_1_2_4(Interrupts);

struct Driver {
    irq::Queue<int, 64> queue;
    irq::IrqThread thread;
    InterruptHandler handler;
    int made = 0;              // by the top half
    std::vector<int> received; // by the interrupt thread
    std::atomic<std::uint64_t> taken{0};
    static constexpr unsigned bit = glue::Vcpu::event_irq_shift + 2;

    irq::IrqThread::Parameters parameters(CpuId cpu) {
        irq::IrqThread::Parameters p;
        p.top_half = [](void* self) {
            auto& driver = *static_cast<Driver*>(self);
            return driver.queue.push(driver.made++);
        };
        p.argument = this;
        p.target =
            glue::Notification(glue::Vcpu::of(cpu).notification()).badged(std::uint64_t{1} << bit).take();
        return p;
    }
    static void bottom(void* self) {
        auto& driver = *static_cast<Driver*>(self);
        int item;
        while (driver.queue.pop(item))
            driver.received.push_back(item);
        driver.taken = driver.received.size();
        wakeup(&driver.received);
    }
};

TEST_P(Interrupts, FromLineToInterruptThread) {
    Driver driver;
    run(GetParam(), [&] {
        CpuId cpu{GetParam() - 1};
        ASSERT_TRUE(driver.handler.attach(cpu, Driver::bit, Driver::bottom, &driver, "serial").ok());
        ASSERT_TRUE(driver.thread.start(driver.parameters(cpu), 0, 3).ok());
        for (std::uint64_t n = 1; n <= 100; ++n) {
            glue::hosted::raise_line(3);
            while (driver.taken < n) // then the line is down, or will be: the next one is another interrupt
                (void)tsleep(&driver.received, 0, "irq", glue::Clock::now() + Nanoseconds{50'000});
        }
        driver.thread.stop();
        glue::hosted::join_threads();
        driver.handler.detach();
    });
    ASSERT_EQ(driver.received.size(), 100u);
    EXPECT_EQ(driver.queue.dropped(), 0u);
    for (std::size_t n = 0; n < driver.received.size(); ++n)
        EXPECT_EQ(driver.received[n], static_cast<int>(n));
}

TEST_P(Interrupts, StagesAreMeasured) {
    Driver driver;
    irq::Stamp stamp;
    run(GetParam(), [&] {
        CpuId cpu{GetParam() - 1};
        ASSERT_TRUE(
            driver.handler
                .attach(cpu, Driver::bit, Driver::bottom, &driver, "timer", Priority::interrupt, &stamp)
                .ok());
        auto parameters = driver.parameters(cpu);
        parameters.stamp = &stamp;
        ASSERT_TRUE(driver.thread.start_periodic(parameters, glue::Clock::now(), Nanoseconds{100'000}).ok());
        while (driver.taken < 20)
            (void)tsleep(&driver.received, 0, "irq", glue::Clock::now() + Nanoseconds{50'000});
        driver.thread.stop();
        glue::hosted::join_threads();
        driver.handler.detach();
    });
    EXPECT_GE(driver.thread.lateness().total(), 20u);
    EXPECT_GE(driver.thread.turns().total(), 20u);
    EXPECT_GE(driver.handler.latency().total(), 1u);
    EXPECT_LE(driver.handler.latency().total(), driver.thread.counters().signals);
}

LWKT_ON_1_2_4(SoftInterrupts);

// Raised from interrupt context on all cores: what was there before a raise is seen by a run after it.
TEST_P(SoftInterrupts, RunAfterEachRaise) {
    constexpr int rounds = 300;
    std::atomic<int> wrong{0};
    run(GetParam(), [&] {
        struct Work {
            SoftInterrupt soft;
            std::atomic<int> queued{0}, done{0};
        } work;
        ASSERT_TRUE(work.soft
                        .attach(
                            CpuId{GetParam() - 1},
                            [](void* self) {
                                auto& w = *static_cast<Work*>(self);
                                w.done = w.queued.load();
                                wakeup(&w.done);
                            },
                            &work, "swi")
                        .ok());
        Group group;
        for (unsigned i = 0; i != 2 * GetParam(); ++i)
            group.spawn(i % GetParam(), [&] {
                for (int n = 0; n != rounds; ++n) {
                    int mine;
                    {
                        CriticalSection critical;
                        mine = ++work.queued;
                        work.soft.raise();
                    }
                    while (work.done < mine) {
                        tsleep_interlock(&work.done, 0);
                        if (work.done < mine)
                            (void)tsleep(&work.done, sleep_interlocked, "soft");
                        else
                            tsleep_remove();
                    }
                }
            });
        group.wait();
        wrong += work.soft.runs() > 2u * GetParam() * rounds || work.soft.runs() == 0;
        work.soft.detach();
    });
    EXPECT_EQ(wrong, 0);
}

TEST_P(Interrupts, PeriodicTimerPreemptsALoop) {
    Driver driver;
    run(GetParam(), [&] {
        ASSERT_TRUE(driver.handler.attach(CpuId{0}, Driver::bit, Driver::bottom, &driver, "timer").ok());
        ASSERT_TRUE(driver.thread
                        .start_periodic(driver.parameters(CpuId{0}), glue::Clock::now(), Nanoseconds{200'000})
                        .ok());
        while (driver.handler.runs() < 10) {
            CriticalSection safe_point; // this platform interrupts nowhere else
        }
        driver.thread.stop();
        glue::hosted::join_threads();
        driver.handler.detach();
    });
    EXPECT_GE(driver.received.size(), 10u);
}

} // namespace
