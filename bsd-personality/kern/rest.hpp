// SPDX-License-Identifier: BSD-2-Clause
// Processes at rest: who has not run for 5 to 10 seconds gives its page tables back, as BSD systems swap out
// what sleeps for long. They are a cache of the map, and the greater part of what a small process costs the
// kernel. Looking costs one timer in 5 seconds while something runs, and none in a jail that is idle.
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

/// Before a thread runs in a space in which none has run since the last look. Any context but hard.
void leave_rest(VmSpace& space);

inline bool has_rested(const VmSpace& space) {
    return __atomic_load_n(&space.looks_at_rest, __ATOMIC_RELAXED) != 0;
}

/// One look at all processes. Holds giant. True: another one is needed.
bool look_for_rest();

} // namespace bsd
