// SPDX-License-Identifier: BSD-2-Clause
// Latencies, in ticks, by powers of two. One writer; others read while it goes on, field by field.
#pragma once

#include <cstdint>

namespace irq {

class Histogram {
public:
    // Bucket 0 counts zeros, bucket n what is below 2^n and not below 2^(n-1), the last one all above.
    static constexpr unsigned buckets = 40;

    void record(std::uint64_t ticks) {
        unsigned bucket = ticks == 0 ? 0 : 64 - static_cast<unsigned>(__builtin_clzl(ticks));
        add(counts_[bucket < buckets ? bucket : buckets - 1]);
        if (ticks > longest())
            __atomic_store_n(&longest_, ticks, __ATOMIC_RELAXED);
    }
    std::uint64_t count(unsigned bucket) const { return __atomic_load_n(&counts_[bucket], __ATOMIC_RELAXED); }
    std::uint64_t longest() const { return __atomic_load_n(&longest_, __ATOMIC_RELAXED); }
    std::uint64_t total() const {
        std::uint64_t sum = 0;
        for (unsigned n = 0; n != buckets; ++n)
            sum += count(n);
        return sum;
    }
    // So many of a thousand were shorter than this (the upper end of a bucket, but never above the longest);
    // 0 when there are none.
    std::uint64_t quantile(unsigned thousandths) const {
        std::uint64_t all = total(), sum = 0;
        for (unsigned n = 0; n != buckets; ++n) {
            sum += count(n);
            if (sum != 0 && sum * 1000 >= all * thousandths) {
                std::uint64_t end = std::uint64_t{1} << n;
                return end < longest() ? end : longest();
            }
        }
        return longest();
    }

private:
    static void add(std::uint64_t& counter) { __atomic_store_n(&counter, counter + 1, __ATOMIC_RELAXED); }
    std::uint64_t counts_[buckets]{}; // atomic, relaxed
    std::uint64_t longest_ = 0;       // atomic, relaxed
};

// When a top half made work that its interrupt thread has not begun yet; in memory that both see, which may
// be two tasks. The ticks of all cores are one clock.
class Stamp {
public:
    // By the IRQ thread, before it signals; the first one since taken() counts.
    void set(std::uint64_t now) {
        if (__atomic_load_n(&since_, __ATOMIC_RELAXED) == 0)
            __atomic_store_n(&since_, now, __ATOMIC_RELAXED);
    }
    // By the interrupt thread; 0 when nothing was signalled.
    std::uint64_t take() { return __atomic_exchange_n(&since_, 0, __ATOMIC_RELAXED); }

private:
    std::uint64_t since_ = 0; // atomic: two threads
};

} // namespace irq
