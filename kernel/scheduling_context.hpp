// SPDX-License-Identifier: BSD-2-Clause
// Scheduling contexts: a budget per period, as a sporadic server in the form corrected by Stanovich et al.
// (2010). What is consumed from a replenishment comes back one period after that replenishment became usable.
// The number of replenishments is fixed; when full, the two latest merge at the later time: budget is
// delayed, never advanced. Plain data without machine access; owned by its home core.
#pragma once

#include "kernel/inbox.hpp"

namespace kernel {

class Replenishments {
public:
    static constexpr unsigned capacity = 8;
    struct Entry {
        Word time, amount;
    };

    // Period 0: without limit, which is a slice that never ends.
    void reset(Word budget, Word period, Word now) {
        *this = {};
        period_ = period;
        budget_ = budget;
        first_ = {now, period ? budget : unlimited_amount};
    }
    bool unlimited() const { return period_ == 0; }
    // Budget that is usable at `now`, without a later entry's.
    Word available(Word now) const { return first_.time <= now ? first_.amount : 0; }
    Word next_time() const { return first_.time; }
    Word period() const { return period_; }

    // The thread was blocked: what it used until then comes back one period after it became usable, and
    // unused budget that became usable earlier counts from now on.
    void activate(Word now) {
        if (used_ > 0)
            settle();
        if (first_.time < now)
            first_.time = now;
        while (later_count_ > 0 && later(0).time <= first_.time) { // usable by then: one with the first
            first_.amount += later(0).amount;
            drop_later();
        }
    }
    // Charges `used` ticks that began when the first entry was usable. True if an entry was used up: the
    // thread's turn is over, even if the next one is usable at once.
    bool consume(Word used) {
        if (used >= first_.amount) [[unlikely]]
            return exhaust(used);
        first_.amount -= used;
        used_ += used; // a preempted thread is still in the same activation: one replenishment for all of it
        return false;
    }
    Word unsettled() const { return used_; } // ticks that no replenishment stands for yet
    unsigned count() const { return 1 + later_count_; }
    const Entry& entry(unsigned i) const { return i == 0 ? first_ : later_[(later_head_ + i - 1) % slots]; }

private:
    static constexpr unsigned slots = 8; // a power of two, at least capacity
    static constexpr Word unlimited_amount = Word{1} << 63;

    Entry& later(unsigned i) { return later_[(later_head_ + i) % slots]; }
    void drop_later() {
        later_head_ = (later_head_ + 1) % slots;
        --later_count_;
    }
    // A time slice or no limit at all: nothing is counted by periods.
    bool is_slice() const { return budget_ == period_; }

    void settle() {
        Word used = used_;
        used_ = 0;
        if (is_slice())
            return;
        append(first_.time + period_, used);
        first_.time += used;
    }
    // An overrun is paid from later entries.
    [[gnu::noinline]] bool exhaust(Word used) {
        if (is_slice()) {
            used_ = 0;
            first_.amount = unlimited() ? unlimited_amount : budget_; // full again at once
            return true;
        }
        // The timer stops a thread when its budget ends. Twice as much at once is time that the machine lost
        // (a hypervisor, firmware); the thread does not pay for that as well.
        used = used < 2 * budget_ ? used : 2 * budget_;
        while (used > 0) {
            Word take = used < first_.amount ? used : first_.amount;
            used -= take;
            first_.amount -= take;
            used_ += take;
            if (first_.amount > 0)
                break;
            append(first_.time + period_, used_);
            used_ = 0;
            first_ = later(0);
            drop_later();
        }
        return true;
    }
    // Behind all others; with the last when all slots are taken.
    [[gnu::always_inline]] void append(Word time, Word amount) {
        Entry& last = later_count_ > 0 ? later(later_count_ - 1) : first_;
        time = last.time > time ? last.time : time; // never before an earlier entry: the list stays sorted
        if (later_count_ == capacity - 1) {
            last.amount += amount;
            last.time = time;
        } else {
            later(later_count_++) = {time, amount};
        }
    }

    Entry first_ = {};
    Word used_ = 0; // of the first entry, since it became usable
    Word period_ = 0;
    Word budget_ = 0;
    unsigned later_head_ = 0, later_count_ = 0;
    Entry later_[slots] = {}; // a ring, sorted by time
};

struct Thread;
struct Notification;

struct SchedulingContext : CoreObject {
    static constexpr Type kind = Type::scheduling;
    Replenishments replenishments;
    std::uint8_t priority_limit = 0; // immutable
    bool guaranteed = false;         // structure_lock
    Thread* owner = nullptr;         // the thread it is bound to
    Word budget = 0;                 // immutable
    Word utilization = 0;            // structure_lock: what it counts for in its core's account
    Notification* handler = nullptr; // atomic: told when the budget is used up
    Word handler_bits = 0;           // written while there is no handler
    Word exhausted = 0;              // how often the budget was used up
};

} // namespace kernel
