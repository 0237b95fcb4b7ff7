// SPDX-License-Identifier: BSD-2-Clause
// Capabilities, pools, regions, mappings, and that a task cannot name what it was not given.
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

constexpr Word read_write = abi::map_read | abi::map_write;

Reply copy(Selector slot, Selector what, std::uint32_t rights, Word badge = 0) {
    return invoke(Operation::capability_copy, abi::root_task, slot, abi::root_task, what, rights, badge);
}
Reply remove(Selector slot) {
    return invoke(Operation::capability_delete, abi::root_task, slot);
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

void test_regions_and_mapping() {
    Selector part = new_selector(), binding = new_selector();
    Word offset = take_ram(4);
    auto carve = [&](Selector slot, Word from, Word size, Word rights) {
        return invoke(Operation::region_carve, abi::root_ram, slot, abi::root_pool, from, size, rights);
    };
    Word whole = invoke(Operation::region_info, abi::root_ram).value;
    CHECK_ERROR(carve(part, 1, page, 1), bad_argument);
    CHECK_ERROR(carve(part, 0, 0, 1), bad_argument);
    CHECK_ERROR(carve(part, 0, page, 16), bad_argument);
    CHECK_ERROR(carve(part, whole, page, 1), bad_range);
    CHECK_ERROR(carve(part, page, whole, 1), bad_range);
    CHECK_ERROR(carve(part, offset, 2 * page, abi::region_right::read), ok);
    CHECK_EQ(invoke(Operation::region_info, part).value, 2 * page);
    CHECK_ERROR(invoke(Operation::region_carve, part, new_selector(), abi::root_pool, 0, page, 1), no_right);
    CHECK_ERROR(invoke(Operation::bind, abi::root_task, binding, abi::root_pool, part), ok);
    auto map = [&](Word address, Word from, Word pages, Word flags) {
        return invoke(Operation::map, binding, address, from, pages, flags);
    };
    CHECK_ERROR(map(scratch, 0, 1, read_write), no_right); // the region was given read-only
    CHECK_ERROR(map(scratch, 0, 3, abi::map_read), bad_range);
    CHECK_ERROR(map(scratch, 2 * page, 1, abi::map_read), bad_range);
    CHECK_ERROR(map(scratch, ~Word{0} << 12, 1, abi::map_read), bad_range);
    CHECK_ERROR(map(scratch + 1, 0, 1, abi::map_read), bad_address);
    CHECK_ERROR(map(abi::user_end, 0, 1, abi::map_read), bad_address);
    CHECK_ERROR(map(abi::user_end - page, 0, 2, abi::map_read), bad_address);
    CHECK_ERROR(map(0xffff'8000'0000'0000, 0, 1, abi::map_read), bad_address);
    CHECK_ERROR(map(scratch, 0, 1, abi::map_write), bad_argument);
    CHECK_ERROR(map(scratch, 0, 1, 1 << 20), bad_argument);
    CHECK_ERROR(map(scratch, 0, 2, abi::map_read), ok);
    CHECK_ERROR(map(scratch, 0, 1, abi::map_read), occupied);
    CHECK_ERROR(map(scratch, 0, 1, abi::map_read | abi::map_replace), ok);
    CHECK_ERROR(invoke(Operation::protect, abi::root_task, scratch, 1, read_write), no_right);
    (void)*reinterpret_cast<volatile char*>(scratch);
    Reply unmapped = invoke(Operation::unmap, abi::root_task, scratch, 2);
    CHECK_EQ(unmapped.value, 2);
    CHECK_EQ(unmapped.second & 0x20, 0x20); // accessed
    CHECK_ERROR(invoke(Operation::unmap, abi::root_task, abi::user_end, 1), bad_address);

    // Writing sets dirty; kernel pages in the space are out of reach.
    Selector own = new_selector();
    must("bind", invoke(Operation::bind, abi::root_task, own, abi::root_pool, abi::root_ram));
    CHECK_ERROR(invoke(Operation::map, own, scratch, offset, 1, read_write), ok);
    *reinterpret_cast<volatile char*>(scratch) = 1;
    CHECK_EQ(invoke(Operation::unmap, abi::root_task, scratch, 1).second & 0x40, 0x40);
    CHECK_ERROR(
        invoke(Operation::map, own, abi::root_buffer_address, offset, 1, read_write | abi::map_replace),
        occupied);
    CHECK_ERROR(invoke(Operation::unmap, abi::root_task, abi::root_buffer_address, 1), ok);
    *reinterpret_cast<volatile Word*>(abi::root_buffer_address) = 1; // still there

    // Large pages, and one 4 KiB page taken out of the middle.
    Word large = 4 * abi::large_page_size;
    Word address = scratch + (abi::large_page_size - scratch % abi::large_page_size);
    CHECK_EQ(invoke(Operation::map, own, address, large, 512, read_write).value, 512);
    *reinterpret_cast<volatile Word*>(address + 5 * page) = 77;
    CHECK_ERROR(invoke(Operation::unmap, abi::root_task, address + 4 * page, 1), ok);
    CHECK_EQ(*reinterpret_cast<volatile Word*>(address + 5 * page), 77);
    CHECK_ERROR(invoke(Operation::map, own, address + 4 * page, large, 1, read_write), ok);
    CHECK_EQ(invoke(Operation::unmap, abi::root_task, address, 512).value, 512);
}

namespace {

// In the child: everything it could try with what it does not have. Results go to the shared page.
IN_CHILD void try_everything(Word ram_binding) {
    auto note = [n = 0u](Reply reply) mutable { shared<Word>(8 + n++) = static_cast<Word>(reply.error); };
    note(invoke(Operation::map, 40, scratch, 0, 1, abi::map_read));          // nothing there
    note(invoke(Operation::map, 0xdead'beef, scratch, 0, 1, abi::map_read)); // no such slot
    note(invoke(Operation::map, static_cast<Selector>(ram_binding), scratch, 2 * page, 1,
                abi::map_read)); // beyond its RAM
    note(invoke(Operation::map, static_cast<Selector>(ram_binding), scratch, ~Word{0} - 4095, 1,
                abi::map_read));
    note(invoke(Operation::map, static_cast<Selector>(ram_binding), 0xffff'8000'0000'0000, 0, 1,
                abi::map_read)); // kernel address
    note(invoke(Operation::map, static_cast<Selector>(ram_binding), scratch, 0, 1,
                abi::map_read | abi::map_write));                    // read-only
    note(invoke(Operation::capability_copy, 1, 50, 1, 60, 31));      // slot is empty
    note(invoke(Operation::pool_destroy, 3));                        // given without that right
    note(invoke(Operation::port_in, 6, 0x60, 1));                    // no ports
    note(invoke(Operation::irq_create, 5, 50, 3, 1, 4));             // no interrupts
    note(invoke(Operation::scheduling_create, 3, 50, 0, 0, 0, 255)); // time is not its to make
    (void)invoke(Operation::signal, 12);
    for (;;)
        (void)invoke(Operation::wait, 11);
}

} // namespace

void test_confinement() {
    Child child = make_child();
    Selector part = new_selector(), binding = new_selector(), pool = new_selector(),
             done = make_notification(), idle = make_notification();
    must("carve", invoke(Operation::region_carve, abi::root_ram, part, abi::root_pool, take_ram(2), 2 * page,
                         abi::region_right::read));
    must("bind", invoke(Operation::bind, child.task, binding, abi::root_pool, part));
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 16));
    give(child, 1, child.task, abi::task_right::control | abi::task_right::map);
    give(child, 3, pool, abi::pool_right::create);
    give(child, 4, binding, abi::binding_right::map);
    give(child, 11, idle, abi::notification_right::all);
    give(child, 12, done, abi::notification_right::signal);
    start(make_thread(child.task, 0, 100, child_buffer), try_everything, 4, child_stack);
    CHECK_ERROR(invoke(Operation::wait, done), ok);
    const Error wanted[] = {Error::bad_capability, Error::bad_capability, Error::bad_range,
                            Error::bad_range,      Error::bad_address,    Error::no_right,
                            Error::bad_capability, Error::no_right,       Error::bad_capability,
                            Error::bad_capability, Error::no_right};
    for (unsigned i = 0; i < 11; ++i)
        CHECK_EQ(shared<Word>(8 + i), wanted[i]);
    CHECK_ERROR(invoke(Operation::task_destroy, child.task), ok);
}

} // namespace laboratory
