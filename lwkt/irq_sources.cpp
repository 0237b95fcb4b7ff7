// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/irq_sources.hpp"

#include "lwkt/globaldata.hpp"

namespace lwkt {

namespace {

constexpr unsigned max_sources = 64;
SpinLock lock;
InterruptSource sources[max_sources]; // guarded by lock, like the count
unsigned source_count;

void set_name(char (&to)[20], const char* name) {
    unsigned at = 0;
    for (; at != sizeof to - 1 && name[at] != '\0'; ++at)
        to[at] = name[at];
    to[at] = '\0';
}

InterruptCount row_of(const InterruptSource& source) {
    InterruptReading reading = source.read(source.object);
    InterruptCount row{{}, source.kind, source.number, source.cpu.value, reading.count, reading.stray, 0, 0,
                       0};
    __builtin_memcpy(row.name, source.name, sizeof row.name);
    if (reading.latency) {
        row.median = reading.latency->quantile(500);
        row.most = reading.latency->quantile(990);
        row.longest = reading.latency->longest();
    }
    return row;
}

} // namespace

void add_interrupt_source(const char* name, InterruptKind kind, std::uint32_t number, CpuId cpu,
                          InterruptSource::Read read, const void* object) {
    SpinGuard guard(lock);
    if (source_count == max_sources)
        return;
    InterruptSource& source = sources[source_count++];
    source = {{}, kind, number, cpu, read, object};
    set_name(source.name, name);
}

void remove_interrupt_source(const void* object) {
    SpinGuard guard(lock);
    for (unsigned n = 0; n != source_count; ++n)
        if (sources[n].object == object) {
            for (--source_count; n != source_count; ++n)
                sources[n] = sources[n + 1];
            return;
        }
}

unsigned interrupt_counts(InterruptCount* to, unsigned room) {
    unsigned count = 0;
    {
        SpinGuard guard(lock);
        for (; count != source_count && count != room; ++count)
            to[count] = row_of(sources[count]);
    }
    for (unsigned cpu = 0; cpu != cpu_count(); ++cpu) {
        const GlobalData& gd = *globaldata_of[cpu];
        auto add = [&](const char* name, InterruptKind kind, const std::uint64_t& counter) {
            if (count == room)
                return;
            to[count] = {{}, kind, 0, cpu, __atomic_load_n(&counter, __ATOMIC_RELAXED), 0, 0, 0, 0};
            set_name(to[count++].name, name);
        };
        add("timer", InterruptKind::timer, gd.counters.timers);
        add("ipi", InterruptKind::ipi, gd.ipi_counters.arrivals);
    }
    return count;
}

} // namespace lwkt
