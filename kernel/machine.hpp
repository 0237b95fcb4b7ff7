// SPDX-License-Identifier: BSD-2-Clause
// What the boot code found out about the machine; immutable after boot.
#pragma once

#include "kernel/object.hpp"

namespace kernel {

struct Machine {
    Word kernel_root;      // physical address of the kernel's own top-level page table
    Word information_page; // physical
    Word xsave_mask, xsave_size;
    const void* clean_fpu; // XSAVE image of the state after reset
    Word ticks_per_second; // of the time-stamp counter
    Word timer_multiplier; // local APIC timer counts per tick, times 2^32
    Word boot_ticks;
    Word apic_base, ioapic_base;     // physical
    Word hpet_base;                  // physical, 0: none
    std::uint16_t pm_timer_port;     // 0: none
    bool pm_timer_wide;              // 32 bits, else 24
    bool x2apic, tsc_deadline, pcid; // used by all cores
    const char* clock_source;        // what the time-stamp counter was measured against
    std::uint32_t ioapic_first_line;
    std::uint32_t apic_ids[abi::max_cores];
    unsigned cores;
    Word timer_per_second; // local APIC timer, without the TSC deadline
    // ISA lines that the firmware routes elsewhere: line -> {input, flags as in the MADT}
    std::uint32_t override_input[16];
    std::uint16_t override_flags[16];
    const char* command_line; // kernel memory
};
extern Machine machine;

struct RamRange {
    Word base, size;
};

// Whether the kernel's command line has this word. All of its words: kernel.clock=acpi, kernel.clock=pit
// (what to measure against), kernel.pcid (use it where it is), kernel.mappings (print the kernel's page
// tables). The root task finds the line too.
bool boot_option(const char* word);

// Boot, with low memory mapped one to one.
void read_acpi(Word rsdp);   // fills cores, interrupt routing, clocks; panics without a MADT
void check_features();       // panics naming what the processor lacks; fills xsave, x2apic, tsc_deadline
void calibrate_clock();      // with interrupts off and the APIC on; fills ticks_per_second, clock_source
void enable_features();      // on each core: CR0, CR4, XCR0, PAT, machine checks
void enable_machine_check(); // on each core: its banks
void initialize_fpu(void* zeroed_page); // the state after reset, in XSAVE format

} // namespace kernel
