// SPDX-License-Identifier: BSD-2-Clause
// One-way messages, deadlines, polls and cancellation; servers whose clients go away.
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

enum Slot : Selector { slot_endpoint = 10, slot_go = 11, slot_done = 12 };
enum Cell : unsigned { cell_error = 64, cell_word, cell_finish, cell_served };

Word now() {
    return glue::Clock::ticks().value;
}

Word state_of(Selector thread) {
    return invoke(Operation::thread_info, thread).value;
}

// Takes messages that await no reply, and adds them up.
IN_CHILD void collect(Word) {
    Message message{};
    for (;;)
        if (exchange(Operation::receive, slot_endpoint, message) == Error::ok)
            shared<Word>(cell_word) = shared<Word>(cell_word) + message.word[0] * 100 + message.badge;
}

IN_CHILD void send_one(Word) {
    Message message{abi::make_tag(1, 1), {5, 0, 0, 0}, 0};
    shared<Word>(cell_error) = static_cast<Word>(exchange(Operation::send, slot_endpoint, message));
    (void)invoke(Operation::signal, slot_done);
    (void)invoke(Operation::wait, slot_go);
}

IN_CHILD void call_one(Word) {
    Message message{abi::make_tag(1, 1), {6, 0, 0, 0}, 0};
    shared<Word>(cell_error) = static_cast<Word>(exchange(Operation::call, slot_endpoint, message));
    (void)invoke(Operation::signal, slot_done);
    (void)invoke(Operation::wait, slot_go);
}

IN_CHILD void wait_one(Word) {
    shared<Word>(cell_error) = static_cast<Word>(invoke(Operation::wait, slot_go).error);
    (void)invoke(Operation::signal, slot_done);
    (void)invoke(Operation::wait, slot_go);
}

IN_CHILD void reply_then_count(Word) {
    Message message{};
    (void)exchange(Operation::receive, slot_endpoint, message);
    message.word[0] += 1;
    shared<Word>(cell_error) = static_cast<Word>(exchange(Operation::reply, 0, message));
    shared<Word>(cell_served) = 1;
    shared<Word>(cell_word) = static_cast<Word>(exchange(Operation::reply, 0, message)); // to nobody
    (void)invoke(Operation::wait, slot_go);
}

// Serves passively; each request lasts until it may finish.
IN_CHILD void serve_slowly(Word) {
    Message message{};
    (void)exchange(Operation::receive, slot_endpoint, message);
    for (;;) {
        while (shared<Word>(cell_finish) == 0)
            (void)invoke(Operation::yield, 0);
        shared<Word>(cell_served) = shared<Word>(cell_served) + 1;
        (void)exchange(Operation::reply_wait, slot_endpoint, message);
    }
}

// Lets others run until the thread has come to a state.
void until(Selector thread, abi::ThreadState state) {
    while (state_of(thread) != static_cast<Word>(state))
        (void)invoke(Operation::wait, make_notification(), now() + 50'000);
}

unsigned core_total() {
    return reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores;
}

// A server that has come to receive and then lost its time.
Selector make_passive(Selector task, unsigned priority, Word buffer, void (*function)(Word), Word stack) {
    Selector thread = make_thread(task, 0, priority, buffer, true), scheduling = new_selector();
    must("scheduling_create", invoke(Operation::scheduling_create, abi::root_pool, scheduling, 0, 0, 0, 255));
    must("thread_configure", invoke(Operation::thread_configure, thread, priority, scheduling, 0, 0));
    start(thread, function, 0, stack);
    until(thread, abi::ThreadState::receiving);
    CHECK_ERROR(invoke(Operation::scheduling_unbind, scheduling), ok);
    return thread;
}

struct Scene {
    Child child = make_child();
    Selector endpoint = make_endpoint(), go = make_notification(), done = make_notification();
    Scene() {
        give(child, slot_endpoint, endpoint, abi::endpoint_right::all, 7);
        give(child, slot_go, go, abi::notification_right::all);
        give(child, slot_done, done, abi::notification_right::all);
        for (unsigned cell = cell_error; cell <= cell_served; ++cell)
            shared<Word>(cell) = 99;
    }
    ~Scene() { CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok); }
};

} // namespace

void test_send_and_receive() {
    Scene scene;
    Message message{};
    // Nobody there: polls say so at once, deadlines when they pass.
    CHECK_EQ(exchange(Operation::receive, scene.endpoint, message, 1), Error::would_block);
    CHECK_EQ(exchange(Operation::send, scene.endpoint, message, 1), Error::would_block);
    CHECK_ERROR(invoke(Operation::wait, scene.done, 1), would_block);
    for (unsigned what = 0; what < 3; ++what) {
        Word deadline, ahead = 200'000;
        Error error;
        do { // a busy host may let it pass before the kernel looks
            deadline = now() + ahead;
            error = what == 0   ? exchange(Operation::receive, scene.endpoint, message, deadline)
                    : what == 1 ? exchange(Operation::send, scene.endpoint, message, deadline)
                                : invoke(Operation::wait, scene.done, deadline).error;
            ahead *= 2;
        } while (error == Error::would_block && ahead < 10'000'000'000);
        CHECK_EQ(error, Error::timed_out);
        CHECK(now() >= deadline);
    }
    // A queued sender is met by a poll; it does not wait for an answer.
    start(make_thread(scene.child.task, 0, 110, child_buffer), send_one, 0, child_stack);
    CHECK_EQ(shared<Word>(cell_error), 99);
    CHECK_EQ(exchange(Operation::receive, scene.endpoint, message, 1), Error::ok);
    CHECK_EQ(message.word[0], 5);
    CHECK_EQ(message.badge, 7);
    CHECK_EQ(shared<Word>(cell_error), 0);
    CHECK_EQ(exchange(Operation::reply, 0, message), Error::wrong_state);
    // A receiver that waits gets it at once.
    Selector collector = make_thread(scene.child.task, 0, 110, child_buffer + page);
    shared<Word>(cell_word) = 0;
    start(collector, collect, 0, child_stack - 512);
    message = {abi::make_tag(0, 1), {3, 0, 0, 0}, 0};
    CHECK_EQ(exchange(Operation::send, scene.endpoint, message), Error::ok);
    CHECK_EQ(shared<Word>(cell_word), 300);
    // A deadline that is not reached leaves nothing behind.
    CHECK_ERROR(invoke(Operation::signal, scene.done), ok);
    CHECK_ERROR(invoke(Operation::wait, scene.done, now() + 100'000), ok);
    Word end = now() + 300'000;
    while (now() < end)
        (void)invoke(Operation::null, 0);
    CHECK_ERROR(invoke(Operation::thread_stop, collector), ok);
    // A receiver without time of its own cannot use a message that brings none.
    Selector passive =
        make_passive(scene.child.task, 110, child_buffer + 2 * page, collect, child_stack - 1024);
    CHECK_EQ(exchange(Operation::send, scene.endpoint, message), Error::wrong_state);
    CHECK_ERROR(invoke(Operation::thread_destroy, passive), ok);
    // reply: to the caller, without waiting for the next.
    Selector server = make_thread(scene.child.task, 0, 120, child_buffer + 4 * page);
    start(server, reply_then_count, 0, child_stack - 1536);
    message = {abi::make_tag(0, 1), {41, 0, 0, 0}, 0};
    CHECK_EQ(exchange(Operation::call, scene.endpoint, message), Error::ok);
    CHECK_EQ(message.word[0], 42);
    CHECK_EQ(shared<Word>(cell_error), 0);
    CHECK_EQ(shared<Word>(cell_served), 1);
    CHECK_EQ(shared<Word>(cell_word), static_cast<Word>(Error::wrong_state));
}

void test_cancellation() {
    Scene scene;
    unsigned n = 0;
    for (auto* what : {send_one, call_one, wait_one}) {
        shared<Word>(cell_error) = 99;
        Selector thread = make_thread(scene.child.task, 0, 110, child_buffer + n++ * page);
        CHECK_ERROR(invoke(Operation::thread_cancel, thread), ok); // nothing to end
        start(thread, what, 0, child_stack);
        CHECK(state_of(thread) == static_cast<Word>(abi::ThreadState::sending) ||
              state_of(thread) == static_cast<Word>(abi::ThreadState::waiting));
        CHECK_ERROR(invoke(Operation::thread_cancel, thread), ok);
        CHECK_EQ(shared<Word>(cell_error), static_cast<Word>(Error::aborted));
        CHECK_EQ(invoke(Operation::poll, scene.done).value, 1);
        CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
    }
    CHECK_ERROR(invoke(Operation::thread_cancel, scene.endpoint), bad_capability);
    // Between cores.
    if (core_total() > 1) {
        Selector there = make_notification(1);
        Child child = make_child();
        give(child, slot_go, there, abi::notification_right::all);
        give(child, slot_done, scene.done, abi::notification_right::all);
        shared<Word>(cell_error) = 99;
        Selector thread = make_thread(child.task, 1, 110, child_buffer);
        start(thread, wait_one, 0, child_stack);
        until(thread, abi::ThreadState::waiting);
        CHECK_ERROR(invoke(Operation::thread_cancel, thread), ok);
        CHECK_ERROR(invoke(Operation::wait, scene.done), ok);
        CHECK_EQ(shared<Word>(cell_error), static_cast<Word>(Error::aborted));
        CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
    }
    // A call that is being served: the caller goes on, the server's reply goes nowhere.
    Selector server = make_thread(scene.child.task, 0, 90, child_buffer + 8 * page);
    shared<Word>(cell_finish) = 0;
    shared<Word>(cell_served) = 0;
    shared<Word>(cell_error) = 99;
    start(server, serve_slowly, 0, child_stack - 512);
    until(server, abi::ThreadState::receiving);
    Selector caller = make_thread(scene.child.task, 0, 80, child_buffer + 9 * page);
    start(caller, call_one, 0, child_stack - 1024);
    until(caller, abi::ThreadState::waiting_reply);
    CHECK_ERROR(invoke(Operation::thread_cancel, caller), ok);
    shared<Word>(cell_finish) = 1;
    CHECK_ERROR(invoke(Operation::wait, scene.done), ok);
    CHECK_EQ(shared<Word>(cell_error), static_cast<Word>(Error::aborted));
    until(server, abi::ThreadState::receiving);
    CHECK_EQ(shared<Word>(cell_served), 1);
}

// A passive server in the middle of a request loses its client, and with it all time. The next client's call
// lends it time to finish, and is then served; a client that gives up takes its time back.
void test_helping() {
    Scene scene;
    (void)make_passive(scene.child.task, 90, child_buffer, serve_slowly, child_stack);
    shared<Word>(cell_finish) = 0;
    shared<Word>(cell_served) = 0;
    Selector clients[3];
    unsigned n = 1;
    for (Selector& client : clients) {
        client = make_thread(scene.child.task, 0, 90 + n, child_buffer + n * page);
        start(client, call_one, 0, child_stack - 512 * n);
        until(client, n++ == 1 ? abi::ThreadState::waiting_reply : abi::ThreadState::sending);
    }
    CHECK_ERROR(invoke(Operation::thread_destroy, clients[0]), ok);
    CHECK_ERROR(invoke(Operation::thread_destroy, clients[1]), ok);
    shared<Word>(cell_finish) = 1;
    CHECK_ERROR(invoke(Operation::wait, scene.done), ok); // the third is served
    CHECK_EQ(shared<Word>(cell_error), 0);
    CHECK_EQ(shared<Word>(cell_served), 2);
}

} // namespace laboratory
