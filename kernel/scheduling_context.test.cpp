// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/scheduling_context.hpp"

#include <gtest/gtest.h>

#include <algorithm>
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

// A thread that runs whenever it may (nobody above it), blocks for random times and wakes again: no window of
// one period, wherever it begins, contains more than the budget.
TEST(Replenishments, NoWindowOfAPeriodGetsMoreThanTheBudget) {
    for (unsigned seed = 1; seed <= 500; ++seed) {
        std::mt19937_64 random(seed);
        Word budget = 2 + random() % 60, period = budget + 1 + random() % 200, now = random() % 1000;
        Replenishments r;
        r.reset(budget, period, now);
        std::vector<std::pair<Word, Word>> runs; // start, end
        for (int step = 0; step < 600; ++step) {
            now += random() % 4 ? random() % 12 : random() % (2 * period); // blocked
            r.activate(now);
            for (Word wanted = 1 + random() % (2 * budget); wanted > 0;) {
                if (r.available(now) == 0) {
                    ASSERT_GT(r.next_time(), now);
                    now = r.next_time();
                    r.activate(now);
                }
                Word used = std::min(wanted, r.available(now));
                ASSERT_GT(used, 0u);
                runs.emplace_back(now, now + used);
                r.consume(used);
                now += used;
                wanted -= used;
            }
            ASSERT_EQ(sum(r), budget);
        }
        // A window with the most in it begins where a run begins, or ends where one ends.
        std::vector<Word> before; // used up to an index of `runs`
        Word total = 0;
        for (auto [start, end] : runs) {
            before.push_back(total);
            total += end - start;
        }
        auto used_until = [&](Word time) { // ticks used up to a time
            auto next = std::upper_bound(runs.begin(), runs.end(), std::pair{time, ~Word{0}});
            if (next == runs.begin())
                return Word{0};
            auto at = static_cast<std::size_t>(next - runs.begin()) - 1;
            return before[at] + std::min(runs[at].second, time) - runs[at].first;
        };
        for (auto [start, end] : runs) {
            ASSERT_LE(used_until(start + period) - used_until(start), budget)
                << "seed " << seed << " at " << start;
            if (end >= period) {
                ASSERT_LE(used_until(end) - used_until(end - period), budget)
                    << "seed " << seed << " at " << end;
            }
        }
    }
}

} // namespace
