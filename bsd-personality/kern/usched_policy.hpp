// SPDX-License-Identifier: BSD-2-Clause
// What the user scheduler decides by: priorities of BSD threads in user mode as in DragonFly's usched_dfly,
// estimates of what they use, a run queue, the choice of a vCPU. Pure: no clock, no other thread, no LWKT;
// times are given. Callers (usched.cpp) serialize.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bsd-personality/kern/list.hpp"

namespace bsd {

/// Lower runs first: a class's base, then 0..127 in it. Four neighbouring priorities are one queue, and
/// differences within a queue do not count.
using UserPriority = std::uint16_t;
inline constexpr unsigned priorities_a_class = 128, queues_a_class = 32, priorities_a_queue = 4;
inline constexpr UserPriority realtime_base = 0, normal_base = 128, idle_base = 256, nobody_priority = 512;

enum class SchedulingKind : std::uint8_t { realtime, fifo, normal, idle };

/// What rtprio(2) and its relatives set for a thread. The level is 0..31 and matters outside `normal`; there
/// it is only kept. One word, so that it can be read and written at once.
struct alignas(2) SchedulingClass {
    SchedulingKind kind = SchedulingKind::normal;
    std::uint8_t level = 0;
};
inline constexpr unsigned worst_level = 31;
inline constexpr int best_nice = -20, worst_nice = 20;

/// How much of a processor a thread uses: 0 none, estcpu_max all of one. It follows what is measured with a
/// half-life of half a second. Times in nanoseconds.
class CpuEstimate {
public:
    static constexpr std::uint32_t maximum = 10240, a_queue = 512;
    static constexpr std::uint64_t half_life = 500'000'000;

    /// `consumed`: processor time of the thread so far. Intervals under a millisecond wait for more.
    void update(std::uint64_t consumed, std::uint64_t now);
    /// What update() would make of it.
    std::uint32_t at(std::uint64_t consumed, std::uint64_t now) const;
    std::uint32_t value() const { return value_; }
    /// A new thread counts as a little more demanding than the one that made it, and that one pays for it: so
    /// processes that only fork lose to others.
    void inherit(CpuEstimate& parent, std::uint64_t now);

private:
    std::uint32_t value_ = 0;
    std::uint64_t consumed_ = 0, at_ = 0; // when it was last updated
};

UserPriority user_priority(SchedulingClass scheduling, int nice, std::uint32_t estimate);
constexpr unsigned queue_of(UserPriority priority) {
    return priority / priorities_a_queue;
}
constexpr unsigned class_of(UserPriority priority) {
    return priority / priorities_a_class;
}
/// Whether a thread that wants user mode takes it away from one that has it.
constexpr bool displaces(UserPriority challenger, UserPriority holder) {
    return queue_of(challenger) < queue_of(holder);
}

/// A thread's part in scheduling. Fields without a comment belong to the core of the thread.
struct Schedulable {
    SchedulingClass scheduling;          // atomic: written under giant
    std::uint64_t affinity = ~0ull;      // atomic: written under giant; bit n: may run on vCPU n
    UserPriority lent = nobody_priority; // atomic: written under giant; by mutexes (kern/umtx_priority.hpp)
    int nice = 0;                        // the process's, as of the last look
    CpuEstimate estimate;
    UserPriority priority = normal_base;
    std::uint8_t queue = 0;      // while it is queued
    std::uint64_t queued_at = 0; // in the caller's unit, set before insert()
    Link<Schedulable> link;

    SchedulingClass scheduling_class() const {
        SchedulingClass value;
        __atomic_load(&scheduling, &value, __ATOMIC_RELAXED);
        return value;
    }
    void set_scheduling_class(SchedulingClass value) {
        __atomic_store(&scheduling, &value, __ATOMIC_RELAXED);
    }
    UserPriority lent_priority() const { return __atomic_load_n(&lent, __ATOMIC_RELAXED); }
    void set_lent_priority(UserPriority value) { __atomic_store_n(&lent, value, __ATOMIC_RELAXED); }
    bool queued() const { return link.linked; }
    bool allowed(unsigned cpu) const {
        return (__atomic_load_n(&affinity, __ATOMIC_RELAXED) >> cpu & 1) != 0;
    }
};

/// The threads of a vCPU that wait for user mode: by queue, first in first out within one.
class UserQueue {
public:
    void insert(Schedulable& item, bool first = false);
    void remove(Schedulable& item);
    /// Null when empty.
    Schedulable* best() const;
    /// The best one that may run on `cpu`; null if there is none.
    Schedulable* best_for(unsigned cpu) const;
    /// The first one of the first queue from `queue` on that has any; null if none has.
    Schedulable* first_from(unsigned queue) const;
    /// The one that was queued first, of those in `rival`'s class that only their estimates put behind it:
    /// with a nice value no worse than its. Null if there is none, and outside the normal class. Each queue
    /// is represented by its first.
    Schedulable* longest_waiting(const Schedulable& rival) const;
    unsigned size() const { return size_; }

private:
    static constexpr unsigned queue_count = 3 * queues_a_class;
    List<Schedulable, &Schedulable::link> queues_[queue_count];
    std::uint64_t bits_[2] = {};
    unsigned size_ = 0;
};

/// What other vCPUs know of one.
struct CpuLoad {
    UserPriority running = nobody_priority; // of the thread that has user mode
    std::uint16_t queued = 0;

    bool free() const { return running == nobody_priority && queued == 0; }
    unsigned threads() const { return queued + (running != nobody_priority ? 1u : 0u); }
};

/// Where a thread that wants user mode should have it. A vCPU with nothing to do comes first (its own, that
/// of the waker, any), then its own if it would get it at once, then one that runs a thread of a worse class,
/// and last where the fewest want it, its own unless it has at least two more than another. Home if
/// `affinity` has no bit of the `count` vCPUs.
unsigned choose_cpu(const CpuLoad* loads, unsigned count, std::uint64_t affinity, unsigned home,
                    unsigned waker, UserPriority priority);
/// Which vCPU one without work should ask for a thread; `self` if nobody waits.
unsigned busiest_cpu(const CpuLoad* loads, unsigned count, unsigned self);
/// Where a thread whose time slice ended should go on. Home, unless two more want it than another one; one
/// more is enough for a thread that has been here for `settled` long, so that three threads on two vCPUs take
/// turns.
unsigned rebalance(const CpuLoad* loads, unsigned count, std::uint64_t affinity, unsigned home, bool settled);

} // namespace bsd
