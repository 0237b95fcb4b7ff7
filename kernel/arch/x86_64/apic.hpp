// SPDX-License-Identifier: BSD-2-Clause
// Local APIC, as x2APIC where the processor has it and else memory-mapped, and I/O APIC.
#pragma once

#include <cstdint>

namespace arch {

using Word = std::uint64_t;

// Devices have 0x30 .. 0xef; the rest is the kernel's.
inline constexpr Word vector_device = 0x30, vector_device_end = 0xf0;
inline constexpr Word vector_timer = 0xf0, vector_inbox = 0xf1, vector_spurious = 0xff;

void initialize_apic(); // on each core
std::uint32_t apic_id();
void end_of_interrupt();
void send_interrupt(std::uint32_t apic_id, Word vector);
void send_nmi_to_others();                           // all cores but this one, whatever they do
void send_startup(std::uint32_t apic_id, Word page); // INIT, then STARTUP at page * 4 KiB
// One shot at an absolute tick; no_deadline stops it. Far deadlines fire early and are set again.
void set_timer(Word deadline, Word now);

unsigned ioapic_lines();
// Routes an input to a core; masked until unmask. `flags`: polarity and trigger as in the MADT.
void route(unsigned line, Word vector, std::uint32_t apic_id, std::uint16_t flags);
void mask(unsigned line, bool masked);

// For the calibration, without the TSC deadline: lets the timer run down from its highest value, masked.
void run_timer_down();
std::uint32_t timer_left();
void stop_timer();

} // namespace arch
