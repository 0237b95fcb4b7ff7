// SPDX-License-Identifier: BSD-2-Clause
// IRQ threads on the kernel with devices that interrupt when told to: run as the root task in QEMU.
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

} // namespace laboratory

extern "C" void libelle_main() {
    using namespace laboratory;
    static const struct {
        const char* name;
        void (*run)();
    } tests[] = {
        {"queue_vectors", test_queue_vectors},
        {"vector_moves", test_vector_moves},
        {"vector_storm", test_vector_storm},
        {"vector_without_driver", test_vector_without_driver},
        {"balanced_vectors", test_balanced_vectors},
        {"single_message", test_single_message},
        {"shared_line", test_shared_line},
        {"device_without_driver", test_device_without_driver},
        {"storm_on_budget", test_storm_on_budget},
        {"driver_dies", test_driver_dies},
        {"task_dies", test_task_dies},
        {"line_moves", test_line_moves},
    };
    initialize();
    unsigned failed = 0;
    for (const auto& test : tests) {
        unsigned before = failures;
        test.run();
        bool ok = failures == before;
        failed += !ok;
        print(ok ? "ok " : "FAIL ");
        print(test.name);
        print("\n");
    }
    finish(failed ? 1 : 0);
}
