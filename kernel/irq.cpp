// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/irq.hpp"

#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/flush.hpp"
#include "kernel/invocation.hpp"
#include "kernel/machine.hpp"
#include "kernel/pool.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/spinlock.hpp"

namespace kernel {

namespace {
constexpr unsigned vectors = arch::vector_device_end - arch::vector_device;
Irq* irqs[vectors]; // structure_lock for writing; read by interrupt handlers

// Makes the object with a free vector; rdi irqs, rsi slot, rdx pool.
Irq* make_irq(Thread& thread, Word notification_selector, Word bits, std::uint32_t line) {
    Registers& r = thread.registers;
    auto fail = [&](Error error) {
        reply(r, error);
        return nullptr;
    };
    Lookup<Irqs> creator(thread, r.rdi, abi::irqs_right::create);
    if (!creator)
        return fail(creator.error);
    Lookup<Pool> pool(thread, r.rdx, abi::pool_right::create);
    if (!pool)
        return fail(pool.error);
    Lookup<Notification> notification(thread, notification_selector, abi::notification_right::signal);
    if (!notification)
        return fail(notification.error);
    if (notification->pool != pool.object)
        return fail(Error::bad_argument);
    if (notification->dying || pool->dying)
        return fail(Error::dead);
    Budget budget;
    unsigned index = vectors;
    for (unsigned i = 0; i < vectors; ++i) {
        if (irqs[i] && line != Irq::no_line && irqs[i]->line == line)
            return fail(Error::occupied);
        if (!irqs[i] && index == vectors)
            index = i;
    }
    if (index == vectors)
        return fail(Error::no_memory);
    if (Error error =
            thread.task->table.reserve(*thread.task->pool, static_cast<Selector>(r.rsi), nullptr, budget);
        error != Error::ok)
        return fail(error);
    Irq* irq = make<Irq>(*pool);
    if (!irq)
        return fail(Error::no_memory);
    irq->line = line;
    irq->vector = static_cast<std::uint8_t>(arch::vector_device + index);
    irq->notification = notification.object;
    irq->bits = bits;
    __atomic_store_n(&irqs[index], irq, __ATOMIC_RELEASE);
    thread.task->table.put(static_cast<Selector>(r.rsi), *irq, abi::irq_right::all, 0, nullptr);
    reply(r, Error::ok);
    return irq;
}
} // namespace

// Masks a line, ends the interrupt, and signals who is bound to it.
[[gnu::always_inline]] static inline void forward(Core& core, Word index) {
    ++core.statistics[static_cast<unsigned>(abi::Statistic::irqs)];
    Irq* irq = __atomic_load_n(&irqs[index], __ATOMIC_ACQUIRE);
    if (irq && irq->line != Irq::no_line)
        arch::mask(irq->line, true);
    arch::end_of_interrupt();
    if (!irq)
        return;
    if (irq->notification->core == core.index) [[likely]]
        signal(core, *irq->notification, irq->bits);
    else
        signal_anywhere(*irq->notification, irq->bits);
}

[[gnu::always_inline]] static inline void serve(Core& core, Word vector) {
    if (vector - arch::vector_device < vectors) [[likely]] {
        forward(core, vector - arch::vector_device);
    } else if (vector == arch::vector_timer) {
        arch::end_of_interrupt();
        handle_timer(core);
    } else if (vector == arch::vector_inbox) {
        arch::end_of_interrupt();
        serve_flush();
        handle_inbox(core);
    }
}

void serve_interrupt(Core& core, Word vector) {
    serve(core, vector);
}

extern "C" void handle_interrupt(Core& core, Word vector) {
    serve(core, vector);
    schedule(core);
}

void release_interrupt(Irq& irq) {
    if (irqs[irq.vector - arch::vector_device] != &irq)
        return; // done before
    if (irq.line != Irq::no_line)
        arch::mask(irq.line, true);
    __atomic_store_n(&irqs[irq.vector - arch::vector_device], nullptr, __ATOMIC_RELEASE);
}

// irq_create(slot, pool, line, notification, bits): ISA lines go where the firmware routes them
void invoke_irq_create(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Word line = r.r10;
    std::uint16_t flags = line < 16 ? machine.override_flags[line] : 0xf; // PCI lines: level, low
    if (line < 16)
        line = machine.override_input[line];
    LockGuard guard(structure_lock);
    if (line < machine.ioapic_first_line || line - machine.ioapic_first_line >= arch::ioapic_lines())
        return reply(r, Error::bad_argument);
    line -= machine.ioapic_first_line;
    if (Irq* irq = make_irq(thread, r.r8, r.r9, static_cast<std::uint32_t>(line))) {
        arch::route(irq->line, irq->vector, cores[irq->notification->core].apic_id, flags);
        arch::mask(irq->line, false);
    }
}

// msi_create(slot, pool, notification, bits) -> address, data
void invoke_msi_create(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    if (Irq* irq = make_irq(thread, r.r10, r.r8, Irq::no_line)) {
        r.rdx = 0xfee0'0000 | Word{cores[irq->notification->core].apic_id} << 12;
        r.rsi = irq->vector;
    }
}

void invoke_irq_acknowledge(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Irq> irq(thread, r.rdi, abi::irq_right::control);
    if (!irq)
        return reply(r, irq.error);
    if (irq->line != Irq::no_line) {
        LockGuard guard(structure_lock);
        arch::mask(irq->line, false);
    }
    reply(r, Error::ok);
}

void invoke_port_in(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Ports> ports(thread, r.rdi, abi::port_right::access);
    if (!ports)
        return reply(r, ports.error);
    if (r.rsi > 0xffff)
        return reply(r, Error::bad_argument);
    auto port = static_cast<std::uint16_t>(r.rsi);
    switch (r.rdx) {
    case 1:
        return reply(r, Error::ok, arch::in8(port));
    case 2:
        return reply(r, Error::ok, arch::in16(port));
    case 4:
        return reply(r, Error::ok, arch::in32(port));
    default:
        return reply(r, Error::bad_argument);
    }
}

void invoke_port_out(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Ports> ports(thread, r.rdi, abi::port_right::access);
    if (!ports)
        return reply(r, ports.error);
    if (r.rsi > 0xffff)
        return reply(r, Error::bad_argument);
    auto port = static_cast<std::uint16_t>(r.rsi);
    reply(r, Error::ok);
    switch (r.rdx) {
    case 1:
        return arch::out8(port, static_cast<std::uint8_t>(r.r10));
    case 2:
        return arch::out16(port, static_cast<std::uint16_t>(r.r10));
    case 4:
        return arch::out32(port, static_cast<std::uint32_t>(r.r10));
    default:
        return reply(r, Error::bad_argument);
    }
}

} // namespace kernel
