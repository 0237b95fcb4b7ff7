// SPDX-License-Identifier: BSD-2-Clause
// Interrupt objects: a vector, the same on all cores, bound to a notification and delivered to its core. The
// kernel masks a line, ends the interrupt and signals; the driver handles the device and acknowledges, which
// unmasks. Messages (MSI) are edges and never masked. The vector's class is what the priority of the handler
// makes it, so that the processor itself holds back what must wait for a realtime thread.
#pragma once

#include "kernel/thread.hpp"

namespace kernel {

struct Irq : Object {
    static constexpr Type kind = Type::irq;
    static constexpr std::uint32_t no_line = ~0u;
    std::uint32_t line = no_line; // immutable: I/O APIC input, or none for a message
    std::uint8_t vector = 0;      // immutable
    // Atomic: structure_lock for writing, read by interrupt handlers. Of the same pool, so both die together.
    Notification* notification = nullptr;
    Word bits = 0; // immutable
};

// Any interrupt, a device's or the kernel's own; without the choice of who runs next.
void serve_interrupt(Core& core, Word vector);
void release_interrupt(Irq& irq);

} // namespace kernel
