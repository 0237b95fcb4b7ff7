// SPDX-License-Identifier: BSD-2-Clause
// Process-context identifiers: a space's translations outlive a switch to another and back. A space that has
// a tag of its own carries it, and the wish to keep its translations, in the value for CR3, so that switching
// costs no decision. In return a flush has to reach every core: see flush.cpp. Tags belong to structure_lock.
#pragma once

#include "kernel/arch/x86_64/cpu.hpp"

namespace arch {

// What to load into CR3 for a space with this top-level table. Without PCID, or when all tags are taken, that
// is the table's address: loading it drops translations, as ever.
Word tag_space(Word root);
// The tag may be used again: no core has a translation of the space left.
void release_tag(Word cr3);

// Drops the running core's translations of a space, kernel's excepted. Both `cr3` as from tag_space.
inline void flush_tag(Word cr3) {
    constexpr Word keep = Word{1} << 63, tag = 0xfff;
    if (cr3 & keep) {
        struct {
            Word tag, address;
        } descriptor{cr3 & tag, 0};
        asm volatile("invpcid %0, %1" ::"m"(descriptor), "r"(Word{1}) : "memory"); // 1: all of one tag
    } else {
        write_cr3(read_cr3());
    }
}

} // namespace arch
