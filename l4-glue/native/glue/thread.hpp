// SPDX-License-Identifier: BSD-2-Clause
// L4 objects of the native platform for the box, drivers and IRQ threads. A wrapper owns no kernel object:
// they live as long as the pool they came from. `create` functions take a pool selector and pick a free
// selector.
#pragma once

#include "glue/address_space.hpp"
#include "glue/invoke.hpp"

namespace glue {

class Notification {
public:
    Notification() = default;
    explicit Notification(abi::Selector selector) : selector_(selector) {}
    static Outcome<Notification> create(abi::Selector pool, std::uint32_t core) {
        Notification made(allocate_selector());
        TRY(native::check(native::invoke(abi::Operation::notification_create, pool, made.selector_, core)));
        return made;
    }
    // A capability that signals `bits`.
    Outcome<Notification> badged(std::uint64_t bits) const {
        Notification made(allocate_selector());
        TRY(native::check(native::invoke(abi::Operation::capability_copy, start_task, made.selector_,
                                         start_task, selector_, abi::notification_right::signal, bits)));
        return made;
    }
    void signal() const { (void)native::invoke(abi::Operation::signal, selector_); }
    // Blocks until bits arrive and takes them; 0 if the notification is destroyed meanwhile.
    std::uint64_t wait() const {
        auto reply = native::invoke(abi::Operation::wait, selector_);
        return reply.ok() ? reply.value : 0;
    }
    std::uint64_t poll() const {
        auto reply = native::invoke(abi::Operation::poll, selector_);
        return reply.ok() ? reply.value : 0;
    }
    abi::Selector selector() const { return selector_; }

private:
    abi::Selector selector_ = 0;
};

// One-shot timer; must be set from its notification's core.
class Timer {
public:
    static Outcome<Timer> create(abi::Selector pool, const Notification& notification, std::uint64_t bits) {
        Timer made;
        made.selector_ = allocate_selector();
        TRY(native::check(native::invoke(abi::Operation::timer_create, pool, made.selector_,
                                         notification.selector(), bits)));
        return made;
    }
    void set(Ticks deadline) const {
        (void)native::invoke(abi::Operation::timer_set, selector_, deadline.value);
    }
    void cancel() const { (void)native::invoke(abi::Operation::timer_set, selector_, 0); }

private:
    abi::Selector selector_ = 0;
};

// An interrupt bound to a notification of the same pool: a line, or a message that a device sends. It waits
// while a realtime thread above the priority of its handler runs.
class Irq {
public:
    Irq() = default;
    explicit Irq(abi::Selector selector) : selector_(selector) {}
    static Outcome<Irq> create(abi::Selector irqs, abi::Selector pool, unsigned line,
                               const Notification& notification, std::uint64_t bits, unsigned priority = 0) {
        Irq made;
        made.selector_ = allocate_selector();
        TRY(native::check(native::invoke(abi::Operation::irq_create, irqs, made.selector_, pool,
                                         abi::interrupt_line(line, priority), notification.selector(),
                                         bits)));
        return made;
    }
    // A message (MSI, MSI-X): `message` is what has to be programmed into the device. Edges, never masked.
    static Outcome<Irq> create_message(abi::Selector irqs, abi::Selector pool,
                                       const Notification& notification, std::uint64_t bits,
                                       unsigned priority, InterruptMessage& message) {
        Irq made(allocate_selector());
        message = TRY(message_of(native::invoke(abi::Operation::msi_create, irqs, made.selector_, pool,
                                                notification.selector(), bits, priority)));
        return made;
    }
    // Unmasks a line; nothing for a message.
    void acknowledge() const { (void)native::invoke(abi::Operation::irq_acknowledge, selector_); }
    // Delivers it to another notification of its pool, and that one's core, from now on. A device that sends
    // messages has to be programmed with the new one; what it sends as before is delivered, too.
    Outcome<InterruptMessage> route(const Notification& notification) const {
        return message_of(native::invoke(abi::Operation::irq_route, selector_, notification.selector()));
    }
    // Ends it: a line is masked, and free for others.
    void destroy() {
        (void)native::invoke(abi::Operation::capability_delete, start_task, selector_);
        free_selector(selector_);
        selector_ = 0;
    }
    abi::Selector selector() const { return selector_; }

private:
    static Outcome<InterruptMessage> message_of(const native::Reply& reply) {
        if (!reply.ok())
            return Failure(reply.error);
        return InterruptMessage{reply.value, static_cast<std::uint32_t>(reply.second)};
    }
    abi::Selector selector_ = 0;
};

class IoPort {
public:
    explicit IoPort(abi::Selector ports) : ports_(ports) {}
    std::uint32_t in(std::uint16_t port, unsigned width = 1) const {
        return static_cast<std::uint32_t>(native::invoke(abi::Operation::port_in, ports_, port, width).value);
    }
    void out(std::uint16_t port, std::uint32_t value, unsigned width = 1) const {
        (void)native::invoke(abi::Operation::port_out, ports_, port, width, value);
    }

private:
    abi::Selector ports_;
};

// An L4 thread of this task. `function` gets `argument` and must not return.
class Thread {
public:
    struct Parameters {
        abi::Selector pool = start_pool;
        std::uint32_t core = 0;
        unsigned priority = 0;
        abi::Selector scheduling = 0;     // its scheduling context: one a thread
        abi::Selector fault_endpoint = 0; // or none: a fault stops it
        std::uint64_t buffer = 0;         // address of its message buffer page
        bool no_fpu = true;
    };
    static Outcome<Thread> create(const Parameters& p) {
        Thread made;
        made.selector_ = allocate_selector();
        TRY(native::check(native::invoke(abi::Operation::thread_create, p.pool, made.selector_, start_task,
                                         p.core, p.buffer,
                                         p.no_fpu ? std::uint64_t{abi::thread_no_fpu} : 0)));
        TRY(native::check(native::invoke(abi::Operation::thread_configure, made.selector_, p.priority,
                                         p.scheduling, p.fault_endpoint, 0)));
        return made;
    }
    // `stack_end` is the address after the stack's last byte, 16-byte aligned.
    Outcome<void> start(void (*function)(void*), void* argument, void* stack_end) const {
        auto* top = static_cast<std::uint64_t*>(stack_end) - 1;
        return native::check(
            native::invoke(abi::Operation::thread_start, selector_, reinterpret_cast<std::uint64_t>(function),
                           reinterpret_cast<std::uint64_t>(top), reinterpret_cast<std::uint64_t>(argument)));
    }
    // Takes the thread off its core for good; also for the thread itself.
    void stop() const { (void)native::invoke(abi::Operation::thread_stop, selector_); }
    abi::Selector selector() const { return selector_; }

private:
    abi::Selector selector_ = 0;
};

// A scheduling context; period 0 means without limit. Times in ticks.
inline Outcome<abi::Selector> create_scheduling(abi::Selector pool, std::uint32_t core, Ticks budget,
                                                Ticks period, unsigned priority_limit) {
    abi::Selector made = allocate_selector();
    TRY(native::check(native::invoke(abi::Operation::scheduling_create, pool, made, core, budget.value,
                                     period.value, priority_limit)));
    return made;
}

} // namespace glue
