// SPDX-License-Identifier: BSD-2-Clause
// What operations refuse because of an argument or a state, as far as the tests of their subjects do not
// already show it.
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

constexpr Word place = 0x6800'0000;
enum Slot : Selector { slot_pool = 10, slot_task = 11, slot_thread = 12, slot_done = 13, slot_endpoint = 14 };
enum Cell : unsigned { cell_first = 64, cell_second, cell_third };

unsigned core_count() {
    return reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores;
}

IN_CHILD void destroy_itself(Word) {
    shared<Word>(cell_first) = static_cast<Word>(invoke(Operation::pool_destroy, slot_pool).error);
    shared<Word>(cell_second) = static_cast<Word>(invoke(Operation::task_destroy, slot_task).error);
    shared<Word>(cell_third) = static_cast<Word>(invoke(Operation::thread_destroy, slot_thread).error);
    (void)invoke(Operation::signal, slot_done);
    asm volatile("ud2"); // without a fault endpoint: that was all
}

// Serves until its endpoint is gone, and says what it was told.
IN_CHILD void serve(Word rounds) {
    Message message{};
    Error error = exchange(Operation::receive, slot_endpoint, message);
    for (Word i = 0; error == Error::ok && i < rounds; ++i)
        error = exchange(Operation::reply_wait, slot_endpoint, message);
    shared<Word>(cell_first) = static_cast<Word>(error);
    (void)invoke(Operation::signal, slot_done);
    asm volatile("ud2"); // without a fault endpoint: that was all
}

// Replies badly, in both ways, then well.
IN_CHILD void reply_badly(Word) {
    Message message{};
    (void)exchange(Operation::receive, slot_endpoint, message);
    message.tag = 65;
    shared<Word>(cell_first) = static_cast<Word>(exchange(Operation::reply, 0, message));
    message.tag = 1 << 10;
    shared<Word>(cell_second) = static_cast<Word>(exchange(Operation::reply_wait, slot_endpoint, message));
    message.tag = 0;
    (void)exchange(Operation::reply_wait, slot_endpoint, message);
}

// A passive server that passes its call on: it has no context, and waits for a reply.
IN_CHILD void pass_on(Word) {
    Message message{};
    (void)exchange(Operation::receive, slot_endpoint, message);
    (void)exchange(Operation::call, slot_thread, message);
    (void)exchange(Operation::reply_wait, slot_endpoint, message);
}

IN_CHILD void call(Word) {
    Message message{};
    (void)exchange(Operation::call, slot_endpoint, message);
    for (;;)
        (void)invoke(Operation::wait, slot_done);
}

IN_CHILD void wait_as_vcpu(Word) {
    shared<Word>(cell_first) = static_cast<Word>(invoke(Operation::vcpu_wait, 0).error);
    (void)invoke(Operation::signal, slot_done);
    asm volatile("ud2"); // without a fault endpoint: that was all
}

} // namespace

void test_refused_slots_and_values() {
    Selector used = make_notification(), slot = new_selector(),
             thread = make_thread(abi::root_task, 0, 90, 0);
    constexpr Selector pool = abi::root_pool;
    // Each operation that fills a slot: none, and one that is in use.
    for (Selector bad : {Selector{0}, used}) {
        Error wanted = bad ? Error::occupied : Error::bad_argument;
        CHECK_EQ(invoke(Operation::bind, abi::root_task, bad, pool, abi::root_ram).error, wanted);
        CHECK_EQ(invoke(Operation::region_carve, abi::root_ram, bad, pool, 0, page, 1).error, wanted);
        CHECK_EQ(invoke(Operation::endpoint_create, pool, bad, 0).error, wanted);
        CHECK_EQ(invoke(Operation::notification_create, pool, bad, 0).error, wanted);
        CHECK_EQ(invoke(Operation::scheduling_create, pool, bad, 0, 0, 0, 1).error, wanted);
        CHECK_EQ(invoke(Operation::timer_create, pool, bad, used, 1).error, wanted);
        CHECK_EQ(invoke(Operation::task_create, pool, bad, 0, 0).error, wanted);
        CHECK_EQ(invoke(Operation::thread_create, pool, bad, abi::root_task, 0, 0, 1).error, wanted);
        CHECK_EQ(invoke(Operation::msi_create, abi::root_irqs, bad, pool, used, 1, 0).error, wanted);
        CHECK_EQ(invoke(Operation::vcpu_create, pool, bad, thread, place, used).error, wanted);
        CHECK_EQ(invoke(Operation::pool_create, pool, bad, 1).error, wanted);
    }
    CHECK_ERROR(invoke(Operation::notification_create, pool, slot, 99), bad_argument);
    CHECK_ERROR(invoke(Operation::task_create, pool, slot, 65537, 0), bad_argument);
    CHECK_ERROR(invoke(Operation::task_create, pool, slot, 16, 0x1001), bad_argument);
    CHECK_ERROR(invoke(Operation::counter_read, abi::root_observer, 0, abi::counter_count), bad_argument);
    CHECK_ERROR(invoke(Operation::console_write, abi::root_console, 0, 9), bad_argument);
    CHECK_ERROR(invoke(Operation::console_write, abi::root_console, 0, 0), ok);
    CHECK_ERROR(invoke(Operation::protect, abi::root_task, scratch + 1, 1, abi::map_read), bad_address);
    CHECK_ERROR(invoke(Operation::protect, abi::root_task, abi::user_end, 1, abi::map_read), bad_address);
    CHECK_ERROR(invoke(Operation::protect, abi::root_task, scratch, 1, abi::map_write), bad_argument);
    CHECK_ERROR(invoke(Operation::protect, abi::root_task, scratch, 1, 64), bad_argument);
    // A timer and its notification come from one pool.
    Selector other = new_selector();
    must("pool", invoke(Operation::pool_create, pool, other, 4));
    CHECK_ERROR(invoke(Operation::timer_create, other, slot, used, 1), bad_argument);
    CHECK_ERROR(invoke(Operation::pool_destroy, other), ok);
    // A vCPU's thread: not started, with the FPU, without another vCPU, on the notification's core.
    auto vcpu = [&](Selector owner, Word address, Selector notification) {
        return invoke(Operation::vcpu_create, pool, slot, owner, address, notification);
    };
    CHECK_ERROR(vcpu(thread, place, used), wrong_state); // made without
    CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
    must("thread", invoke(Operation::thread_create, pool, thread, abi::root_task, 0, 0, 0));
    CHECK_ERROR(vcpu(thread, abi::root_buffer_address, used), occupied);
    if (core_count() > 1)
        CHECK_ERROR(vcpu(thread, place, make_notification(1)), wrong_core);
    CHECK_ERROR(invoke(Operation::vcpu_wait, 0), wrong_state);
    CHECK_ERROR(glue::native::run_vcpu(abi::root_task), wrong_state);
    CHECK_ERROR(vcpu(thread, place, used), ok);
    CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
}

// Between cores only what says so works.
void test_wrong_core() {
    if (core_count() < 2)
        return;
    Selector endpoint = make_endpoint(1), notification = make_notification(1), context = new_selector();
    must("context", invoke(Operation::scheduling_create, abi::root_pool, context, 1, 0, 0, 255));
    Message message{};
    CHECK_EQ(exchange(Operation::send, endpoint, message), Error::wrong_core);
    CHECK_EQ(exchange(Operation::reply_wait, endpoint, message), Error::wrong_core);
    CHECK_ERROR(invoke(Operation::poll, notification), wrong_core);
    Selector thread = make_thread(abi::root_task, 0, 90, 0, true);
    CHECK_ERROR(invoke(Operation::thread_configure, thread, 90, context), wrong_core);
    CHECK_ERROR(invoke(Operation::thread_configure, thread, 90, 0, endpoint), wrong_core);
    CHECK_ERROR(invoke(Operation::thread_configure, thread, 90, 0, 0, notification), wrong_core);
    CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
}

// A caller cannot destroy what it stands on.
void test_own_destruction() {
    Selector pool = new_selector(), done = make_notification();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 64));
    Child child = make_child(pool);
    Selector thread = make_thread(child.task, 0, 110, child_buffer, false, 0, pool);
    give(child, slot_pool, pool, abi::pool_right::all);
    give(child, slot_task, child.task, abi::task_right::all);
    give(child, slot_thread, thread, abi::thread_right::all);
    give(child, slot_done, done, abi::notification_right::signal);
    CHECK_ERROR(
        invoke(Operation::thread_start, thread, reinterpret_cast<Word>(&destroy_itself), child_stack - 8),
        ok);
    CHECK_ERROR(invoke(Operation::wait, done), ok);
    for (unsigned cell : {cell_first, cell_second, cell_third})
        CHECK_EQ(shared<Word>(cell), Error::wrong_state);
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
}

// Servers whose endpoint goes, before the first message and after it.
void test_aborted_servers() {
    for (Word rounds : {0, 1}) {
        Selector pool = new_selector(), endpoint = new_selector(), done = make_notification();
        must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 4));
        must("endpoint", invoke(Operation::endpoint_create, pool, endpoint, 0));
        Child child = make_child();
        give(child, slot_endpoint, endpoint, abi::endpoint_right::all);
        give(child, slot_done, done, abi::notification_right::signal);
        start(make_thread(child.task, 0, 110, child_buffer), serve, rounds, child_stack);
        Message message{};
        if (rounds > 0)
            CHECK_EQ(exchange(Operation::call, endpoint, message), Error::ok);
        CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
        CHECK_ERROR(invoke(Operation::wait, done), ok);
        CHECK_EQ(shared<Word>(cell_first), Error::aborted);
        CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
    }
    Child child = make_child();
    Selector endpoint = make_endpoint();
    give(child, slot_endpoint, endpoint, abi::endpoint_right::all);
    start(make_thread(child.task, 0, 110, child_buffer), reply_badly, 0, child_stack);
    Message message{};
    CHECK_EQ(exchange(Operation::call, endpoint, message), Error::ok);
    CHECK_EQ(shared<Word>(cell_first), Error::bad_argument);
    CHECK_EQ(shared<Word>(cell_second), Error::bad_argument);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

// A message comes from a passive server whose client has gone meanwhile: there is no time with it, and the
// receiver goes on with its own.
void test_message_without_time() {
    Child child = make_child();
    Selector first = make_endpoint(), second = make_endpoint(), done = make_notification(),
             own = new_selector();
    give(child, slot_endpoint, first, abi::endpoint_right::all);
    give(child, slot_thread, second, abi::endpoint_right::all);
    give(child, slot_done, done, abi::notification_right::all);
    Selector between = make_thread(child.task, 0, 110, child_buffer, true),
             caller = make_thread(child.task, 0, 109, child_buffer + page);
    must("own", invoke(Operation::scheduling_create, abi::root_pool, own, 0, 0, 0, 255));
    must("bind", invoke(Operation::scheduling_bind, own, between));
    start(between, pass_on, 0, child_stack);
    must("unbind", invoke(Operation::scheduling_unbind, own));
    start(caller, call, 0, child_stack - 1024);
    CHECK_EQ(invoke(Operation::thread_info, between).value, abi::ThreadState::sending);
    CHECK_ERROR(invoke(Operation::thread_destroy, caller), ok);
    Message message{};
    CHECK_EQ(exchange(Operation::receive, second, message), Error::ok);
    pause_for(100);
    CHECK_EQ(exchange(Operation::reply, 0, message), Error::ok);
    CHECK_EQ(invoke(Operation::thread_info, between).value, abi::ThreadState::ready); // but without time
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

// States in which a thread can have no context, and in which a vCPU is set free.
void test_refused_states() {
    Child child = make_child();
    Selector first = make_endpoint(), second = make_endpoint(), done = make_notification();
    give(child, slot_endpoint, first, abi::endpoint_right::all);
    give(child, slot_thread, second, abi::endpoint_right::all);
    give(child, slot_done, done, abi::notification_right::all);
    Selector between = make_thread(child.task, 0, 110, child_buffer, true), own = new_selector(),
             caller = make_thread(child.task, 0, 109, child_buffer + page);
    must("own", invoke(Operation::scheduling_create, abi::root_pool, own, 0, 0, 0, 255));
    must("bind", invoke(Operation::scheduling_bind, own, between));
    start(between, pass_on, 0, child_stack);
    must("unbind", invoke(Operation::scheduling_unbind, own)); // it waits to receive by now
    start(caller, call, 0, child_stack - 1024);
    CHECK_EQ(invoke(Operation::thread_info, between).value, abi::ThreadState::sending);
    Message message{};
    CHECK_EQ(exchange(Operation::receive, second, message), Error::ok);
    CHECK_ERROR(invoke(Operation::thread_configure, between, 90),
                wrong_state); // by another, while it is started
    CHECK_ERROR(invoke(Operation::scheduling_bind, own, between), wrong_state);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);

    Child server = make_child();
    Selector thread = new_selector(), vcpu = new_selector();
    give(server, slot_done, done, abi::notification_right::all);
    must("thread", invoke(Operation::thread_create, abi::root_pool, thread, server.task, 0, child_buffer, 0));
    must("vcpu", invoke(Operation::vcpu_create, abi::root_pool, vcpu, thread, child_buffer + page,
                        make_notification()));
    must("own", invoke(Operation::thread_configure, thread, 110, own));
    start(thread, wait_as_vcpu, 0, child_stack);
    CHECK_EQ(invoke(Operation::thread_info, thread).value, abi::ThreadState::waiting);
    CHECK_ERROR(invoke(Operation::thread_cancel, thread), ok);
    CHECK_ERROR(invoke(Operation::wait, done), ok);
    CHECK_EQ(shared<Word>(cell_first), Error::aborted);
    CHECK_ERROR(invoke(Operation::task_destroy, server.task), ok);
}

} // namespace laboratory
