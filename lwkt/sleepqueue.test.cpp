// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/test_support.hpp"

using namespace lwkt;
using lwkt::test::Group;
using lwkt::test::run;

namespace {

LWKT_ON_1_2_4(SleepQueues);

Nanoseconds after(std::uint64_t nanoseconds) {
    return glue::Clock::now() + Nanoseconds{nanoseconds};
}

TEST_P(SleepQueues, TimesOut) {
    run(GetParam(), [] {
        int ident;
        EXPECT_EQ(tsleep(&ident, 0, "test", Nanoseconds{0}), Wake::timed_out);
        Nanoseconds until = after(2'000'000);
        EXPECT_EQ(tsleep(&ident, 0, "test", until), Wake::timed_out);
        EXPECT_GE(glue::Clock::now(), until);
    });
}

// A thread that times out leaves the others of its bucket alone (same ident, so surely the same bucket).
TEST(SleepQueueOne, TimeoutBesideOtherSleepers) {
    run(1, [] {
        int ident = 0;
        std::atomic<int> woken{0};
        Group group;
        for (int i = 0; i < 3; ++i)
            group.spawn(0, [&, i] {
                Wake wake = tsleep(&ident, 0, "test", i == 1 ? after(100'000) : no_timeout);
                EXPECT_EQ(wake, i == 1 ? Wake::timed_out : Wake::woken);
                ++woken;
            });
        while (woken != 1)
            (void)tsleep(&woken, 0, "poll", after(50'000));
        wakeup(&ident);
        group.wait();
        EXPECT_EQ(woken, 3);
    });
}

TEST_P(SleepQueues, InterlockRemembersAWakeup) {
    run(GetParam(), [] {
        int ident;
        Thread* self = current();
        tsleep_interlock(&ident, sleep_interruptible);
        wakeup(&ident);
        EXPECT_EQ(tsleep(&ident, sleep_interruptible | sleep_interlocked, "test"), Wake::woken);
        tsleep_interlock(&ident, sleep_interruptible);
        interrupt(self);
        EXPECT_EQ(tsleep(&ident, sleep_interruptible | sleep_interlocked, "test"), Wake::interrupted);
        tsleep_interlock(&ident, sleep_plain);
        interrupt(self); // no effect
        EXPECT_EQ(tsleep(&ident, sleep_interlocked, "test", Nanoseconds{0}), Wake::timed_out);
    });
}

// Producers and consumers with a condition under a token, on all cores, with both kinds of wake-up. A lost
// wake-up would hang.
TEST_P(SleepQueues, NoLostWakeupUnderAToken) {
    long consumed = 0;
    constexpr int items = 600;
    run(GetParam(), [&] {
        Token token("queue");
        int available = 0, room = 0;
        Group group;
        for (unsigned i = 0; i < 4; ++i) {
            group.spawn(i % GetParam(), [&, i] {
                for (int n = 0; n < items; ++n) {
                    TokenGuard guard(token);
                    while (available == 3)
                        (void)tsleep(&room, 0, "room");
                    ++available;
                    i % 2 ? wakeup_one(&available) : wakeup(&available);
                }
            });
            group.spawn((i + 1) % GetParam(), [&] {
                for (int n = 0; n < items; ++n) {
                    TokenGuard guard(token);
                    while (available == 0)
                        (void)tsleep(&available, 0, "item");
                    --available;
                    ++consumed;
                    wakeup(&room);
                }
            });
        }
        group.wait();
    });
    EXPECT_EQ(consumed, 4 * items);
}

// The condition is an atomic, no token: the interlock alone.
TEST_P(SleepQueues, NoLostWakeupWithInterlock) {
    run(GetParam(), [&] {
        constexpr int rounds = 2000;
        std::atomic<int> ball{0};
        Group group;
        for (int side = 0; side < 2; ++side)
            group.spawn(static_cast<unsigned>(side) % GetParam(), [&, side] {
                for (int n = 0; n < rounds; ++n) {
                    while (ball % 2 != side) {
                        tsleep_interlock(&ball, 0);
                        if (ball % 2 != side)
                            (void)tsleep(&ball, sleep_interlocked, "ball");
                        else
                            tsleep_remove();
                    }
                    ++ball;
                    wakeup(&ball);
                }
            });
        group.wait();
        EXPECT_EQ(ball, 2 * rounds);
    });
}

// wakeup_one wakes exactly one of those who sleep for good, wherever they are.
TEST_P(SleepQueues, WakeupOneWakesOne) {
    run(GetParam(), [&] {
        constexpr int sleepers = 9;
        Token token("t");
        std::atomic<int> asleep{0}, woken{0};
        int tickets = 0;
        Group group;
        for (unsigned i = 0; i < sleepers; ++i)
            group.spawn(i % GetParam(), [&] {
                TokenGuard guard(token);
                ++asleep;
                while (tickets == 0)
                    (void)tsleep(&tickets, 0, "ticket");
                --tickets;
                ++woken;
            });
        for (int n = 1; n <= sleepers; ++n) {
            for (;;) { // all others sleep, since they hold the token until then
                TokenGuard guard(token);
                if (asleep == sleepers)
                    break;
                yield();
                (void)tsleep(&asleep, 0, "poll", after(100'000));
            }
            {
                TokenGuard guard(token);
                ++tickets;
                wakeup_one(&tickets);
            }
            while (woken != n)
                (void)tsleep(&woken, 0, "poll", after(100'000));
        }
        group.wait();
    });
}

TEST_P(SleepQueues, InterruptEndsOnlyInterruptibleSleeps) {
    run(GetParam(), [&] {
        constexpr int sleepers = 6;
        Token token("t");
        std::atomic<int> interrupted{0}, woken{0};
        int asleep = 0, ident = 0;
        Thread* threads[sleepers];
        Group group;
        for (int i = 0; i < sleepers; ++i)
            threads[i] = group.spawn(static_cast<unsigned>(i + 1) % GetParam(), [&, i] {
                TokenGuard guard(token);
                ++asleep;
                wakeup(&asleep);
                Wake wake = tsleep(&ident, i % 2 ? sleep_interruptible : sleep_plain, "test");
                wake == Wake::interrupted ? ++interrupted : ++woken;
            });
        TokenGuard guard(token);
        while (asleep != sleepers)
            (void)tsleep(&asleep, 0, "asleep"); // they sleep when we have the token again
        for (Thread* thread : threads)
            interrupt(thread);
        while (interrupted != sleepers / 2)
            (void)tsleep(&interrupted, 0, "poll", after(100'000));
        EXPECT_EQ(woken, 0);
        wakeup(&ident);
        group.wait();
        EXPECT_EQ(woken, sleepers / 2);
    });
}

} // namespace
