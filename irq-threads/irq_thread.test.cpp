// SPDX-License-Identifier: BSD-2-Clause
#include "irq-threads/irq_thread.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace {

using irq::IrqThread;

struct IrqThreads : testing::Test {
    std::atomic<int> runs{0};
    std::atomic<bool> work{true};
    glue::Notification target = glue::Notification::create(0, 0).take();
    IrqThread thread;
    IrqThread::Parameters parameters;
    IrqThreads() {
        parameters.top_half = [](void* self) {
            auto& test = *static_cast<IrqThreads*>(self);
            ++test.runs;
            return test.work.load();
        };
        parameters.argument = this;
        parameters.target = target.badged(4).take();
    }
    void end() {
        thread.stop();
        glue::hosted::join_threads();
    }
};

TEST_F(IrqThreads, EachInterruptRunsTheTopHalfAndSignals) {
    ASSERT_TRUE(thread.start(parameters, 0, 7).ok());
    for (int n = 1; n <= 20; ++n) {
        glue::hosted::raise_line(7);
        EXPECT_EQ(target.wait(), 4u);
        EXPECT_EQ(runs, n);
    }
    end();
    EXPECT_EQ(thread.counters().interrupts, 20u);
    EXPECT_EQ(thread.counters().signals, 20u);
    EXPECT_EQ(thread.counters().throttled, 0u);
}

TEST_F(IrqThreads, NoWorkNoSignal) {
    work = false;
    ASSERT_TRUE(thread.start(parameters, 0, 7).ok());
    glue::hosted::raise_line(7);
    while (runs == 0)
        std::this_thread::yield();
    end();
    EXPECT_EQ(target.poll(), 0u);
    EXPECT_EQ(thread.counters().signals, 0u);
}

TEST_F(IrqThreads, LineInUseIsAnError) {
    ASSERT_TRUE(thread.start(parameters, 0, 7).ok());
    IrqThread second;
    auto result = second.start(parameters, 0, 7);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error(), glue::Error::occupied);
    end();
}

// A device that raises its line all the time is held back, and comes through again when the window is over.
TEST_F(IrqThreads, StormIsThrottledAndGoesOn) {
    parameters.storm_limit = 10;
    parameters.storm_window = glue::Nanoseconds{500'000'000};
    ASSERT_TRUE(thread.start(parameters, 0, 7).ok());
    while (thread.counters().throttled == 0) {
        glue::hosted::raise_line(7);
        std::this_thread::yield();
    }
    std::uint64_t before = thread.counters().interrupts;
    while (thread.counters().interrupts == before) {
        glue::hosted::raise_line(7);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    end();
}

TEST_F(IrqThreads, PeriodicTimerKeepsItsPhase) {
    glue::Nanoseconds first = glue::Clock::now() + glue::Nanoseconds{1'000'000};
    ASSERT_TRUE(thread.start_periodic(parameters, first, glue::Nanoseconds{500'000}).ok());
    while (runs < 5)
        std::this_thread::yield();
    EXPECT_GE(glue::Clock::now(), first + glue::Nanoseconds{4 * 500'000});
    end();
    EXPECT_FALSE(IrqThread().start_periodic(parameters, first, glue::Nanoseconds{0}).ok());
}

} // namespace
