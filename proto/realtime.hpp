// SPDX-License-Identifier: BSD-2-Clause
//
// The memory that a realtime task shares with the box (at glue::shared_window in the task): its timing, and
// what it measured. The box writes `parameters` before the task starts; the task writes the rest, and anyone
// may read it while it runs: each field by itself is exact, together they may be one activation apart.
#pragma once

#include <cstddef>
#include <cstdint>

namespace proto {

inline constexpr std::uint32_t realtime_magic = 0x52544c42u;

/// Latencies in nanoseconds, as a log-linear histogram: exact below 64, then 32 buckets an octave (3 % wide).
inline constexpr unsigned latency_sub_buckets = 32;
inline constexpr unsigned latency_buckets = 60 * latency_sub_buckets;

[[nodiscard]] constexpr unsigned latency_bucket(std::uint64_t ns) {
    if (ns < 2 * latency_sub_buckets)
        return static_cast<unsigned>(ns);
    const unsigned octave = 63U - static_cast<unsigned>(__builtin_clzll(ns)) - 5U; // 1 for 64..127
    const unsigned bucket = octave * latency_sub_buckets + static_cast<unsigned>(ns >> octave);
    return bucket < latency_buckets ? bucket : latency_buckets - 1;
}
/// The largest latency that falls into a bucket.
[[nodiscard]] constexpr std::uint64_t latency_bucket_end(unsigned bucket) {
    if (bucket < 2 * latency_sub_buckets)
        return bucket;
    const unsigned octave = bucket / latency_sub_buckets - 1;
    const std::uint64_t mantissa = bucket - octave * latency_sub_buckets;
    return ((mantissa + 1) << octave) - 1;
}

struct RealtimeShared {
    std::uint32_t magic;
    std::uint32_t stop;      ///< the box sets it: the task ends after its next activation
    std::uint64_t period_ns; ///< written by the box
    alignas(64) std::uint64_t activations;
    std::uint64_t missed; ///< deadlines (the next activation's start) that had passed when the work was done
    std::uint64_t maximum_ns; ///< longest wake-up latency
    std::uint32_t state;      ///< 0 not started, 1 running, 2 stopped, 3 failed
    std::uint32_t buckets[latency_buckets];
};

} // namespace proto
