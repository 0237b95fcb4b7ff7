// SPDX-License-Identifier: BSD-2-Clause
// The jail's clock as a line through the time-stamp counter. There is one clock for all, the personality and
// the programs: whoever sleeps until a time does not see an earlier one afterwards.
#include "glue/vcpu.hpp"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <fstream>
#include <mutex>
#include <string>

#include <x86intrin.h>

namespace glue {

namespace hosted {

namespace {

constexpr std::uint64_t settling = 2'000'000;     // ns between the first two looks at the clocks, at least
constexpr std::int64_t most_correction = 500'000; // ns a second
constexpr std::int64_t step = 10'000'000;         // ns that the clock may be late before it is set

// The line that counts is lines[generation % 2]; generation 0: none.
struct SharedLine {
    std::atomic<std::uint64_t> counter, nanoseconds, fraction, multiplier;
};
SharedLine lines[2];                   // written under `mutex`; readers look at the generation twice
std::atomic<std::uint32_t> generation; // likewise
std::mutex mutex;
ClockSample first; // guarded by mutex; counter 0: the host's clock is another one

std::uint64_t host_nanoseconds() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t counter() {
    _mm_lfence(); // not before what stands before it
    std::uint64_t count = __rdtsc();
    _mm_lfence();
    return count;
}

// The shortest of several looks: in the others something came between.
ClockSample look() {
    ClockSample best{};
    for (std::uint64_t shortest = ~std::uint64_t{0}, n = 0; n != 8; ++n) {
        std::uint64_t before = counter(), now = host_nanoseconds(), took = counter() - before;
        if (took < shortest) {
            shortest = took;
            best = {before + took / 2, now};
        }
    }
    return best;
}

// Whoever reads one field of a line that is being written sees the generation that came before it, too.
bool read_line(ClockLine& out) {
    for (;;) {
        std::uint32_t now = generation.load(std::memory_order_acquire);
        if (now == 0)
            return false;
        const SharedLine& line = lines[now % 2];
        out.counter = line.counter.load(std::memory_order_acquire);
        out.nanoseconds = line.nanoseconds.load(std::memory_order_acquire);
        out.fraction = static_cast<std::uint32_t>(line.fraction.load(std::memory_order_acquire));
        out.multiplier = line.multiplier.load(std::memory_order_acquire);
        if (generation.load(std::memory_order_relaxed) == now)
            return true;
    }
}

void publish(const ClockLine& next) {
    std::uint32_t number = generation.load(std::memory_order_relaxed) + 1;
    number += number == 0 ? 2 : 0;
    SharedLine& line = lines[number % 2];
    line.counter.store(next.counter, std::memory_order_release);
    line.nanoseconds.store(next.nanoseconds, std::memory_order_release);
    line.fraction.store(next.fraction, std::memory_order_release);
    line.multiplier.store(next.multiplier, std::memory_order_release);
    generation.store(number, std::memory_order_release);
}

} // namespace

ClockLine next_line(const ClockLine& line, ClockSample& first, const ClockSample& now) {
    std::uint64_t multiplier = line.multiplier;
    if (now.counter > first.counter && now.nanoseconds > first.nanoseconds)
        multiplier =
            static_cast<std::uint64_t>((static_cast<__int128>(now.nanoseconds - first.nanoseconds) << 32) /
                                       static_cast<__int128>(now.counter - first.counter));
    if (line.multiplier == 0)
        return {now.counter, now.nanoseconds, 0, multiplier};
    std::uint64_t tolerance = line.multiplier / 512;
    if (multiplier > line.multiplier + tolerance || multiplier < line.multiplier - tolerance) {
        first = now;
        multiplier = line.multiplier;
    }
    ClockLine next = line.moved_to(now.counter);
    auto late = static_cast<std::int64_t>(now.nanoseconds - next.nanoseconds);
    if (late > step)
        return {now.counter, now.nanoseconds, 0, multiplier};
    std::int64_t correction = std::clamp(late, -most_correction, most_correction);
    next.multiplier = multiplier + static_cast<std::uint64_t>(static_cast<__int128>(multiplier) * correction /
                                                              1'000'000'000);
    return next;
}

void start_clock() {
    std::string source;
    std::ifstream("/sys/devices/system/clocksource/clocksource0/current_clocksource") >> source;
    if (source == "tsc") // then the host's kernel has found it to run evenly, everywhere
        first = look();
}

std::chrono::steady_clock::time_point host_time(Ticks deadline) {
    using namespace std::chrono;
    std::uint64_t now = Clock::ticks().value, left = deadline.value > now ? deadline.value - now : 0;
    constexpr std::uint64_t for_ever = std::uint64_t{1} << 60;
    return steady_clock::now() + nanoseconds(static_cast<std::int64_t>(std::min(left, for_ever)));
}

} // namespace hosted

Ticks Clock::ticks() {
    ClockLine line;
    return Ticks{hosted::read_line(line) ? line.at(__rdtsc()) : hosted::host_nanoseconds()};
}

bool Clock::line(ClockLine& out) {
    hosted::HostCall host;
    std::lock_guard<std::mutex> lock(hosted::mutex);
    if (hosted::first.counter == 0)
        return false;
    ClockLine line;
    bool begun = hosted::read_line(line);
    hosted::ClockSample now;
    do
        now = hosted::look();
    while (!begun && now.nanoseconds - hosted::first.nanoseconds < hosted::settling);
    out = hosted::next_line(begun ? line : ClockLine{}, hosted::first, now);
    hosted::publish(out);
    return true;
}

} // namespace glue
