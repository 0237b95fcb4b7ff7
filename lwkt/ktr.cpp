// SPDX-License-Identifier: BSD-2-Clause
// Only the core itself writes its ring, in critical sections. Words are written one by one, atomically,
// between two writes of the sequence number, so that a reader on another core knows what it has not seen
// whole.
#include "lwkt/ktr.hpp"

#include "lwkt/globaldata.hpp"

namespace lwkt {

std::uint32_t ktr_mask;

namespace {
constexpr const char* names[] = {"token contended", "token waits",     "preempted",   "sleep",
                                 "wakeup",          "message travels", "IPI sent",    "IPI run",
                                 "IPI queue full",  "time given away", "callout run", "slab zone",
                                 "interrupt",       "interrupt run",   "soft raised", "soft run"};
static_assert(sizeof names / sizeof *names == static_cast<std::size_t>(KtrEvent::count));
} // namespace

const char* ktr_name(KtrEvent event) {
    return event < KtrEvent::count ? names[static_cast<unsigned>(event)] : "?";
}

void ktr_enable(std::uint32_t mask) {
    __atomic_store_n(&ktr_mask, mask, __ATOMIC_RELAXED);
}

void ktr_log(KtrEvent event, std::uintptr_t first, std::uintptr_t second) {
    CriticalSection critical;
    GlobalData& gd = here();
    std::uint32_t number = gd.ktr_next;
    KtrSlot& slot = gd.ktr_ring[number % ktr_entries];
    __atomic_exchange_n(&slot.sequence, ktr_being_written, __ATOMIC_SEQ_CST); // before the words
    const std::uint64_t words[] = {glue::Clock::ticks().value, static_cast<std::uint64_t>(event),
                                   reinterpret_cast<std::uint64_t>(gd.current), first, second};
    for (unsigned i = 0; i != ktr_words; ++i)
        __atomic_store_n(&slot.words[i], words[i], __ATOMIC_RELAXED);
    __atomic_store_n(&slot.sequence, number, __ATOMIC_RELEASE);
    __atomic_store_n(&gd.ktr_next, number + 1, __ATOMIC_RELEASE);
}

std::size_t ktr_read(CpuId cpu, KtrEntry* to, std::size_t room) {
    GlobalData& gd = *globaldata_of[cpu.value];
    std::uint32_t end = __atomic_load_n(&gd.ktr_next, __ATOMIC_ACQUIRE);
    std::uint32_t held = end < ktr_entries ? end : ktr_entries;
    if (room < held)
        held = static_cast<std::uint32_t>(room);
    std::size_t count = 0;
    for (std::uint32_t number = end - held; number != end; ++number) {
        KtrSlot& slot = gd.ktr_ring[number % ktr_entries];
        if (__atomic_load_n(&slot.sequence, __ATOMIC_ACQUIRE) != number)
            continue;
        std::uint64_t words[ktr_words];
        for (unsigned i = 0; i != ktr_words; ++i)
            words[i] = __atomic_load_n(&slot.words[i], __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&slot.sequence, __ATOMIC_RELAXED) != number)
            continue;
        to[count++] = {words[0], static_cast<KtrEvent>(words[1]),     static_cast<std::uint16_t>(cpu.value),
                       number,   reinterpret_cast<Thread*>(words[2]), words[3],
                       words[4]};
    }
    return count;
}

} // namespace lwkt
