// SPDX-License-Identifier: BSD-2-Clause
// The first frame of a thread's stack, as lwkt_switch_stacks (switch.S) expects it, and the pause of spin
// loops.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" void lwkt_switch_stacks(void** save, void* load);
extern "C" void lwkt_thread_start();

namespace lwkt::arch {

// Returns the stack pointer of a thread that will start with `thread` as its argument.
inline void* prepare_stack(std::byte* stack, std::size_t size, void* thread) {
    auto* top = reinterpret_cast<std::uint64_t*>(stack + size);
    *--top =
        0; // lwkt_thread_start is entered with the stack 16-aligned minus nothing: it calls, never returns
    *--top = 0;
    *--top = reinterpret_cast<std::uint64_t>(&lwkt_thread_start);
    *--top = 0;                                       // rbp
    *--top = 0;                                       // rbx
    *--top = reinterpret_cast<std::uint64_t>(thread); // r12
    *--top = 0;                                       // r13
    *--top = 0;                                       // r14
    *--top = 0;                                       // r15
    return top;
}

inline void pause() {
    __builtin_ia32_pause();
}

} // namespace lwkt::arch
