// SPDX-License-Identifier: BSD-2-Clause
// Where a new program's memory lies. Without randomization, and always on DragonFly: at the ABI's addresses,
// and mmap begins to look behind the room that the heap has. With it, as FreeBSD: a position-independent
// program anywhere in the lower half; its stack behind the heap's room, up to 16 MiB further, and up to a
// page more to its first byte; the shared page likewise behind the stack; the interpreter, and where mmap
// begins, anywhere above.
#pragma once

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/elf.hpp"
#include "bsd-personality/kern/random.hpp"

namespace bsd {

struct ExecLayout {
    bool randomized = false;
    std::uint64_t bias = 0;        // of the program
    std::uint64_t stack_end = 0;   // the stack's room ends here; page aligned
    std::uint64_t stack_top = 0;   // what is on it begins below here
    std::uint64_t shared_page = 0; // of the signal trampoline
    std::uint64_t ps_strings = 0;
    std::uint64_t heap = 0;        // the break begins here
    std::uint64_t heap_end = 0;    // up to here the heap may grow
    std::uint64_t interpreter = 0; // lowest address for it
    std::uint64_t map_base = 0;    // where mmap without a hint begins to look
};

struct LayoutRules {
    bool randomize = false, stack = false, shared_page = false;
    std::uint64_t heap_room = 0; // bytes
};

/// Whether a program of this file is randomized. `choice`: of the process that becomes it.
bool wants_aslr(const ElfFile& file, const Abi& abi, MemoryPolicy::Choice choice);
/// Addresses for a file that parse_elf() has accepted. They may not fit into the address space if the file's
/// own are very high: the caller checks bias and stack_end.
ExecLayout choose_layout(const ElfFile& file, const Abi& abi, const LayoutRules& rules, Random& random);

/// The same for what `proc` executes, by its policy and limits. `gains`: the file is a set-id one, which
/// forgets the policy.
ExecLayout layout_for(const Proc& proc, const Abi& abi, const ElfFile& file, bool gains);
/// Bytes below the strings on DragonFly's stacks (kern.stackgap_random).
unsigned random_stack_gap();

} // namespace bsd
