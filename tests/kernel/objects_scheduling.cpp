// SPDX-License-Identifier: BSD-2-Clause
// Scheduling contexts apart from running on them: what a core has promised, binding and unbinding while
// threads run, the handler of an exhausted budget; and threads that move to another core.
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

enum Slot : Selector {
    slot_endpoint = 10,
    slot_here = 11,
    slot_there = 12,
    slot_self = 13,
    slot_context = 14
};
constexpr unsigned cell = 160; // words of the shared page

unsigned core_count() {
    return reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores;
}

IN_CHILD void count_up(Word) {
    for (;;)
        shared<Word>(cell) = shared<Word>(cell) + 1;
}

IN_CHILD void wait_here(Word) {
    Reply reply = invoke(Operation::wait, slot_here);
    shared<Word>(cell + 1) = static_cast<Word>(reply.error);
    for (;;)
        shared<Word>(cell) = shared<Word>(cell) + 1;
}

IN_CHILD void call_once(Word) {
    Message message{};
    (void)exchange(Operation::call, slot_endpoint, message);
    for (;;)
        (void)invoke(Operation::wait, slot_here);
}

// Moves itself to the core that it is told, with the context in its table, and says where it arrived: only a
// notification of its own core can be waited for or polled.
IN_CHILD void move_myself(Word core) {
    Reply reply = invoke(Operation::thread_migrate, slot_self, core, slot_context);
    shared<Word>(cell + 2) = static_cast<Word>(reply.error);
    shared<Word>(cell + 3) = static_cast<Word>(invoke(Operation::poll, slot_there).error);
    (void)invoke(Operation::signal, slot_here);
    for (;;)
        (void)invoke(Operation::wait, slot_there);
}

Reply create(Selector slot, unsigned core, Word budget, Word period, Word limit = 200) {
    return invoke(Operation::scheduling_create, abi::root_pool, slot, core, budget, period, limit);
}
Selector context(unsigned core, Word budget = 0, Word period = 0, Word limit = 200) {
    Selector made = new_selector();
    must("context", create(made, core, budget, period, limit));
    return made;
}
Reply bind(Selector scheduling, Selector thread) {
    return invoke(Operation::scheduling_bind, scheduling, thread);
}
Reply unbind(Selector scheduling) {
    return invoke(Operation::scheduling_unbind, scheduling);
}
Reply migrate(Selector thread, Word core, Selector scheduling = 0, Selector endpoint = 0) {
    return invoke(Operation::thread_migrate, thread, core, scheduling, endpoint);
}
Reply info_of(Selector scheduling, abi::SchedulingInfo what) {
    return invoke(Operation::scheduling_info, scheduling, static_cast<Word>(what));
}
Word state(Selector thread) {
    return invoke(Operation::thread_info, thread).value;
}

// Whether the counter moves while this thread waits: until it does, or for as long as `rounds` says.
bool counts(unsigned rounds) {
    Word before = shared<Word>(cell);
    for (unsigned i = 0; i < rounds && shared<Word>(cell) == before; ++i)
        pause_for(200);
    return shared<Word>(cell) != before;
}

} // namespace

void test_admission() {
    constexpr Word whole = Word{1} << 32;
    auto info = [](Word core) { return invoke(Operation::core_info, abi::root_pool, core); };
    Reply before = info(0);
    CHECK_ERROR(before, ok);
    CHECK_ERROR(info(99), bad_argument);
    Selector pool = new_selector(), slot = new_selector(), second = new_selector(), third = new_selector();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 8));
    auto make = [&](Selector at, Word budget, Word period, Word flags) {
        return invoke(Operation::scheduling_create, pool, at, 0, budget, period, 10 | flags);
    };
    CHECK_ERROR(make(slot, 0, 0, abi::scheduling_guaranteed),
                bad_argument); // no period, nothing to guarantee
    CHECK_ERROR(make(slot, 1, 4, 512), bad_argument);
    CHECK_ERROR(make(slot, 1, Word{1} << 48, 0), bad_argument);
    CHECK_ERROR(make(slot, 1'000'000, 2'000'000, abi::scheduling_guaranteed), ok);
    CHECK_EQ(info(0).value - before.value, whole / 2);
    CHECK_ERROR(make(second, 600'000, 1'000'000, abi::scheduling_guaranteed), overcommitted);
    CHECK_ERROR(make(second, 600'000, 1'000'000, 0), ok); // without a guarantee it may be too much
    CHECK_ERROR(make(third, (Word{1} << 46), (Word{1} << 47), abi::scheduling_guaranteed), ok);
    CHECK_EQ(info(0).value - before.value, whole);
    CHECK(info(0).second - before.second > whole + whole / 2);
    CHECK_EQ(info_of(slot, abi::SchedulingInfo::parameters).value, 1'000'000);
    CHECK_EQ(info_of(slot, abi::SchedulingInfo::parameters).second, 2'000'000);
    CHECK_EQ(info_of(slot, abi::SchedulingInfo::promise).value, whole / 2);
    CHECK_EQ(info_of(slot, abi::SchedulingInfo::promise).second, 1);
    CHECK_EQ(info_of(slot, abi::SchedulingInfo::budget).value, 1'000'000);
    CHECK_EQ(info_of(slot, abi::SchedulingInfo::use).value, 0);
    CHECK_ERROR(invoke(Operation::scheduling_info, slot, 4), bad_argument);
    if (core_count() > 1) {
        Selector away = context(1, 1000, 2000);
        CHECK_ERROR(info_of(away, abi::SchedulingInfo::budget), wrong_core);
        CHECK_EQ(info(0).value - before.value, whole);
    }
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    CHECK_EQ(info(0).value, before.value);
    CHECK_EQ(info(0).second, before.second);
}

void test_binding_contexts() {
    for (unsigned core = 0; core < core_count() && core < 2; ++core) {
        Child child = make_child();
        Selector thread = make_thread(child.task, core, 80, child_buffer, true); // passive
        Selector own = context(core), other = context(core), low = context(core, 0, 0, 79);
        shared<Word>(cell) = 0;
        start(thread, count_up, 0, child_stack);
        CHECK(!counts(3)); // it has no time
        CHECK_ERROR(bind(low, thread), no_right);
        CHECK_EQ(bind(own, abi::root_thread).error, core == 0 ? Error::occupied : Error::wrong_core);
        CHECK_ERROR(bind(own, thread), ok);
        CHECK_ERROR(bind(own, thread), ok); // it is
        CHECK_ERROR(bind(other, thread), occupied);
        CHECK(counts(5000));
        CHECK_EQ(info_of(own, abi::SchedulingInfo::use).value, 1);
        CHECK_ERROR(unbind(own), ok);
        CHECK_ERROR(unbind(own), ok);
        Word stopped = shared<Word>(cell);
        CHECK(!counts(3));
        CHECK_EQ(shared<Word>(cell), stopped);
        CHECK_EQ(state(thread), abi::ThreadState::ready);
        CHECK_ERROR(bind(other, thread), ok);
        CHECK(counts(5000));
        if (core_count() > 1)
            CHECK_ERROR(bind(context(1 - core), thread), wrong_core);
        Selector pool = new_selector(), brief = new_selector();
        must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 8));
        must("brief", invoke(Operation::scheduling_create, pool, brief, core, 0, 0, 200));
        CHECK_ERROR(bind(brief, thread), bad_argument); // it may go before the thread
        CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
        CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
        CHECK_EQ(info_of(other, abi::SchedulingInfo::use).value, 0);
    }
    // A context that a callee runs on stays until the reply.
    Child child = make_child();
    Selector endpoint = make_endpoint(), idle = make_notification(), own = context(0);
    give(child, slot_endpoint, endpoint, abi::endpoint_right::all);
    give(child, slot_here, idle, abi::notification_right::all);
    Selector caller = make_thread(child.task, 0, 90, child_buffer, true);
    must("bind", bind(own, caller));
    start(caller, call_once, 0, child_stack);
    Message message{};
    CHECK_EQ(exchange(Operation::receive, endpoint, message), Error::ok);
    CHECK_ERROR(unbind(own), wrong_state);
    CHECK_ERROR(bind(context(0), caller), occupied);
    if (core_count() > 1)
        CHECK_ERROR(migrate(caller, 1), wrong_state);
    CHECK_ERROR(invoke(Operation::thread_destroy, caller), ok);
    CHECK_ERROR(unbind(own), ok);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

// A budget that is used up suspends its thread and tells the handler, once for each time.
void test_exhausted_budget() {
    Child child = make_child();
    Word ms = glue::Clock::ticks_per_second() / 1000;
    Selector own = context(0, ms, 100 * ms), handler = make_notification(),
             thread = make_thread(child.task, 0, 80, child_buffer, true);
    auto configure = [&](Selector notification, Word bits) {
        return invoke(Operation::scheduling_configure, own, notification, bits);
    };
    Selector pool = new_selector();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 4));
    CHECK_ERROR(configure(make_notification(0, pool), 1), bad_argument); // may go before the context
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    CHECK_ERROR(configure(own, 1), bad_capability);
    CHECK_ERROR(configure(handler, 0x10), ok);
    must("bind", bind(own, thread));
    start(thread, count_up, 0, child_stack);
    CHECK_EQ(invoke(Operation::wait, handler).value, 0x10);
    CHECK(info_of(own, abi::SchedulingInfo::use).second >= 1);
    CHECK_EQ(invoke(Operation::wait, handler).value, 0x10); // and in the next period again
    CHECK_ERROR(configure(0, 0), ok);
    (void)invoke(Operation::poll, handler);
    Word told = info_of(own, abi::SchedulingInfo::use).second;
    for (unsigned i = 0; i < 10000 && info_of(own, abi::SchedulingInfo::use).second == told; ++i)
        pause_for(1000);
    CHECK_ERROR(invoke(Operation::poll, handler), would_block);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

void test_migration() {
    CHECK_ERROR(migrate(abi::root_thread, 99), bad_argument);
    if (core_count() < 2)
        return;
    Child child = make_child();
    Selector here = make_notification(0), there = make_notification(1), on[2] = {context(0), context(1)};
    Selector endpoint[2] = {make_endpoint(0), make_endpoint(1)};
    give(child, slot_here, here, abi::notification_right::all);
    give(child, slot_there, there, abi::notification_right::all);
    Selector thread = make_thread(child.task, 0, 80, child_buffer, true);
    CHECK_ERROR(migrate(thread, 1, on[0]), wrong_core);
    CHECK_ERROR(migrate(thread, 1, on[1], endpoint[0]), wrong_core);
    CHECK_ERROR(migrate(thread, 1, context(1, 0, 0, 79)), no_right);
    CHECK_ERROR(migrate(thread, 0, on[0]), wrong_state);     // it is there, without that context
    CHECK_ERROR(migrate(thread, 1, on[1], endpoint[1]), ok); // not started
    CHECK_ERROR(migrate(thread, 1, on[1]), ok);              // it is
    CHECK_ERROR(bind(on[0], thread), wrong_core);
    shared<Word>(cell) = 0;
    start(thread, count_up, 0, child_stack);
    while (shared<Word>(cell) < 1000) {
    }
    // While it runs there, and back, many times; it keeps on counting.
    for (unsigned i = 0; i < 20; ++i) {
        CHECK_ERROR(migrate(thread, i % 2, on[i % 2]), ok);
        CHECK(counts(5000));
    }
    CHECK_EQ(info_of(on[0], abi::SchedulingInfo::use).value, 0);
    CHECK_EQ(info_of(on[1], abi::SchedulingInfo::use).value, 1);
    CHECK_ERROR(migrate(thread, 0), ok); // without a context it does not run
    CHECK(!counts(3));
    CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);

    // A blocked operation ends, and it goes on at the other core.
    Selector waiter = make_thread(child.task, 0, 120, child_buffer, true);
    must("bind", bind(on[0], waiter));
    start(waiter, wait_here, 0, child_stack);
    CHECK_EQ(state(waiter), abi::ThreadState::waiting);
    CHECK_ERROR(migrate(waiter, 1, on[1]), ok);
    CHECK(counts(5000));
    CHECK_EQ(shared<Word>(cell + 1), Error::aborted);
    CHECK_ERROR(invoke(Operation::thread_destroy, waiter), ok);

    // By itself.
    Selector self = make_thread(child.task, 0, 120, child_buffer, true);
    give(child, slot_self, self, abi::thread_right::control);
    give(child, slot_context, on[1], abi::scheduling_right::bind);
    must("bind", bind(on[0], self));
    start(self, move_myself, 1, child_stack);
    CHECK_ERROR(invoke(Operation::wait, here), ok);
    CHECK_EQ(shared<Word>(cell + 2), Error::ok);
    CHECK_EQ(shared<Word>(cell + 3), Error::would_block);
    CHECK_ERROR(invoke(Operation::thread_destroy, self), ok);

    // What belongs to the core keeps the thread there.
    Selector bound = make_thread(child.task, 0, 90, child_buffer);
    must("bound", invoke(Operation::thread_configure, bound, 90, 0, 0, make_notification(0)));
    CHECK_ERROR(migrate(bound, 1), wrong_state);
    Selector served = make_thread(child.task, 0, 90, child_buffer + page, true);
    CHECK_ERROR(migrate(served, 1, on[1], endpoint[1]), ok);
    Selector taken = make_thread(child.task, 0, 90, child_buffer + 2 * page, true);
    CHECK_ERROR(migrate(taken, 1, on[1]), occupied);
    Selector pool = new_selector(), brief = new_selector();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 8));
    must("brief", invoke(Operation::scheduling_create, pool, brief, 1, 0, 0, 200));
    CHECK_ERROR(migrate(taken, 1, brief), bad_argument);
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

} // namespace laboratory
