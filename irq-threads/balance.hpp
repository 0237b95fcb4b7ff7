// SPDX-License-Identifier: BSD-2-Clause
// Which line should go to another core: a decision without side effects, for whoever owns the lines to take
// now and then. The load of a line is the time its top halves took since the last look.
#pragma once

#include <cstdint>
#include <span>

namespace irq {

struct LineLoad {
    std::uint64_t ticks;                     // of its top halves and interrupt threads since the last look
    std::uint32_t core;                      // where it is served
    bool fixed;                              // stays there: the owner has said so
    std::uint64_t cores = ~std::uint64_t{0}; // where it can be served, a bit each
};

struct Move {
    bool any = false;
    unsigned line = 0; // index into the loads
    std::uint32_t to = 0;
};

// The one move from the busiest core to the least busy one after which the busier of both has least to do;
// none when they differ by no more than an eighth, so that lines do not wander. `extra` is what the cores are
// busy with besides; its size is the number of cores, at most 64.
inline Move balance(std::span<const LineLoad> lines, std::span<const std::uint64_t> extra) {
    std::uint64_t load[64]{};
    std::size_t cores = extra.size() < 64 ? extra.size() : 64;
    if (cores < 2)
        return {};
    for (std::size_t core = 0; core != cores; ++core)
        load[core] = extra[core];
    for (const LineLoad& line : lines)
        if (line.core < cores)
            load[line.core] += line.ticks;
    std::uint32_t busiest = 0, least = 0;
    for (std::uint32_t core = 1; core != cores; ++core) {
        busiest = load[core] > load[busiest] ? core : busiest;
        least = load[core] < load[least] ? core : least;
    }
    Move best;
    std::uint64_t lowest = load[busiest];
    if (load[busiest] - load[least] <= load[busiest] / 8)
        return {};
    for (unsigned n = 0; n != lines.size(); ++n) {
        if (lines[n].fixed || lines[n].core != busiest || lines[n].ticks == 0 ||
            !(lines[n].cores >> least & 1))
            continue;
        std::uint64_t here = load[busiest] - lines[n].ticks, there = load[least] + lines[n].ticks;
        std::uint64_t after = here > there ? here : there;
        if (after < lowest) {
            lowest = after;
            best = {true, n, least};
        }
    }
    return best;
}

} // namespace irq
