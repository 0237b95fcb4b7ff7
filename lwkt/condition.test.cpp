// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/condition.hpp"
#include "lwkt/test_support.hpp"

using namespace lwkt;
using lwkt::test::Group;
using lwkt::test::run;

namespace {

LWKT_ON_1_2_4(Conditions);

TEST_P(Conditions, BoundedBufferUnderAToken) {
    constexpr int items = 400;
    int buffer = 0, consumed = 0;
    run(GetParam(), [&] {
        Token token("buffer");
        ConditionVariable full("full"), empty("empty");
        Group group;
        for (unsigned i = 0; i < 4; ++i) {
            group.spawn(i % GetParam(), [&] {
                for (int n = 0; n < items; ++n) {
                    TokenGuard guard(token);
                    while (buffer == 2)
                        (void)full.wait();
                    ++buffer;
                    empty.signal();
                }
            });
            group.spawn((i + 1) % GetParam(), [&] {
                for (int n = 0; n < items; ++n) {
                    TokenGuard guard(token);
                    while (buffer == 0)
                        (void)empty.wait();
                    --buffer;
                    ++consumed;
                    full.signal();
                }
            });
        }
    });
    EXPECT_EQ(consumed, 4 * items);
    EXPECT_EQ(buffer, 0);
}

TEST_P(Conditions, BoundedBufferUnderASpinLock) {
    constexpr int items = 300;
    int buffer = 0, consumed = 0;
    run(GetParam(), [&] {
        SpinLock lock;
        ConditionVariable changed("changed");
        Group group;
        for (unsigned i = 0; i < 4; ++i)
            group.spawn(i % GetParam(), [&, i] {
                for (int n = 0; n < items; ++n) {
                    SpinGuard guard(lock);
                    while (buffer == (i % 2 ? 0 : 1))
                        (void)changed.wait(lock);
                    buffer = i % 2 ? 0 : 1;
                    consumed += i % 2;
                    changed.broadcast();
                }
            });
    });
    EXPECT_EQ(consumed, 2 * items);
}

TEST(ConditionOne, WaitEndsAtTheDeadline) {
    run(1, [] {
        Token token("t");
        ConditionVariable never("never");
        TokenGuard guard(token);
        EXPECT_EQ(never.wait(sleep_plain, glue::Clock::now() + Nanoseconds{1'000'000}), Wake::timed_out);
        EXPECT_TRUE(token.held_exclusive());
    });
}

// Kept across blocks, where a token would be lost; and recursive.
TEST_P(Conditions, SerializersAreKeptAcrossBlocks) {
    constexpr int rounds = 100;
    int inside = 0, wrong = 0, entered = 0;
    run(GetParam(), [&] {
        Serializer serializer("serial");
        Group group;
        for (unsigned i = 0; i < 6; ++i)
            group.spawn(i % GetParam(), [&] {
                for (int n = 0; n < rounds; ++n) {
                    SerializerGuard guard(serializer);
                    wrong += inside++ != 0;
                    {
                        SerializerGuard again(serializer);
                        yield();
                    }
                    int nobody;
                    if (n % 16 == 0)
                        (void)tsleep(&nobody, 0, "nap", glue::Clock::now() + Nanoseconds{20'000});
                    wrong += --inside != 0 || !serializer.held();
                    ++entered;
                }
            });
    });
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(entered, 6 * rounds);
}

TEST(ConditionOne, TryEnterDoesNotWait) {
    run(1, [] {
        Serializer serializer("serial");
        Group group;
        ASSERT_TRUE(serializer.try_enter());
        bool other = true;
        group.spawn(0, [&] { other = serializer.try_enter(); });
        group.wait();
        EXPECT_FALSE(other);
        serializer.exit();
        EXPECT_FALSE(serializer.held());
    });
}

TEST(ConditionDeathTest, ExitOfWhatIsNotHeld) {
    EXPECT_DEATH(run(1,
                     [] {
                         Serializer serializer("serial");
                         serializer.exit();
                     }),
                 "panic: held\\(\\)");
}

} // namespace
