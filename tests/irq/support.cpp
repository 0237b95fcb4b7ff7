// SPDX-License-Identifier: BSD-2-Clause
#include "tests/irq/support.hpp"

namespace laboratory {

unsigned failures;

void report(const char* file, int line, const char* expression, Word got, Word wanted) {
    ++failures;
    print("  ");
    print(file);
    print(":");
    print(static_cast<Word>(line));
    print(": ");
    print(expression);
    print(" is ");
    print(got);
    print(", not ");
    print(wanted);
    print("\n");
}

unsigned core_count() {
    return reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores;
}

Word interrupts_at(unsigned core) {
    return invoke(Operation::counter_read, abi::root_observer, core, static_cast<Word>(abi::Counter::irqs))
        .value;
}

irq::IrqThread::Parameters irq_parameters(unsigned core, glue::Ticks budget, glue::Ticks period,
                                          Selector pool) {
    constexpr unsigned most = 64, size = 8192;
    constexpr Word first_buffer = 0x4620'0000;
    alignas(16) static std::byte stacks[most][size];
    static unsigned used = 0;
    if (used == most)
        fail("more IRQ threads than there are stacks");
    irq::IrqThread::Parameters p;
    p.pool = pool;
    p.core = core;
    p.priority = irq_priority;
    p.buffer = first_buffer + used * page;
    p.stack = stacks[used++];
    p.stack_size = size;
    auto scheduling = glue::create_scheduling(pool, core, budget, period, irq_priority);
    if (!scheduling.ok())
        fail("no scheduling context");
    p.scheduling = scheduling.value();
    return p;
}

glue::Ticks microseconds(Word n) {
    return glue::Ticks{n * glue::Clock::ticks_per_second() / 1'000'000};
}

void burn(glue::Ticks ticks) {
    glue::Ticks end = glue::Clock::ticks() + ticks;
    while (glue::Clock::ticks() < end)
        asm volatile("pause");
}

Word Signalled::wait() const {
    return invoke(Operation::wait, notification_.selector(),
                  (glue::Clock::ticks() + microseconds(20'000'000)).value)
        .value;
}

unsigned line_of(const Edu& device) {
    constexpr unsigned first = 16, lines = 8;
    Selector notification = make_notification(), irqs[lines];
    for (unsigned i = 0; i < lines; ++i) {
        irqs[i] = new_selector();
        must("line", invoke(Operation::irq_create, abi::root_irqs, irqs[i], abi::root_pool,
                            abi::interrupt_line(first + i), notification, 1u << i));
    }
    device.raise();
    Word bits = invoke(Operation::wait, notification).value;
    device.lower();
    for (Selector irq : irqs)
        must("delete", invoke(Operation::capability_delete, abi::root_task, irq));
    return first + static_cast<unsigned>(__builtin_ctzll(bits | 1u << lines));
}

} // namespace laboratory
