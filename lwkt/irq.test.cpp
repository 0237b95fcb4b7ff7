// SPDX-License-Identifier: BSD-2-Clause
// The whole chain on the host: a line or timer, its IRQ thread, the queue, the event bit, the LWKT interrupt
// thread.
#include "lwkt/irq.hpp"
#include "irq-threads/irq_thread.hpp"
#include "irq-threads/queue.hpp"
#include "lwkt/irq_sources.hpp"
#include "lwkt/ktr.hpp"
#include "lwkt/test_support.hpp"

#include <algorithm>

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

LWKT_ON_1_2_4(InterruptSources);

std::vector<InterruptCount> all_counts() {
    std::vector<InterruptCount> rows(max_interrupt_counts);
    rows.resize(interrupt_counts(rows.data(), max_interrupt_counts));
    return rows;
}
const InterruptCount* find(const std::vector<InterruptCount>& rows, const std::string& name) {
    for (const InterruptCount& row : rows)
        if (row.name == name)
            return &row;
    return nullptr;
}

TEST_P(InterruptSources, CountWhatInterrupts) {
    Driver driver;
    irq::Stamp stamp;
    SoftInterrupt soft;
    std::vector<InterruptCount> rows, after;
    run(GetParam(), [&] {
        CpuId cpu{GetParam() - 1};
        auto ignore = [](void*) {};
        ASSERT_TRUE(driver.handler
                        .attach(cpu, Driver::bit, Driver::bottom, &driver, "a name that is too long",
                                Priority::interrupt, &stamp)
                        .ok());
        ASSERT_TRUE(soft.attach(cpu, ignore, nullptr, "soft").ok());
        auto parameters = driver.parameters(cpu);
        parameters.stamp = &stamp;
        ASSERT_TRUE(driver.thread.start(parameters, 0, 3).ok());
        add_interrupt_line("line", 3, cpu, driver.thread);
        for (std::uint64_t n = 1; n <= 10; ++n) {
            glue::hosted::raise_line(3);
            while (driver.taken < n)
                (void)tsleep(&driver.received, 0, "irq", glue::Clock::now() + Nanoseconds{50'000});
        }
        while (soft.runs() == 0) {
            soft.raise();
            yield();
        }
        rows = all_counts();
        remove_interrupt_source(&driver.thread);
        driver.thread.stop();
        glue::hosted::join_threads();
        driver.handler.detach();
        soft.detach();
        (void)tsleep(&driver, 0, "nap", glue::Clock::now() + Nanoseconds{1'000'000}); // a timer, for sure
        after = all_counts();
    });
    const InterruptCount* handler = find(rows, "a name that is too ");
    ASSERT_NE(handler, nullptr);
    EXPECT_EQ(handler->kind, InterruptKind::event);
    EXPECT_EQ(handler->number, Driver::bit);
    EXPECT_EQ(handler->cpu, GetParam() - 1);
    EXPECT_GE(handler->count, 1u);
    EXPECT_GE(handler->longest, handler->median);
    const InterruptCount* line = find(rows, "line");
    ASSERT_NE(line, nullptr);
    EXPECT_EQ(line->kind, InterruptKind::line);
    EXPECT_EQ(line->count, 10u);
    EXPECT_NE(line->longest, 0u);
    ASSERT_NE(find(rows, "soft"), nullptr);
    EXPECT_GE(find(rows, "soft")->count, 1u);
    EXPECT_EQ(rows.size(), 3 + 2 * GetParam());
    EXPECT_EQ(after.size(), 2 * GetParam());
    EXPECT_GE(find(after, "timer")->count, 1u);
    EXPECT_EQ(find(after, "line"), nullptr);
}

TEST_P(InterruptSources, AreTraced) {
    SoftInterrupt soft;
    std::vector<KtrEntry> entries(ktr_entries);
    run(GetParam(), [&] {
        ktr_enable(ktr_all);
        ASSERT_TRUE(soft.attach(
                            CpuId{0}, [](void*) {}, nullptr, "soft")
                        .ok());
        soft.raise();
        while (soft.runs() == 0)
            yield();
        soft.detach();
        ktr_enable(0);
        entries.resize(ktr_read(CpuId{0}, entries.data(), entries.size()));
    });
    auto position = [&](KtrEvent event) {
        return std::find_if(entries.begin(), entries.end(), [&](const KtrEntry& entry) {
            return entry.event == event && entry.first == reinterpret_cast<std::uintptr_t>(&soft);
        });
    };
    EXPECT_NE(position(KtrEvent::soft_raised), entries.end());
    EXPECT_LT(position(KtrEvent::soft_raised), position(KtrEvent::soft_run));
    EXPECT_NE(position(KtrEvent::soft_run), entries.end());
    EXPECT_STREQ(ktr_name(KtrEvent::soft_run), "soft run");
}

} // namespace
