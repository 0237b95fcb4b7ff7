// SPDX-License-Identifier: BSD-2-Clause
// Map entries: one a stretch of a process's addresses that is mapped alike. They cost nothing but themselves
// however large they are. Owned by their VmSpace, guarded by the giant token.
#pragma once

#include "bsd-personality/kern/list.hpp"
#include "bsd-personality/vm/page.hpp"

namespace bsd {
class VmSpace;
}

namespace bsd::vm {

class Object;

/// PROT_ bits of mmap, the same in both ABIs.
enum Protection : std::uint8_t {
    protection_none = 0,
    protection_read = 1,
    protection_write = 2,
    protection_execute = 4,
    protection_all = 7,
};

/// What fork does with an entry; numbers of minherit in both ABIs.
enum class Inherit : std::uint8_t { share = 0, copy = 1, none = 2, zero = 3 };

struct MapEntry {
    std::uint64_t start = 0, end = 0;                // user addresses, page aligned
    std::uint64_t index = 0;                         // page of the object at `start`
    Object* object = nullptr;                        // holds a reference; null: anonymous and never touched
    VmSpace* space = nullptr;                        // immutable
    std::uint8_t protection = 0, max_protection = 0; // Protection
    Inherit inherit = Inherit::copy;
    bool shared : 1 = false;            // MAP_SHARED: writes go to the object itself
    bool needs_copy : 1 = false;        // a write must put a shadow in front of the object first
    bool stack : 1 = false;             // grows down
    bool guard : 1 = false;             // MAP_GUARD
    bool wired : 1 = false;             // mlock: counted, pages are never taken anyway
    bool no_core : 1 = false;           // MAP_NOCORE: not in core files
    bool hardware_writable : 1 = false; // pages were mapped writable since the last protect
    // Pages that may be in the page tables lie in [mapped_start, mapped_end).
    std::uint64_t mapped_start = 0, mapped_end = 0;
    std::uint64_t next_fault = 0; // address at which a sequential walk faults next
    std::uint32_t fault_run = 0;  // pages that the last zero-fill brought in
    std::uint32_t priority = 0;   // of the treap (vm/map_tree.hpp)
    MapEntry *left = nullptr, *right = nullptr, *parent = nullptr;
    MapEntry *next = nullptr, *previous = nullptr; // by address
    std::uint64_t gap = 0;     // free bytes between this and the next entry (or the end of the space)
    std::uint64_t max_gap = 0; // largest gap in its subtree
    Link<MapEntry> in_object;

    std::uint64_t pages() const { return (end - start) >> page_shift; }
    std::uint64_t index_at(std::uint64_t address) const { return index + ((address - start) >> page_shift); }
};

} // namespace bsd::vm
