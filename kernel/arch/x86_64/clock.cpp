// SPDX-License-Identifier: BSD-2-Clause
// How fast the time-stamp counter runs: measured, at boot, against the best clock there is (HPET, ACPI's
// power-management timer, PIT). What CPUID says is exact where it is true; under emulators it is what the
// modelled processor had, so it counts only where the measurement agrees.
#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/machine.hpp"

namespace kernel {

namespace {

struct Reference {
    const char* name;
    Word per_second;
    std::uint32_t mask; // it counts up modulo mask + 1
    std::uint32_t (*read)();
};

volatile std::uint32_t& hpet(unsigned offset) { // mapped one to one during boot
    return *reinterpret_cast<volatile std::uint32_t*>(machine.hpet_base + offset);
}
constexpr unsigned hpet_period = 4, hpet_configuration = 0x10, hpet_counter = 0xf0;
constexpr Word femtoseconds = 1'000'000'000'000'000,
               hpet_slowest = 100'000'000; // a tick, by its specification
constexpr Word pm_timer_hz = 3'579'545, pit_hz = 1'193'182;

std::uint32_t read_hpet() {
    return hpet(hpet_counter);
}
std::uint32_t read_pm_timer() {
    return arch::in32(machine.pm_timer_port);
}
std::uint32_t read_pit() { // channel 2 counts down; latched, then low and high byte
    arch::out8(0x43, 0x80);
    unsigned low = arch::in8(0x42);
    return 0xffff - (low | arch::in8(0x42) << 8);
}

// A clock that stands still (firmware switched it off) is passed over.
bool runs(const Reference& reference) {
    std::uint32_t start = reference.read();
    for (unsigned i = 0; i < 100'000; ++i)
        if (reference.read() != start)
            return true;
    return false;
}

Reference choose_reference() {
    bool skip_hpet = boot_option("kernel.clock=acpi"), skip_both = boot_option("kernel.clock=pit");
    if (machine.hpet_base && !skip_hpet && !skip_both) {
        hpet(hpet_configuration) = hpet(hpet_configuration) | 1;
        Word period = hpet(hpet_period);
        Reference reference{"HPET", period ? femtoseconds / period : 0, 0xffff'ffff, read_hpet};
        if (period != 0 && period <= hpet_slowest && runs(reference))
            return reference;
    }
    if (machine.pm_timer_port && !skip_both) {
        Reference reference{"ACPI timer", pm_timer_hz, machine.pm_timer_wide ? 0xffff'ffff : 0xff'ffff,
                            read_pm_timer};
        if (runs(reference))
            return reference;
    }
    arch::out8(0x61, static_cast<std::uint8_t>((arch::in8(0x61) & ~2) | 1));
    arch::out8(0x43, 0xb0);
    arch::out8(0x42, 0xff);
    arch::out8(0x42, 0xff);
    return {"PIT", pit_hz, 0xffff, read_pit};
}

struct Sample {
    Word ticks, uncertain;
    std::uint32_t reference, timer;
};

// The tightest of several: an emulator or hypervisor may stop the processor between any two readings.
Sample take_sample(const Reference& reference) {
    Sample best{0, ~Word{0}, 0, 0};
    for (int i = 0; i < 8; ++i) {
        Word before = arch::read_tsc();
        std::uint32_t value = reference.read();
        std::uint32_t timer = machine.tsc_deadline ? 0 : arch::timer_left();
        Word after = arch::read_tsc();
        if (after - before < best.uncertain)
            best = {before + (after - before) / 2, after - before, value, timer};
    }
    return best;
}

// 0 if the processor does not say.
Word rate_by_cpuid() {
    std::uint32_t leaves = arch::cpuid(0).eax;
    if (leaves >= 0x15) {
        auto ratio = arch::cpuid(0x15);
        if (ratio.eax && ratio.ebx && ratio.ecx)
            return Word{ratio.ecx} * ratio.ebx / ratio.eax;
    }
    return leaves >= 0x16 ? Word{arch::cpuid(0x16).eax & 0xffff} * 1'000'000 : 0;
}

} // namespace

void calibrate_clock() {
    Reference reference = choose_reference();
    constexpr Word window = 100; // of a second: far below the shortest wrap-around, the PIT's 55 ms
    Word uncertain = ~Word{0}, ticks = 0, timer = 0;
    for (int run = 0; run < 3; ++run) {
        if (!machine.tsc_deadline)
            arch::run_timer_down();
        Sample start = take_sample(reference);
        while (((reference.read() - start.reference) & reference.mask) < reference.per_second / window)
            arch::pause();
        Sample end = take_sample(reference);
        Word passed = (end.reference - start.reference) & reference.mask;
        if (start.uncertain + end.uncertain >= uncertain)
            continue;
        uncertain = start.uncertain + end.uncertain;
        ticks = (end.ticks - start.ticks) * reference.per_second / passed;
        timer = Word{start.timer - end.timer} * reference.per_second / passed;
    }
    constexpr Word grain = 100'000; // real counters are whole multiples; the measurement is not that fine
    auto round = [](Word v) { return (v + grain / 2) / grain * grain; };
    machine.ticks_per_second = round(ticks);
    machine.timer_per_second = round(timer);
    machine.clock_source = reference.name;
    Word said = rate_by_cpuid();
    if (said > ticks - ticks / 100 && said < ticks + ticks / 100) {
        machine.ticks_per_second = said;
        machine.clock_source = "CPUID";
    }
}

} // namespace kernel
