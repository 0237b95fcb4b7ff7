// SPDX-License-Identifier: BSD-2-Clause
// Spreads lines and vectors over the cores they have places on: looks now and then at what each took since
// the last look, and moves one (balance.hpp says which). One caller at a time.
#pragma once

#include "irq-threads/balance.hpp"
#include "irq-threads/irq_thread.hpp"

namespace irq {

class Balancer {
public:
    static constexpr unsigned max_lines = 32;

    // A started line; `fixed`: it only counts as load. False: there is no room.
    bool add(IrqThread& line, bool fixed = false) {
        if (count_ == max_lines)
            return false;
        entries_[count_++] = {&line, line.counters().ticks, fixed};
        return true;
    }
    void remove(const IrqThread& line) {
        for (unsigned n = 0; n != count_; ++n)
            if (entries_[n].line == &line) {
                entries_[n] = entries_[--count_];
                return;
            }
    }
    // Takes at most one line elsewhere. `extra` as of balance(): the ticks that each core of the machine was
    // busy with besides. The answer's `line` counts in order of add().
    Move look(std::span<const std::uint64_t> extra) {
        LineLoad loads[max_lines];
        for (unsigned n = 0; n != count_; ++n) {
            Entry& entry = entries_[n];
            std::uint64_t ticks = entry.line->counters().ticks;
            loads[n] = {ticks - entry.seen, entry.line->core(), entry.fixed, entry.line->cores()};
            entry.seen = ticks;
        }
        Move move = balance({loads, count_}, extra);
        if (move.any && !entries_[move.line].line->move(move.to))
            move.any = false;
        return move;
    }

private:
    struct Entry {
        IrqThread* line = nullptr;
        std::uint64_t seen = 0; // ticks of its top halves at the last look
        bool fixed = false;
    };
    Entry entries_[max_lines];
    unsigned count_ = 0;
};

} // namespace irq
