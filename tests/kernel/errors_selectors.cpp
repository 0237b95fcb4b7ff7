// SPDX-License-Identifier: BSD-2-Clause
// The errors that every operation has for the selector that it is invoked on: nothing or another object
// there, a right missing, an object that is being destroyed. Which operation needs what is the ABI's own
// table.
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

using abi::Invoked;

// An object of each kind, all made from one pool.
struct Objects {
    Selector pool = new_selector(), child = new_selector(), region = new_selector(), task = new_selector(),
             thread = new_selector(), endpoint = new_selector(), notification = new_selector(),
             irq = new_selector(), scheduling = new_selector(), timer = new_selector(),
             binding = new_selector(), trace = new_selector();

    // With `only`, that one and what it needs.
    explicit Objects(Invoked only = Invoked::none) {
        auto wanted = [only](Invoked kind) { return only == Invoked::none || only == kind; };
        must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 64));
        if (wanted(Invoked::pool))
            must("child", invoke(Operation::pool_create, pool, child, 4));
        if (wanted(Invoked::region))
            must("region", invoke(Operation::region_carve, abi::root_ram, region, pool, 0, page,
                                  abi::region_right::all));
        if (wanted(Invoked::task))
            must("task", invoke(Operation::task_create, pool, task, 64, 0));
        if (wanted(Invoked::thread))
            must("thread", invoke(Operation::thread_create, pool, thread, abi::root_task, 0, 0, 1));
        if (wanted(Invoked::endpoint))
            must("endpoint", invoke(Operation::endpoint_create, pool, endpoint, 0));
        if (wanted(Invoked::notification) || wanted(Invoked::irq) || wanted(Invoked::timer))
            must("notification", invoke(Operation::notification_create, pool, notification, 0));
        if (wanted(Invoked::irq))
            must("irq", invoke(Operation::msi_create, abi::root_irqs, irq, pool, notification, 1, 0));
        if (wanted(Invoked::scheduling))
            must("scheduling", invoke(Operation::scheduling_create, pool, scheduling, 0, 0, 0, 255));
        if (wanted(Invoked::timer))
            must("timer", invoke(Operation::timer_create, pool, timer, notification, 1));
        if (wanted(Invoked::binding))
            must("binding", invoke(Operation::bind, abi::root_task, binding, pool, abi::root_ram));
        if (wanted(Invoked::trace) && !own_trace)
            must("trace", invoke(Operation::trace_create, abi::root_observer, trace, pool, 0, 1));
    }
    ~Objects() {
        CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
        for (Selector each : {pool, child, region, task, thread, endpoint, notification, irq, scheduling,
                              timer, binding, trace})
            glue::free_selector(each);
    }
    Selector of(Invoked kind) const {
        switch (kind) {
        case Invoked::pool:
            return child;
        case Invoked::region:
            return region;
        case Invoked::task:
            return task;
        case Invoked::thread:
            return thread;
        case Invoked::endpoint:
            return endpoint;
        case Invoked::notification:
            return notification;
        case Invoked::irq:
            return irq;
        case Invoked::scheduling:
            return scheduling;
        case Invoked::timer:
            return timer;
        case Invoked::binding:
            return binding;
        case Invoked::trace:
            return own_trace ? own_trace : trace;
        case Invoked::observer:
            return abi::root_observer;
        case Invoked::port:
            return abi::root_ports;
        case Invoked::irqs:
            return abi::root_irqs;
        case Invoked::console:
            return abi::root_console;
        case Invoked::none:
        case Invoked::vcpu:
            break;
        }
        return 0;
    }
};

// Invokes with arguments that are good for whoever looks at them before the selector.
Error attempt(Operation operation, Selector selector, Selector notification) {
    switch (operation) {
    case Operation::vcpu_run:
        return glue::native::run_vcpu(selector).error;
    case Operation::thread_create:
        return invoke(operation, selector, 0, abi::root_task).error;
    case Operation::timer_create:
        return invoke(operation, selector, 0, notification, 1).error;
    case Operation::vcpu_create:
        return invoke(operation, selector, 0, abi::root_thread, 0, notification).error;
    default:
        return invoke(operation, selector).error;
    }
}

// Calls run(operation, what it needs) for all that need something.
template <class Run>
void for_each_operation(Run run) {
    for (Word i = 0; i < abi::operation_count; ++i)
        if (abi::operation_objects[i].object != Invoked::none)
            run(static_cast<Operation>(i), abi::operation_objects[i]);
}

void expect(Operation operation, Error got, Error wanted) {
    if (got == wanted)
        return;
    print("  ");
    print(abi::operation_names[static_cast<unsigned>(operation)]);
    print(":\n");
    CHECK_EQ(got, wanted);
}

} // namespace

void test_invoked_selectors() {
    Objects objects;
    Selector empty = new_selector(), less = new_selector(), notification = make_notification();
    for_each_operation([&](Operation operation, abi::OperationObject needs) {
        Selector other = needs.object == Invoked::endpoint ? objects.timer : objects.endpoint;
        expect(operation, attempt(operation, empty, notification), Error::bad_capability);
        expect(operation, attempt(operation, other, notification), Error::bad_capability);
        must("copy", invoke(Operation::capability_copy, abi::root_task, less, abi::root_task,
                            objects.of(needs.object), ~Word{needs.right}));
        expect(operation, attempt(operation, less, notification), Error::no_right);
        must("delete", invoke(Operation::capability_delete, abi::root_task, less));
    });
}

namespace {

alignas(16) std::byte destroyer_stack[4096];
Selector doomed;
void destroy_doomed(Word operation) {
    (void)invoke(static_cast<Operation>(operation), doomed);
    for (;;)
        (void)invoke(Operation::yield, 0);
}

// Who destroys an object with this many capabilities has to take many steps, and its budget is for a few.
constexpr unsigned copies = 1500;
constexpr Word few_steps = 30'000;

// Leaves an object half destroyed: its destroyer ran out of time in the middle.
void destroy_half(Invoked kind, Selector object, Selector pool, Selector holder) {
    for (unsigned i = 1; i <= copies; ++i)
        must("copy", invoke(Operation::capability_copy, holder, i, abi::root_task, object, ~Word{0}, 0));
    Selector destroyer = make_thread(abi::root_task, 0, 90, 0, true), brief = new_selector();
    must("brief",
         invoke(Operation::scheduling_create, abi::root_pool, brief, 0, few_steps, Word{1} << 47, 90));
    must("bind", invoke(Operation::scheduling_bind, brief, destroyer));
    doomed = kind == Invoked::pool || kind == Invoked::task || kind == Invoked::thread ? object : pool;
    start(destroyer, destroy_doomed,
          static_cast<Word>(kind == Invoked::task     ? Operation::task_destroy
                            : kind == Invoked::thread ? Operation::thread_destroy
                                                      : Operation::pool_destroy),
          reinterpret_cast<Word>(destroyer_stack + sizeof destroyer_stack));
    while (invoke(Operation::scheduling_info, brief, static_cast<Word>(abi::SchedulingInfo::use)).second == 0)
        pause_for(50);
    CHECK_ERROR(invoke(Operation::thread_destroy, destroyer), ok);
}

} // namespace

// What is half destroyed refuses every operation, except to be destroyed to the end. Only where time is
// counted in instructions is it sure to be in the middle when its destroyer's time is up.
void test_dying_objects() {
    if (glue::Clock::ticks_per_second() != 1'000'000'000)
        return;
    Selector notification = make_notification(), holder = new_selector(), copy = new_selector();
    must("holder", invoke(Operation::task_create, abi::root_pool, holder, copies + 1, 0));
    for (Invoked kind : {Invoked::pool, Invoked::region, Invoked::task, Invoked::thread, Invoked::endpoint,
                         Invoked::notification, Invoked::irq, Invoked::scheduling, Invoked::timer,
                         Invoked::binding, Invoked::trace}) {
        Objects objects(kind);
        Selector object = objects.of(kind);
        destroy_half(kind, object, objects.pool, holder);
        unsigned refused = 0;
        for_each_operation([&](Operation operation, abi::OperationObject needs) {
            if (needs.object != kind || operation == Operation::pool_destroy ||
                operation == Operation::task_destroy || operation == Operation::thread_destroy)
                return;
            expect(operation, attempt(operation, object, notification), Error::dead);
            ++refused;
        });
        CHECK(refused > 0);
        // Nor does it serve as an argument.
        if (kind == Invoked::pool)
            CHECK_ERROR(invoke(Operation::trace_create, abi::root_observer, copy, object, 0, 1), dead);
        if (kind == Invoked::pool)
            for (Operation operation :
                 {Operation::irq_create, Operation::msi_create, Operation::region_carve})
                expect(operation,
                       invoke(operation,
                              operation == Operation::region_carve ? abi::root_ram : abi::root_irqs, copy,
                              object, operation == Operation::irq_create ? 9 : notification,
                              operation == Operation::irq_create ? notification : page)
                           .error,
                       Error::dead);
        // What copies or moves it sees that too, and deleting its first capability is its destroyer's.
        CHECK_ERROR(invoke(Operation::capability_copy, abi::root_task, copy, abi::root_task, object, 1, 0),
                    dead);
        CHECK_ERROR(invoke(Operation::capability_move, abi::root_task, copy, abi::root_task, object), dead);
    }
    CHECK_ERROR(invoke(Operation::task_destroy, holder), ok);
}

namespace {

constexpr unsigned scribbles = 300; // word of the shared page
constexpr Word scribbler_page = 0x4720'0000;
alignas(16) std::byte scribbler_stack[4096];

IN_CHILD void scribble(Word) {
    for (;;) {
        *reinterpret_cast<volatile Word*>(child_buffer) = ~Word{0};
        shared<Word>(scribbles) = shared<Word>(scribbles) + 1;
    }
}

volatile Word scribbler_result;
void run_scribbler(Word task) {
    auto& page_ = *reinterpret_cast<volatile abi::VcpuPage*>(scribbler_page);
    page_.user.rip = reinterpret_cast<Word>(&scribble);
    page_.user.rsp = child_stack - 8;
    page_.user.rflags = 0x202;
    scribbler_result = static_cast<Word>(glue::native::run_vcpu(static_cast<Selector>(task)).error);
    asm volatile("ud2");
}

} // namespace

// A thread's pages were freed while guests of its dying task still ran there and could write to them.
void test_guest_in_dying_task() {
    if (glue::Clock::ticks_per_second() != 1'000'000'000)
        return;
    Child child = make_child(abi::root_pool, copies + 100);
    Selector holder = new_selector(), notification = make_notification(), server = new_selector();
    must("holder", invoke(Operation::task_create, abi::root_pool, holder, copies + 1, 0));
    (void)make_thread(child.task, 0, 70, child_buffer);
    for (unsigned i = 50; i < copies; ++i)
        give(child, i, notification, abi::notification_right::signal);
    must("server", invoke(Operation::thread_create, abi::root_pool, server, abi::root_task, 0, 0, 0));
    must("vcpu", invoke(Operation::vcpu_create, abi::root_pool, new_selector(), server, scribbler_page,
                        make_notification()));
    Selector context = new_selector();
    must("context", invoke(Operation::scheduling_create, abi::root_pool, context, 0, 0, 0, 255));
    must("configure", invoke(Operation::thread_configure, server, 80, context));
    scribbler_result = 99;
    shared<Word>(scribbles) = 0;
    start(server, run_scribbler, child.task,
          reinterpret_cast<Word>(scribbler_stack + sizeof scribbler_stack));
    while (shared<Word>(scribbles) < 100)
        pause_for(50);
    destroy_half(Invoked::task, child.task, abi::root_pool, holder);
    pause_for(1000);
    Word stopped = shared<Word>(scribbles);
    pause_for(1000);
    CHECK_EQ(shared<Word>(scribbles), stopped);
    CHECK_EQ(scribbler_result, Error::aborted);
    CHECK_ERROR(invoke(Operation::unmap, child.task, child_data, 1), dead); // it was the middle
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
    CHECK_ERROR(invoke(Operation::thread_destroy, server), ok);
    CHECK_ERROR(invoke(Operation::task_destroy, holder), ok);
}

} // namespace laboratory
