// SPDX-License-Identifier: BSD-2-Clause
// Devices with a vector a queue: a simulated MSI-X table, storms, drivers that go, affinity and balance.
#include "irq-threads/balancer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <vector>

namespace {

using irq::Balancer;
using irq::IrqThread;

// A queue raises its vector, which keeps in mind what it could not send while masked.
struct Controller {
    static constexpr unsigned queues = 4;
    struct Row {
        glue::InterruptMessage message;
        bool masked = true, pending = false;
        int programmed = 0;
    };
    struct Queue {
        Controller* device = nullptr;
        unsigned number = 0;
        std::atomic<int> wants{0}, served{0};
        std::atomic<std::uint64_t> work{0}; // nanoseconds of its top half
        glue::Notification target = glue::Notification::create(0, 0).take();

        static bool top(void* self) {
            auto& queue = *static_cast<Queue*>(self);
            glue::Nanoseconds end = glue::Clock::now() + glue::Nanoseconds{queue.work};
            while (glue::Clock::now() < end)
                std::this_thread::yield();
            int had = queue.wants.exchange(0);
            queue.served += had;
            return had != 0;
        }
        void raise() {
            ++wants;
            device->send(number);
        }
        void raise_and_wait() {
            raise();
            (void)target.wait();
        }
    };
    std::mutex mutex;
    Row table[queues];
    Queue queue[queues];

    Controller() {
        for (unsigned n = 0; n != queues; ++n) {
            queue[n].device = this;
            queue[n].number = n;
        }
    }
    void send(unsigned vector) {
        std::lock_guard<std::mutex> lock(mutex);
        Row& row = table[vector];
        row.masked ? void(row.pending = true) : glue::hosted::send_message(row.message);
    }
    bool masked(unsigned vector) {
        std::lock_guard<std::mutex> lock(mutex);
        return table[vector].masked;
    }
    irq::MessageDevice vector(unsigned number) {
        return {[](void* self, unsigned n, const glue::InterruptMessage& message) {
                    auto& device = *static_cast<Controller*>(self);
                    std::lock_guard<std::mutex> lock(device.mutex);
                    EXPECT_TRUE(device.table[n].masked); // half a message must not be sent
                    device.table[n].message = message;
                    ++device.table[n].programmed;
                },
                [](void* self, unsigned n, bool masked) {
                    auto& device = *static_cast<Controller*>(self);
                    std::lock_guard<std::mutex> lock(device.mutex);
                    Row& row = device.table[n];
                    row.masked = masked;
                    if (!masked && std::exchange(row.pending, false))
                        glue::hosted::send_message(row.message);
                },
                this, number};
    }
};

struct Messages : testing::Test {
    Controller device;
    IrqThread threads[Controller::queues];
    IrqThread::Place places[Controller::queues];
    IrqThread::Parameters parameters(unsigned queue, std::uint32_t core = 0) {
        IrqThread::Parameters p;
        p.core = core;
        p.top_half = Controller::Queue::top;
        p.argument = &device.queue[queue];
        p.target = device.queue[queue].target.badged(1).take();
        return p;
    }
    void start(unsigned queue) {
        ASSERT_TRUE(threads[queue].start_message(parameters(queue), 0, device.vector(queue)).ok());
    }
    void TearDown() override {
        for (IrqThread& thread : threads)
            thread.stop();
        glue::hosted::join_threads();
    }
};

TEST_F(Messages, EachQueueHasAThreadOfItsOwn) {
    for (unsigned n = 0; n != Controller::queues; ++n)
        start(n);
    for (int round = 0; round < 20; ++round)
        for (auto& queue : device.queue)
            queue.raise_and_wait();
    for (unsigned n = 0; n != Controller::queues; ++n) {
        EXPECT_EQ(device.queue[n].served, 20);
        EXPECT_EQ(threads[n].counters().signals, 20u);
        EXPECT_EQ(device.table[n].programmed, 1);
        for (unsigned k = 0; k != n; ++k)
            EXPECT_NE(device.table[n].message.data, device.table[k].message.data);
    }
}

// The vector is masked at the device until the window ends; what it wanted to send meanwhile comes then.
TEST_F(Messages, AStormIsHeldBackAtTheDevice) {
    auto p = parameters(0);
    p.storm_limit = 10;
    p.storm_window = glue::Nanoseconds{100'000'000};
    ASSERT_TRUE(threads[0].start_message(p, 0, device.vector(0)).ok());
    while (threads[0].counters().throttled == 0) {
        device.queue[0].raise();
        std::this_thread::yield();
    }
    device.queue[0].raise();
    while (device.queue[0].wants != 0 || device.masked(0))
        std::this_thread::yield();
}

TEST_F(Messages, WithoutADriverTheVectorIsMasked) {
    start(0);
    threads[0].detach(0);
    while (!threads[0].forgotten(0))
        std::this_thread::yield();
    device.queue[0].raise();
    while (!device.masked(0))
        std::this_thread::yield();
    device.queue[0].raise();
    ASSERT_TRUE(threads[0]
                    .attach({Controller::Queue::top, &device.queue[0],
                             device.queue[0].target.badged(1).take(), nullptr})
                    .ok());
    (void)device.queue[0].target.wait();
    EXPECT_EQ(device.queue[0].served, 2);
    device.queue[0].raise_and_wait(); // and unmasked
}

TEST_F(Messages, AMovedVectorIsProgrammedAnew) {
    start(0);
    for (std::uint32_t core : {1u, 2u})
        ASSERT_TRUE(threads[0].prepare(places[core], parameters(0, core)).ok());
    EXPECT_FALSE(threads[0].move(3));
    auto address = [&] {
        std::lock_guard<std::mutex> lock(device.mutex);
        return device.table[0].message.address;
    };
    for (int n = 0; n < 200; ++n) {
        if (n % 3 == 0) {
            EXPECT_TRUE(threads[0].move(n / 3 % 3));
        }
        device.queue[0].raise_and_wait();
    }
    EXPECT_EQ(device.queue[0].served, 200);
    EXPECT_TRUE(threads[0].move(2));
    while (threads[0].core() != 2)
        std::this_thread::yield();
    EXPECT_EQ(address(), 0xfee0'2000u);
}

TEST_F(Messages, ABalancerSpreadsTheQueues) {
    Balancer balancer;
    for (unsigned n = 0; n != Controller::queues; ++n) {
        start(n);
        ASSERT_TRUE(threads[n].prepare(places[n], parameters(n, 1)).ok());
        ASSERT_TRUE(balancer.add(threads[n], n == 0));
        device.queue[n].work = 200'000;
    }
    for (int round = 0; round < 10; ++round) {
        for (auto& queue : device.queue)
            queue.raise_and_wait();
        const std::uint64_t idle[2] = {};
        irq::Move move = balancer.look(idle);
        if (move.any)
            while (threads[move.line].core() != move.to)
                std::this_thread::yield();
    }
    unsigned elsewhere = 0;
    for (IrqThread& thread : threads)
        elsewhere += thread.core();
    EXPECT_TRUE(elsewhere >= 1 && elsewhere <= 3) << elsewhere;
    EXPECT_EQ(threads[0].core(), 0u); // fixed
    balancer.remove(threads[0]);
    EXPECT_EQ(balancer.look(std::vector<std::uint64_t>{}).any, false);
}

// What a driver is given, it cannot move; it is served like its own.
TEST_F(Messages, AGivenInterruptIsServed) {
    auto notification = glue::Notification::create(0, 0).take();
    glue::InterruptMessage message;
    auto given = glue::Irq::create_message(0, 0, notification, IrqThread::given_bit, 0, message);
    irq::MessageDevice own = device.vector(0);
    own.program(&device, 0, message);
    own.mask(&device, 0, false);
    own.program = nullptr;
    ASSERT_TRUE(threads[0].start_given(parameters(0), notification, given.value(), &own).ok());
    for (int n = 0; n < 20; ++n)
        device.queue[0].raise_and_wait();
    EXPECT_EQ(device.queue[0].served, 20);
    EXPECT_FALSE(threads[0].move(0));
}

TEST_F(Messages, AStoppedLineIsFree) {
    start(0);
    device.queue[0].raise_and_wait();
    threads[0].stop();
    while (!threads[0].ended())
        std::this_thread::yield();
    EXPECT_TRUE(device.masked(0));
    device.queue[0].raise(); // nobody hears it
    IrqThread line, again;
    ASSERT_TRUE(line.start(parameters(1), 0, 7).ok());
    line.stop();
    while (!line.ended())
        std::this_thread::yield();
    EXPECT_TRUE(again.start(parameters(1), 0, 7).ok());
    again.stop();
    while (!again.ended())
        std::this_thread::yield();
}

} // namespace
