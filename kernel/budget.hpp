// SPDX-License-Identifier: BSD-2-Clause
// What one step of a long operation may cost. The kernel runs with interrupts off, so an operation whose work
// depends on an argument stops when its budget is spent, and the caller is restarted (or told how far it
// came). Costs are instructions, estimated from above; scripts/bench and the counting build show what they
// are.
#pragma once

namespace kernel {

class Budget {
public:
    static constexpr int step = 1600;
    // Costs of what is done in many places.
    static constexpr int clear_page = 560, copy_table = 1300, entry = 20, free_block = 110, look = 45;

    explicit Budget(int instructions = step) : left_(instructions) {}
    // True if there was enough left; nothing is taken otherwise. A full budget affords any single thing.
    // `next` is what must be left for the thing to be of use.
    bool take(int cost, int next = 0) {
        if (left_ < cost + next)
            return false;
        left_ -= cost;
        return true;
    }

    // How many of `wanted` things there was enough left for; they are taken.
    unsigned afford(int cost, unsigned wanted) {
        unsigned most = left_ > 0 ? static_cast<unsigned>(left_) / static_cast<unsigned>(cost) : 0;
        unsigned n = wanted < most ? wanted : most;
        left_ -= static_cast<int>(n) * cost;
        return n;
    }
    // What was paid for and not needed.
    void put_back(int cost, unsigned things) { left_ += static_cast<int>(things) * cost; }

private:
    int left_;
};

} // namespace kernel
