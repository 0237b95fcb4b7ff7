// SPDX-License-Identifier: BSD-2-Clause
// Threads, IPC, notifications, timers and scheduling.
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

enum Slot : Selector { slot_endpoint = 10, slot_here = 11, slot_there = 12 };
constexpr unsigned cell = 64; // first word of the shared page that these tests use

unsigned core_count() {
    return reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores;
}

// Adds one to each register word and echoes; label 9 makes it reply with the badge it saw.
IN_CHILD void serve(Word endpoint) {
    Message message{};
    (void)exchange(Operation::receive, static_cast<Selector>(endpoint), message);
    for (;;) {
        for (auto& word : message.word)
            ++word;
        if (abi::tag_label(message.tag) == 9)
            message.word[0] = message.badge;
        auto* buffer = reinterpret_cast<abi::MessageBuffer*>(child_buffer);
        for (unsigned i = 4; i < (message.tag & 0x7f); ++i)
            ++buffer->words[i];
        (void)exchange(Operation::reply_wait, static_cast<Selector>(endpoint), message);
    }
}

IN_CHILD void count_up(Word) {
    for (;;)
        shared<Word>(cell) = shared<Word>(cell) + 1;
}

IN_CHILD void wait_and_count(Word index) {
    for (;;) {
        Reply reply = invoke(Operation::wait, slot_here);
        if (!reply.ok()) {
            shared<Word>(cell + 1) = static_cast<Word>(reply.error);
            (void)invoke(Operation::signal, slot_there);
            asm volatile("ud2");
        }
        shared<Word>(cell + 2 + index) = shared<Word>(cell + 2 + index) + reply.value;
        (void)invoke(Operation::signal, slot_there);
    }
}

IN_CHILD void fault_by_wild_pointer(Word) {
    *reinterpret_cast<volatile Word*>(0x1234'5000) = 7;
    (void)invoke(Operation::signal, slot_there);
    asm volatile("ud2");
}

} // namespace

void test_threads() {
    Child child = make_child();
    Selector thread = new_selector();
    auto create = [&](Word core, Word buffer, Word flags) {
        return invoke(Operation::thread_create, abi::root_pool, thread, child.task, core, buffer, flags);
    };
    CHECK_ERROR(create(99, child_buffer, 0), bad_argument);
    CHECK_ERROR(create(0, child_buffer + 1, 0), bad_argument);
    CHECK_ERROR(create(0, abi::user_end, 0), bad_argument);
    CHECK_ERROR(create(0, child_buffer, 8), bad_argument);
    CHECK_ERROR(create(0, child_data, 0), occupied);
    CHECK_ERROR(create(0, child_buffer, abi::thread_no_fpu), ok);
    Selector scheduling = new_selector();
    CHECK_ERROR(invoke(Operation::scheduling_create, abi::root_pool, scheduling, 0, 10, 5, 100),
                bad_argument);
    CHECK_ERROR(invoke(Operation::scheduling_create, abi::root_pool, scheduling, 0, 0, 10, 100),
                bad_argument);
    CHECK_ERROR(invoke(Operation::scheduling_create, abi::root_pool, scheduling, 0, 0, 0, 256), bad_argument);
    CHECK_ERROR(invoke(Operation::scheduling_create, abi::root_pool, scheduling, 0, 0, 0, 90), ok);
    CHECK_ERROR(invoke(Operation::thread_configure, thread, 256, scheduling), bad_argument);
    CHECK_ERROR(invoke(Operation::thread_configure, thread, 91, scheduling),
                no_right); // above the context's limit
    CHECK_ERROR(invoke(Operation::thread_configure, thread, 90, scheduling), ok);
    CHECK_ERROR(invoke(Operation::thread_start, thread, abi::user_end, 0), bad_address);
    CHECK_EQ(invoke(Operation::thread_info, thread).value, abi::ThreadState::inactive);
    shared<Word>(cell) = 0;
    start(thread, count_up, 0, child_stack);
    CHECK_ERROR(invoke(Operation::thread_start, thread, 0x1000, 0), wrong_state);
    // The counter runs only while this thread, of higher priority, sleeps.
    glue::Notification alarm(make_notification());
    auto timer = glue::Timer::create(abi::root_pool, alarm, 1);
    for (int i = 0; i < 1000 && shared<Word>(cell) == 0; ++i) { // a busy host may let a deadline pass at once
        timer.value().set(glue::Clock::ticks() + glue::Ticks{glue::Clock::ticks_per_second() / 500});
        (void)alarm.wait();
    }
    CHECK(shared<Word>(cell) > 0);
    CHECK_ERROR(invoke(Operation::thread_stop, thread), ok);
    Word stopped = shared<Word>(cell);
    for (int i = 0; i < 1000; ++i)
        (void)invoke(Operation::null, 0);
    CHECK_EQ(shared<Word>(cell), stopped);
    CHECK(invoke(Operation::thread_info, thread).second > 0);
    CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
    CHECK_ERROR(invoke(Operation::thread_info, thread), bad_capability);

    // A fault without a handler stops the thread; with one it is a message.
    Selector faulty = make_thread(child.task, 0, 120, child_buffer + page);
    start(faulty, fault_by_wild_pointer, 0, child_stack);
    CHECK_EQ(invoke(Operation::thread_info, faulty).value, abi::ThreadState::faulted);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

void test_ipc() {
    Child child = make_child();
    Selector endpoint = make_endpoint(), badged = new_selector();
    CHECK_ERROR(invoke(Operation::endpoint_create, abi::root_pool, new_selector(), 99), bad_argument);
    give(child, slot_endpoint, endpoint, abi::endpoint_right::all);
    must("badge", invoke(Operation::capability_copy, abi::root_task, badged, abi::root_task, endpoint,
                         abi::endpoint_right::send, 77));
    Selector server = make_thread(child.task, 0, 120, child_buffer);
    start(server, serve, slot_endpoint, child_stack);
    CHECK_EQ(invoke(Operation::thread_info, server).value, abi::ThreadState::receiving);
    Message message{abi::make_tag(5, 4), {1, 2, 3, 4}, 0};
    CHECK_EQ(exchange(Operation::call, endpoint, message), Error::ok);
    CHECK_EQ(message.word[0], 2);
    CHECK_EQ(message.word[3], 5);
    CHECK_EQ(abi::tag_label(message.tag), 5);
    message.tag = abi::make_tag(9, 1);
    CHECK_EQ(exchange(Operation::call, badged, message), Error::ok);
    CHECK_EQ(message.word[0], 77);
    auto* buffer = reinterpret_cast<abi::MessageBuffer*>(abi::root_buffer_address);
    for (unsigned i = 4; i < 64; ++i)
        buffer->words[i] = i;
    message.tag = abi::make_tag(5, 64);
    CHECK_EQ(exchange(Operation::call, endpoint, message), Error::ok);
    for (unsigned i = 4; i < 64; ++i)
        CHECK_EQ(buffer->words[i], i + 1);
    for (Word bad : {abi::make_tag(5, 65), Word{0x80}, Word{1} << 31}) { // too long, reserved bits
        message.tag = bad;
        CHECK_EQ(exchange(Operation::call, endpoint, message), Error::bad_argument);
        CHECK_EQ(exchange(Operation::send, endpoint, message), Error::bad_argument);
    }
    CHECK_EQ(exchange(Operation::receive, badged, message), Error::no_right);
    CHECK_EQ(exchange(Operation::call, abi::root_pool, message), Error::bad_capability);

    // A fault is a call; the reply's page item resumes it.
    Selector faults = make_endpoint(), fault_badge = new_selector(), done = make_notification();
    must("badge", invoke(Operation::capability_copy, abi::root_task, fault_badge, abi::root_task, faults,
                         abi::endpoint_right::send, 3));
    give(child, slot_there, done, abi::notification_right::signal);
    Selector faulty = make_thread(child.task, 0, 90, child_buffer + page, false, fault_badge);
    start(faulty, fault_by_wild_pointer, 0, child_stack - 256);
    CHECK_EQ(exchange(Operation::receive, faults, message), Error::ok);
    CHECK_EQ(abi::tag_label(message.tag), abi::label_page_fault);
    CHECK_EQ(message.badge, 3);
    CHECK_EQ(message.word[0], 0x1234'5000);
    CHECK_EQ(message.word[2], 6); // user write to a page that is not present
    CHECK_EQ(exchange(Operation::receive, faults, message), Error::wrong_state); // it owes a reply
    Word offset = take_ram(1);
    buffer->item = {child.ram, abi::map_read | abi::map_write, offset, 0};
    message.tag = abi::make_tag(0, 0, abi::tag_page_item);
    CHECK_EQ(exchange(Operation::reply_wait, faults, message), Error::ok);
    CHECK_EQ(invoke(Operation::poll, done).value, 1); // it went on, signalled, and now executed UD2
    CHECK_EQ(abi::tag_label(message.tag), abi::label_exception);
    CHECK_EQ(message.word[3], 6);
    CHECK_ERROR(invoke(Operation::thread_destroy, faulty), ok);

    // The caller of a server that is destroyed is set free.
    Selector slow_endpoint = make_endpoint();
    give(child, slot_here, slow_endpoint, abi::endpoint_right::send);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

void test_ipc_across_cores() {
    if (core_count() < 2)
        return;
    Selector there = make_endpoint(1);
    Message message{};
    CHECK_EQ(exchange(Operation::call, there, message), Error::wrong_core);
    CHECK_EQ(exchange(Operation::receive, there, message), Error::wrong_core);
    // Notifications cross: a round trip through a thread of another core, many times.
    Selector here = make_notification(0), away = make_notification(1);
    CHECK_ERROR(invoke(Operation::wait, away), wrong_core);
    Child child = make_child();
    give(child, slot_here, away, abi::notification_right::all);
    give(child, slot_there, here, abi::notification_right::signal);
    shared<Word>(cell + 2) = 0;
    Selector thread = make_thread(child.task, 1, 100, child_buffer);
    start(thread, wait_and_count, 0, child_stack);
    constexpr Word trips = 500;
    for (Word i = 0; i < trips; ++i) {
        CHECK_ERROR(invoke(Operation::signal, away), ok);
        CHECK_ERROR(invoke(Operation::wait, here), ok);
    }
    CHECK_EQ(shared<Word>(cell + 2), trips);
    CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok); // on another core, while it waits

    // A thread that runs on another core can be stopped and destroyed; its counter stands still then.
    Selector runner = make_thread(child.task, 1, 100, child_buffer + page);
    shared<Word>(cell) = 0;
    start(runner, count_up, 0, child_stack);
    while (shared<Word>(cell) < 1000) {
    }
    CHECK_ERROR(invoke(Operation::thread_stop, runner), ok);
    Word stopped = shared<Word>(cell);
    for (int i = 0; i < 1000; ++i)
        (void)invoke(Operation::null, 0);
    CHECK_EQ(shared<Word>(cell), stopped);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);

    // Unmapping is seen at once by a core that runs in the space.
    Child victim = make_child();
    Selector toucher = make_thread(victim.task, 1, 100, child_buffer);
    start(toucher, count_up, 0, child_stack);
    Word before = shared<Word>(cell);
    while (shared<Word>(cell) == before) {
    }
    CHECK_ERROR(invoke(Operation::unmap, victim.task, child_data, 1), ok);
    Word seen = shared<Word>(cell);
    for (int i = 0; i < 10000; ++i)
        (void)invoke(Operation::null, 0);
    CHECK_EQ(shared<Word>(cell), seen); // not one store after the unmap returned
    CHECK_EQ(invoke(Operation::thread_info, toucher).value, abi::ThreadState::faulted);
    CHECK_ERROR(invoke(Operation::task_destroy, victim.task), ok);
}

void test_notifications() {
    Selector notification = make_notification(), second = new_selector();
    must("badge", invoke(Operation::capability_copy, abi::root_task, second, abi::root_task, notification,
                         abi::notification_right::signal, 0x30));
    CHECK_ERROR(invoke(Operation::poll, notification), would_block);
    CHECK_ERROR(invoke(Operation::signal, notification), ok);
    CHECK_ERROR(invoke(Operation::signal, second), ok);
    CHECK_EQ(invoke(Operation::wait, notification).value, 0x31); // sticky and or-ed
    CHECK_ERROR(invoke(Operation::poll, notification), would_block);

    // A receiver gets the bits of its bound notification as a message.
    Selector endpoint = make_endpoint(), bound = make_notification();
    CHECK_ERROR(invoke(Operation::thread_configure, abi::root_thread, 100, 0, 0, bound), ok);
    CHECK_ERROR(invoke(Operation::signal, bound), ok);
    Message message{};
    CHECK_EQ(exchange(Operation::receive, endpoint, message), Error::ok);
    CHECK_EQ(abi::tag_label(message.tag), abi::label_notification);
    CHECK_EQ(message.word[0], 1);

    // Waiters of a destroyed pool's notification are set free.
    Selector pool = new_selector();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 64));
    Selector doomed = make_notification(0, pool), done = make_notification();
    Child child = make_child();
    give(child, slot_here, doomed, abi::notification_right::all);
    give(child, slot_there, done, abi::notification_right::signal);
    shared<Word>(cell + 1) = 0;
    start(make_thread(child.task, 0, 120, child_buffer), wait_and_count, 0, child_stack);
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    CHECK_ERROR(invoke(Operation::wait, done), ok);
    CHECK_EQ(shared<Word>(cell + 1), Error::aborted);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

void test_timers() {
    glue::Notification event(make_notification());
    auto timer = glue::Timer::create(abi::root_pool, event, 2);
    CHECK(timer.ok());
    Word ticks = glue::Clock::ticks_per_second() / 1000;
    for (int i = 0; i < 3; ++i) {
        glue::Ticks deadline = glue::Clock::ticks() + glue::Ticks{ticks};
        timer.value().set(deadline);
        CHECK_EQ(event.wait(), 2);
        CHECK(glue::Clock::ticks() >= deadline);
    }
    timer.value().set(glue::Clock::ticks() + glue::Ticks{ticks});
    timer.value().cancel();
    timer.value().set(glue::Clock::ticks() + glue::Ticks{2 * ticks});
    CHECK_EQ(event.wait(), 2);
    CHECK_EQ(event.poll(), 0);
    if (core_count() > 1) {
        glue::Notification away(make_notification(1));
        auto far = glue::Timer::create(abi::root_pool, away, 1);
        Selector raw = new_selector();
        must("timer", invoke(Operation::timer_create, abi::root_pool, raw, away.selector(), 1));
        CHECK_ERROR(invoke(Operation::timer_set, raw, 1), wrong_core);
    }
}

void test_scheduling() {
    // Two threads of one priority, each with 1 ms of 4 ms: over 40 ms each gets about its 10. Only where time
    // is counted in instructions (1 GHz); elsewhere the host may hold an interrupt back as long as it likes.
    Child child = make_child();
    Word ms = glue::Clock::ticks_per_second() / 1000;
    Selector threads[2];
    for (unsigned i = 0; i < 2; ++i) {
        threads[i] = new_selector();
        Selector scheduling = new_selector();
        must("thread", invoke(Operation::thread_create, abi::root_pool, threads[i], child.task, 0,
                              child_buffer + i * page, abi::thread_no_fpu));
        must("context", invoke(Operation::scheduling_create, abi::root_pool, scheduling, 0, ms, 4 * ms, 100));
        must("configure", invoke(Operation::thread_configure, threads[i], 80, scheduling));
        start(threads[i], count_up, 0, child_stack - i * 256);
    }
    auto used = [&](unsigned i) { return invoke(Operation::thread_info, threads[i]).second; };
    pause_for(40'000);
    if (glue::Clock::ticks_per_second() == 1'000'000'000)
        for (unsigned i = 0; i < 2; ++i)
            CHECK(used(i) >= 8 * ms && used(i) <= 11 * ms);
    while (used(0) == 0 || used(1) == 0) // each has its turn, whatever the host does
        pause_for(1000);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

} // namespace laboratory
