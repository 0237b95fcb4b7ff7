// SPDX-License-Identifier: BSD-2-Clause
// Chains of calls that break in the middle, and starting and stopping threads in quick succession; what the
// fuzzer found.
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

enum Slot : Selector { slot_first = 10, slot_second = 11, slot_go = 12, slot_done = 13, slot_go_last = 14 };
constexpr unsigned cell = 64;

// Calls and notes what came of it; then goes on, which takes time of its own.
IN_CHILD void call_once(Word endpoint) {
    Message message{};
    Error error = exchange(Operation::call, static_cast<Selector>(endpoint), message);
    shared<Word>(cell) = static_cast<Word>(error) + 100;
    (void)invoke(Operation::signal, slot_done);
    for (;;)
        (void)invoke(Operation::wait, slot_go);
}

// Takes a call and passes it on.
IN_CHILD void middle(Word) {
    Message message{};
    (void)exchange(Operation::receive, slot_first, message);
    (void)exchange(Operation::call, slot_second, message);
    for (;;)
        (void)invoke(Operation::wait, slot_go);
}

// Takes a call and waits with it, on its caller's time.
IN_CHILD void last(Word) {
    Message message{};
    (void)exchange(Operation::receive, slot_second, message);
    (void)invoke(Operation::wait, slot_go_last);
    shared<Word>(cell + 1) = 1;
    (void)exchange(Operation::reply_wait, slot_second, message);
}

IN_CHILD void count_up(Word) {
    for (;;)
        shared<Word>(cell) = shared<Word>(cell) + 1;
}

Word state_of(Selector thread) {
    return invoke(Operation::thread_info, thread).value;
}

} // namespace

// The thread in the middle of a chain goes: its caller has its time back, and who it called goes on with its
// own.
void test_call_chains() {
    for (bool destroy : {false, true}) {
        Child child = make_child();
        Selector first = make_endpoint(), second = make_endpoint(), go = make_notification(),
                 go_last = make_notification(), done = make_notification();
        give(child, slot_first, first, abi::endpoint_right::all);
        give(child, slot_second, second, abi::endpoint_right::all);
        give(child, slot_go, go, abi::notification_right::all);
        give(child, slot_go_last, go_last, abi::notification_right::all);
        give(child, slot_done, done, abi::notification_right::all);
        Selector server = make_thread(child.task, 0, 120, child_buffer);
        Selector between = make_thread(child.task, 0, 115, child_buffer + page);
        Selector caller = make_thread(child.task, 0, 110, child_buffer + 2 * page);
        shared<Word>(cell) = 0;
        shared<Word>(cell + 1) = 0;
        start(server, last, 0, child_stack);
        start(between, middle, 0, child_stack - 1024);
        start(caller, call_once, slot_first, child_stack - 2048);
        CHECK_EQ(state_of(caller), abi::ThreadState::waiting_reply);
        CHECK_EQ(state_of(between), abi::ThreadState::waiting_reply);
        CHECK_EQ(state_of(server), abi::ThreadState::waiting);
        CHECK_ERROR(invoke(destroy ? Operation::thread_destroy : Operation::thread_stop, between), ok);
        CHECK_EQ(shared<Word>(cell), static_cast<Word>(Error::aborted) + 100);
        CHECK_EQ(invoke(Operation::poll, done).value, 1);
        CHECK_ERROR(invoke(Operation::signal, go_last), ok);
        CHECK_EQ(shared<Word>(cell + 1), 1);
        CHECK_EQ(state_of(server), abi::ThreadState::receiving); // it owed nobody anything
        // The middle's time is its own again: started anew, it runs.
        if (!destroy) {
            start(between, call_once, slot_go, child_stack - 1024);
            CHECK_EQ(shared<Word>(cell), static_cast<Word>(Error::bad_capability) + 100);
        }
        CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
    }
}

void test_start_and_stop() {
    Child child = make_child();
    // A thread that gets another context leaves the first one to others.
    Selector thread = make_thread(child.task, 0, 10, child_buffer, true),
             other = make_thread(child.task, 0, 10, 0, true), one = new_selector(), two = new_selector();
    for (Selector context : {one, two})
        must("context", invoke(Operation::scheduling_create, abi::root_pool, context, 0, 0, 0, 255));
    CHECK_ERROR(invoke(Operation::thread_configure, thread, 10, one), ok);
    CHECK_ERROR(invoke(Operation::thread_configure, other, 10, one), occupied);
    CHECK_ERROR(invoke(Operation::thread_configure, thread, 10, two), ok);
    CHECK_ERROR(invoke(Operation::thread_configure, other, 10, one), ok);
    if (reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores > 1) {
        Selector away = make_thread(child.task, 1, 100, child_buffer + page);
        for (int i = 0; i < 500; ++i) {
            // A stop takes back a start that has not reached its core yet, and touches no later one.
            start(away, count_up, 0, child_stack);
            CHECK_ERROR(invoke(Operation::thread_stop, away), ok);
            CHECK_EQ(state_of(away), abi::ThreadState::inactive);
        }
        Word before = shared<Word>(cell);
        start(away, count_up, 0, child_stack);
        while (shared<Word>(cell) == before) {
        }
        CHECK_ERROR(invoke(Operation::thread_stop, away), ok);
    }
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

} // namespace laboratory
