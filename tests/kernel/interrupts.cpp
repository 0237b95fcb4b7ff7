// SPDX-License-Identifier: BSD-2-Clause
// Interrupts: lines and messages, to which core they go, and which wait while a realtime thread runs.
#include "tests/kernel/check.hpp"
#include "tests/kernel/devices.hpp"

namespace laboratory {

namespace {

constexpr Word read_write_buffer = 0x4610'0000; // message buffers of the threads here
constexpr unsigned rtc_line = 8;
alignas(16) std::byte stacks[2][4096];

Word stack_top(unsigned i) {
    return reinterpret_cast<Word>(stacks[i] + sizeof stacks[i]);
}

unsigned core_count() {
    return reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores;
}

Word interrupts_at(unsigned core = 0) {
    return invoke(Operation::counter_read, abi::root_observer, core, static_cast<Word>(abi::Counter::irqs))
        .value;
}

Reply create_line(Selector slot, Word line, Selector notification, Word bits = 1, unsigned priority = 0) {
    return invoke(Operation::irq_create, abi::root_irqs, slot, abi::root_pool,
                  abi::interrupt_line(static_cast<std::uint32_t>(line), priority), notification, bits);
}
Reply create_message(Selector slot, Selector notification, Word bits = 1, unsigned priority = 0) {
    return invoke(Operation::msi_create, abi::root_irqs, slot, abi::root_pool, notification, bits, priority);
}
Reply route(Selector irq, Selector notification) {
    return invoke(Operation::irq_route, irq, notification);
}
void remove(Selector irq) {
    CHECK_ERROR(invoke(Operation::capability_delete, abi::root_task, irq), ok);
}
// Waits, with a deadline far beyond what it takes.
Reply wait_for(Selector notification) {
    return invoke(Operation::wait, notification,
                  glue::Clock::ticks().value + 20 * glue::Clock::ticks_per_second());
}
// Long enough for what has been raised to arrive.
void let_arrive() {
    for (unsigned i = 0; i < 1000; ++i)
        (void)invoke(Operation::null, 0);
}

void cmos(unsigned index, unsigned value) {
    glue::IoPort port(abi::root_ports);
    port.out(0x70, index);
    port.out(0x71, value);
}
void start_clock() { // 1024 Hz
    cmos(10, 0x26);
    cmos(11, 0x42);
}
void stop_clock() {
    cmos(11, 0x02);
}
void clock_again(Selector irq) {
    glue::IoPort port(abi::root_ports);
    port.out(0x70, 12);
    (void)port.in(0x71);
    CHECK_ERROR(invoke(Operation::irq_acknowledge, irq), ok);
}

// A device that should be there fails the test when it is not; elsewhere (bochs) there is nothing to test.
template <class D>
bool is_there(const D& device) {
    if (!device)
        CHECK(!devices_expected());
    return static_cast<bool>(device);
}

} // namespace

void test_interrupts() {
    Selector notification = make_notification(), irq = new_selector();
    CHECK_ERROR(create_line(irq, 5000, notification), bad_argument);
    CHECK_ERROR(create_line(irq, rtc_line, notification, 1, 256), bad_argument);
    CHECK_ERROR(create_line(irq, rtc_line, notification), ok);
    CHECK_ERROR(create_line(new_selector(), rtc_line, notification), occupied);
    CHECK_ERROR(create_line(irq, rtc_line + 1, notification), occupied); // the slot
    CHECK_ERROR(create_line(0, rtc_line + 1, notification), bad_argument);
    start_clock();
    for (int i = 0; i < 4; ++i) {
        clock_again(irq);
        CHECK_EQ(wait_for(notification).value, 1);
    }
    stop_clock();
    remove(irq);
    CHECK_ERROR(create_line(irq, rtc_line, notification), ok); // free again
    remove(irq);
    CHECK_ERROR(create_message(irq, notification, 2, 256), bad_argument);
    Reply msi = create_message(irq, notification, 2);
    CHECK_ERROR(msi, ok);
    CHECK_EQ(msi.value >> 20, 0xfee);
    CHECK(msi.second >= 0x30 && msi.second < 0xf0);
    CHECK_ERROR(invoke(Operation::irq_acknowledge, irq), ok); // nothing to unmask
    remove(irq);
    // Notification and interrupt come from one pool, so that they go together.
    Selector pool = new_selector();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 4));
    Selector other = make_notification(0, pool);
    CHECK_ERROR(create_message(irq, other), bad_argument);
    CHECK_ERROR(create_message(irq, notification), ok);
    CHECK_ERROR(route(irq, other), bad_argument);
    remove(irq);
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    // Each priority from the realtime ones has its own vectors.
    Selector many[17];
    for (unsigned i = 0; i < 17; ++i) {
        many[i] = new_selector();
        Reply reply = create_message(many[i], notification, 1, 250);
        CHECK_EQ(reply.error, i < 16 ? Error::ok : Error::limit);
        if (i < 16)
            CHECK_EQ(reply.second, 0x90 + i);
    }
    CHECK_ERROR(create_line(irq, rtc_line, notification, 1, 250), limit);
    for (unsigned i = 0; i < 16; ++i)
        remove(many[i]);
    CHECK_ERROR(create_message(irq, notification, 1, 250), ok);
    remove(irq);
    CHECK_ERROR(invoke(Operation::port_in, abi::root_ports, 0x10000, 1), bad_argument);
    CHECK_ERROR(invoke(Operation::port_in, abi::root_ports, 0x70, 3), bad_argument);
    CHECK_ERROR(invoke(Operation::port_out, abi::root_ports, 0x10000, 1, 0), bad_argument);
    CHECK_ERROR(invoke(Operation::port_out, abi::root_ports, 0x80, 3, 0), bad_argument);
}

// A line that stays asserted is quiet until it is acknowledged, then comes again.
void test_level_interrupts() {
    Edu edu;
    if (!is_there(edu))
        return;
    edu.use_line();
    Selector notification = make_notification(), irqs[8];
    for (unsigned i = 0; i < 8; ++i) { // which of them it is, only the firmware's language could say
        irqs[i] = new_selector();
        CHECK_ERROR(create_line(irqs[i], 16 + i, notification, 1u << i), ok);
    }
    Word before = interrupts_at();
    edu.raise();
    Word bits = wait_for(notification).value;
    CHECK(bits != 0 && (bits & (bits - 1)) == 0);
    Selector irq = irqs[__builtin_ctzll(bits | 256) & 7];
    let_arrive();
    CHECK_ERROR(invoke(Operation::poll, notification), would_block);
    CHECK_EQ(interrupts_at() - before, 1);
    CHECK_ERROR(invoke(Operation::irq_acknowledge, irq), ok);
    CHECK_EQ(wait_for(notification).value, bits);
    edu.lower();
    CHECK_ERROR(invoke(Operation::irq_acknowledge, irq), ok);
    let_arrive();
    CHECK_ERROR(invoke(Operation::poll, notification), would_block);
    CHECK_EQ(interrupts_at() - before, 2);
    // Asserted while nobody has the line: whoever binds it then hears of it, even at another core.
    for (Selector each : irqs)
        remove(each);
    edu.raise();
    let_arrive();
    CHECK_EQ(interrupts_at() - before, 2);
    CHECK_ERROR(create_line(irq, 16 + static_cast<unsigned>(__builtin_ctzll(bits)), notification, 8), ok);
    CHECK_EQ(wait_for(notification).value, 8);
    edu.lower();
    remove(irq);
}

namespace {

// On another core: counts the clock's interrupts, and those of all devices there.
volatile Word seen_there, core_there;
Selector clock_irq, clock_there;
void serve_clock(Word) {
    for (;;) {
        (void)invoke(Operation::wait, clock_there);
        core_there = interrupts_at(1);
        seen_there = seen_there + 1;
        clock_again(clock_irq);
    }
}

} // namespace

// A line and a message follow the notification that they are bound to, to its core, while they run.
void test_interrupt_affinity() {
    if (core_count() < 2)
        return;
    Selector here = make_notification(0), there = make_notification(1);
    clock_irq = new_selector();
    clock_there = there;
    seen_there = 0;
    CHECK_ERROR(create_line(clock_irq, rtc_line, here), ok);
    Selector thread = make_thread(abi::root_task, 1, 100, read_write_buffer);
    start(thread, serve_clock, 0, stack_top(0));
    start_clock();
    for (unsigned round = 0; round < 3; ++round) {
        clock_again(clock_irq);
        CHECK_EQ(wait_for(here).value, 1);
        Word before = seen_there;
        Reply routed = route(clock_irq, there);
        CHECK_ERROR(routed, ok);
        CHECK_EQ(routed.value, 0); // a line has no message
        clock_again(clock_irq);
        while (seen_there < before + 1)
            pause_for(1000);
        // From now on this core has none of them.
        Word mine = interrupts_at(), others = core_there;
        before = seen_there;
        while (seen_there < before + 6)
            pause_for(1000);
        CHECK_EQ(interrupts_at(), mine);
        CHECK(core_there >= others + 5);
        CHECK_ERROR(route(clock_irq, here), ok);
        CHECK_EQ(wait_for(here).value, 1);
        Word stopped = seen_there;
        clock_again(clock_irq);
        CHECK_EQ(wait_for(here).value, 1);
        CHECK_EQ(seen_there, stopped);
    }
    stop_clock();
    remove(clock_irq);
    CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
}

namespace {

Selector message_there, message_done;
void pass_on(Word) {
    unsigned core = core_count() - 1;
    Word before = interrupts_at(core);
    (void)invoke(Operation::signal, message_done);
    seen_there = invoke(Operation::wait, message_there).value;
    core_there = interrupts_at(core) - before;
    (void)invoke(Operation::signal, message_done);
    (void)invoke(Operation::wait, message_there);
}

} // namespace

// A vector a queue: five messages of one device, each with an interrupt object of its own. Each is raised
// once: the device holds a second one back, and then sends it twice.
void test_message_interrupts() {
    Controller controller;
    if (!is_there(controller))
        return;
    unsigned last = core_count() - 1;
    Selector here = make_notification(), irqs[Controller::queues];
    for (unsigned queue = 0; queue < Controller::queues; ++queue) {
        irqs[queue] = new_selector();
        Reply message = create_message(irqs[queue], here, 1u << queue);
        CHECK_ERROR(message, ok);
        controller.use_message(queue, message.value, message.second);
    }
    controller.raise(0);
    CHECK_EQ(wait_for(here).value, 1);
    // Masked in the device's table, it waits there; others come.
    controller.mask(1, true);
    controller.raise(1);
    controller.raise(2);
    CHECK_EQ(wait_for(here).value, 4);
    let_arrive();
    CHECK_ERROR(invoke(Operation::poll, here), would_block);
    controller.mask(1, false);
    CHECK_EQ(wait_for(here).value, 2);
    // One of them moves to another core.
    message_there = make_notification(last);
    message_done = make_notification();
    Selector thread = make_thread(abi::root_task, last, 110, read_write_buffer);
    start(thread, pass_on, 0, stack_top(0));
    CHECK_ERROR(wait_for(message_done), ok);
    Reply moved = route(irqs[3], message_there);
    CHECK_ERROR(moved, ok);
    controller.use_message(3, moved.value, moved.second);
    controller.raise(3);
    CHECK_ERROR(wait_for(message_done), ok);
    CHECK_EQ(seen_there, 8);
    CHECK_EQ(core_there, 1);
    CHECK_ERROR(invoke(Operation::poll, here), would_block);
    CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
    // A device that goes on after its interrupt is gone is heard by nobody.
    for (Selector irq : irqs)
        remove(irq);
    controller.raise(4);
    let_arrive();
    CHECK_ERROR(invoke(Operation::poll, here), would_block);
    controller.stop();
}

namespace {

const Edu* source;
volatile Word arrived; // how many interrupts came while it was looked
Selector running_done, running_self, running_endpoint;

void raise_and_look() {
    Word before = interrupts_at();
    source->raise();
    let_arrive();
    arrived = interrupts_at() - before;
    source->lower();
}
void finish_running() {
    (void)invoke(Operation::signal, running_done);
    (void)invoke(Operation::wait, running_self);
}
void raise_once(Word) {
    raise_and_look();
    finish_running();
}
// Gives its priority up while one is held back.
void raise_and_sink(Word thread) {
    Word before = interrupts_at();
    source->raise();
    let_arrive();
    (void)invoke(Operation::thread_configure, static_cast<Selector>(thread), 120, 0, 0, 0);
    arrived = interrupts_at() - before;
    source->lower();
    finish_running();
}
// Serves one request, at its caller's priority.
void serve_once(Word) {
    Message message{};
    (void)exchange(Operation::receive, running_endpoint, message);
    raise_and_look();
    (void)exchange(Operation::reply_wait, running_endpoint, message);
}
void call_once(Word) {
    Message message{};
    (void)exchange(Operation::call, running_endpoint, message);
    finish_running();
}

} // namespace

// While a realtime thread runs, interrupts of lower priority wait; when it has gone they come.
void test_task_priority() {
    Edu edu;
    if (!is_there(edu))
        return;
    source = &edu;
    running_done = make_notification();
    running_self = make_notification();
    Selector notification = make_notification(), irq = new_selector(), threads[2];
    unsigned used = 0;
    auto run = [&](unsigned priority, void (*function)(Word), Word argument) {
        Selector made = make_thread(abi::root_task, 0, priority, read_write_buffer + (1 + used) * page);
        threads[used] = made;
        start(made, function, argument ? made : 0, stack_top(used++));
    };
    auto expect = [&](unsigned priority, bool held, auto scene) {
        Reply message = create_message(irq, notification, 1, priority);
        CHECK_ERROR(message, ok);
        edu.use_message(message.value, message.second);
        arrived = 99;
        scene();
        CHECK_ERROR(wait_for(running_done), ok);
        CHECK_EQ(arrived, held ? 0 : 1);
        CHECK_EQ(wait_for(notification).value, 1);
        remove(irq);
        while (used > 0)
            CHECK_ERROR(invoke(Operation::thread_destroy, threads[--used]), ok);
    };
    static const struct {
        unsigned running, interrupt;
        bool held;
    } cases[] = {{255, 0, true},    {248, 0, true},    {248, 247, true},  {249, 248, true},
                 {255, 254, true},  {248, 248, false}, {248, 255, false}, {247, 0, false},
                 {120, 200, false}, {255, 255, false}};
    for (const auto& c : cases)
        expect(c.interrupt, c.held, [&] { run(c.running, raise_once, 0); });
    expect(100, false, [&] { run(250, raise_and_sink, 1); });
    // A server inherits it with the caller's priority: one that waits for the call, and one that comes later.
    running_endpoint = make_endpoint();
    expect(0, true, [&] {
        run(120, serve_once, 0);
        run(251, call_once, 0);
    });
    expect(0, true, [&] {
        run(251, call_once, 0);
        run(90, serve_once, 0);
    });
}

} // namespace laboratory
