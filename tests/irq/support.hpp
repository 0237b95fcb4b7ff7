// SPDX-License-Identifier: BSD-2-Clause
// For tests of IRQ threads on the kernel: they run as the root task, with the laboratory and devices of
// tests/kernel.
#pragma once

#include "irq-threads/irq_thread.hpp"
#include "tests/kernel/check.hpp"
#include "tests/kernel/devices.hpp"

namespace laboratory {

inline constexpr unsigned main_priority = 100, irq_priority = 120;

unsigned core_count();
// Interrupts of devices that a core has had.
Word interrupts_at(unsigned core);
// A core's number of its own as long as there are so many, else the last one.
inline unsigned core_or_last(unsigned core) {
    return core < core_count() ? core : core_count() - 1;
}

// Which of the lines of PCI devices a device has; only the firmware's language could say.
unsigned line_of(const Edu& device);

// What an IRQ thread needs, from a pool: a stack, a message buffer and time, by default without limit.
irq::IrqThread::Parameters irq_parameters(unsigned core, glue::Ticks budget = {}, glue::Ticks period = {},
                                          Selector pool = abi::root_pool);

glue::Ticks microseconds(Word n);
void burn(glue::Ticks ticks); // on the processor

// What a driver signals, waited for with a deadline far beyond what it takes.
class Signalled {
public:
    Signalled() : notification_(glue::Notification::create(abi::root_pool, 0).take()) {}
    glue::Notification bit(Word bits) const { return notification_.badged(bits).take(); }
    Word wait() const; // 0: the deadline has passed
    bool quiet() const { return notification_.poll() == 0; }

private:
    glue::Notification notification_;
};

// Waits until it holds; false after a time far beyond what it takes.
template <class Condition>
bool becomes_true(Condition condition) {
    for (unsigned i = 0; i < 100'000; ++i) {
        if (condition())
            return true;
        pause_for(100);
    }
    return false;
}

inline bool end(irq::IrqThread& thread) {
    thread.stop();
    return becomes_true([&] { return thread.ended(); });
}

// The tests, one file a subject.
void test_queue_vectors();
void test_vector_moves();
void test_vector_storm();
void test_vector_without_driver();
void test_balanced_vectors();
void test_single_message();
void test_shared_line();
void test_device_without_driver();
void test_storm_on_budget();
void test_driver_dies();
void test_task_dies();
void test_line_moves();

} // namespace laboratory
