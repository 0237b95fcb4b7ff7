// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/test_support.hpp"

#include <algorithm>

using namespace lwkt;
using lwkt::test::Group;
using lwkt::test::next_random;
using lwkt::test::run;

namespace {

LWKT_ON_1_2_4(Callouts);

Nanoseconds after(std::uint64_t nanoseconds) {
    return glue::Clock::now() + Nanoseconds{nanoseconds};
}

struct Flag {
    int set = 0;
    static void raise(void* argument) {
        auto* flag = static_cast<Flag*>(argument);
        __atomic_fetch_add(&flag->set, 1, __ATOMIC_SEQ_CST);
        wakeup(flag);
    }
    void wait(int count = 1) {
        for (;;) {
            tsleep_interlock(this, 0);
            if (__atomic_load_n(&set, __ATOMIC_SEQ_CST) >= count)
                return tsleep_remove();
            (void)tsleep(this, sleep_interlocked, "flag");
        }
    }
};

TEST_P(Callouts, FireOnceAndNotEarly) {
    run(GetParam(), [] {
        Flag flag;
        Callout callout;
        Nanoseconds when = after(1'000'000);
        callout.reset(when, Flag::raise, &flag);
        EXPECT_TRUE(callout.pending());
        flag.wait();
        EXPECT_GE(glue::Clock::now(), when);
        EXPECT_FALSE(callout.pending());
        EXPECT_FALSE(callout.stop());
        callout.drain();
        EXPECT_EQ(flag.set, 1);
    });
}

TEST_P(Callouts, StopAndRearm) {
    run(GetParam(), [] {
        Flag flag;
        Callout callout;
        callout.reset(after(3'600'000'000'000), Flag::raise, &flag);
        EXPECT_TRUE(callout.stop());
        EXPECT_FALSE(callout.stop());
        callout.reset(after(3'600'000'000'000), Flag::raise, &flag);
        callout.reset(Nanoseconds{0}, Flag::raise, &flag); // replaces
        flag.wait();
        callout.drain();
        EXPECT_EQ(flag.set, 1);
    });
}

// All that are due at once run in the order of their deadlines, however they were set and whatever was
// removed.
TEST(CalloutHeap, ExpiresInOrder) {
    static std::vector<std::uint64_t> order;
    order.clear();
    std::vector<std::uint64_t> expected;
    run(1, [&] {
        constexpr unsigned count = 300;
        auto callouts = std::make_unique<Callout[]>(count);
        std::uint64_t seed = 88172645463325252u;
        critical_enter(); // nothing runs before all are set
        for (unsigned i = 0; i < count; ++i) {
            std::uint64_t when = 1 + next_random(seed) % 1000;
            callouts[i].reset(
                Nanoseconds{when},
                [](void* argument) { order.push_back(reinterpret_cast<std::uintptr_t>(argument)); },
                reinterpret_cast<void*>(when));
            if (i % 3 == 2) {
                unsigned victim = next_random(seed) % i;
                if (callouts[victim].stop() && victim % 2)
                    callouts[victim].reset(
                        Nanoseconds{500}, [](void*) { order.push_back(500); }, nullptr);
            }
        }
        unsigned armed = 0;
        for (unsigned i = 0; i < count; ++i)
            armed += callouts[i].pending();
        critical_exit();
        for (unsigned i = 0; i < count; ++i)
            callouts[i].drain();
        EXPECT_EQ(order.size(), armed);
    });
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

// drain() waits for a running function, even one that needs a token of the caller and sleeps.
TEST_P(Callouts, DrainWaitsForTheFunction) {
    run(GetParam(), [&] {
        struct State {
            Token token{"t"};
            Callout callout;
            Flag started;
            int finished = 0;
        } state;
        TokenGuard guard(state.token);
        state.callout.reset(
            Nanoseconds{0},
            [](void* argument) {
                auto& s = *static_cast<State*>(argument);
                Flag::raise(&s.started);
                TokenGuard inner(s.token);
                int ident;
                (void)tsleep(&ident, 0, "nap", after(1'000'000));
                s.finished = 1;
            },
            &state);
        state.started.wait();
        EXPECT_FALSE(state.callout.pending());
        state.callout.drain();
        EXPECT_EQ(state.finished, 1);
    });
}

TEST_P(Callouts, FunctionMayFreeAndRearm) {
    run(GetParam(), [] {
        struct Object {
            Callout callout;
            Flag* flag;
            int left;
            static void fire(void* argument) {
                auto* object = static_cast<Object*>(argument);
                if (object->left-- > 0)
                    return object->callout.reset(Nanoseconds{0}, fire, object);
                Flag* flag = object->flag;
                delete object;
                Flag::raise(flag);
            }
        };
        Flag flag;
        auto* object = new Object{{}, &flag, 5};
        object->callout.reset(Nanoseconds{0}, Object::fire, object);
        flag.wait();
    });
}

// Cores set and stop each other's callouts under a token; each arming either is stopped or runs, exactly
// once.
TEST_P(Callouts, RemoteStopIsExact) {
    std::atomic<long> ran{0};
    long armed = 0, stopped = 0;
    run(GetParam(), [&] {
        constexpr unsigned count = 8;
        struct Shared {
            Token token{"t"};
            Callout callouts[count];
        } shared;
        Group group;
        for (unsigned i = 0; i < 4; ++i)
            group.spawn(i % GetParam(), [&, i] {
                std::uint64_t seed = 0x2545f4914f6cdd1du * (i + 1);
                for (int n = 0; n < 500; ++n) {
                    TokenGuard guard(shared.token);
                    Callout& callout = shared.callouts[next_random(seed) % count];
                    if (callout.stop())
                        ++stopped;
                    if (next_random(seed) % 4) {
                        ++armed;
                        callout.reset(
                            after(next_random(seed) % 20'000),
                            [](void* argument) { ++*static_cast<std::atomic<long>*>(argument); }, &ran);
                    }
                    if (next_random(seed) % 2)
                        yield();
                }
            });
        group.wait();
        for (Callout& callout : shared.callouts) {
            stopped += callout.stop();
            callout.drain();
        }
    });
    EXPECT_EQ(armed, stopped + ran);
}

} // namespace
