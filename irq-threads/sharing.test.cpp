// SPDX-License-Identifier: BSD-2-Clause
// Lines with several drivers, with none, and with several places.
#include "irq-threads/irq_thread.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace {

using irq::IrqThread;

// A device: its line is up until its top half has served it.
struct Device {
    std::atomic<int> wants{0};
    std::atomic<int> calls{0}, served{0};
    std::atomic<bool> hold{false}, inside{false};
    std::atomic<int>* together = nullptr; // who else is in a top half
    std::atomic<int> overlaps{0};
    glue::Notification target = glue::Notification::create(0, 0).take();

    static bool top(void* self) {
        auto& device = *static_cast<Device*>(self);
        if (device.together && device.together->fetch_add(1) != 0)
            ++device.overlaps;
        device.inside = true;
        ++device.calls;
        while (device.hold)
            std::this_thread::yield();
        bool work = device.wants > 0;
        if (work) {
            --device.wants;
            ++device.served;
        }
        device.inside = false;
        if (device.together)
            --*device.together;
        return work;
    }
    IrqThread::Driver driver() { return {top, this, target.badged(1).take(), nullptr}; }
    void raise() {
        ++wants;
        glue::hosted::raise_line(7);
    }
    void wait() { (void)target.wait(); }
};

struct SharedLines : testing::Test {
    IrqThread thread;
    IrqThread::Parameters parameters;
    Device one, two;
    IrqThread::Place second, third;
    void start() { ASSERT_TRUE(thread.start(parameters, 0, 7).ok()); }
    void TearDown() override {
        thread.stop();
        glue::hosted::join_threads();
    }
    void forget(unsigned driver) {
        thread.detach(driver);
        while (!thread.forgotten(driver))
            std::this_thread::yield();
    }
};

TEST_F(SharedLines, EachDriverIsAskedAndOnlyWhoHasWorkIsSignalled) {
    start();
    ASSERT_TRUE(thread.attach(one.driver()).ok());
    ASSERT_TRUE(thread.attach(two.driver()).ok());
    for (int n = 1; n <= 10; ++n) {
        one.raise();
        one.wait();
        two.raise();
        two.wait();
    }
    EXPECT_EQ(one.served, 10);
    EXPECT_EQ(two.served, 10);
    EXPECT_EQ(one.target.poll() | two.target.poll(), 0u);
    EXPECT_GE(one.calls, 10);
    EXPECT_EQ(thread.counters().signals, 20u);
}

TEST_F(SharedLines, WhatNobodyWantsIsCounted) {
    start();
    ASSERT_TRUE(thread.attach(one.driver()).ok());
    glue::hosted::raise_line(7);
    while (thread.counters().unclaimed == 0)
        std::this_thread::yield();
    EXPECT_EQ(thread.counters().interrupts, 1u);
    EXPECT_EQ(thread.counters().signals, 0u);
}

TEST_F(SharedLines, HasRoomForEight) {
    start();
    unsigned last = 0;
    for (unsigned n = 0; n != IrqThread::max_drivers; ++n) {
        auto place = thread.attach(one.driver());
        ASSERT_TRUE(place.ok());
        last = place.value();
    }
    auto none = thread.attach(one.driver());
    ASSERT_FALSE(none.ok());
    EXPECT_EQ(none.error(), glue::Error::limit);
    forget(last);
    EXPECT_TRUE(thread.attach(one.driver()).ok());
}

// The driver dies: its line is masked at the next interrupt, and comes through when it is back.
TEST_F(SharedLines, WithoutADriverTheLineWaitsForTheNext) {
    start();
    auto driver = thread.attach(one.driver());
    ASSERT_TRUE(driver.ok());
    one.raise();
    one.wait();
    forget(driver.value());
    int calls = one.calls;
    one.raise();
    one.raise(); // masked by now or not: nobody is there
    ASSERT_TRUE(thread.attach(one.driver()).ok());
    one.wait(); // without another interrupt of the device
    EXPECT_GT(one.calls, calls);
}

TEST_F(SharedLines, ADriverIsForgottenWhenItsTopHalfHasEnded) {
    start();
    auto driver = thread.attach(one.driver());
    ASSERT_TRUE(driver.ok());
    one.hold = true;
    one.raise();
    while (!one.inside)
        std::this_thread::yield();
    thread.detach(driver.value());
    EXPECT_FALSE(thread.forgotten(driver.value()));
    one.hold = false;
    while (!thread.forgotten(driver.value()))
        std::this_thread::yield();
    EXPECT_FALSE(one.inside);
}

// A line that wanders between three places loses nothing, and is never served in two at once.
TEST_F(SharedLines, MovesWithoutLoss) {
    start();
    std::atomic<int> together{0};
    one.together = two.together = &together;
    ASSERT_TRUE(thread.attach(one.driver()).ok());
    ASSERT_TRUE(thread.attach(two.driver()).ok());
    parameters.core = 1;
    ASSERT_TRUE(thread.prepare(second, parameters).ok());
    parameters.core = 2;
    ASSERT_TRUE(thread.prepare(third, parameters).ok());
    EXPECT_EQ(thread.cores(), 7u);
    EXPECT_FALSE(thread.move(3));
    for (int n = 0; n < 300; ++n) {
        if (n % 2 == 0) {
            EXPECT_TRUE(thread.move((n / 2 + 1) % 3));
        }
        Device& device = n % 3 ? one : two;
        device.raise();
        device.wait();
    }
    EXPECT_EQ(one.served + two.served, 300);
    EXPECT_EQ(one.overlaps + two.overlaps, 0);
    EXPECT_GE(thread.counters().moves, 1u);
}

} // namespace
