// SPDX-License-Identifier: BSD-2-Clause
// What a program reads from the timekeeping page against the clock it was made of.
#include "bsd-personality/kern/timekeep.hpp"

#include <gtest/gtest.h>

namespace bsd {
namespace {

// As the C library of FreeBSD and Go's runtime do it.
std::uint64_t read_page(const VdsoTimehands& hands, std::uint64_t counter, bool wall) {
    std::uint32_t delta =
        (static_cast<std::uint32_t>(counter >> hands.shift) - hands.offset_count) & hands.counter_mask;
    std::uint64_t seconds = hands.offset.seconds, fraction = hands.offset.fraction + hands.scale * delta;
    seconds += fraction < hands.offset.fraction;
    if (wall) {
        std::uint64_t before = fraction;
        fraction += hands.boottime.fraction;
        seconds += hands.boottime.seconds + (fraction < before);
    }
    return seconds * 1'000'000'000 + (1'000'000'000 * (fraction >> 32) >> 32);
}

TEST(Timekeep, ProgramsReadTheClock) {
    constexpr std::uint64_t wall_zero = 1'700'000'000'987'654'321;
    // 2^-32 ns a count: 100 MHz, 1 GHz, 2.45 GHz, 4.2 GHz, 7 GHz.
    for (std::uint64_t multiplier :
         {42949672960ull, 4294967296ull, 1753047876ull, 1022611260ull, 613566756ull}) {
        for (std::uint64_t now :
             {0ull, 1ull, 999'999'999ull, 86'400'000'000'123ull, 31'536'000'999'999'999ull}) {
            const glue::ClockLine line{123'456'789'012'345ull + now, now, 0x8000'0000u, multiplier};
            VdsoTimehands hands = timehands_of(line, wall_zero);
            std::uint64_t second = (std::uint64_t{1'000'000'000} << 32) / multiplier; // counts
            EXPECT_LT(second >> hands.shift, std::uint64_t{1} << 32);
            for (std::uint64_t counts = 8; counts < second; counts += second / 97 + 1) {
                std::uint64_t is = line.at(line.counter + counts),
                              read = read_page(hands, line.counter + counts, false);
                ASSERT_GE(read, is) << multiplier << " " << now << " " << counts;
                ASSERT_LE(read, is + 2) << multiplier << " " << now << " " << counts;
                ASSERT_GE(read_page(hands, line.counter + counts, true), is + wall_zero - 1);
                ASSERT_LE(read_page(hands, line.counter + counts, true), is + wall_zero + 2);
            }
        }
    }
}

TEST(Timekeep, LinesGoBackToo) {
    const glue::ClockLine line{1'000'000, 500, 7, 1753047876};
    glue::ClockLine before = line.moved_to(line.counter - 1000);
    EXPECT_LT(before.nanoseconds, line.nanoseconds);
    EXPECT_EQ(before.at(line.counter), line.nanoseconds);
    EXPECT_EQ(before.moved_to(line.counter).fraction, line.fraction);
}

} // namespace
} // namespace bsd
