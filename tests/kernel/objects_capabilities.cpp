// SPDX-License-Identifier: BSD-2-Clause
// Capabilities: looking them up, copying with less, moving, deleting, revoking; tables that grow.
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

Reply copy(Selector slot, Selector what, std::uint32_t rights, Word badge = 0) {
    return invoke(Operation::capability_copy, abi::root_task, slot, abi::root_task, what, rights, badge);
}
Reply remove(Selector slot) {
    return invoke(Operation::capability_delete, abi::root_task, slot);
}
Reply revoke(Selector slot) {
    return invoke(Operation::capability_revoke, abi::root_task, slot);
}
Reply move(Selector slot, Selector from) {
    return invoke(Operation::capability_move, abi::root_task, slot, abi::root_task, from);
}
Error signal(Selector slot) {
    return invoke(Operation::signal, slot).error;
}

} // namespace

void test_capabilities() {
    CHECK_ERROR(invoke(static_cast<Operation>(abi::operation_count), 0), bad_operation);
    CHECK_ERROR(invoke(static_cast<Operation>(~0ull), 0), bad_operation);
    CHECK_ERROR(invoke(Operation::pool_info, 0), bad_capability);
    CHECK_ERROR(invoke(Operation::pool_info, abi::root_task), bad_capability); // another type
    CHECK_ERROR(invoke(Operation::pool_info, 0xffff'ffff), bad_capability);    // outside the table
    CHECK_ERROR(invoke(Operation::pool_info, 60000), bad_capability);          // page of the table not made

    Selector slot = new_selector();
    Selector notification = make_notification();
    CHECK_ERROR(copy(slot, notification, abi::notification_right::signal, 4), ok);
    CHECK_ERROR(copy(slot, notification, abi::notification_right::signal), occupied);
    CHECK_ERROR(invoke(Operation::wait, slot), no_right);
    CHECK_ERROR(invoke(Operation::signal, slot), ok);
    CHECK_EQ(invoke(Operation::poll, notification).value, 4);
    Selector second = new_selector();
    CHECK_ERROR(copy(second, slot, abi::notification_right::all, 8), bad_argument); // a badge is not replaced
    CHECK_ERROR(copy(second, slot, abi::notification_right::all), ok);
    CHECK_ERROR(invoke(Operation::wait, second), no_right); // rights do not grow
    CHECK_ERROR(copy(0, slot, 1), bad_argument);
    CHECK_ERROR(copy(new_selector(), 59999, 1), bad_capability);
    CHECK_ERROR(copy(new_selector(), abi::root_pool, 1, 5), bad_argument); // pools have no badge
    CHECK_ERROR(remove(second), ok);
    CHECK_ERROR(remove(second), bad_capability);
    CHECK_ERROR(remove(1 << 20), bad_argument);
    CHECK_ERROR(remove(slot), ok);
    CHECK_ERROR(invoke(Operation::signal, slot), bad_capability);
}

// A chain, and a bush below its middle: revoking takes what is below and nothing else.
void test_derivation() {
    Selector root = make_notification(), chain[5], bush[40], other = new_selector();
    must("other", copy(other, root, abi::notification_right::all));
    Selector last = root;
    for (auto& slot : chain) {
        slot = new_selector();
        must("chain", copy(slot, last, abi::notification_right::all));
        last = slot;
    }
    for (auto& slot : bush) {
        slot = new_selector();
        must("bush", copy(slot, chain[2], abi::notification_right::signal));
    }
    CHECK_ERROR(revoke(chain[2]), ok);
    CHECK_EQ(signal(root), Error::ok);
    CHECK_EQ(signal(other), Error::ok);
    CHECK_EQ(signal(chain[1]), Error::ok);
    CHECK_EQ(signal(chain[2]), Error::ok); // the slot itself stays
    CHECK_EQ(signal(chain[3]), Error::bad_capability);
    CHECK_EQ(signal(chain[4]), Error::bad_capability);
    for (Selector slot : bush)
        CHECK_EQ(signal(slot), Error::bad_capability);
    CHECK_ERROR(revoke(chain[2]), ok); // nothing below: nothing happens

    // Deleting takes what was derived along, and leaves siblings and ancestors.
    CHECK_ERROR(copy(chain[3], chain[2], abi::notification_right::all), ok);
    CHECK_ERROR(remove(chain[1]), ok);
    for (unsigned i = 1; i < 4; ++i)
        CHECK_EQ(signal(chain[i]), Error::bad_capability);
    CHECK_EQ(signal(chain[0]), Error::ok);
    CHECK_EQ(signal(other), Error::ok);

    // A moved capability keeps its place: what was derived from it still is, and it is still derived.
    CHECK_ERROR(copy(chain[1], chain[0], abi::notification_right::all, 6), ok);
    CHECK_ERROR(move(chain[2], chain[0]), ok);
    CHECK_EQ(signal(chain[0]), Error::bad_capability);
    CHECK_ERROR(move(chain[2], chain[1]), occupied);
    CHECK_ERROR(move(chain[3], chain[0]), bad_capability);
    CHECK_ERROR(move(0, chain[2]), bad_argument);
    (void)invoke(Operation::poll, root);
    CHECK_EQ(signal(chain[1]), Error::ok);
    CHECK_EQ(invoke(Operation::poll, root).value, 6);
    CHECK_ERROR(revoke(chain[2]), ok);
    CHECK_EQ(signal(chain[1]), Error::bad_capability);
    CHECK_EQ(signal(chain[2]), Error::ok);
    CHECK_ERROR(move(chain[4], root), ok); // the origin itself
    CHECK_EQ(signal(chain[2]), Error::ok);
    CHECK_ERROR(revoke(chain[4]), ok);
    CHECK_EQ(signal(chain[2]), Error::bad_capability);
    CHECK_EQ(signal(other), Error::bad_capability);
    CHECK_EQ(signal(chain[4]), Error::ok);
    CHECK_ERROR(revoke(root), bad_capability);
    CHECK_ERROR(revoke(1 << 20), bad_argument);

    // No deeper than the kernel walks in one step.
    Selector above = chain[4];
    unsigned deep = 0;
    for (;; ++deep) {
        Selector slot = new_selector();
        Reply reply = copy(slot, above, abi::notification_right::all);
        if (!reply.ok()) {
            CHECK_ERROR(reply, limit);
            break;
        }
        above = slot;
    }
    CHECK_EQ(deep, 127);
    CHECK_EQ(signal(above), Error::ok);
    CHECK_ERROR(revoke(chain[4]), ok);
    CHECK_EQ(signal(above), Error::bad_capability);
}

// Across tasks: what a task passed on is gone with the task.
void test_derivation_across_tasks() {
    Selector notification = make_notification(), back = new_selector();
    Child first = make_child(), second = make_child();
    give(first, 20, notification, abi::notification_right::signal);
    CHECK_ERROR(invoke(Operation::capability_copy, second.task, 21, first.task, 20, 1, 8), ok);
    CHECK_ERROR(invoke(Operation::capability_copy, abi::root_task, back, second.task, 21, 1, 0), ok);
    CHECK_EQ(signal(back), Error::ok);
    CHECK_EQ(invoke(Operation::poll, notification).value, 8);
    CHECK_ERROR(invoke(Operation::capability_delete, first.task, 20), ok);
    CHECK_EQ(signal(back), Error::bad_capability);
    give(first, 20, notification, abi::notification_right::signal);
    CHECK_ERROR(invoke(Operation::capability_move, second.task, 22, first.task, 20), ok);
    CHECK_ERROR(invoke(Operation::capability_copy, abi::root_task, back, second.task, 22, 1, 0), ok);
    CHECK_ERROR(invoke(Operation::task_destroy, first.task), ok); // it no longer has what it moved away
    CHECK_EQ(signal(back), Error::ok);
    CHECK_ERROR(invoke(Operation::task_destroy, second.task), ok);
    CHECK_EQ(signal(back), Error::bad_capability);
    CHECK_EQ(signal(notification), Error::ok);
}

void test_growing_tables() {
    Selector task = new_selector(), notification = make_notification();
    must("task", invoke(Operation::task_create, abi::root_pool, task, 0, 0));
    auto put = [&](Selector slot) {
        return invoke(Operation::capability_copy, task, slot, abi::root_task, notification, 1, 0);
    };
    auto grow = [&](Word slots) { return invoke(Operation::task_grow, task, slots); };
    CHECK_ERROR(put(1), bad_argument);
    CHECK_ERROR(grow(200), ok);
    CHECK_ERROR(put(199), ok);
    CHECK_ERROR(put(200), bad_argument);
    CHECK_ERROR(grow(199), bad_argument); // tables do not shrink
    CHECK_ERROR(grow(65537), bad_argument);
    CHECK_ERROR(grow(65536), ok);
    CHECK_ERROR(put(65535), ok);
    CHECK_ERROR(put(199), occupied);
    CHECK_ERROR(invoke(Operation::task_destroy, task), ok);
    // A task without memory for a table stays without.
    Selector pool = new_selector(), small = new_selector();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 2));
    must("task", invoke(Operation::task_create, pool, small, 0, 0));
    CHECK_ERROR(invoke(Operation::task_grow, small, 10), no_memory);
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
}

} // namespace laboratory
