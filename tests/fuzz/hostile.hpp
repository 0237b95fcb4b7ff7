// SPDX-License-Identifier: BSD-2-Clause
// What a hostile worker and its children share.
#pragma once

#include "tests/fuzz/fuzz.hpp"

namespace fuzz {

inline constexpr unsigned hostile_threads = 6, hostile_slots = 64;
inline constexpr Word vcpu_address = 0x4500'0000, play_address = 0x5000'0000;

// A page beside the children's stacks, written by the worker: where capabilities of which kind were put, and
// what each operation's arguments are, so that nonsense often means something. By letter:
//   p pool, r region, t task, h thread, e endpoint, n notification, s scheduling context, v vCPU, m timer,
//   b binding, q interrupt creation: a selector; L an interrupt line, k a slot, c a core, D a deadline, A an
//   address, O an offset, P pages, F map flags, R a priority, X where children begin, Y a child's stack, 0
//   mostly 0, 1 mostly all bits; others anything.
struct Layout {
    char kind[hostile_slots];
    char arguments[abi::operation_count][8]; // the selector's first
    // What this round is about: most operations are from this list, if there is one.
    std::uint8_t often[16], often_count;
};
static_assert(sizeof(Layout) <= page);
inline constexpr Word layout_address = puppet_address + hostile_threads * page;
inline Layout& layout() {
    return *reinterpret_cast<Layout*>(layout_address);
}

void hostile_main(Word index); // in the child

} // namespace fuzz
