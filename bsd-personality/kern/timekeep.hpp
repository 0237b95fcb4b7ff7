// SPDX-License-Identifier: BSD-2-Clause
// The page by which FreeBSD's programs read the clock without a call (AT_TIMEKEEP): a line through the
// time-stamp counter that they continue by themselves. What they read is right for a second after it was
// written, since they keep 64 bits of a second's fraction. So it is written four times a second by a callout
// while any core has something to do; when all are idle nobody reads it, the callout rests, and the first lwp
// that gets a core again wakes it before it runs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "glue/clock.hpp"

namespace bsd {

/// struct vdso_timehands and struct vdso_timekeep of FreeBSD on amd64.
struct BinaryTime {
    std::uint64_t seconds, fraction; // of 2^-64 s
};
struct VdsoTimehands {
    std::uint32_t algorithm, generation; // 1: the time-stamp counter. 0: being written
    std::uint64_t scale;                 // 2^-64 s a count
    std::uint32_t offset_count, counter_mask;
    BinaryTime offset, boottime; // of the monotonic clock at offset_count; of the wall clock at monotonic 0
    std::uint32_t shift;         // the counter is shifted right by this first
    std::uint32_t hpet_index;
    std::uint64_t pvclock_last;
    std::uint8_t pvclock_mask, reserved[15];
};
struct VdsoTimekeep {
    static constexpr unsigned hands = 4;
    std::uint32_t version, enabled, current, padding; // version 1; current: which of the hands counts
    VdsoTimehands hand[hands];
};
static_assert(sizeof(VdsoTimehands) == 88 && offsetof(VdsoTimehands, offset) == 24 &&
              offsetof(VdsoTimehands, shift) == 56 && offsetof(VdsoTimekeep, hand) == 16);

/// The hands that say what a line says, but for the generation. `wall_zero`: nanoseconds since 1970 at Clock
/// time 0. They are never behind the clock itself for a second, and at most two nanoseconds before it.
VdsoTimehands timehands_of(const glue::ClockLine& line, std::uint64_t wall_zero);

/// Where in the page of FreeBSD's signal trampoline it lies.
inline constexpr std::uint64_t timekeep_offset = 2048;

struct KernelPage;
/// From now on the page has the time of each tick, hundred a second, while any core has something to do.
/// Once.
void publish_ticks(KernelPage& page);

/// Publishes `at` if programs can read the clock on this platform. Once at boot, after set_epoch().
void start_timekeep(VdsoTimekeep& at);
/// Whether programs are told of it.
bool timekeep_published();

enum TimekeepState : std::uint8_t { timekeep_running, timekeep_stopping, timekeep_stopped };
extern std::uint8_t timekeep_state; // atomic, a TimekeepState; written under a lock of kern/timekeep.cpp
/// An lwp has got a core and is about to enter user mode: true if wake_timekeep() must be called before.
inline bool timekeep_rests() {
    return __atomic_load_n(&timekeep_state, __ATOMIC_ACQUIRE) != timekeep_running;
}
void wake_timekeep();

} // namespace bsd
