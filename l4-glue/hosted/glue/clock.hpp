// SPDX-License-Identifier: BSD-2-Clause
// Monotonic time of the hosted platform: Linux's monotonic clock; one tick is one nanosecond.
#pragma once

#include "l4-glue/start.hpp"

#include <ctime>

namespace glue {

class Clock {
public:
    static Ticks ticks() {
        timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return Ticks{static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
                     static_cast<std::uint64_t>(now.tv_nsec)};
    }
    static Nanoseconds now() { return to_nanoseconds(ticks()); }
    static Nanoseconds to_nanoseconds(Ticks t) { return Nanoseconds{t.value}; }
    static Ticks to_ticks(Nanoseconds n) { return Ticks{n.value}; }
    static std::uint64_t ticks_per_second() { return 1'000'000'000; }
};

} // namespace glue
