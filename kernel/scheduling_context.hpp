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

    void reset(Word budget, Word period, Word now) {
        period_ = period;
        budget_ = budget;
        count_ = 1;
        entries_[0] = {now, budget};
    }
    // True if consumption is not charged at all.
    bool unlimited() const { return period_ == 0; }
    // Budget that is usable at `now`, without a later entry's.
    Word available(Word now) const { return entries_[0].time <= now ? entries_[0].amount : 0; }
    Word next_time() const { return entries_[0].time; }
    Word period() const { return period_; }

    // The thread was not running: unused budget that became usable earlier counts from now on.
    void activate(Word now) {
        if (entries_[0].time < now)
            entries_[0].time = now;
        merge_usable();
    }
    // Charges `used` ticks that began when the first entry was usable. An overrun is paid from later entries.
    // True if an entry was used up: the thread's turn is over, even if the next one is usable at once.
    bool consume(Word used) {
        bool used_up = false;
        if (budget_ == period_) { // the whole core: a time slice, full again at once
            used_up = used >= entries_[0].amount;
            entries_[0].amount = used_up ? budget_ : entries_[0].amount - used;
            return used_up;
        }
        // The timer stops a thread when its budget ends. Twice as much at once is time that the machine lost
        // (a hypervisor, firmware); the thread does not pay for that as well.
        used = used < 2 * budget_ ? used : 2 * budget_;
        while (used > 0) {
            Entry& first = entries_[0];
            Word take = used < first.amount ? used : first.amount;
            Word back = first.time + period_;
            used -= take;
            first.amount -= take;
            first.time += take;
            if (take > 0)
                append(back, take);
            if (entries_[0].amount > 0) {
                merge_usable();
                break;
            }
            used_up = true;
            if (count_ == 1) // nothing left but an empty entry: cannot happen, append keeps the sum
                break;
            remove_first();
        }
        return used_up;
    }
    unsigned count() const { return count_; }
    const Entry& entry(unsigned i) const { return entries_[i]; }

private:
    void append(Word time, Word amount) {
        if (count_ == capacity) {
            Entry& last = entries_[count_ - 1];
            last.amount += amount;
            last.time = last.time > time ? last.time : time;
            return;
        }
        // Never before an earlier entry: the list stays sorted.
        if (count_ > 0 && entries_[count_ - 1].time > time)
            time = entries_[count_ - 1].time;
        entries_[count_++] = {time, amount};
    }
    // Entries that have become usable by the time of the first are one with it.
    void merge_usable() {
        while (count_ > 1 && entries_[1].time <= entries_[0].time) {
            entries_[1].amount += entries_[0].amount;
            entries_[1].time = entries_[0].time;
            remove_first();
        }
    }
    void remove_first() {
        for (unsigned i = 1; i < count_; ++i)
            entries_[i - 1] = entries_[i];
        --count_;
    }

    Entry entries_[capacity] = {};
    Word period_ = 0; // 0: no limit
    Word budget_ = 0;
    unsigned count_ = 0;
};

struct Thread;

struct SchedulingContext : CoreObject {
    static constexpr Type kind = Type::scheduling;
    Replenishments replenishments;
    std::uint8_t priority_limit = 0;
    Thread* owner = nullptr; // the thread it was bound to
};

} // namespace kernel
