// SPDX-License-Identifier: BSD-2-Clause
// What a process has asked for its memory by procctl(2) of FreeBSD. Children have it too, and the next
// program but for set-id ones.
#pragma once

#include <cstdint>

namespace bsd {

struct MemoryPolicy {
    /// Numbers of PROC_ASLR_CTL and PROC_PROTMAX_CTL.
    enum class Choice : std::uint8_t { forced_on = 1, forced_off = 2, as_configured = 3 };
    Choice aslr = Choice::as_configured;
    Choice maximum_protection = Choice::as_configured;          // whether mmap without PROT_MAX implies it
    bool no_stack_gap = false, no_stack_gap_after_exec = false; // kept and told: there is no gap of its own
};

/// kern.elf64.aslr.* and vm.imply_prot_max, and DragonFly's vm.randomize_mmap and kern.stackgap_random. Under
/// the giant token.
struct MemorySettings {
    bool aslr = true;          // of programs with fixed addresses
    bool aslr_of_pie = true;   // of position-independent ones
    bool aslr_of_stack = true; // the stack's place, too
    bool aslr_of_shared_page = true;
    bool honor_break = false;      // mmap keeps out of where the heap may grow, even if all else is taken
    bool imply_maximum = false;    // protection of mmap is the most that mprotect may give
    bool random_mmap = false;      // DragonFly: mmap without a hint goes anywhere behind the heap
    std::int32_t stack_gap = 1024; // DragonFly: bytes below the strings; negative: always that many
};
inline constinit MemorySettings memory_settings;

} // namespace bsd
