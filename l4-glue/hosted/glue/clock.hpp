// SPDX-License-Identifier: BSD-2-Clause
// Monotonic time of the hosted platform: Linux's monotonic clock; one tick is one nanosecond. In a jail on a
// host whose own clock is the time-stamp counter it is a line through that counter, which follows the host's
// clock from one line() to the next (l4-glue/hosted/clock.cpp): programs can then read the same clock by
// themselves.
#pragma once

#include "l4-glue/clock_line.hpp"
#include "l4-glue/start.hpp"

#include <chrono>

namespace glue {

class Clock {
public:
    static Ticks ticks();
    static Nanoseconds now() { return to_nanoseconds(ticks()); }
    static Nanoseconds to_nanoseconds(Ticks t) { return Nanoseconds{t.value}; }
    static Ticks to_ticks(Nanoseconds n) { return Ticks{n.value}; }
    static std::uint64_t ticks_per_second() { return 1'000'000'000; }
    // This clock as of now, brought closer to the host's. False: programs cannot read it themselves. Any
    // thread.
    static bool line(ClockLine& out);
};

namespace hosted {
// Lets line() work, if the host's clock is the counter. Before there are threads.
void start_clock();
// For waiting in the host: when, by its clock, a deadline of ours comes.
std::chrono::steady_clock::time_point host_time(Ticks deadline);

// A look at both clocks at once.
struct ClockSample {
    std::uint64_t counter, nanoseconds;
};
// The line after `line` (none yet: multiplier 0): as fast as the host's clock was since `first`, and a little
// faster or slower as long as it differs from it. It is never set back. `first` begins anew when the counter
// has gone on without the host's clock or the other way round, as in the host's suspension.
ClockLine next_line(const ClockLine& line, ClockSample& first, const ClockSample& now);
} // namespace hosted

} // namespace glue
