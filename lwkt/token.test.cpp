// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/test_support.hpp"

#ifdef __clang__ // recursion and odd orders are what is tested here
#pragma clang diagnostic ignored "-Wthread-safety-analysis"
#endif

using namespace lwkt;
using lwkt::test::Group;
using lwkt::test::next_random;
using lwkt::test::run;

namespace {

LWKT_ON_1_2_4(Tokens);

TEST(TokenOne, RecursesInAllModes) {
    run(1, [] {
        Token token("t");
        token.acquire();
        token.acquire();
        token.acquire_shared();
        EXPECT_TRUE(token.try_acquire());
        EXPECT_TRUE(token.held_exclusive());
        for (int i = 0; i < 3; ++i)
            token.release();
        EXPECT_TRUE(token.held_exclusive());
        token.release();
        EXPECT_FALSE(token.held());
        token.acquire_shared();
        token.acquire_shared();
        EXPECT_FALSE(token.held_exclusive());
        token.release();
        EXPECT_TRUE(token.held());
        token.release();
        EXPECT_FALSE(token.held());
        EXPECT_EQ(token.contended(), 0u);
    });
}

TEST(TokenOne, ReleasesInAnyOrder) {
    run(1, [] {
        Token a("a"), b("b");
        a.acquire();
        b.acquire();
        a.acquire();
        a.release();
        EXPECT_TRUE(a.held_exclusive());
        a.release();
        EXPECT_FALSE(a.held());
        EXPECT_TRUE(b.held_exclusive());
        b.release();
        EXPECT_EQ(current()->token_top, current()->tokens);
    });
}

TEST(TokenOne, LostWhileBlockedAndBackAfter) {
    run(1, [] {
        Token a("a"), b("b");
        Group group;
        bool other_had_both = false;
        int wake = 0;
        TwoTokenGuard guard(a, b);
        a.acquire();
        group.spawn(0, [&] {
            TwoTokenGuard both(b, a);
            other_had_both = true;
            wakeup(&wake);
        });
        EXPECT_EQ(tsleep(&wake, 0, "test"), Wake::woken);
        EXPECT_TRUE(other_had_both);
        EXPECT_TRUE(a.held_exclusive() && b.held_exclusive());
        a.release();
        EXPECT_TRUE(a.held_exclusive());
    });
}

TEST(TokenOne, KeptUnderPreemptionAndTheInterruptThreadWaits) {
    run(1, [] {
        Token token("t");
        Group group;
        int event = 0, got = 0;
        group.spawn(
            0,
            [&] {
                (void)tsleep(&event, 0, "event");
                TokenGuard guard(token);
                got = 1;
            },
            Priority::interrupt);
        token.acquire();
        wakeup(&event); // preempts, wants the token, gives the core back
        EXPECT_EQ(got, 0);
        EXPECT_TRUE(token.held_exclusive());
        token.release(); // its waiter is above us
        EXPECT_EQ(got, 1);
    });
}

TEST(TokenDeathTest, ReleaseOfWhatIsNotHeld) {
    EXPECT_DEATH(run(1,
                     [] {
                         Token token("t");
                         token.release();
                     }),
                 "panic: r != self->tokens");
}

TEST(TokenDeathTest, SharedCannotBecomeExclusive) {
    EXPECT_DEATH(run(1,
                     [] {
                         Token token("t");
                         token.acquire_shared();
                         token.acquire();
                     }),
                 "panic: mode == mode_shared");
}

// Plain variables under a token: a race would be seen by the thread sanitizer and by the sum.
TEST_P(Tokens, ExcludeEachOther) {
    constexpr int rounds = 2000;
    long counter = 0;
    run(GetParam(), [&] {
        Token token("t");
        Group group;
        for (unsigned i = 0; i < 8; ++i)
            group.spawn(i % GetParam(), [&] {
                for (int n = 0; n < rounds; ++n) {
                    TokenGuard guard(token);
                    ++counter;
                    if (n % 16 == 0)
                        yield(); // loses it and gets it back
                    ++counter;
                }
            });
        group.wait();
    });
    EXPECT_EQ(counter, 8 * rounds * 2);
}

// Every thread takes random sets of tokens in random order and blocks in between; every token guards a plain
// word that must not change while the thread runs.
TEST_P(Tokens, RandomSetsInRandomOrder) {
    constexpr unsigned token_count = 4;
    std::atomic<long> wrong{0};
    run(GetParam(), [&] {
        Token tokens[token_count] = {Token("0"), Token("1"), Token("2"), Token("3")};
        std::uint64_t words[token_count] = {};
        Group group;
        for (unsigned i = 0; i < 12; ++i)
            group.spawn(i % GetParam(), [&, i] {
                std::uint64_t seed = 0x9e3779b97f4a7c15u * (i + 1);
                for (int n = 0; n < 400; ++n) {
                    unsigned taken[3], count = 1 + next_random(seed) % 3;
                    for (unsigned k = 0; k < count; ++k) {
                        taken[k] = next_random(seed) % token_count;
                        tokens[taken[k]].acquire();
                    }
                    auto mark = [&](std::uint64_t value) {
                        for (unsigned k = 0; k < count; ++k)
                            words[taken[k]] = value;
                    };
                    auto check = [&](std::uint64_t value) {
                        for (unsigned k = 0; k < count; ++k)
                            wrong += !tokens[taken[k]].held_exclusive() || words[taken[k]] != value;
                    };
                    mark(seed);
                    check(seed);
                    if (next_random(seed) % 4 == 0)
                        yield();
                    mark(seed);
                    check(seed);
                    unsigned skip = next_random(seed) % count; // release in another order
                    for (unsigned k = 0; k < count; ++k)
                        tokens[taken[(k + skip) % count]].release();
                }
            });
        group.wait();
    });
    EXPECT_EQ(wrong, 0);
}

TEST_P(Tokens, SharedHoldersExcludeOnlyWriters) {
    std::atomic<long> wrong{0};
    std::atomic<int> readers{0}, most{0};
    std::atomic<int> writers{0};
    run(GetParam(), [&] {
        Token token("t");
        Group group;
        for (unsigned i = 0; i < 8; ++i)
            group.spawn(i % GetParam(), [&, i] {
                for (int n = 0; n < 300; ++n) {
                    if (n % 8 == static_cast<int>(i)) {
                        TokenGuard guard(token);
                        wrong += ++writers != 1 || readers != 0;
                        writers--;
                    } else {
                        SharedTokenGuard guard(token);
                        int now = ++readers;
                        wrong += writers != 0;
                        if (now > most)
                            most = now;
                        readers--;
                        yield();
                    }
                }
            });
        group.wait();
    });
    EXPECT_EQ(wrong, 0);
}

TEST_P(Tokens, TryAcquireNeverBlocks) {
    long counter = 0;
    std::atomic<long> sum{0};
    run(GetParam(), [&] {
        Token token("t");
        Group group;
        for (unsigned i = 0; i < 4; ++i)
            group.spawn(i % GetParam(), [&] {
                long mine = 0;
                for (int n = 0; n < 1000; ++n) {
                    if (token.try_acquire()) {
                        ++counter;
                        ++mine;
                        token.release();
                    } else {
                        yield();
                    }
                }
                sum += mine;
            });
        group.wait();
    });
    EXPECT_EQ(counter, sum);
}

} // namespace
