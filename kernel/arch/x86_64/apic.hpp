// SPDX-License-Identifier: BSD-2-Clause
// Local APIC, as x2APIC where the processor has it and else memory-mapped, and I/O APIC.
#pragma once

#include <cstdint>

#include "kernel/abi/layout.hpp"

namespace arch {

using Word = std::uint64_t;

// Devices have 0x30 .. 0xef; the rest is the kernel's. The upper half of a vector is its class, by which the
// processor holds interrupts back: four classes are for handlers below abi::realtime_priority, and one for
// each priority from there on.
inline constexpr Word vector_device = 0x30, vector_realtime = 0x70, vector_device_end = 0xf0;
inline constexpr Word vectors_in_class = 16;
static_assert((abi::priorities - abi::realtime_priority) * vectors_in_class ==
              vector_device_end - vector_realtime);
constexpr Word first_vector(unsigned priority) {
    return priority < abi::realtime_priority
               ? vector_device
               : vector_realtime + (priority - abi::realtime_priority) * vectors_in_class;
}
constexpr Word end_vector(unsigned priority) {
    return priority < abi::realtime_priority ? vector_realtime : first_vector(priority) + vectors_in_class;
}
// The highest class that waits while a thread of this priority runs.
constexpr std::uint8_t held_class(unsigned priority) {
    return priority < abi::realtime_priority
               ? 0
               : static_cast<std::uint8_t>(first_vector(priority) / vectors_in_class - 1);
}
inline constexpr Word vector_timer = 0xf0, vector_inbox = 0xf1, vector_spurious = 0xff;

void initialize_apic(); // on each core
std::uint32_t apic_id();
void end_of_interrupt();
void send_interrupt(std::uint32_t apic_id, Word vector);
void send_nmi_to_others();                           // all cores but this one, whatever they do
void send_startup(std::uint32_t apic_id, Word page); // INIT, then STARTUP at page * 4 KiB
// One shot at an absolute tick; no_deadline stops it. Far deadlines fire early and are set again.
void set_timer(Word deadline, Word now);

// The I/O APIC; any core, any time.
unsigned ioapic_lines();
// Routes an input to a core; masked until unmask. `flags`: polarity and trigger as in the MADT.
void route(unsigned line, Word vector, std::uint32_t apic_id, std::uint16_t flags);
void redirect(unsigned line, std::uint32_t apic_id); // what is routed, to another core
void mask(unsigned line);
void unmask(unsigned line);
void end_masked(unsigned line); // ends an interrupt of a line that stays quiet until unmask

// For the calibration, without the TSC deadline: lets the timer run down from its highest value, masked.
void run_timer_down();
std::uint32_t timer_left();
void stop_timer();

} // namespace arch
