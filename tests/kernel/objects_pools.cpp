// SPDX-License-Identifier: BSD-2-Clause
// Memory pools: filling, exhausting, nesting.
#include "tests/kernel/check.hpp"

namespace laboratory {

void test_pools() {
    Word before = free_pages();
    Selector pool = new_selector();
    CHECK_ERROR(invoke(Operation::pool_create, abi::root_pool, pool, 0), bad_argument);
    CHECK_ERROR(invoke(Operation::pool_create, abi::root_pool, pool, Word{1} << 40), no_memory);
    CHECK_ERROR(invoke(Operation::pool_destroy, abi::root_pool), no_right);
    CHECK_ERROR(invoke(Operation::pool_create, abi::root_pool, pool, 8), ok);
    Reply info = invoke(Operation::pool_info, pool);
    CHECK_EQ(info.value, 8);
    CHECK_EQ(info.second, 8);
    // A thread cannot lean on what may go before it.
    Selector thread = make_thread(abi::root_task, 0, 1, 0), lent = new_selector();
    must("context", invoke(Operation::scheduling_create, pool, lent, 0, 0, 0, 1));
    CHECK_ERROR(invoke(Operation::thread_configure, thread, 1, lent), bad_argument);
    CHECK_ERROR(invoke(Operation::thread_configure, thread, 1, 0, make_endpoint(0, pool)), bad_argument);
    CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
    // A pool can be exhausted, and only it.
    unsigned made = 0;
    Selector tasks[16];
    for (; made < 16; ++made) {
        tasks[made] = new_selector();
        Reply reply = invoke(Operation::task_create, pool, tasks[made], 0, 0);
        if (!reply.ok()) {
            CHECK_ERROR(reply, no_memory);
            break;
        }
    }
    CHECK(made >= 2 && made < 8);
    CHECK_ERROR(invoke(Operation::task_create, abi::root_pool, new_selector(), 0, 0), ok);
    // A child of a child goes with it.
    Selector outer = new_selector(), inner = new_selector();
    CHECK_ERROR(invoke(Operation::pool_create, abi::root_pool, outer, 32), ok);
    CHECK_ERROR(invoke(Operation::pool_create, outer, inner, 8), ok);
    CHECK_ERROR(invoke(Operation::task_create, inner, new_selector(), 16, 0), ok);
    CHECK_ERROR(invoke(Operation::pool_destroy, outer), ok);
    CHECK_ERROR(invoke(Operation::pool_info, inner), bad_capability);
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    CHECK_ERROR(invoke(Operation::pool_info, pool), bad_capability);
    CHECK_ERROR(invoke(Operation::unmap, tasks[0], 0x1000, 1), bad_capability); // it went with its pool
    CHECK(before - free_pages() <= 8); // the task made from the root pool, and pages of small objects
}

// Pools in pools: each is filled and exhausted without a trace in the one above, down to the deepest.
void test_nested_pools() {
    Word before = free_pages();
    Selector outer = new_selector(), inner = new_selector();
    must("outer", invoke(Operation::pool_create, abi::root_pool, outer, 300));
    must("inner", invoke(Operation::pool_create, outer, inner, 20));
    Word outer_free = invoke(Operation::pool_info, outer).value;
    unsigned made = 0;
    for (;; ++made) { // whole pages, until there is none
        Selector slot = new_selector();
        Reply reply = invoke(Operation::task_create, inner, slot, 16, 0);
        if (!reply.ok()) {
            CHECK_ERROR(reply, no_memory);
            break;
        }
    }
    CHECK(made >= 5 && made < 20);
    CHECK_EQ(invoke(Operation::pool_info, outer).value, outer_free);
    CHECK_ERROR(invoke(Operation::task_create, outer, new_selector(), 16, 0), ok);
    CHECK_ERROR(invoke(Operation::pool_create, inner, new_selector(), 20), no_memory);
    CHECK_ERROR(invoke(Operation::pool_destroy, inner), ok);
    CHECK(invoke(Operation::pool_info, outer).value >= outer_free + 20 - 4);

    Selector above = outer;
    unsigned deep = 1;
    for (;; ++deep) {
        Selector slot = new_selector();
        Reply reply = invoke(Operation::pool_create, above, slot, 250 - 10 * deep);
        if (!reply.ok()) {
            CHECK_ERROR(reply, limit);
            break;
        }
        above = slot;
    }
    CHECK_EQ(deep, 15);
    CHECK_ERROR(invoke(Operation::endpoint_create, above, new_selector(), 0), ok);
    CHECK_ERROR(invoke(Operation::pool_create, outer, outer, 1), occupied);
    CHECK_ERROR(invoke(Operation::pool_create, outer, 0, 1), bad_argument);
    CHECK_ERROR(invoke(Operation::pool_destroy, outer), ok);
    CHECK_ERROR(invoke(Operation::pool_info, above), bad_capability);
    CHECK(before - free_pages() <= 2); // pages of this suite's capability table
}

// What was destroyed is there again for the next who asks, without a retry.
void test_memory_comes_back() {
    Selector pool = new_selector(), task = new_selector();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 6));
    for (unsigned round = 0; round < 20; ++round) {
        CHECK_ERROR(invoke(Operation::task_create, pool, task, 16, 0), ok);
        CHECK_ERROR(invoke(Operation::thread_create, pool, new_selector(), task, 0, 0, abi::thread_no_fpu),
                    ok);
        CHECK_ERROR(invoke(Operation::task_destroy, task), ok);
    }
    CHECK_EQ(invoke(Operation::pool_info, pool).value, 6);
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    // A task whose information page finds no memory for its tables is taken down again.
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 5));
    CHECK_ERROR(invoke(Operation::task_create, pool, task, 16, 0x10'1000), no_memory);
    CHECK_ERROR(invoke(Operation::task_grow, task, 16), bad_capability);
    CHECK_EQ(invoke(Operation::pool_info, pool).value, 5);
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
}

namespace {

// A pool with fewer and fewer free pages in which a thread has just been destroyed. If the operation lacks
// memory then, it still does after all that was on its way has come back.
template <class Prepare, class Attempt>
void test_while_buried(Prepare prepare, Attempt attempt) {
    for (Word left = 0; left < 9; ++left) {
        Selector pool = new_selector(), task = new_selector(), thread = new_selector();
        must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 60));
        must("task", invoke(Operation::task_create, pool, task, 16, 0x10'1000));
        must("thread", invoke(Operation::thread_create, pool, thread, task, 0, 0x20'0000, 0));
        Selector own = prepare(pool);
        Word free = invoke(Operation::pool_info, pool).value;
        if (free > left + 1) // the child pool's own object may take a page
            must("rest", invoke(Operation::pool_create, pool, new_selector(), free - left - 1));
        CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
        Reply reply = attempt(pool, own);
        if (!reply.ok()) {
            CHECK_ERROR(reply, no_memory);
            (void)invoke(Operation::pool_info, pool); // until nothing is on its way
            CHECK_ERROR(attempt(pool, own), no_memory);
        }
        CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    }
}

Selector small_task(Selector pool, unsigned slots) {
    Selector task = new_selector();
    must("task", invoke(Operation::task_create, pool, task, slots, 0));
    return task;
}

} // namespace

// No operation says that there is no memory while some is on its way back.
void test_memory_on_its_way() {
    auto nothing = [](Selector) { return Selector{0}; };
    auto with_table = [](Selector pool) { return small_task(pool, 1024); };
    test_while_buried(nothing, [](Selector pool, Selector) {
        return invoke(Operation::task_create, pool, new_selector(), 16, 0x10'1000);
    });
    test_while_buried(with_table, [](Selector, Selector task) {
        return invoke(Operation::capability_copy, task, 500, abi::root_task, abi::root_ram, ~0u);
    });
    test_while_buried(with_table, [](Selector, Selector task) {
        Selector moved = make_notification();
        return invoke(Operation::capability_move, task, 500, abi::root_task, moved);
    });
    test_while_buried([](Selector pool) { return small_task(pool, 0); },
                      [](Selector, Selector task) { return invoke(Operation::task_grow, task, 16); });
    test_while_buried(
        [](Selector pool) {
            Selector binding = new_selector();
            must("bind", invoke(Operation::bind, small_task(pool, 0), binding, pool, abi::root_ram));
            return binding;
        },
        [](Selector, Selector binding) {
            return invoke(Operation::map, binding, scratch, 0, 1, abi::map_read);
        });
}

} // namespace laboratory
