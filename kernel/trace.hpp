// SPDX-License-Identifier: BSD-2-Clause
// The trace ring of a core: what it did last, one event of abi::Event an entry. While a core is not traced it
// costs the paths that count instructions nothing: a traced core enters by another system-call entry, which
// takes the general paths only, and leaves by a detour of leave_kernel (entry.S). Exceptions, interrupts and
// the general IPC path look at Core::traced.
//
// Only the core itself writes its ring. Readers, on any core, copy and then look whether what they copied was
// still there.
#pragma once

#include "kernel/core.hpp"

namespace kernel {

struct Trace : CoreObject {
    static constexpr Type kind = Type::trace;
    static constexpr unsigned max_pages = 16, events_per_page = 4096 / sizeof(abi::TraceEvent);
    // The first event that cannot be overwritten any more when `end` have been written.
    Word first(Word end) const { return end >= capacity ? end - capacity + 1 : 0; }
    abi::TraceEvent& at(Word number) const {
        Word place = number % capacity;
        return pages[place / events_per_page][place % events_per_page];
    }

    abi::TraceEvent* pages[max_pages] = {}; // immutable
    unsigned capacity = 0;                  // immutable
    Word written = 0;                       // atomic for readers: events so far, by the core
    Word mask = 0;                          // atomic: bits of abi::Event that are recorded
    Thread* last = nullptr;                 // who ran when the core last left the kernel; nullptr: idle
    bool last_in_guest = false;
};
static_assert(sizeof(abi::TraceEvent) == 32 && sizeof(Trace) <= 512);

// The number that events show for an object; 0 for none.
inline std::uint32_t number_of(const Object* object) {
    return object ? static_cast<std::uint32_t>((reinterpret_cast<Word>(object) - arch::pool_window) / 64) : 0;
}

[[gnu::cold]] void record(Core& core, abi::Event event, const Thread* thread, Word first, Word second);
inline void trace(Core& core, abi::Event event, const Thread* thread, Word first, Word second) {
    if (core.traced) [[unlikely]]
        record(core, event, thread, first, second);
}
void trace_idle(Core& core); // instead of leaving the kernel

// On the home core: records what the mask says from now on; with an empty mask the core is not traced.
void apply_mask(Core& core, Trace& trace);
void end_trace(Core& core, Trace& trace);
// structure_lock: the core may have another trace.
void release_core(const Trace& trace);
// The last events of a core, for a panic.
void print_trace(const Core& core, unsigned most);

} // namespace kernel
