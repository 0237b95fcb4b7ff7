// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/test_support.hpp"

using namespace lwkt;
using lwkt::test::Group;
using lwkt::test::run;

namespace {

LWKT_ON_1_2_4(IpiQueues);

// Messages of one source arrive in order and none is lost, far beyond the queue's length.
TEST_P(IpiQueues, FifoForEachPair) {
    struct Receiver {
        std::uintptr_t next[4] = {}; // by source; touched on the receiving core only
        std::atomic<long> wrong{0};
    };
    static constexpr std::uintptr_t count = 1000;
    Receiver receivers[4];
    run(GetParam(), [&] {
        {
            Group group;
            for (unsigned source = 0; source < GetParam(); ++source)
                group.spawn(source, [&] {
                    for (std::uintptr_t n = 0; n < count; ++n)
                        for (unsigned target = 0; target < GetParam(); ++target)
                            send_ipiq(
                                CpuId{target},
                                [](void* argument, std::uintptr_t word) {
                                    auto& receiver = *static_cast<Receiver*>(argument);
                                    receiver.wrong += !in_critical_section();
                                    receiver.wrong += receiver.next[word >> 32]++ != (word & 0xffff'ffff);
                                },
                                &receivers[target], std::uintptr_t{current_cpu().value} << 32 | n);
                });
        }
        // A waited one comes after all that its core sent before.
        Group group;
        for (unsigned source = 0; source < GetParam(); ++source)
            group.spawn(source, [&] {
                for (unsigned target = 0; target < GetParam(); ++target)
                    call_ipiq(
                        CpuId{target},
                        [](void* argument, std::uintptr_t from) {
                            auto& receiver = *static_cast<Receiver*>(argument);
                            receiver.wrong += receiver.next[from] != count;
                        },
                        &receivers[target], current_cpu().value);
            });
        group.wait();
    });
    for (Receiver& receiver : receivers)
        EXPECT_EQ(receiver.wrong, 0);
}

// All cores wait for all others at once.
TEST_P(IpiQueues, WaitedCallsCross) {
    std::atomic<long> ran{0};
    run(GetParam(), [&] {
        Group group;
        for (unsigned i = 0; i < 8; ++i)
            group.spawn(i % GetParam(), [&, i] {
                for (unsigned n = 0; n < 300; ++n) {
                    long before = -1;
                    std::pair<std::atomic<long>*, long*> both{&ran, &before};
                    call_ipiq(
                        CpuId{(i + n) % GetParam()},
                        [](void* argument, std::uintptr_t) {
                            auto& pair = *static_cast<std::pair<std::atomic<long>*, long*>*>(argument);
                            *pair.second = (*pair.first)++;
                        },
                        &both);
                    EXPECT_GE(before, 0);
                }
            });
        group.wait();
    });
    EXPECT_EQ(ran, 2400);
}

// With the target's queue full, wake-ups still arrive (they degrade to waking the whole bucket).
TEST(IpiQueueFull, WakeupsAreNotLost) {
    run(2, [] {
        Token token("t");
        bool go = false;
        std::atomic<bool> blocked{false}, release{false};
        Group group;
        group.spawn(1, [&] {
            TokenGuard guard(token);
            while (!go)
                (void)tsleep(&go, 0, "go");
        });
        group.spawn(1, [&] { // holds the core, so that nothing is served
            for (;;) {
                TokenGuard guard(token);
                break;
            }
            CriticalSection critical;
            blocked = true;
            while (!release)
                __builtin_ia32_pause();
        });
        while (!blocked)
            yield();
        while (try_send_ipiq(
            CpuId{1}, [](void*, std::uintptr_t) {}, nullptr))
            ;
        {
            TokenGuard guard(token);
            go = true;
            wakeup(&go);
        }
        EXPECT_GT(ipiq_statistics(CpuId{0}).full, 1u);
        release = true;
        group.wait();
    });
}

} // namespace
