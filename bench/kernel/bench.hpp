// SPDX-License-Identifier: BSD-2-Clause
// What the benchmarks of one core and of two share: partners that run in children.
#pragma once

#include "tests/kernel/laboratory.hpp"

namespace laboratory {

// Slots in the children's tables.
enum Slot : Selector { slot_endpoint = 10, slot_here = 11, slot_there = 12 };

void serve(Word endpoint);     // replies to everything
void echo_signal(Word);        // waits for slot_here, signals slot_there
void guest_system_calls(Word); // a vCPU's guest

// Two cores do the same at once, each with partners of its own, against one core that does it alone.
[[noreturn]] void bench_cores();

} // namespace laboratory
