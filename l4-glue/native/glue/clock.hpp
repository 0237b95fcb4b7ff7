// SPDX-License-Identifier: BSD-2-Clause
// Monotonic time of the native platform: the time-stamp counter, scaled by the kernel's information page.
#pragma once

#include "l4-glue/clock_line.hpp"
#include "l4-glue/start.hpp"

namespace glue {

class Clock {
public:
    static Ticks ticks() {
        std::uint32_t low, high;
        asm volatile("rdtsc" : "=a"(low), "=d"(high));
        return Ticks{std::uint64_t{high} << 32 | low};
    }
    static Nanoseconds now() { return to_nanoseconds(ticks()); }
    static Nanoseconds to_nanoseconds(Ticks t) {
        const auto& page = information();
        return Nanoseconds{static_cast<std::uint64_t>(
            (static_cast<unsigned __int128>(t.value - page.boot_ticks) * page.nanoseconds_multiplier) >> 32)};
    }
    // The tick at or after a time; no_deadline for times beyond the counter.
    static Ticks to_ticks(Nanoseconds n) {
        const auto& page = information();
        std::uint64_t seconds = n.value / 1'000'000'000, rest = n.value % 1'000'000'000;
        if (seconds >= ~std::uint64_t{0} / 2 / page.ticks_per_second)
            return no_deadline;
        return Ticks{seconds * page.ticks_per_second + rest * page.ticks_per_second / 1'000'000'000 +
                     page.boot_ticks + 1};
    }
    static std::uint64_t ticks_per_second() { return information().ticks_per_second; }
    // This clock as of now, for programs that read the counter themselves. False: they cannot. Here they
    // always can: the kernel's own time is the counter, on every core.
    static bool line(ClockLine& out) {
        const auto& page = information();
        out = ClockLine{page.boot_ticks, 0, 0, page.nanoseconds_multiplier}.moved_to(ticks().value);
        return true;
    }

private:
    static const abi::InformationPage& information() {
        return *reinterpret_cast<const abi::InformationPage*>(information_address);
    }
};

} // namespace glue
