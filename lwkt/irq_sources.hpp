// SPDX-License-Identifier: BSD-2-Clause
// What interrupts this task, counted by source: lines, events of others, soft interrupts, and each core's
// timer and messages of other cores. For statistics: vmstat -i shows it
// (bsd-personality/kern/sysctl_intr.cpp).
#pragma once

#include "irq-threads/histogram.hpp"
#include "lwkt/thread.hpp"

namespace lwkt {

enum class InterruptKind : std::uint8_t { line, event, soft, timer, ipi };

// What a source has to say of itself; latencies in ticks.
struct InterruptReading {
    std::uint64_t count = 0;
    std::uint64_t stray = 0; // of them, what nobody had work for
    const irq::Histogram* latency = nullptr;
};

// A source announces itself under the name that people shall see. At most 64 do; others are not counted.
struct InterruptSource {
    using Read = InterruptReading (*)(const void* object);
    char name[20] = {}; // NUL-terminated; longer ones are cut
    InterruptKind kind = InterruptKind::event;
    std::uint32_t number = 0; // the line, the event bit, the priority of a soft interrupt
    CpuId cpu;
    Read read = nullptr; // under a spin lock: it only looks at counters
    const void* object = nullptr;
};
void add_interrupt_source(const char* name, InterruptKind kind, std::uint32_t number, CpuId cpu,
                          InterruptSource::Read read, const void* object);
// A line of this task, an irq::IrqThread; the core is where its events go. Remove it before the line goes.
template <class IrqThread>
void add_interrupt_line(const char* name, std::uint32_t number, CpuId cpu, const IrqThread& line) {
    add_interrupt_source(
        name, InterruptKind::line, number, cpu,
        [](const void* object) {
            const auto& read = *static_cast<const IrqThread*>(object);
            auto counters = read.counters();
            return InterruptReading{counters.interrupts, counters.unclaimed, &read.turns()};
        },
        &line);
}
// Returns when nobody reads it any more. No effect on what is none.
void remove_interrupt_source(const void* object);

// One row. Latencies, in ticks, are 0 where none are measured.
struct InterruptCount {
    char name[20];
    InterruptKind kind;
    std::uint32_t number;
    std::uint32_t cpu;
    std::uint64_t count, stray;
    std::uint64_t median, most, longest; // shorter than: half of them, 99 of 100; the longest
};
inline constexpr unsigned max_interrupt_counts = 64 + 2 * abi::max_cores;
// Copies what has been announced, oldest first, then the timers and messages of each core, as many as fit;
// returns how many. Thread context.
unsigned interrupt_counts(InterruptCount* to, unsigned room);

} // namespace lwkt
