// SPDX-License-Identifier: BSD-2-Clause
#include "irq-threads/balance.hpp"
#include "irq-threads/histogram.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

using irq::balance;
using irq::LineLoad;
using irq::Move;

Move plan(const std::vector<LineLoad>& lines, const std::vector<std::uint64_t>& extra) {
    return balance(lines, extra);
}

TEST(Balance, MovesWhatEvensOutMost) {
    Move move = plan({{100, 0, false}, {60, 0, false}, {40, 0, false}}, {0, 0});
    ASSERT_TRUE(move.any);
    EXPECT_EQ(move.line, 0u); // 100 and 100
    EXPECT_EQ(move.to, 1u);
    move = plan({{90, 0, false}, {10, 0, false}, {30, 1, false}}, {0, 0, 25});
    ASSERT_TRUE(move.any);
    EXPECT_EQ(move.line, 1u); // 90 would only carry the load elsewhere
    EXPECT_EQ(move.to, 2u);
}

TEST(Balance, LeavesWhatGainsLittleIsFixedOrHasNowhereToGo) {
    EXPECT_FALSE(plan({{100, 0, false}}, {0, 0}).any);                // the same load on another core
    EXPECT_FALSE(plan({{95, 0, false}, {5, 0, false}}, {0, 90}).any); // less than an eighth
    EXPECT_FALSE(plan({{50, 0, true}, {50, 0, true}}, {0, 0}).any);   // fixed
    EXPECT_FALSE(plan({{50, 0, false}, {50, 0, false}}, {0}).any);    // one core
    EXPECT_FALSE(plan({}, {7, 0}).any);
    EXPECT_FALSE(plan({{0, 0, false}, {0, 0, false}}, {100, 0}).any);       // not its doing
    EXPECT_FALSE(plan({{50, 9, false}}, {0, 0}).any);                       // served where we know nothing of
    EXPECT_FALSE(plan({{60, 0, false, 1}, {40, 0, false, 5}}, {0, 0}).any); // no place there
}

// However lines begin, moves come to an end, and then no core has an eighth more than it must.
TEST(Balance, SettlesDown) {
    std::vector<LineLoad> lines;
    std::uint64_t state = 42;
    for (int n = 0; n < 24; ++n) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        lines.push_back({1 + (state >> 60), 0, false});
    }
    std::vector<std::uint64_t> extra{0, 3, 0, 9};
    int moves = 0;
    for (Move move = plan(lines, extra); move.any; move = plan(lines, extra)) {
        lines[move.line].core = move.to;
        ASSERT_LT(++moves, 100);
    }
    std::vector<std::uint64_t> load = extra;
    std::uint64_t all = 12;
    for (const LineLoad& line : lines) {
        load[line.core] += line.ticks;
        all += line.ticks;
    }
    for (std::uint64_t core : load)
        EXPECT_LE(core, all / 4 * 9 / 7 + 16);
}

TEST(Histograms, CountByPowersOfTwo) {
    irq::Histogram h;
    EXPECT_EQ(h.quantile(500), 0u);
    for (std::uint64_t ticks : {0ul, 1ul, 2ul, 3ul, 900ul, ~0ul})
        h.record(ticks);
    EXPECT_EQ(h.count(0), 1u);
    EXPECT_EQ(h.count(1), 1u);
    EXPECT_EQ(h.count(2), 2u);
    EXPECT_EQ(h.count(10), 1u);
    EXPECT_EQ(h.count(irq::Histogram::buckets - 1), 1u);
    EXPECT_EQ(h.total(), 6u);
    EXPECT_EQ(h.longest(), ~0ul);
    EXPECT_EQ(h.quantile(500), 4u);
    EXPECT_EQ(h.quantile(800), 1024u);
    irq::Histogram one;
    one.record(900);
    EXPECT_EQ(one.quantile(999), 900u); // never above the longest
}

TEST(Histograms, AStampKeepsTheFirst) {
    irq::Stamp stamp;
    EXPECT_EQ(stamp.take(), 0u);
    stamp.set(5);
    stamp.set(9);
    EXPECT_EQ(stamp.take(), 5u);
    EXPECT_EQ(stamp.take(), 0u);
}

} // namespace
