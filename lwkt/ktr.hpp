// SPDX-License-Identifier: BSD-2-Clause
// KTR: a ring of trace entries a core, newest over oldest. Off at start; what is traced is a mask that every
// trace point tests, so a point that is off costs a load and a branch. Points are on slow ways (contention,
// cross-core messages, sleeps, preemption, callouts), never on those that are counted in dozens of
// instructions.
#pragma once

#include "lwkt/thread.hpp"

namespace lwkt {

enum class KtrEvent : std::uint16_t {
    token_contended, // first: the token; second: the mode
    token_waits,     // the token
    preempted,       // the interrupt thread; the thread below
    sleep,           // the address; its wmesg
    wakeup,          // the thread; why
    message_travels, // the message; the core
    ipi_sent,        // the function; the core
    ipi_run,         // the function; its word
    ipi_full,        // the function; the core
    time_given_away, // how often before
    callout_run,     // the function; its argument
    slab_zone,       // the zone; 1 made, 0 given back
    interrupt,       // the handler; its event bit
    interrupt_run,   // the handler; ticks since the top half's signal, 0 without a stamp
    soft_raised,     // the soft interrupt
    soft_run,        // the soft interrupt
    count
};
const char* ktr_name(KtrEvent event);

struct KtrEntry {
    std::uint64_t ticks;
    KtrEvent event;
    std::uint16_t cpu;
    std::uint32_t sequence; // of the core; wraps
    Thread* thread;         // only its address
    std::uintptr_t first, second;
};
static_assert(sizeof(KtrEntry) == 40);
inline constexpr unsigned ktr_entries = 256; // a core

// Which events are traced, on all cores: bit n is event n. Any context.
void ktr_enable(std::uint32_t mask);
inline constexpr std::uint32_t ktr_all = (1u << static_cast<unsigned>(KtrEvent::count)) - 1;
// Copies the newest entries of a core, oldest first, as many as fit; returns how many. Entries that are
// written meanwhile are left out. Any core.
std::size_t ktr_read(CpuId cpu, KtrEntry* to, std::size_t room);

extern std::uint32_t ktr_mask; // atomic, relaxed
void ktr_log(KtrEvent event, std::uintptr_t first, std::uintptr_t second);
inline void ktr(KtrEvent event, std::uintptr_t first, std::uintptr_t second = 0) {
    if (__atomic_load_n(&ktr_mask, __ATOMIC_RELAXED) & (1u << static_cast<unsigned>(event))) [[unlikely]]
        ktr_log(event, first, second);
}
template <class T>
inline void ktr(KtrEvent event, T* first, std::uintptr_t second = 0) {
    ktr(event, reinterpret_cast<std::uintptr_t>(first), second);
}

} // namespace lwkt
