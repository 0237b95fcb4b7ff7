// SPDX-License-Identifier: BSD-2-Clause
// The first frame of a thread's stack, as lwkt_switch_stacks (switch.S) expects it, and the pause of spin
// loops.
#pragma once

#include <cstddef>
#include <cstdint>

// switch.S
extern "C" void lwkt_switch_stacks(void** save, void* load);
extern "C" void lwkt_thread_start();

namespace lwkt::arch {

// Returns the stack pointer of a thread that will start in lwkt_thread_start.
inline void* prepare_stack(std::byte* stack, std::size_t size) {
    auto* top = reinterpret_cast<std::uint64_t*>(stack + size);
    *--top = 0; // lwkt_thread_start never returns
    *--top = reinterpret_cast<std::uint64_t>(&lwkt_thread_start);
    for (int callee_saved = 0; callee_saved < 6; ++callee_saved)
        *--top = 0;
    return top;
}

inline void pause() {
    __builtin_ia32_pause();
}

} // namespace lwkt::arch
