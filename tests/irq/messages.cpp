// SPDX-License-Identifier: BSD-2-Clause
// A vector a queue: the messages of a network controller, and the single one of a simple device.
#include "irq-threads/balancer.hpp"
#include "tests/irq/support.hpp"

namespace laboratory {

namespace {

using irq::IrqThread;

// A queue of the controller. What it has to do is known here, since without a network it has nothing to do.
struct Queue {
    const Controller* controller = nullptr;
    unsigned number = 0;
    Word wants = 0, served = 0; // atomic
    glue::Ticks work;           // of its top half
    Signalled target;
    IrqThread thread;
    IrqThread::Place place;

    static bool top(void* self) {
        auto& queue = *static_cast<Queue*>(self);
        burn(queue.work);
        Word had = __atomic_exchange_n(&queue.wants, 0, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&queue.served, had, __ATOMIC_SEQ_CST);
        return had != 0;
    }
    void raise() {
        __atomic_fetch_add(&wants, 1, __ATOMIC_SEQ_CST);
        controller->raise(number);
    }
    bool raise_and_wait() {
        raise();
        return target.wait() == 1;
    }
    IrqThread::Driver driver() { return {top, this, target.bit(1), nullptr}; }
    IrqThread::Parameters parameters(unsigned core) {
        IrqThread::Parameters p = irq_parameters(core);
        p.top_half = top;
        p.argument = this;
        p.target = target.bit(1);
        return p;
    }
    irq::MessageDevice vector() const {
        return {[](void* device, unsigned queue, const glue::InterruptMessage& message) {
                    static_cast<Controller*>(device)->use_message(queue, message.address, message.data);
                    static_cast<Controller*>(device)->mask(queue, true);
                },
                [](void* device, unsigned queue, bool masked) {
                    static_cast<Controller*>(device)->mask(queue, masked);
                },
                const_cast<Controller*>(controller), number};
    }
    bool start(const IrqThread::Parameters& p) {
        return thread.start_message(p, abi::root_irqs, vector()).ok();
    }
};

struct Queues {
    Controller controller;
    Queue queue[Controller::queues];
    Queues() {
        for (unsigned n = 0; n < Controller::queues; ++n) {
            queue[n].controller = &controller;
            queue[n].number = n;
        }
        CHECK(static_cast<bool>(controller));
    }
    void end() {
        controller.stop();
        for (Queue& each : queue)
            CHECK(laboratory::end(each.thread));
    }
};

} // namespace

// Each has its own thread, spread over the cores, and interrupts nobody else.
void test_queue_vectors() {
    static Queues queues;
    for (Queue& queue : queues.queue)
        CHECK(queue.start(queue.parameters(queue.number % core_count())));
    for (Queue& queue : queues.queue) {
        unsigned core = queue.number % core_count();
        pause_for(2'000); // the device sends what comes too soon once more, later
        Word here = interrupts_at(core), others = 0, others_after = 0;
        for (unsigned other = 0; other < core_count(); ++other)
            others += other != core ? interrupts_at(other) : 0;
        for (unsigned round = 0; round < 20; ++round)
            CHECK(queue.raise_and_wait());
        for (unsigned other = 0; other < core_count(); ++other)
            others_after += other != core ? interrupts_at(other) : 0;
        CHECK(interrupts_at(core) - here >= 20);
        CHECK_EQ(others_after, others);
        CHECK_EQ(queue.served, 20);
        CHECK_EQ(queue.thread.core(), core);
        CHECK_EQ(queue.thread.counters().signals, 20);
        CHECK(becomes_true([&] { return queue.thread.turns().total() >= 20; }));
    }
    queues.end();
}

// A vector that wanders over the cores while its device sends loses nothing.
void test_vector_moves() {
    static Queues queues;
    Queue& queue = queues.queue[3];
    static IrqThread::Place places[3];
    CHECK(queue.start(queue.parameters(0)));
    for (unsigned core = 1; core < core_count(); ++core)
        CHECK(queue.thread.prepare(places[core - 1], irq_parameters(core)).ok());
    CHECK(!queue.thread.move(core_count()));
    for (unsigned round = 0; round < 120; ++round) {
        if (round % 2 == 0)
            CHECK(queue.thread.move(round / 2 % core_count()));
        CHECK(queue.raise_and_wait());
    }
    CHECK_EQ(queue.served, 120);
    unsigned last = core_count() - 1;
    CHECK(queue.thread.move(last));
    CHECK(becomes_true([&] { return queue.thread.core() == last; }));
    CHECK(queue.raise_and_wait());
    Word before = interrupts_at(last);
    CHECK(queue.raise_and_wait());
    CHECK(interrupts_at(last) != before);
    CHECK(last == 0 || queue.thread.counters().moves > 1);
    queues.end();
}

// A vector that sends too often is masked in the device's table until the window ends; then comes what waits.
void test_vector_storm() {
    static Queues queues;
    Queue& queue = queues.queue[1];
    IrqThread::Parameters p = queue.parameters(0);
    p.storm_limit = 5;
    p.storm_window = glue::Nanoseconds{300'000'000};
    CHECK(queue.start(p));
    CHECK(becomes_true([&] {
        queue.raise();
        return queue.thread.counters().throttled != 0;
    }));
    CHECK(queues.controller.masked(1));
    queue.raise();
    CHECK(becomes_true([&] { return __atomic_load_n(&queue.wants, __ATOMIC_SEQ_CST) == 0; }));
    CHECK(becomes_true([&] { return !queues.controller.masked(1); }));
    queues.end();
}

void test_vector_without_driver() {
    static Queues queues;
    Queue& queue = queues.queue[2];
    CHECK(queue.start(queue.parameters(core_or_last(1))));
    CHECK(queue.raise_and_wait());
    queue.thread.detach(0);
    CHECK(becomes_true([&] { return queue.thread.forgotten(0); }));
    queue.raise();
    CHECK(becomes_true([&] { return queues.controller.masked(2); }));
    queue.raise();
    CHECK(queue.target.quiet());
    CHECK(queue.thread.attach(queue.driver()).ok());
    CHECK_EQ(queue.target.wait(), 1);
    CHECK_EQ(queue.served, 3);
    CHECK(queue.raise_and_wait()); // and unmasked
    queues.end();
}

// Three queues of one core with as much to do each: one goes to another core, then they stay.
void test_balanced_vectors() {
    static Queues queues;
    irq::Balancer balancer;
    for (unsigned n = 0; n < 3; ++n) {
        Queue& queue = queues.queue[n];
        queue.work = microseconds(500);
        CHECK(queue.start(queue.parameters(0)));
        for (unsigned core = 1; core < core_count() && core < 2; ++core)
            CHECK(queue.thread.prepare(queue.place, irq_parameters(core)).ok());
        CHECK(balancer.add(queue.thread, n == 0));
    }
    const Word idle[abi::max_cores] = {};
    for (unsigned round = 0; round < 6; ++round) {
        for (unsigned n = 0; n < 3; ++n)
            CHECK(queues.queue[n].raise_and_wait());
        irq::Move move = balancer.look({idle, core_count()});
        if (move.any)
            CHECK(becomes_true([&] { return queues.queue[move.line].thread.core() == move.to; }));
    }
    unsigned elsewhere = 0;
    for (unsigned n = 0; n < 3; ++n)
        elsewhere += queues.queue[n].thread.core();
    CHECK_EQ(queues.queue[0].thread.core(), 0);
    CHECK(core_count() == 1 ? elsewhere == 0 : elsewhere == 1 || elsewhere == 2);
    queues.controller.stop();
    for (unsigned n = 0; n < 3; ++n)
        CHECK(end(queues.queue[n].thread));
}

namespace {
struct Simple {
    Edu device;
    Signalled target;
    IrqThread thread;
    static bool top(void* self) {
        const Edu& device = static_cast<Simple*>(self)->device;
        bool work = device.raised();
        device.lower();
        return work;
    }
};
} // namespace

// A device with one message and no vector to mask: what it swallows meanwhile is found in its state.
void test_single_message() {
    static Simple simple;
    CHECK(static_cast<bool>(simple.device));
    IrqThread::Parameters p = irq_parameters(core_or_last(1));
    p.top_half = Simple::top;
    p.argument = &simple;
    p.target = simple.target.bit(1);
    CHECK(simple.thread
              .start_message(p, abi::root_irqs,
                             {[](void* self, unsigned, const glue::InterruptMessage& message) {
                                  const Edu& device = static_cast<Simple*>(self)->device;
                                  device.use_message(message.address, message.data);
                                  device.mask_message(true);
                              },
                              [](void* self, unsigned, bool masked) {
                                  static_cast<Simple*>(self)->device.mask_message(masked);
                              },
                              &simple, 0})
              .ok());
    for (unsigned round = 0; round < 10; ++round) {
        simple.device.raise();
        CHECK_EQ(simple.target.wait(), 1);
    }
    simple.thread.detach(0);
    CHECK(becomes_true([&] { return simple.thread.forgotten(0); }));
    simple.device.raise();
    simple.device.raise();
    CHECK(simple.thread.attach({Simple::top, &simple, simple.target.bit(1), nullptr}).ok());
    CHECK_EQ(simple.target.wait(), 1);
    CHECK(end(simple.thread));
    simple.device.lower();
}

} // namespace laboratory
