// SPDX-License-Identifier: BSD-2-Clause
// How a jail's clock follows the host's.
#include "glue/clock.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace glue::hosted {
namespace {

constexpr std::uint64_t quarter = 250'000'000;

// A host whose counter runs at 2.5 GHz, and whose clock's rate is corrected.
struct Host {
    std::uint64_t counter = 7'000'000'000, nanoseconds = 55'000'000'000;
    ClockSample pass(std::uint64_t time, std::int64_t parts_per_million = 0) {
        counter += time * 5 / 2;
        nanoseconds += time + time / 1'000'000 * static_cast<std::uint64_t>(parts_per_million);
        return {counter, nanoseconds};
    }
};

TEST(HostedClock, BeginsWithTheHosts) {
    Host host;
    ClockSample first = host.pass(0), now = host.pass(3'000'000);
    ClockLine line = next_line({}, first, now);
    EXPECT_EQ(line.at(now.counter), now.nanoseconds);
    EXPECT_EQ(line.at(now.counter + 2'500'000), now.nanoseconds + 1'000'000 - 1);
}

TEST(HostedClock, FollowsARateThatChangesAndNeverGoesBack) {
    Host host;
    ClockSample first = host.pass(0);
    ClockLine line = next_line({}, first, host.pass(3'000'000));
    for (std::int64_t rate : {0, 40, -300, 200}) {
        std::int64_t late = 0;
        for (unsigned i = 0; i != 400; ++i) {
            ClockSample now = host.pass(quarter, rate);
            ClockLine next = next_line(line, first, now);
            ASSERT_GE(next.at(now.counter), line.at(now.counter));
            ASSERT_LE(next.at(now.counter), line.at(now.counter) + 1);
            line = next;
            late = static_cast<std::int64_t>(now.nanoseconds - line.at(now.counter));
        }
        EXPECT_LT(std::abs(late), 1'000'000) << rate;
    }
}

TEST(HostedClock, IsSetForwardWhenTheCounterStoodStill) {
    Host host;
    ClockSample first = host.pass(0);
    ClockLine line = next_line({}, first, host.pass(3'000'000));
    line = next_line(line, first, host.pass(quarter));
    host.nanoseconds += 5'000'000'000;
    ClockSample now = host.pass(quarter);
    line = next_line(line, first, now);
    EXPECT_EQ(line.at(now.counter), now.nanoseconds);
    host.counter = 1000; // it began anew
    now = host.pass(quarter);
    line = next_line(line, first, now);
    EXPECT_EQ(line.at(now.counter), now.nanoseconds);
    now = host.pass(quarter);
    EXPECT_NEAR(static_cast<double>(next_line(line, first, now).at(now.counter + 2'500'000'000)),
                static_cast<double>(now.nanoseconds + 1'000'000'000), 2);
}

TEST(HostedClock, DoesNotGoBackWhenTheHostsStoodStill) {
    Host host;
    ClockSample first = host.pass(0);
    ClockLine line = next_line({}, first, host.pass(3'000'000));
    host.counter += 25'000'000'000; // ten seconds of suspension
    for (unsigned i = 0; i != 10; ++i) {
        ClockSample now = host.pass(quarter);
        ClockLine next = next_line(line, first, now);
        ASSERT_GE(next.at(now.counter), line.at(now.counter));
        ASSERT_GE(next.multiplier, line.multiplier - line.multiplier / 1000);
        line = next;
    }
}

} // namespace
} // namespace glue::hosted
