// SPDX-License-Identifier: BSD-2-Clause
// What the fuzzer (tests/fuzz) found, or what was found on the way to it, where it can be had without luck.
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

enum Slot : Selector { slot_first = 10, slot_second = 11, slot_victim = 12, slot_go = 13, slot_never = 14 };
enum Cell : unsigned { cell_destroyed = 4, cell_went_on = 5, cell_result = 6 };

IN_CHILD void own_the_fpu(Word) {
    asm volatile("pxor %xmm0, %xmm0");
    for (;;)
        (void)invoke(Operation::signal, slot_first);
}

IN_CHILD void destroy_the_owner(Word) {
    (void)invoke(Operation::wait, slot_first);
    shared<Word>(cell_destroyed) = invoke(Operation::thread_destroy, slot_victim).ok();
    asm volatile("pxor %xmm0, %xmm0"); // has no business there
    shared<Word>(cell_went_on) = 1;
    for (;;)
        (void)invoke(Operation::wait, slot_second);
}

// Takes a call and passes it on.
IN_CHILD void pass_on(Word) {
    Message message{};
    (void)exchange(Operation::receive, slot_first, message);
    (void)exchange(Operation::call, slot_second, message);
    for (;;)
        (void)invoke(Operation::wait, slot_never);
}

// Serves calls, each after a signal.
IN_CHILD void serve_on_signal(Word) {
    Message message{};
    (void)exchange(Operation::receive, slot_second, message);
    for (;;) {
        (void)invoke(Operation::wait, slot_go);
        (void)exchange(Operation::reply_wait, slot_second, message);
    }
}

IN_CHILD void call_it(Word endpoint) {
    Message message{};
    shared<Word>(cell_result) =
        static_cast<Word>(exchange(Operation::call, static_cast<Selector>(endpoint), message));
    for (;;)
        (void)invoke(Operation::wait, slot_never);
}

} // namespace

// Looking for the next capability of a dying table took so much of a step that ending a timer found there
// never had its turn: task_destroy and pool_destroy went on for ever.
void test_timer_in_dying_table() {
    Child child = make_child();
    Selector notification = make_notification();
    for (Selector slot : {20, 50, 127, 200}) {
        Selector timer = new_selector();
        must("timer", invoke(Operation::timer_create, abi::root_pool, timer, notification, 1));
        must("move", invoke(Operation::capability_move, child.task, slot, abi::root_task, timer));
    }
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

// Destroying the thread whose state the FPU held unlocked the FPU for a thread that is not to use it.
void test_fpu_stays_locked() {
    Child child = make_child();
    Selector owner = new_selector(), time = new_selector(), first = make_notification(),
             second = make_notification();
    must("thread",
         invoke(Operation::thread_create, abi::root_pool, owner, child.task, 0, child_buffer + page, 0));
    must("time", invoke(Operation::scheduling_create, abi::root_pool, time, 0, 0, 0, 255));
    must("configure", invoke(Operation::thread_configure, owner, 100, time));
    give(child, slot_first, first, abi::notification_right::all);
    give(child, slot_second, second, abi::notification_right::all);
    give(child, slot_victim, owner, abi::thread_right::all);
    Selector locked = make_thread(child.task, 0, 101, child_buffer);
    shared<Word>(cell_destroyed) = 0;
    shared<Word>(cell_went_on) = 0;
    start(locked, destroy_the_owner, 0, child_stack);
    start(owner, own_the_fpu, 0, child_stack - page / 2);
    do
        pause_for(2000); // how long it takes is the host's affair
    while (invoke(Operation::thread_info, locked).value != static_cast<Word>(abi::ThreadState::faulted) &&
           !shared<Word>(cell_went_on));
    CHECK_EQ(shared<Word>(cell_destroyed), 1);
    CHECK_EQ(shared<Word>(cell_went_on), 0);
    CHECK_EQ(invoke(Operation::thread_info, locked).value, abi::ThreadState::faulted);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

// A thread that is destroyed because its vCPU's pool is was forgotten half-way when it took more than a step.
void test_thread_goes_with_vcpu() {
    Child child = make_child();
    Selector pool = new_selector(), inner = new_selector(), vcpu = new_selector(), thread = new_selector(),
             notification = new_selector(), copies[40];
    for (Selector& copy : copies)
        copy = new_selector();
    Word before = 0;
    for (bool measured : {false, true}) { // the first round makes pages of tables
        if (measured)
            before = free_pages();
        must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 16));
        must("pool", invoke(Operation::pool_create, pool, inner, 4));
        must("thread", invoke(Operation::thread_create, pool, thread, child.task, 0, child_buffer + page, 0));
        must("notification", invoke(Operation::notification_create, pool, notification, 0));
        must("vcpu", invoke(Operation::vcpu_create, inner, vcpu, thread, scratch, notification));
        for (Selector copy : copies)
            must("copy",
                 invoke(Operation::capability_copy, abi::root_task, copy, abi::root_task, thread, ~0u));
        CHECK_ERROR(invoke(Operation::pool_destroy, inner), ok);
        CHECK_ERROR(invoke(Operation::thread_info, thread), bad_capability);
        for (Selector copy : copies)
            CHECK_ERROR(invoke(Operation::thread_info, copy), bad_capability);
        CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
        if (measured)
            CHECK_EQ(free_pages(), before);
    }
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

// A server that others use, with time of its own or without, worked for a passive server whose client
// vanished: it had no time any more, and nobody who called it could give it any.
void test_server_of_an_orphan() {
    for (bool passive : {false, true}) {
        Child child = make_child();
        Selector first = make_endpoint(), second = make_endpoint(), go = make_notification(),
                 never = make_notification();
        give(child, slot_first, first, abi::endpoint_right::all);
        give(child, slot_second, second, abi::endpoint_right::all);
        give(child, slot_go, go, abi::notification_right::all);
        give(child, slot_never, never, abi::notification_right::all);
        Selector threads[2], times[2];
        for (unsigned i = 0; i < 2; ++i) { // the server, and who stands between
            threads[i] = make_thread(child.task, 0, 120, child_buffer + i * page, true);
            times[i] = new_selector();
            must("time", invoke(Operation::scheduling_create, abi::root_pool, times[i], 0, 0, 0, 255));
            must("bind", invoke(Operation::scheduling_bind, times[i], threads[i]));
            start(threads[i], i == 0 ? serve_on_signal : pass_on, 0, child_stack - 1024 * i);
            CHECK_EQ(invoke(Operation::thread_info, threads[i]).value, abi::ThreadState::receiving);
            if (i == 1 || passive)
                must("unbind", invoke(Operation::scheduling_unbind, times[i]));
        }
        Selector client = make_thread(child.task, 0, 110, child_buffer + 2 * page);
        start(client, call_it, slot_first, child_stack - 2048);
        CHECK_EQ(invoke(Operation::thread_info, threads[1]).value, abi::ThreadState::waiting_reply);
        CHECK_ERROR(invoke(Operation::thread_destroy, client), ok);
        shared<Word>(cell_result) = 99;
        Selector other = make_thread(child.task, 0, 110, child_buffer + 3 * page);
        start(other, call_it, slot_second, child_stack - 2560);
        CHECK_ERROR(invoke(Operation::signal, go), ok); // it finishes what it was doing, on the other's time
        CHECK_ERROR(invoke(Operation::signal, go), ok); // and then the other's call
        CHECK_EQ(shared<Word>(cell_result), 0);
        CHECK_EQ(invoke(Operation::thread_info, other).value, abi::ThreadState::waiting);
        CHECK_EQ(invoke(Operation::thread_info, threads[0]).value, abi::ThreadState::receiving);
        CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
    }
}

} // namespace laboratory
