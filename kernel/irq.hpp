// SPDX-License-Identifier: BSD-2-Clause
// Interrupt objects: a vector of a core, bound to a notification. The kernel masks a line, ends the interrupt
// and signals; the driver handles the device and acknowledges, which unmasks. Messages (MSI) are edges and
// never masked.
#pragma once

#include "kernel/thread.hpp"

namespace kernel {

struct Irq : Object {
    static constexpr Type kind = Type::irq;
    static constexpr std::uint32_t no_line = ~0u;
    std::uint32_t line = no_line;         // immutable: I/O APIC input, or none for a message
    std::uint8_t vector = 0;              // immutable
    Notification* notification = nullptr; // immutable; same pool, so both die together
    Word bits = 0;
};

// Any interrupt, a device's or the kernel's own; without the choice of who runs next.
void serve_interrupt(Core& core, Word vector);
void release_interrupt(Irq& irq);

} // namespace kernel
