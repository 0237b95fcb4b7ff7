// SPDX-License-Identifier: BSD-2-Clause
// Tasks: an address space and a capability table. RAM regions and the bindings through which spaces map them.
#pragma once

#include "kernel/object.hpp"
#include "kernel/page_table.hpp"

namespace kernel {

struct Thread;
struct Binding;

struct Region : Object {
    static constexpr Type kind = Type::region;
    Word base = 0, size = 0; // immutable: physical bytes, page aligned
};

struct Task : Object {
    static constexpr Type kind = Type::task;
    PageTable space; // structure_lock for writing
    CapabilityTable table;
    Thread* threads = nullptr;             // structure_lock
    Binding* bindings = nullptr;           // structure_lock
    Word tags[PageTable::tags / 64] = {1}; // structure_lock: taken tags of its bindings; 0 is nobody's
    Word information = 0;      // structure_lock: where task_create still has to map the information page
    unsigned table_cursor = 0; // structure_lock: destroying: slots before it are gone
    bool left = false;         // structure_lock: destroying: no core has its page tables loaded any more
    Error failed = Error::ok;  // structure_lock: why task_create takes the task down again
};

struct Binding : Object {
    static constexpr Type kind = Type::binding;
    Task* task = nullptr;    // immutable; goes before the task does
    Word base = 0, size = 0; // of the region, immutable
    std::uint32_t rights = 0;
    unsigned tag = 0;   // immutable: in the page-table entries that were made through it
    Word cursor = 0;    // structure_lock: destroying: no page below this address is mapped through it
    bool flush = false; // structure_lock: destroying: translations may be left
    Binding* task_next = nullptr; // structure_lock
    Binding** task_link = nullptr;
};

// Objects without state: I/O ports, interrupt creation, the console, counting and tracing.
struct Ports : Object {
    static constexpr Type kind = Type::ports;
};
struct Irqs : Object {
    static constexpr Type kind = Type::irqs;
};
struct Console : Object {
    static constexpr Type kind = Type::console;
};
struct Observer : Object {
    static constexpr Type kind = Type::observer;
};

} // namespace kernel
