// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/irq.hpp"

#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/flush.hpp"
#include "kernel/invocation.hpp"
#include "kernel/machine.hpp"
#include "kernel/pool.hpp"
#include "kernel/reclaim.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/spinlock.hpp"
#include "kernel/trace.hpp"

namespace kernel {

namespace {
constexpr unsigned vectors = arch::vector_device_end - arch::vector_device;
Irq* irqs[vectors]; // structure_lock for writing; read by interrupt handlers

Irq*& entry_of(const Irq& irq) {
    return irqs[irq.vector - arch::vector_device];
}

// A free vector of the priority's, as an index; `vectors` if there is none.
unsigned free_vector(unsigned priority) {
    auto at = static_cast<unsigned>(arch::first_vector(priority) - arch::vector_device);
    auto end = static_cast<unsigned>(arch::end_vector(priority) - arch::vector_device);
    while (at < end && irqs[at])
        ++at;
    return at < end ? at : vectors;
}

bool is_taken(std::uint32_t line) {
    for (const Irq* irq : irqs)
        if (irq && irq->line == line)
            return true;
    return false;
}

std::uint32_t apic_id_of(const Notification& notification) {
    return cores[notification.core].apic_id;
}

// What a device has to write, and where, to interrupt as the object says; nothing for a line.
void reply_message(Registers& r, const Irq& irq) {
    bool message = irq.line == Irq::no_line;
    reply(r, Error::ok, message ? 0xfee0'0000 | Word{apic_id_of(*irq.notification)} << 12 : 0);
    r.rsi = message ? irq.vector : 0;
}

// Makes the object with a free vector; rdi irqs, rsi slot, rdx pool. nullptr after a reply or restart.
Irq* make_irq(Thread& thread, Word notification_selector, Word bits, std::uint32_t line, Word priority) {
    Registers& r = thread.registers;
    auto fail = [&](Error error, const Pool* payer = nullptr) {
        payer ? reply_or_wait(r, error, *payer) : reply(r, error);
        return nullptr;
    };
    reclaim();
    Lookup<Pool> pool(thread, r.rdx, abi::pool_right::create);
    if (!pool)
        return fail(pool.error);
    Lookup<Notification> notification(thread, notification_selector, abi::notification_right::signal);
    if (!notification)
        return fail(notification.error);
    if (notification->pool != pool.object || priority >= abi::priorities)
        return fail(Error::bad_argument);
    if (line != Irq::no_line && is_taken(line))
        return fail(Error::occupied);
    unsigned index = free_vector(static_cast<unsigned>(priority));
    if (index == vectors)
        return fail(Error::limit);
    Budget budget;
    if (Error error =
            thread.task->table.reserve(*thread.task->pool, static_cast<Selector>(r.rsi), nullptr, budget);
        error != Error::ok)
        return fail(error, thread.task->pool);
    Irq* irq = make<Irq>(*pool);
    if (!irq)
        return fail(Error::no_memory, pool.object);
    irq->line = line;
    irq->vector = static_cast<std::uint8_t>(arch::vector_device + index);
    irq->notification = notification.object;
    irq->bits = bits;
    __atomic_store_n(&irqs[index], irq, __ATOMIC_RELEASE);
    thread.task->table.put(static_cast<Selector>(r.rsi), *irq, abi::irq_right::all, 0, nullptr);
    reply_message(r, *irq);
    return irq;
}
} // namespace

// Masks a line, ends the interrupt, and signals who is bound to it. A vector whose object is gone, or has
// changed meanwhile, can still be on its way: it is ended, and at most signals in vain.
[[gnu::always_inline]] static inline void forward(Core& core, Word index) {
    ++core.counters[static_cast<unsigned>(abi::Counter::irqs)];
    Irq* irq = __atomic_load_n(&irqs[index], __ATOMIC_ACQUIRE);
    if (!irq) [[unlikely]]
        return arch::end_of_interrupt();
    irq->line != Irq::no_line ? arch::end_masked(irq->line) : arch::end_of_interrupt();
    Notification& notification = *__atomic_load_n(&irq->notification, __ATOMIC_ACQUIRE);
    if (notification.core == core.index) [[likely]]
        signal(core, notification, irq->bits);
    else
        signal_anywhere(notification, irq->bits);
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
    trace(core, abi::Event::interrupt, core.current, vector, 0);
    serve(core, vector);
    schedule(core);
}

void release_interrupt(Irq& irq) {
    if (entry_of(irq) != &irq)
        return; // done before
    if (irq.line != Irq::no_line)
        arch::mask(irq.line);
    __atomic_store_n(&entry_of(irq), nullptr, __ATOMIC_RELEASE);
}

// irq_create(slot, pool, line | priority << 32, notification, bits): ISA lines go where the firmware routes
// them
void invoke_irq_create(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    Lookup<Irqs> creator(thread, r.rdi, abi::irqs_right::create);
    if (!creator)
        return reply(r, creator.error);
    Word line = r.r10 & 0xffff'ffff, priority = r.r10 >> 32;
    std::uint16_t flags = line < 16 ? machine.override_flags[line] : 0xf; // PCI lines: level, low
    if (line < 16)
        line = machine.override_input[line];
    if (line < machine.ioapic_first_line || line - machine.ioapic_first_line >= arch::ioapic_lines())
        return reply(r, Error::bad_argument);
    line -= machine.ioapic_first_line;
    if (Irq* irq = make_irq(thread, r.r8, r.r9, static_cast<std::uint32_t>(line), priority)) {
        arch::route(irq->line, irq->vector, apic_id_of(*irq->notification), flags);
        arch::unmask(irq->line);
    }
}

// msi_create(slot, pool, notification, bits, priority) -> address, data
void invoke_msi_create(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    Lookup<Irqs> creator(thread, r.rdi, abi::irqs_right::create);
    if (!creator)
        return reply(r, creator.error);
    make_irq(thread, r.r10, r.r8, Irq::no_line, r.r9);
}

// irq_route(notification) -> address, data
void invoke_irq_route(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    Lookup<Irq> irq(thread, r.rdi, abi::irq_right::control);
    if (!irq)
        return reply(r, irq.error);
    Lookup<Notification> notification(thread, r.rsi, abi::notification_right::signal);
    if (!notification)
        return reply(r, notification.error);
    if (notification->pool != irq->pool)
        return reply(r, Error::bad_argument);
    __atomic_store_n(&irq->notification, notification.object, __ATOMIC_RELEASE);
    if (irq->line != Irq::no_line)
        arch::redirect(irq->line, apic_id_of(*notification));
    reply_message(r, *irq);
}

void invoke_irq_acknowledge(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock); // a line is not unmasked behind its object's end
    Lookup<Irq> irq(thread, r.rdi, abi::irq_right::control);
    if (!irq)
        return reply(r, irq.error);
    if (irq->line != Irq::no_line)
        arch::unmask(irq->line);
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
