// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/test_support.hpp"

#include <cstring>

#include <string>

using namespace lwkt;
using lwkt::test::Group;
using lwkt::test::run;

namespace {

LWKT_ON_1_2_4(Scheduler);

TEST_P(Scheduler, MainRunsOnCpu0AndEnds) {
    unsigned ran = 0;
    run(GetParam(), [&] {
        ran = current_cpu() == CpuId{0} ? 1 : 2;
        EXPECT_FALSE(in_critical_section());
    });
    EXPECT_EQ(ran, 1u);
}

TEST_P(Scheduler, ThreadsRunOnTheirCpu) {
    std::atomic<int> wrong{0}, ran{0};
    run(GetParam(), [&] {
        Group group;
        for (unsigned i = 0; i < 40; ++i)
            group.spawn(i % GetParam(), [&, i] {
                for (int n = 0; n < 50; ++n) {
                    wrong += current_cpu().value != i % GetParam();
                    yield();
                }
                ++ran;
            });
        group.wait();
    });
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(ran, 40);
}

TEST(SchedulerOne, HigherPriorityFirstThenInOrder) {
    std::string order;
    run(1, [&] {
        Group group;
        group.spawn(
            0, [&] { order += 'a'; }, Priority::user_idle);
        group.spawn(
            0, [&] { order += 'b'; }, Priority::user_normal);
        group.spawn(
            0, [&] { order += 'c'; }, Priority::user_normal);
        group.spawn(
            0, [&] { order += 'd'; }, Priority::kernel_user);
        group.wait();
    });
    EXPECT_EQ(order, "dbca");
}

TEST(SchedulerOne, YieldIsRoundRobin) {
    std::string order;
    run(1, [&] {
        Group group;
        for (char c : {'a', 'b', 'c'})
            group.spawn(0, [&order, c] {
                for (int i = 0; i < 3; ++i) {
                    order += c;
                    yield();
                }
            });
        group.wait();
    });
    EXPECT_EQ(order, "abcabcabc");
}

// An interrupt thread preempts where a critical section ends, runs to its block, and the preempted thread
// goes on although another thread of its own priority is ready.
TEST(SchedulerOne, InterruptThreadPreemptsAndReturns) {
    std::string order;
    run(1, [&] {
        Group group;
        bool wanted = false;
        Thread* interrupt_thread = group.spawn(
            0,
            [&] {
                order += 'i';
                (void)tsleep(&wanted, 0, "test");
                order += 'I';
                (void)tsleep(&wanted, 0, "test");
                order += 'J';
            },
            Priority::interrupt);
        EXPECT_EQ(order, "i"); // it ran when it was scheduled
        group.spawn(
            0, [&] { order += 'o'; }, Priority::kernel_daemon);
        critical_enter();
        wakeup(&wanted);
        order += 'c';
        critical_exit();
        EXPECT_EQ(order, "icI");
        schedule(interrupt_thread); // as a wake-up
        EXPECT_EQ(order, "icIJ");
        group.wait();
    });
    EXPECT_EQ(order, "icIJo");
}

TEST(SchedulerOne, PreemptionNestsByPriority) {
    std::string order;
    run(1, [&] {
        Group group;
        int low = 0, high = 0;
        group.spawn(
            0,
            [&] {
                (void)tsleep(&low, 0, "low");
                order += '(';
                wakeup(&high);
                order += ')';
            },
            Priority::interrupt_low);
        group.spawn(
            0,
            [&] {
                (void)tsleep(&high, 0, "high");
                order += '!';
            },
            Priority::interrupt_high);
        wakeup(&low);
        order += '.';
        group.wait();
    });
    EXPECT_EQ(order, "(!).");
}

// An interrupt thread whose token the current thread holds cannot run yet, and nobody else preempts for it.
TEST(SchedulerOne, OnlyInterruptThreadsPreempt) {
    std::string order;
    run(1, [&] {
        Group group;
        Token token("test");
        bool wanted = false;
        group.spawn(
            0,
            [&] {
                TokenGuard guard(token);
                (void)tsleep(&wanted, 0, "test");
                order += 'i';
            },
            Priority::interrupt);
        group.spawn(
            0, [&] { order += 'k'; }, Priority::kernel_user);
        Priority own = current()->priority;
        set_priority(current(), Priority::user_normal);
        {
            TokenGuard guard(token);
            critical_enter();
            wakeup(&wanted);
            critical_exit();
            order += 'c';
        }
        group.wait();
        set_priority(current(), own);
    });
    EXPECT_EQ(order, "cik");
}

TEST(SchedulerOne, EventsRunHandlersAtSafePoints) {
    int seen = 0;
    run(1, [&] {
        set_event_handler(
            CpuId{0}, 9, [](void* argument) { ++*static_cast<int*>(argument); }, &seen);
        critical_enter();
        glue::Vcpu::of(CpuId{0}).signal(1u << 9);
        EXPECT_EQ(seen, 0); // not in a critical section
        critical_exit();
        EXPECT_EQ(seen, 1);
        glue::Vcpu::of(CpuId{0}).disable_upcalls(); // as if the BSD thread ran in user mode
        glue::Vcpu::of(CpuId{0}).signal(1u << 9);
        EXPECT_FALSE(vcpu_event(glue::Trap::event));
        EXPECT_EQ(seen, 2);
        glue::Vcpu::of(CpuId{0}).enable_upcalls();
    });
}

TEST(SchedulerOne, SliceEndsOnlyForCompany) {
    run(1, [&] {
        Ticks past{1};
        set_slice_deadline(past);
        EXPECT_FALSE(vcpu_event(glue::Trap::deadline)); // nobody else wants the core
        EXPECT_TRUE(take_slice_expired());
        EXPECT_FALSE(take_slice_expired());
        Group group;
        group.spawn(
            0, [] {}, Priority::kernel_daemon);
        EXPECT_FALSE(vcpu_event(glue::Trap::event)); // same priority, slice not over
        set_slice_deadline(past);
        EXPECT_TRUE(vcpu_event(glue::Trap::deadline));
        EXPECT_TRUE(should_yield());
        yield();
        EXPECT_FALSE(should_yield());
        set_slice_deadline(glue::no_deadline);
        group.spawn(
            0, [] {}, Priority::soft);
        EXPECT_TRUE(vcpu_event(glue::Trap::event)); // higher priority
        group.wait();
    });
}

TEST(SchedulerOne, StatisticsCountWhatHappened) {
    run(1, [&] {
        SchedulerStatistics before = scheduler_statistics(CpuId{0});
        int ident;
        for (int n = 0; n < 3; ++n)
            (void)tsleep(&ident, 0, "nap", glue::Clock::now() + Nanoseconds{100'000}); // idle meanwhile
        Callout callout;
        tsleep_interlock(&ident, 0);
        callout.reset(
            glue::Clock::now(), [](void* to) { wakeup(to); }, &ident);
        (void)tsleep(&ident, sleep_interlocked, "callout");
        callout.drain();
        SchedulerStatistics after = scheduler_statistics(CpuId{0});
        EXPECT_GE(after.idle_waits, before.idle_waits + 3);
        EXPECT_GE(after.events, before.events + 3);
        EXPECT_EQ(after.callouts, before.callouts + 1);
        EXPECT_EQ(after.wakeups, before.wakeups + 1);
        EXPECT_EQ(after.given_away, 0u);
        Group group;
        group.spawn(
            0, [] {}, Priority::interrupt); // takes the core at once
        EXPECT_GE(scheduler_statistics(CpuId{0}).preemptions, after.preemptions + 1);
    });
}

TEST(SchedulerOne, CreateFailsCleanly) {
    run(1, [&] {
        lwkt::test::pages_left = 3;
        EXPECT_EQ(create([](void*) {}, nullptr, Priority::user_normal, CpuId{0}, "no"), nullptr);
        lwkt::test::pages_left = 1'000'000'000;
        EXPECT_EQ(create([](void*) {}, nullptr, Priority::user_normal, CpuId{1}, "no"), nullptr);
        Thread* thread =
            create([](void*) {}, nullptr, Priority::user_normal, CpuId{0}, "a name longer than the field");
        ASSERT_NE(thread, nullptr);
        EXPECT_STREQ(thread->name, "a name longer than the ");
        destroy_unstarted(thread);
    });
}

TEST_P(Scheduler, ManyThreadsComeAndGo) {
    std::atomic<int> ran{0};
    run(GetParam(), [&] {
        for (unsigned round = 0; round < 20; ++round) {
            Group group;
            for (unsigned i = 0; i < 16; ++i)
                group.spawn((i + round) % GetParam(), [&] { ++ran; });
        }
    });
    EXPECT_EQ(ran, 320);
}

[[gnu::noinline]] unsigned cpu_now() {
    return current_cpu().value;
}
[[gnu::noinline]] Thread* self_now() {
    return current();
}

// Threads that wander while others wake and interrupt them, wherever they are.
TEST_P(Scheduler, ThreadsMoveAndAreFoundWhereTheyAre) {
    constexpr int hops = 64;
    std::atomic<int> wrong{0}, ended{0};
    run(GetParam(), [&] {
        struct Wanderer {
            Thread* thread = nullptr;
            int ident = 0;
            std::atomic<int> naps{0};
        } wanderers[4];
        Token token("moving");
        std::atomic<int> inside{0};
        Group group;
        for (unsigned i = 0; i != 4; ++i)
            group.spawn(i % GetParam(), [&, i] {
                Wanderer& me = wanderers[i];
                me.thread = self_now();
                for (int n = 0; n != hops; ++n) {
                    unsigned to = (i + static_cast<unsigned>(n)) % GetParam();
                    migrate(CpuId{to});
                    wrong += cpu_now() != to || self_now() != me.thread || in_critical_section();
                    if (n % 4 == 0) {
                        ++me.naps;
                        (void)tsleep(&me.ident, sleep_interruptible, "nap",
                                     glue::Clock::now() + Nanoseconds{20'000});
                    }
                    if (n % 8 == 0) {
                        TokenGuard guard(token);
                        wrong += inside++ != 0;
                        inside--;
                        wrong += cpu_now() != to; // a token does not carry it elsewhere
                    }
                }
                ++ended;
            });
        for (unsigned cpu = 0; cpu != GetParam(); ++cpu)
            group.spawn(cpu, [&] {
                while (ended < 4) {
                    for (Wanderer& w : wanderers)
                        wakeup(&w.ident);
                    yield();
                }
            });
    });
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(ended, 4);
}

TEST(SchedulerTwo, WhoMovesIsInterruptedWhereItSleeps) {
    run(2, [&] {
        std::atomic<int> interrupts{0}, naps{0};
        std::atomic<bool> over{false}, alone{false};
        Group group;
        int ident = 0;
        Thread* thread = group.spawn(
            0,
            [&] {
                for (unsigned n = 0; n != 50; ++n) {
                    migrate(CpuId{n % 2});
                    ++naps;
                    interrupts +=
                        tsleep(&ident, sleep_interruptible, "nap") == Wake::interrupted; // for ever, else
                }
                over = true;
                while (!alone)
                    yield();
            },
            Priority::kernel_daemon); // like this one, which else would never let it run
        while (!over) {
            interrupt(thread);
            yield();
        }
        alone = true;
        group.wait();
        EXPECT_EQ(interrupts, 50);
    });
}

TEST(SchedulerTwo, IdleCoresAreSeen) {
    run(2, [&] {
        while (!core_idle(CpuId{1}))
            yield();
        EXPECT_FALSE(core_idle(CpuId{0}));
        Group group;
        std::atomic<bool> go{false};
        group.spawn(1, [&] {
            while (!go)
                yield();
        });
        while (core_idle(CpuId{1}))
            yield();
        go = true;
    });
}

TEST(Threads, HaveRoomOfTheCaller) {
    run(1, [] {
        constexpr std::size_t room = 1000;
        bool same = false;
        Thread* thread = create(
            [](void* argument) {
                auto* bytes = static_cast<unsigned char*>(room_of(current(), room));
                bool kept = reinterpret_cast<std::uintptr_t>(bytes) % 64 == 0;
                for (std::size_t i = 0; i < room; i++)
                    kept &= bytes[i] == 0xa5;
                *static_cast<bool*>(argument) = kept;
                wakeup(argument);
            },
            &same, Priority::user_normal, CpuId{0}, "room", 0, room);
        ASSERT_NE(thread, nullptr);
        std::memset(room_of(thread, room), 0xa5, room);
        schedule(thread);
        (void)tsleep(&same, sleep_plain, "room");
        EXPECT_TRUE(same);
    });
}

} // namespace
