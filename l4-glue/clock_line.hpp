// SPDX-License-Identifier: BSD-2-Clause
// A platform's clock as a linear function of the processor's time-stamp counter: what a program needs to read
// it by itself. `Clock::line()` of the platform makes one, where all processors show one counter that never
// stops.
#pragma once

#include <cstdint>

namespace glue {

struct ClockLine {
    std::uint64_t counter = 0;     // when the counter showed this …
    std::uint64_t nanoseconds = 0; // … the clock showed this,
    std::uint32_t fraction = 0;    // and so many 2^-32 ns
    std::uint64_t multiplier = 0;  // 2^-32 ns a count

    // The point at another counter, before this one too.
    ClockLine moved_to(std::uint64_t to) const {
        auto distance = static_cast<__int128>(static_cast<std::int64_t>(to - counter));
        auto fixed = distance * static_cast<__int128>(multiplier) + static_cast<__int128>(fraction);
        return {to, nanoseconds + static_cast<std::uint64_t>(fixed >> 32), static_cast<std::uint32_t>(fixed),
                multiplier};
    }
    std::uint64_t at(std::uint64_t count) const { return moved_to(count).nanoseconds; }
};

} // namespace glue
