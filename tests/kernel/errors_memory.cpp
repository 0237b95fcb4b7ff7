// SPDX-License-Identifier: BSD-2-Clause
// Pools and tables that are full: what every operation that needs memory answers then, and the fixed limits.
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

constexpr Selector first_slot = 20'000; // of the suite's own table: for objects by the hundreds
constexpr Word place = 0x6000'0000;

Reply copy(Selector task, Selector slot, Selector what, Word rights = ~Word{0}) {
    return invoke(Operation::capability_copy, task, slot, abi::root_task, what, rights);
}

} // namespace

// Nothing is left in a pool: each operation that takes from it says so, and works again when there is.
void test_exhaustion() {
    Selector pool = new_selector(), task = new_selector(), notification = new_selector(),
             binding = new_selector();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 20));
    must("notification", invoke(Operation::notification_create, pool, notification, 0));
    must("task", invoke(Operation::task_create, pool, task, 65536, 0));
    must("bind", invoke(Operation::bind, task, binding, pool, abi::root_ram));
    must("large", invoke(Operation::map, binding, place, 4 * abi::large_page_size, 512, abi::map_read));
    Selector vcpu_thread = new_selector();
    must("thread", invoke(Operation::thread_create, abi::root_pool, vcpu_thread, abi::root_task, 0, 0, 0));
    Selector next = first_slot;
    auto fill = [&](Operation operation, auto make) {
        Reply reply{};
        unsigned made = 0;
        for (; made < 500; ++made)
            if (reply = make(next + made); !reply.ok())
                break;
        if (reply.error != Error::no_memory) {
            print("  ");
            print(abi::operation_names[static_cast<unsigned>(operation)]);
            print(":\n");
        }
        CHECK_ERROR(reply, no_memory);
        next += made;
    };
    auto on_pool = [&](Operation operation, Word b = 0, Word c = 0, Word d = 0, Word e = 0) {
        fill(operation, [=](Selector slot) { return invoke(operation, pool, slot, b, c, d, e); });
    };
    on_pool(Operation::task_create);
    on_pool(Operation::thread_create, abi::root_task, 0, 0, 1);
    on_pool(Operation::vcpu_create, vcpu_thread, place, make_notification());
    on_pool(Operation::pool_create, 1);
    on_pool(Operation::scheduling_create, 0, 0, 0, 1);
    on_pool(Operation::notification_create);
    on_pool(Operation::endpoint_create);
    on_pool(Operation::timer_create, notification, 1);
    fill(Operation::bind,
         [&](Selector slot) { return invoke(Operation::bind, abi::root_task, slot, pool, abi::root_ram); });
    fill(Operation::region_carve, [&](Selector slot) {
        return invoke(Operation::region_carve, abi::root_ram, slot, pool, 0, page, 1);
    });
    fill(Operation::msi_create, [&](Selector slot) {
        return invoke(Operation::msi_create, abi::root_irqs, slot, pool, notification, 1, 0);
    });
    fill(Operation::irq_create, [&](Selector slot) {
        return invoke(Operation::irq_create, abi::root_irqs, slot, pool, 11, notification, 1);
    });
    // The task's page tables and capability table grow from there as well.
    CHECK_ERROR(invoke(Operation::map, binding, 4 * place, 0, 1, abi::map_read), no_memory);
    CHECK_ERROR(invoke(Operation::unmap, task, place + page, 1), no_memory);
    CHECK_ERROR(invoke(Operation::protect, task, place + page, 1, abi::map_read), no_memory);
    CHECK_ERROR(copy(task, 5000, abi::root_ram), no_memory);
    CHECK_ERROR(invoke(Operation::capability_move, task, 5000, abi::root_task, binding), no_memory);
    CHECK_EQ(invoke(Operation::pool_info, pool).value, 0);
    CHECK_ERROR(invoke(Operation::task_destroy, task), ok);
    CHECK_ERROR(invoke(Operation::endpoint_create, pool, next), ok);
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    CHECK_ERROR(invoke(Operation::thread_destroy, vcpu_thread), ok);
}

// Limits of the kernel that no pool sets.
void test_limits() {
    // What is carved or bound is derived, and derivations are so many deep.
    Selector last = first_slot, pool = new_selector();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 200));
    must("region",
         invoke(Operation::region_carve, abi::root_ram, last, pool, 0, page, abi::region_right::all));
    while (copy(abi::root_task, last + 1, last).ok())
        ++last;
    CHECK_EQ(last - first_slot, 126); // the region is derived from the root's
    CHECK_ERROR(invoke(Operation::region_carve, last, last + 1, pool, 0, page, 1), limit);
    CHECK_ERROR(invoke(Operation::bind, abi::root_task, last + 1, pool, last), limit);
    CHECK_ERROR(invoke(Operation::capability_delete, abi::root_task, first_slot), ok);
    // Bindings of a space.
    Selector task = new_selector();
    must("task", invoke(Operation::task_create, pool, task, 0, 0));
    Reply reply{};
    unsigned bound = 0;
    for (; bound < 3000; ++bound)
        if (reply = invoke(Operation::bind, task, first_slot + bound, pool, abi::root_ram); !reply.ok())
            break;
    CHECK_ERROR(reply, limit);
    CHECK_EQ(bound, 2047);
    CHECK_ERROR(invoke(Operation::capability_delete, abi::root_task, first_slot + 1000), ok);
    CHECK_ERROR(invoke(Operation::bind, task, first_slot + 1000, pool, abi::root_ram), ok);
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    // vCPUs of a core.
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 400));
    must("task", invoke(Operation::task_create, pool, task, 0, 0));
    unsigned vcpus = 0;
    for (; vcpus < 100; ++vcpus) {
        Selector thread = first_slot + 3 * vcpus;
        must("thread", invoke(Operation::thread_create, pool, thread, task, 0, 0, 0));
        must("notification", invoke(Operation::notification_create, pool, thread + 1, 0));
        reply = invoke(Operation::vcpu_create, pool, thread + 2, thread, place + vcpus * page, thread + 1);
        if (!reply.ok())
            break;
    }
    CHECK_ERROR(reply, limit);
    CHECK(vcpus >= 60 && vcpus <= 64); // those that the suite has made before count
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
}

namespace {

constexpr unsigned chain = 33;
alignas(16) std::byte chain_stacks[chain][512];
Selector chain_endpoints[chain];
volatile Word chain_end;

// Takes a call, and calls the next.
void pass_on(Word index) {
    Message message{};
    if (index > 0)
        (void)exchange(Operation::receive, chain_endpoints[index], message);
    message.tag = 0;
    Error error = exchange(Operation::call, chain_endpoints[(index + 1) % chain], message);
    if (error == Error::limit)
        chain_end = index;
    for (;;)
        (void)exchange(Operation::reply_wait, chain_endpoints[index], message);
}

} // namespace

// The 33rd call of a chain is refused; the replies then go all the way back.
void test_call_limit() {
    Selector threads[chain];
    chain_end = 0;
    for (unsigned i = 0; i < chain; ++i)
        chain_endpoints[i] = make_endpoint();
    for (unsigned i = chain; i-- > 0;) {
        threads[i] = make_thread(abi::root_task, 0, 110, 0);
        start(threads[i], pass_on, i, reinterpret_cast<Word>(chain_stacks[i] + sizeof chain_stacks[i]));
    }
    CHECK_EQ(chain_end, chain - 1);
    for (Selector thread : threads) {
        CHECK_EQ(invoke(Operation::thread_info, thread).value, abi::ThreadState::receiving);
        CHECK_ERROR(invoke(Operation::thread_destroy, thread), ok);
    }
}

} // namespace laboratory
