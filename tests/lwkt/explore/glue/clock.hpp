// SPDX-License-Identifier: BSD-2-Clause
// Time of the explored platform: it passes a tick a step, and jumps to the next deadline when all cores wait.
#pragma once

#include "l4-glue/start.hpp"

namespace glue {

class Clock {
public:
    static Ticks ticks();
    static Nanoseconds now() { return to_nanoseconds(ticks()); }
    static Nanoseconds to_nanoseconds(Ticks t) { return Nanoseconds{t.value}; }
    static Ticks to_ticks(Nanoseconds n) { return Ticks{n.value}; }
    static std::uint64_t ticks_per_second() { return 1'000'000'000; }
};

} // namespace glue
