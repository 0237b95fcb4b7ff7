// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/scheduling_context.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace {

using kernel::Replenishments;
using kernel::Word;

Word sum(const Replenishments& r) {
    Word total = r.unsettled();
    for (unsigned i = 0; i < r.count(); ++i)
        total += r.entry(i).amount;
    return total;
}

TEST(Replenishments, BudgetComesBackOnePeriodAfterItBecameUsable) {
    Replenishments r;
    r.reset(10, 100, 1000);
    r.activate(1000);
    EXPECT_TRUE(r.consume(10));
    EXPECT_EQ(r.available(1099), 0u);
    EXPECT_EQ(r.next_time(), 1100u);
    EXPECT_EQ(r.available(1100), 10u);
}

TEST(Replenishments, UnusedBudgetIsNotBackdated) {
    Replenishments r;
    r.reset(10, 100, 0);
    r.activate(500); // idle until 500
    EXPECT_TRUE(r.consume(10));
    EXPECT_EQ(r.next_time(), 600u);
}

TEST(Replenishments, LostTimeIsNotADebtOfManyPeriods) {
    Replenishments r;
    r.reset(10, 100, 0);
    EXPECT_TRUE(r.consume(5000)); // the host was away for 50 periods
    EXPECT_LE(r.next_time(), 300u);
    EXPECT_EQ(sum(r), 10u);
}

TEST(Replenishments, WholeCoreIsASliceThatIsFullAgainAtOnce) {
    Replenishments r;
    r.reset(100, 100, 0);
    EXPECT_FALSE(r.consume(60));
    EXPECT_TRUE(r.consume(40));
    EXPECT_EQ(r.available(0), 100u);
}

TEST(Replenishments, ZeroPeriodIsUnlimited) {
    Replenishments r;
    r.reset(0, 0, 0);
    EXPECT_TRUE(r.unlimited());
}

// The property that admission relies on: no window of one period contains more than twice the budget less an
// instant, and over k periods never more than (k + 1) budgets; the sum of all entries is the budget at any
// time; the entries are sorted.
TEST(Replenishments, NoWindowGetsMoreThanItsBound) {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::mt19937_64 random(seed);
        Word budget = 5 + random() % 50, period = budget + 1 + random() % 200, now = random() % 1000;
        Replenishments r;
        r.reset(budget, period, now);
        std::vector<std::pair<Word, Word>> runs; // start, length
        for (int step = 0; step < 400; ++step) {
            now += random() % (period / 2 + 1);
            r.activate(now);
            Word available = r.available(now);
            if (available == 0) {
                now = r.next_time();
                r.activate(now);
                available = r.available(now);
                ASSERT_GT(available, 0u);
            }
            Word used = 1 + random() % available;
            r.consume(used);
            runs.emplace_back(now, used);
            now += used;
            ASSERT_EQ(sum(r), budget);
            for (unsigned i = 1; i < r.count(); ++i)
                ASSERT_LE(r.entry(i - 1).time, r.entry(i).time);
        }
        for (std::size_t first = 0; first < runs.size(); ++first) {
            Word used = 0;
            for (std::size_t i = first; i < runs.size(); ++i) {
                used += runs[i].second;
                Word length = runs[i].first + runs[i].second - runs[first].first;
                ASSERT_LE(used, (length / period + 2) * budget) << "seed " << seed;
            }
        }
    }
}

} // namespace
