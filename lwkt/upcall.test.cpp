// SPDX-License-Identifier: BSD-2-Clause
// Upcalls by signals into code that never comes to a safe point. What runs while they are on uses nothing of
// the host's library.
#include "lwkt/test_support.hpp"

#include "glue/fiber.hpp"

#ifdef LIBELLE_TSAN
#define NOT_UNDER_TSAN() GTEST_SKIP() << "ThreadSanitizer delivers signals at safe points only"
#else
#define NOT_UNDER_TSAN() (void)0
#endif

namespace lwkt {
namespace {

struct BySignals {
    BySignals() { glue::hosted::upcalls_by_signals = true; }
    ~BySignals() { glue::hosted::upcalls_by_signals = false; }
};

Nanoseconds in(std::uint64_t nanoseconds) {
    return Nanoseconds{glue::Clock::now().value + nanoseconds};
}

void set(void* flag) {
    __atomic_store_n(static_cast<bool*>(flag), true, __ATOMIC_SEQ_CST);
}
bool is_set(const bool& flag) {
    return __atomic_load_n(&flag, __ATOMIC_SEQ_CST);
}

TEST(Upcall, ADeadlineInterruptsWhoComputes) {
    NOT_UNDER_TSAN();
    BySignals on;
    test::run(1, [] {
        bool done = false;
        Callout callout;
        callout.reset(in(1'000'000), set, &done); // in the callout thread, which takes the core
        while (!is_set(done)) {
        }
    });
}

TEST(Upcall, AnEventInterruptsWhoComputes) {
    NOT_UNDER_TSAN();
    BySignals on;
    test::run(2, [] {
        bool computing = false, done = false;
        test::Group group;
        group.spawn(1, [&] {
            set(&computing);
            while (!is_set(done)) {
            }
        });
        while (!is_set(computing)) {
        }
        call_ipiq(
            CpuId{1}, [](void* flag, std::uintptr_t) { set(flag); }, &done);
        group.wait();
    });
}

TEST(Upcall, CriticalSectionsAndDisabledUpcallsHold) {
    NOT_UNDER_TSAN();
    BySignals on;
    test::run(1, [] {
        bool done = false;
        Callout callout;
        {
            CriticalSection critical;
            callout.reset(in(1'000'000), set, &done);
            for (Nanoseconds end = in(30'000'000); glue::Clock::now().value < end.value;)
                verify(!is_set(done));
        }
        verify(is_set(done)); // leaving the section was a safe point
        callout.drain();
    });
}

// Threads of all cores count what only a critical section guards, while signals come from the other cores.
TEST(Upcall, ManyOfThemLoseNothing) {
    NOT_UNDER_TSAN();
    BySignals on;
    struct Core {
        std::uint64_t guarded = 0, arrived = 0;
    };
    Core cores[3];
    test::run(3, [&] {
        test::Group group;
        for (unsigned cpu = 0; cpu != 3; ++cpu)
            group.spawn(cpu, [&cores, cpu] {
                auto count = [](void* core, std::uintptr_t) {
                    ++static_cast<Core*>(core)->arrived;
                    ++static_cast<Core*>(core)->guarded;
                };
                for (unsigned i = 0; i != 20'000; ++i) {
                    unsigned target = (cpu + 1 + i % 2) % 3;
                    send_ipiq(CpuId{target}, count, &cores[target]);
                    for (volatile unsigned spin = 0; spin != 50;)
                        spin = spin + 1;
                    CriticalSection critical;
                    ++cores[cpu].guarded;
                }
            });
        group.wait();
        for (unsigned from = 0; from != 3; ++from) // behind all that was sent
            group.spawn(from, [] {
                for (unsigned to = 0; to != 3; ++to)
                    call_ipiq(
                        CpuId{to}, [](void*, std::uintptr_t) {}, nullptr);
            });
        group.wait();
    });
    for (unsigned cpu = 0; cpu != 3; ++cpu)
        EXPECT_EQ(cores[cpu].guarded, cores[cpu].arrived + 20'000) << cpu;
    EXPECT_EQ(cores[0].arrived + cores[1].arrived + cores[2].arrived, 60'000u);
}

// Events come faster than a handler returns: its frames must not fill the stack that they lie on.
TEST(Upcall, AStormOfEventsNeedsNoStack) {
    NOT_UNDER_TSAN();
    BySignals on;
    test::run(2, [] {
        bool done = false;
        test::Group group;
        group.spawn(1, [&] {
            for (unsigned i = 0; i != 200'000; ++i)
                glue::Vcpu::of(CpuId{0}).kick();
            set(&done);
        });
        {
            CriticalSection critical;
            while (!is_set(done)) {
            }
        }
        group.wait();
    });
}

} // namespace
} // namespace lwkt
