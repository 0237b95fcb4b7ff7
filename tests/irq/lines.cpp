// SPDX-License-Identifier: BSD-2-Clause
// A line that two devices share, which stays asserted until each has been served: sharing, storms, drivers
// and tasks that die, places on several cores.
#include "tests/irq/support.hpp"

namespace laboratory {

namespace {

using irq::IrqThread;

struct Driver {
    Edu device;
    Signalled target;
    Word calls = 0, served = 0; // atomic
    bool deaf = false;          // its top half does nothing
    glue::Ticks work;           // of its top half
    Word inside = 0, overlaps = 0;

    explicit Driver(unsigned number) : device(number) {
        CHECK(static_cast<bool>(device));
        device.use_line();
    }
    static bool top(void* self) {
        auto& driver = *static_cast<Driver*>(self);
        if (__atomic_fetch_add(&driver.inside, 1, __ATOMIC_SEQ_CST) != 0)
            __atomic_fetch_add(&driver.overlaps, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&driver.calls, 1, __ATOMIC_SEQ_CST);
        burn(driver.work);
        bool work = !driver.deaf && driver.device.raised();
        if (work) {
            driver.device.lower();
            __atomic_fetch_add(&driver.served, 1, __ATOMIC_SEQ_CST);
        }
        __atomic_fetch_sub(&driver.inside, 1, __ATOMIC_SEQ_CST);
        return work;
    }
    IrqThread::Driver slot() { return {top, this, target.bit(1), nullptr}; }
    bool raise_and_wait() {
        device.raise();
        return target.wait() == 1;
    }
};

struct Line {
    Driver one{0}, two{1};
    unsigned number = 0;
    IrqThread thread;
    Line() {
        number = line_of(one.device);
        CHECK_EQ(line_of(two.device), number);
    }
    bool start(const IrqThread::Parameters& p) { return thread.start(p, abi::root_irqs, number).ok(); }
    bool forget(unsigned driver) {
        thread.detach(driver);
        return becomes_true([&] { return thread.forgotten(driver); });
    }
    void end() {
        one.device.lower();
        two.device.lower();
        CHECK(laboratory::end(thread));
    }
};

} // namespace

// Both are asked, and only who has work is signalled.
void test_shared_line() {
    static Line line;
    CHECK(line.start(irq_parameters(core_or_last(1))));
    CHECK(line.thread.attach(line.one.slot()).ok());
    CHECK(line.thread.attach(line.two.slot()).ok());
    for (unsigned round = 1; round <= 20; ++round) {
        CHECK(line.one.raise_and_wait());
        CHECK(line.two.target.quiet());
        CHECK(line.two.raise_and_wait());
        CHECK(line.one.target.quiet());
    }
    CHECK_EQ(line.one.served, 20);
    CHECK_EQ(line.two.served, 20);
    CHECK(line.one.calls > 20);
    line.one.device.raise();
    line.two.device.raise();
    CHECK_EQ(line.one.target.wait(), 1);
    CHECK_EQ(line.two.target.wait(), 1);
    CHECK_EQ(line.thread.counters().signals, 42);
    line.end();
}

// It keeps the line asserted, and nobody serves it: the line is held back again and again, and those below,
// and the other driver, get on.
void test_device_without_driver() {
    static Line line;
    IrqThread::Parameters p = irq_parameters(0);
    p.storm_limit = 20;
    p.storm_window = glue::Nanoseconds{20'000'000};
    CHECK(line.start(p));
    CHECK(line.thread.attach(line.one.slot()).ok());
    line.two.device.raise();
    CHECK(becomes_true([&] { return line.thread.counters().throttled >= 3; }));
    CHECK(line.thread.counters().unclaimed >= 60);
    CHECK(line.one.raise_and_wait());
    line.two.device.lower();
    Word before = line.thread.counters().interrupts;
    CHECK(line.one.raise_and_wait());
    CHECK(line.one.raise_and_wait());
    CHECK(line.thread.counters().interrupts > before);
    line.end();
}

// Without a limit, what a storm can take is what its owner's scheduling context gives it.
void test_storm_on_budget() {
    static Line line;
    IrqThread::Parameters p = irq_parameters(0, microseconds(1000), microseconds(10'000));
    p.storm_limit = ~0u;
    CHECK(line.start(p));
    line.one.deaf = true;
    line.one.work = microseconds(20);
    CHECK(line.thread.attach(line.one.slot()).ok());
    line.one.device.raise();
    burn(microseconds(60'000)); // at a lower priority
    CHECK(line.thread.counters().interrupts > 10);
    CHECK_EQ(line.thread.counters().throttled, 0);
    if (has_argument("test.counted")) { // elsewhere a tick is nobody's work in particular
        Word worked = line.thread.counters().interrupts * line.one.work.value;
        CHECK(worked >= microseconds(3'000).value);
        CHECK(worked <= microseconds(7'000).value);
    }
    line.end();
}

// The line waits, masked, for the next driver, whose first turn serves what came meanwhile.
void test_driver_dies() {
    static Line line;
    CHECK(line.start(irq_parameters(core_or_last(1))));
    auto driver = line.thread.attach(line.one.slot());
    CHECK(driver.ok());
    CHECK(line.one.raise_and_wait());
    CHECK(line.forget(driver.value()));
    Word calls = line.one.calls, interrupts = line.thread.counters().interrupts;
    line.one.device.raise();
    pause_for(20'000);
    CHECK_EQ(line.one.calls, calls);
    CHECK_EQ(line.thread.counters().interrupts, interrupts);
    CHECK(line.thread.attach(line.one.slot()).ok());
    CHECK_EQ(line.one.target.wait(), 1);
    CHECK(line.one.raise_and_wait());
    CHECK_EQ(line.one.served, 3);
    line.end();
}

// With the pool of a driver's task go its IRQ thread and interrupt; the line is masked, and the next one who
// has it hears of what happened meanwhile.
void test_task_dies() {
    static Line line;
    static IrqThread again;
    Selector pool = new_selector();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 64));
    CHECK(line.start(irq_parameters(core_or_last(1), {}, {}, pool)));
    CHECK(line.thread.attach(line.one.slot()).ok());
    CHECK(line.one.raise_and_wait());
    CHECK_EQ(again.start(irq_parameters(0), abi::root_irqs, line.number).error(), glue::Error::occupied);
    must("destroy", invoke(Operation::pool_destroy, pool));
    Word before = interrupts_at(core_or_last(1));
    line.one.device.raise();
    pause_for(20'000);
    CHECK_EQ(interrupts_at(core_or_last(1)), before);
    CHECK(line.one.target.quiet());
    static IrqThread next;
    CHECK(next.start(irq_parameters(0), abi::root_irqs, line.number).ok());
    CHECK(next.attach(line.one.slot()).ok());
    CHECK_EQ(line.one.target.wait(), 1);
    CHECK(line.one.raise_and_wait());
    line.one.device.lower();
    CHECK(end(next));
}

// A line that wanders over the cores loses nothing, and is never served in two at once.
void test_line_moves() {
    static Line line;
    static IrqThread::Place places[3];
    CHECK(line.start(irq_parameters(0)));
    CHECK(line.thread.attach(line.one.slot()).ok());
    CHECK(line.thread.attach(line.two.slot()).ok());
    for (unsigned core = 1; core < core_count(); ++core)
        CHECK(line.thread.prepare(places[core - 1], irq_parameters(core)).ok());
    for (unsigned round = 0; round < 120; ++round) {
        if (round % 2 == 0)
            CHECK(line.thread.move(round / 2 % core_count()));
        Driver& driver = round % 3 ? line.one : line.two;
        CHECK(driver.raise_and_wait());
    }
    CHECK_EQ(line.one.served + line.two.served, 120);
    CHECK_EQ(line.one.overlaps + line.two.overlaps, 0);
    CHECK(core_count() == 1 || line.thread.counters().moves > 1);
    line.end();
}

} // namespace laboratory
