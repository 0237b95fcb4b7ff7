// SPDX-License-Identifier: BSD-2-Clause
// Counters and traces: what the observer sees of every core, and what it costs to look.
#include <cstring>

#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

using abi::Event;

enum Slot : Selector { slot_endpoint = 10 };
constexpr Word everything = (Word{1} << abi::event_count) - 1;
constexpr unsigned events_a_page = page / sizeof(abi::TraceEvent);
constexpr Word buffer_address = 0x4900'0000;
alignas(4096) std::byte stack[4096];
const auto* copied = reinterpret_cast<const abi::TraceEvent*>(abi::root_buffer_address);

unsigned core_count() {
    return reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores;
}
Word counted(Word core, abi::Counter counter) {
    Reply reply = invoke(Operation::counter_read, abi::root_observer, core, static_cast<Word>(counter));
    CHECK_ERROR(reply, ok);
    return reply.value;
}
Reply create(Selector slot, Word core, Word pages, Selector pool = abi::root_pool) {
    return invoke(Operation::trace_create, abi::root_observer, slot, pool, core, pages);
}
Reply control(Selector trace, Word mask) {
    return invoke(Operation::trace_control, trace, mask);
}
Reply read(Selector trace, Word from) {
    return invoke(Operation::trace_read, trace, from);
}
Word number(Selector object) {
    return invoke(Operation::object_number, abi::root_observer, object).value;
}
void remove(Selector slot) {
    CHECK_ERROR(invoke(Operation::capability_delete, abi::root_task, slot), ok);
}

IN_CHILD void answer_once(Word) {
    Message message{};
    (void)exchange(Operation::receive, slot_endpoint, message);
    message.tag = abi::make_tag(9, 0);
    (void)exchange(Operation::reply_wait, slot_endpoint, message);
}
IN_CHILD void fault_once(Word) {
    *reinterpret_cast<volatile char*>(scratch) = 1;
}
IN_CHILD void call_kernel(Word) {
    for (;;)
        asm volatile("syscall" ::: "rcx", "r11", "rax", "memory");
}

// Reads on from `from` to the first event of a kind, whose words it returns; nothing else of it if there is
// none.
abi::TraceEvent find(Selector trace, Event event, Word& from) {
    for (;;) {
        Reply reply = read(trace, from);
        CHECK_ERROR(reply, ok);
        CHECK(reply.second >= from);
        if (reply.value == 0)
            break;
        for (Word i = 0; i < reply.value; ++i)
            if (copied[i].event == event) {
                from = reply.second + i + 1;
                return copied[i];
            }
        from = reply.second + reply.value;
    }
    report(__FILE_NAME__, __LINE__, abi::event_names[static_cast<unsigned>(event)], 0, 1);
    return {};
}

} // namespace

Selector own_trace;

bool trace_all() {
    if (!has_argument("test.traced"))
        return false;
    for (unsigned core = 0; core < core_count(); ++core) {
        Selector trace = new_selector();
        must("trace", create(trace, core, 16));
        must("trace", control(trace, everything));
        if (core == 0)
            own_trace = trace;
    }
    return true;
}

void test_counters() {
    Word switches = counted(0, abi::Counter::context_switches), traps = counted(0, abi::Counter::traps),
         idle = counted(0, abi::Counter::idle_ticks), ticks = counted(0, abi::Counter::ticks);
    Child child = make_child();
    start(make_thread(child.task, 0, 120, child_buffer), fault_once, 0, child_stack);
    CHECK_EQ(counted(0, abi::Counter::traps) - traps, 1);
    CHECK(counted(0, abi::Counter::context_switches) >= switches + 2);
    while (counted(0, abi::Counter::idle_ticks) == idle) // a busy host lets a pause pass before it begins
        pause_for(1000);
    CHECK(counted(0, abi::Counter::ticks) > ticks);
    CHECK_ERROR(invoke(Operation::counter_read, abi::root_observer, core_count(), 0), bad_argument);
    CHECK_ERROR(invoke(Operation::counter_read, abi::root_observer, 0, abi::counter_count), bad_argument);
    CHECK_ERROR(invoke(Operation::counter_read, abi::root_pool, 0, 0), bad_capability);
    Selector weak = new_selector();
    must("copy", invoke(Operation::capability_copy, abi::root_task, weak, abi::root_task, abi::root_observer,
                        abi::observer_right::trace));
    CHECK_ERROR(invoke(Operation::counter_read, weak, 0, 0), no_right);
    remove(weak);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

void test_trace_errors() {
    Selector trace = new_selector(), other = new_selector(), weak = new_selector(), pool = new_selector();
    for (Selector slot : {trace, other, weak, pool}) { // their pages of the table are there from here on
        must("copy",
             invoke(Operation::capability_copy, abi::root_task, slot, abi::root_task, abi::root_observer));
        remove(slot);
    }
    Word free = free_pages();
    CHECK_ERROR(create(trace, core_count(), 1), bad_argument);
    CHECK_ERROR(create(trace, 0, 0), bad_argument);
    CHECK_ERROR(create(trace, 0, 17), bad_argument);
    CHECK_ERROR(create(0, 0, 1), bad_argument);
    CHECK_ERROR(create(abi::root_task, 0, 1), occupied);
    CHECK_ERROR(create(trace, 0, 1, abi::root_task), bad_capability);
    CHECK_ERROR(invoke(Operation::trace_create, abi::root_pool, trace, abi::root_pool, 0, 1), bad_capability);
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 4));
    CHECK_ERROR(create(trace, 0, 16, pool), no_memory);
    CHECK_ERROR(create(trace, 0, 3, pool), ok); // nothing was lost, and the core is still free
    CHECK_ERROR(create(other, 0, 1), wrong_state);
    CHECK_ERROR(control(trace, everything + 1), bad_argument);
    CHECK_ERROR(control(abi::root_pool, 0), bad_capability);
    CHECK_ERROR(read(abi::root_pool, 0), bad_capability);
    CHECK_ERROR(invoke(Operation::object_number, abi::root_observer, trace), ok);
    CHECK_ERROR(invoke(Operation::object_number, abi::root_observer, other), bad_capability);
    CHECK_ERROR(invoke(Operation::object_number, abi::root_task, trace), bad_capability);
    auto weaken = [&](Selector from, std::uint32_t rights) {
        must("copy", invoke(Operation::capability_copy, abi::root_task, weak, abi::root_task, from, rights));
    };
    weaken(abi::root_observer, abi::observer_right::count);
    CHECK_ERROR(invoke(Operation::trace_create, weak, other, abi::root_pool, 0, 1), no_right);
    CHECK_ERROR(invoke(Operation::object_number, weak, trace), no_right);
    remove(weak);
    weaken(trace, abi::trace_right::read);
    CHECK_ERROR(control(weak, 0), no_right);
    CHECK_ERROR(read(weak, 0), ok);
    remove(weak);
    weaken(trace, abi::trace_right::control);
    CHECK_ERROR(read(weak, 0), no_right);
    CHECK_ERROR(control(weak, everything), ok);
    remove(weak);
    // With its pool it ends while it records; then the core can have another, which ends with its capability.
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    CHECK_ERROR(read(trace, 0), bad_capability);
    CHECK_ERROR(create(trace, 0, 16), ok);
    CHECK_ERROR(control(trace, everything), ok);
    remove(trace);
    CHECK_ERROR(create(trace, 0, 1), ok);
    remove(trace);
    CHECK_EQ(free_pages(), free);
}

// A call, its answer, a fault and a vCPU's user, as this core sees them.
void test_trace_events() {
    Selector trace = new_selector(), endpoint = make_endpoint();
    Child child = make_child();
    give(child, slot_endpoint, endpoint, abi::endpoint_right::all);
    Selector server = make_thread(child.task, 0, 120, child_buffer);
    start(server, answer_once, 0, child_stack);
    Word self = number(abi::root_thread), partner = number(server), from = 0;
    CHECK(self != partner);
    CHECK_ERROR(create(trace, 0, 8), ok);
    (void)invoke(Operation::null, 0);
    CHECK_EQ(read(trace, 0).value, 0); // nothing yet
    CHECK_ERROR(control(trace, everything), ok);
    Message message{abi::make_tag(5, 2), {1, 2, 0, 0}, 0};
    CHECK_EQ(exchange(Operation::call, endpoint, message), Error::ok);
    CHECK_EQ(abi::tag_label(message.tag), 9);
    CHECK_ERROR(control(trace, 0), ok);
    (void)invoke(Operation::null, 0);

    abi::TraceEvent last = find(trace, Event::system_call, from);
    CHECK_EQ(last.first, Operation::call);
    CHECK_EQ(last.second, endpoint);
    CHECK_EQ(last.thread, self);
    abi::TraceEvent event = find(trace, Event::message, from);
    CHECK_EQ(event.thread, self);
    CHECK_EQ(event.first, abi::make_tag(5, 2));
    CHECK_EQ(event.second, partner);
    CHECK(event.ticks >= last.ticks);
    event = find(trace, Event::thread_switch, from);
    CHECK_EQ(event.thread, partner);
    CHECK_EQ(event.first, self);
    CHECK_EQ(event.second, 120);
    CHECK_EQ(find(trace, Event::system_return, from).thread, partner);
    CHECK_EQ(find(trace, Event::system_call, from).first, Operation::reply_wait);
    event = find(trace, Event::reply, from);
    CHECK_EQ(event.thread, partner);
    CHECK_EQ(abi::tag_label(event.first), 9);
    CHECK_EQ(event.second, self);
    CHECK_EQ(find(trace, Event::thread_switch, from).thread, self);
    event = find(trace, Event::system_return, from);
    CHECK_EQ(event.thread, self);
    CHECK_EQ(event.first, Error::ok);
    event = find(trace, Event::system_call, from);
    CHECK_EQ(event.first, Operation::trace_control);
    CHECK_EQ(read(trace, from).value, 0); // and no more since

    // Only what the mask names.
    CHECK_ERROR(control(trace, Word{1} << static_cast<unsigned>(Event::fault)), ok);
    start(make_thread(child.task, 0, 120, child_buffer + page), fault_once, 0, child_stack - 1024);
    CHECK_ERROR(control(trace, Word{1} << static_cast<unsigned>(Event::vcpu_run) |
                                   Word{1} << static_cast<unsigned>(Event::vcpu_trap)),
                ok);
    Reply all = read(trace, from);
    CHECK_EQ(all.value, 1);
    CHECK_EQ(copied[0].event, Event::fault);
    CHECK_EQ(copied[0].first, 14);
    CHECK_EQ(copied[0].second, scratch);
    ++from;

    static Selector guest, stays;
    guest = child.task;
    stays = make_notification();
    Selector thread = new_selector(), time = new_selector(), vcpu = new_selector();
    must("thread",
         invoke(Operation::thread_create, abi::root_pool, thread, abi::root_task, 0, buffer_address, 0));
    must("time", invoke(Operation::scheduling_create, abi::root_pool, time, 0, 0, 0, 255));
    must("configure", invoke(Operation::thread_configure, thread, 110, time, 0, 0));
    must("vcpu", invoke(Operation::vcpu_create, abi::root_pool, vcpu, thread, buffer_address + page,
                        make_notification()));
    auto& state = *reinterpret_cast<volatile abi::VcpuPage*>(buffer_address + page);
    state.deadline = abi::no_deadline;
    state.user.rip = reinterpret_cast<Word>(&call_kernel);
    state.user.rsp = child_stack - 2048;
    state.user.rflags = 0x202;
    start(
        thread,
        [](Word) {
            for (int i = 0; i < 2; ++i) {
                Reply reply = glue::native::run_vcpu(guest);
                CHECK_ERROR(reply, ok);
                CHECK_EQ(reply.value, abi::Trap::system_call);
            }
            (void)invoke(Operation::wait, stays);
        },
        0, reinterpret_cast<Word>(stack + sizeof stack));
    for (int i = 0; i < 2; ++i) {
        event = find(trace, Event::vcpu_run, from);
        CHECK_EQ(event.thread, number(thread));
        CHECK_EQ(event.first, number(child.task));
        event = find(trace, Event::vcpu_trap, from);
        CHECK_EQ(event.first, abi::Trap::system_call);
        CHECK_EQ(event.second, state.user.rip);
    }
    CHECK_EQ(read(trace, from).value, 0);

    // Idle, and what wakes the core.
    CHECK_ERROR(control(trace, Word{1} << static_cast<unsigned>(Event::thread_switch) |
                                   Word{1} << static_cast<unsigned>(Event::interrupt)),
                ok);
    for (Word idle = counted(0, abi::Counter::idle_ticks); counted(0, abi::Counter::idle_ticks) == idle;)
        pause_for(1000);
    CHECK_ERROR(control(trace, 0), ok);
    event = find(trace, Event::thread_switch, from);
    CHECK_EQ(event.thread, 0);
    CHECK_EQ(event.first, self);
    event = find(trace, Event::interrupt, from);
    CHECK_EQ(event.thread, 0);
    CHECK(event.first >= 32);
    CHECK_EQ(find(trace, Event::thread_switch, from).thread, self);
    remove(trace);
    CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

// The oldest events go; a reader learns which is the first that is left. Another core's are read from here.
void test_trace_rings() {
    unsigned core = core_count() - 1;
    Selector trace = new_selector();
    CHECK_ERROR(create(trace, core, 1), ok);
    constexpr Word calls = Word{1} << static_cast<unsigned>(Event::system_call);
    CHECK_ERROR(control(trace, calls), ok);
    static Selector ended, stays;
    ended = make_notification();
    stays = make_notification(core);
    Selector thread = make_thread(abi::root_task, core, 110, buffer_address + 2 * page);
    start(
        thread,
        [](Word) {
            for (Word i = 0; i < 1000; ++i)
                (void)invoke(Operation::null, static_cast<Selector>(i));
            (void)invoke(Operation::signal, ended);
            (void)invoke(Operation::wait, stays);
        },
        0, reinterpret_cast<Word>(stack + sizeof stack));
    CHECK_ERROR(invoke(Operation::wait, ended), ok);
    CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
    CHECK_ERROR(control(trace, 0), ok);
    pause_for(1000); // until the other core has seen it
    Word from = 0, seen = 0, nulls = 0, next_null = 0;
    for (;;) {
        Reply reply = read(trace, from);
        CHECK_ERROR(reply, ok);
        if (from == 0)
            CHECK(reply.second >= 1000 - events_a_page);
        else
            CHECK_EQ(reply.second, from);
        if (reply.value == 0)
            break;
        CHECK(reply.value <= 16);
        for (Word i = 0; i < reply.value; ++i, ++seen)
            if (copied[i].first == static_cast<Word>(Operation::null)) {
                if (nulls++)
                    CHECK_EQ(copied[i].second, next_null);
                next_null = copied[i].second + 1;
            }
        from = reply.second + reply.value;
    }
    CHECK_EQ(seen, events_a_page - 1); // the next one would go where the oldest is
    CHECK_EQ(next_null, 1000);
    CHECK(nulls > events_a_page / 2);
    CHECK_EQ(read(trace, from + 1000).value, 0);
    remove(trace);
}

} // namespace laboratory
