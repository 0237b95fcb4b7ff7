// SPDX-License-Identifier: BSD-2-Clause
// A task can do nothing with what it was not given.
#include "tests/kernel/check.hpp"

namespace laboratory {

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
