// SPDX-License-Identifier: BSD-2-Clause
// L4 objects of the hosted platform, for tests of IRQ threads: notifications by condition variables, timers
// by the notification's own deadline, interrupt lines and messages that the test raises, threads as Linux
// threads. There are no I/O ports: tests bring a simulated device.
#pragma once

#include "glue/vcpu.hpp"

#include <memory>
#include <thread>

namespace glue {

namespace hosted {
struct NotificationState {
    std::mutex mutex;
    std::condition_variable changed;
    std::uint64_t bits = 0;
    std::uint64_t timer_bits = 0; // raised at timer
    Ticks timer = no_deadline;
    Vcpu* vcpu = nullptr; // or: signals go to this vCPU
    std::uint32_t core = 0;
};
struct IrqState {
    std::shared_ptr<NotificationState> target;
    std::uint64_t bits = 0;
    bool masked = false, raised = false;
};
// The test's side of Irq: raises a line; it is delivered when the line is not masked.
void raise_line(unsigned line);
// What a device does that interrupts by messages. Nothing happens if nobody has the message any more.
void send_message(const InterruptMessage& message);
// Waits for the end of all threads that were started.
void join_threads();
} // namespace hosted

class Notification {
public:
    Notification() = default;
    explicit Notification(abi::Selector vcpu_notification);
    static Outcome<Notification> create(abi::Selector pool, std::uint32_t core);
    Outcome<Notification> badged(std::uint64_t bits) const;
    void signal() const;
    std::uint64_t wait() const;
    std::uint64_t poll() const;

private:
    friend class Timer;
    friend class Irq;
    std::shared_ptr<hosted::NotificationState> state_;
    std::uint64_t badge_ = 0;
};

class Timer {
public:
    static Outcome<Timer> create(abi::Selector pool, const Notification& notification, std::uint64_t bits);
    void set(Ticks deadline) const;
    void cancel() const { set(no_deadline); }

private:
    std::shared_ptr<hosted::NotificationState> state_;
};

class Irq {
public:
    static Outcome<Irq> create(abi::Selector irqs, abi::Selector pool, unsigned line,
                               const Notification& notification, std::uint64_t bits, unsigned priority = 0);
    static Outcome<Irq> create_message(abi::Selector irqs, abi::Selector pool,
                                       const Notification& notification, std::uint64_t bits,
                                       unsigned priority, InterruptMessage& message);
    void acknowledge() const;
    Outcome<InterruptMessage> route(const Notification& notification) const;
    void destroy();

private:
    unsigned line_ = 0;
};

class Thread {
public:
    struct Parameters {
        abi::Selector pool = 0;
        std::uint32_t core = 0;
        unsigned priority = 0;
        abi::Selector scheduling = 0;
        abi::Selector fault_endpoint = 0;
        std::uint64_t buffer = 0;
        bool no_fpu = true;
    };
    static Outcome<Thread> create(const Parameters&) { return Thread(); }
    Outcome<void> start(void (*function)(void*), void* argument, void* stack_end) const;
    void stop() const {} // the thread returns from its function instead
};

} // namespace glue
