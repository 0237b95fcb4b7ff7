// SPDX-License-Identifier: BSD-2-Clause
// A hostile worker: threads of two child tasks on all cores invoke anything with anything
// (hostile_child.cpp), on objects that they share, each able to destroy all of them; meanwhile the worker
// sets free what got stuck, gives back what they lost, and finally destroys them. No result is checked but
// one: after a round all pages are back.
#include "tests/fuzz/hostile.hpp"

extern "C" char child_section_start[];

namespace fuzz {

namespace {

constexpr unsigned threads = hostile_threads, tasks = 2, pool_pages = 330, table_slots = hostile_slots;

Selector next;
Selector task[tasks], thread[threads], sandbox;
Selector time[threads][abi::max_cores]; // a context of each core, for a thread that may have moved there
struct Shared {
    Selector what;
    std::uint32_t rights;
    Word badge;
} shared[table_slots];

// The arguments of each operation, as Layout says.
constexpr struct {
    Operation operation;
    char arguments[8];
} arguments_of[] = {
    {Operation::pool_create, "pkP"},
    {Operation::pool_info, "p"},
    {Operation::pool_destroy, "p"},
    {Operation::region_carve, "rkpOO1"},
    {Operation::region_info, "r"},
    {Operation::task_create, "pkk0"},
    {Operation::capability_copy, "tktk10"},
    {Operation::capability_delete, "tk"},
    {Operation::bind, "tkpr"},
    {Operation::map, "bAOPF"},
    {Operation::unmap, "tAP"},
    {Operation::protect, "tAPF"},
    {Operation::thread_create, "pktcA0"},
    {Operation::thread_configure, "hRsen"},
    {Operation::thread_start, "hXYk"},
    {Operation::thread_stop, "h"},
    {Operation::thread_info, "h"},
    {Operation::thread_destroy, "h"},
    {Operation::task_destroy, "t"},
    {Operation::endpoint_create, "pkc"},
    {Operation::notification_create, "pkc"},
    {Operation::vcpu_create, "pkhAn"},
    {Operation::vcpu_run, "t"},
    {Operation::timer_create, "pkn1"},
    {Operation::timer_set, "mD"},
    {Operation::signal, "n"},
    {Operation::wait, "nD"},
    {Operation::poll, "n"},
    {Operation::call, "e"},
    {Operation::receive, "e"},
    {Operation::reply_wait, "e"},
    {Operation::counter_read, "pcc"},
    {Operation::capability_move, "tktk"},
    {Operation::capability_revoke, "tk"},
    {Operation::task_grow, "tP"},
    {Operation::scheduling_bind, "sh"},
    {Operation::scheduling_unbind, "s"},
    {Operation::scheduling_configure, "sn1"},
    {Operation::scheduling_info, "sc"},
    {Operation::thread_migrate, "hcs0"},
    {Operation::core_info, "pc"},
    {Operation::send, "e"},
    {Operation::thread_cancel, "h"},
    {Operation::irq_create, "qkpLn1"},
    {Operation::irq_acknowledge, "k"},
    {Operation::msi_create, "qkpn1R"},
    {Operation::irq_route, "kn"},
};

// Both tables get the same: all that the sandbox has, and what the workers share.
void give(Selector slot) {
    const Shared& s = shared[slot];
    for (Selector to : task)
        (void)invoke(Operation::capability_copy, to, slot, abi::root_task, s.what, s.rights, s.badge);
}

void share(char kind, Selector slot, Selector what, std::uint32_t rights, Word badge = 0) {
    shared[slot] = {what, rights, badge};
    layout().kind[slot] = kind;
    give(slot);
}

void start(unsigned which) {
    (void)invoke(Operation::thread_start, thread[which], reinterpret_cast<Word>(&hostile_main),
                 puppet_address + which * page + page - 8, which);
}

void make_sandbox() {
    auto must = [](const char* what, Reply reply) {
        if (!reply.ok()) {
            print("FAIL hostile worker: ");
            print(what);
            print("\n");
            control().failed = 1;
            control().explained = 1;
        }
    };
    next = first_free;
    layout() = {};
    for (auto& known : arguments_of)
        for (unsigned i = 0; i < sizeof known.arguments; ++i)
            layout().arguments[static_cast<unsigned>(known.operation)][i] = known.arguments[i];
    // Half of the rounds are about threads that wait for each other, with and without time of their own.
    constexpr Operation ipc[] = {Operation::call,
                                 Operation::call,
                                 Operation::reply_wait,
                                 Operation::reply_wait,
                                 Operation::receive,
                                 Operation::send,
                                 Operation::reply,
                                 Operation::signal,
                                 Operation::wait,
                                 Operation::thread_cancel,
                                 Operation::thread_stop,
                                 Operation::thread_start,
                                 Operation::thread_migrate,
                                 Operation::scheduling_bind,
                                 Operation::scheduling_unbind,
                                 Operation::yield};
    static_assert(sizeof ipc / sizeof ipc[0] == sizeof layout().often);
    if (random.one_in(2))
        for (Operation operation : ipc)
            layout().often[layout().often_count++] = static_cast<std::uint8_t>(operation);
    for (Shared& s : shared)
        s = {};
    sandbox = next++;
    must("pool_create", invoke(Operation::pool_create, abi::root_pool, sandbox, pool_pages));
    Selector slot = 1;
    for (unsigned i = 0; i < tasks; ++i) {
        task[i] = next++;
        must("task_create", invoke(Operation::task_create, sandbox, task[i], table_slots, 0));
        Selector text = next++, pages = next++;
        must("bind", invoke(Operation::bind, task[i], text, sandbox, section_region));
        must("bind", invoke(Operation::bind, task[i], pages, sandbox, puppet_region));
        for (Word done = 0; done < configuration.section_pages;) {
            Reply reply =
                invoke(Operation::map, text, reinterpret_cast<Word>(child_section_start) + done * page,
                       done * page, configuration.section_pages - done, abi::map_read | abi::map_execute);
            must("map", reply);
            done += reply.value;
        }
        must("map",
             invoke(Operation::map, pages, puppet_address, 0, threads + 1, abi::map_read | abi::map_write));
    }
    for (unsigned i = 0; i < tasks; ++i) {
        Selector ram = next++;
        must("bind", invoke(Operation::bind, task[i], ram, sandbox, abi::root_ram));
        share('t', slot++, task[i], ~0u);
        share('b', slot++, ram, ~0u);
    }
    share('p', slot++, sandbox, abi::pool_right::create | abi::pool_right::destroy);
    share('q', slot++, abi::root_irqs, ~0u);
    Selector inner = next++, region = next++;
    must("inner pool", invoke(Operation::pool_create, sandbox, inner, pool_pages / 4));
    must("region", invoke(Operation::region_carve, abi::root_ram, region, sandbox, 0, ram_pages * page,
                          abi::region_right::all));
    share('p', slot++, inner, abi::pool_right::create | abi::pool_right::destroy);
    share('r', slot++, region, ~0u);
    Selector notification[abi::max_cores];
    for (unsigned core = 0; core < configuration.cores; ++core) {
        notification[core] = next++;
        Selector endpoint = next++, timer = next++;
        must("notification", invoke(Operation::notification_create, sandbox, notification[core], core));
        must("endpoint", invoke(Operation::endpoint_create, sandbox, endpoint, core));
        must("timer", invoke(Operation::timer_create, sandbox, timer, notification[core], 2));
        share('n', slot++, notification[core], ~0u, core == 0 ? 0 : 4);
        share('e', slot++, endpoint, ~0u, core == 0 ? 0 : 5);
        share('m', slot++, timer, ~0u);
        if (slot < 50)
            share('n', slot++, shared_notification + core, ~0u);
        if (slot < 50)
            share('e', slot++, shared_endpoint + core, ~0u);
    }
    for (unsigned i = 0; i < threads; ++i) {
        unsigned core = (configuration.core + i) % configuration.cores;
        Word address = puppet_address + i * page;
        *reinterpret_cast<volatile Word*>(address) = 0;
        *reinterpret_cast<volatile Word*>(address + 8) = random.next() | 1;
        thread[i] = next++;
        Selector vcpu = next++, bits = next++;
        bool plain = random.one_in(2);
        must("thread", invoke(Operation::thread_create, sandbox, thread[i], task[i % tasks], core,
                              puppet_buffer + i * page, plain ? Word{abi::thread_no_fpu} : 0));
        Word period = random.one_in(2) ? 0 : 50'000 + random.below(2'000'000);
        for (unsigned where = 0; where < configuration.cores; ++where) {
            time[i][where] = next++;
            must("time", invoke(Operation::scheduling_create, sandbox, time[i][where], where,
                                period ? 1 + random.below(period) : 0, period, 49));
        }
        must("notification", invoke(Operation::notification_create, sandbox, bits, core));
        if (!plain) {
            must("vcpu",
                 invoke(Operation::vcpu_create, sandbox, vcpu, thread[i], vcpu_address + i * page, bits));
            share('v', slot++, vcpu, ~0u);
        }
        must("configure", invoke(Operation::thread_configure, thread[i], 10 + random.below(39), time[i][core],
                                 0, plain && random.one_in(2) ? bits : 0));
        share('h', slot++, thread[i], ~0u);
        if (slot < 60)
            share('s', slot++, time[i][core], ~0u);
    }
    for (unsigned i = 0; i < threads; ++i)
        start(i); // the first ones may have destroyed it
}

// What got stuck is set free, and gets time again on whatever core it is now.
void set_free(unsigned which) {
    Reply info = invoke(Operation::thread_info, thread[which]);
    if (!info.ok())
        return;
    auto state = static_cast<abi::ThreadState>(info.value);
    if (state != abi::ThreadState::ready && random.one_in(4))
        (void)invoke(Operation::thread_stop, thread[which]);
    else if (state != abi::ThreadState::ready)
        (void)invoke(Operation::thread_cancel, thread[which]);
    for (unsigned core = 0; core < configuration.cores; ++core)
        (void)invoke(Operation::scheduling_bind, time[which][core], thread[which]);
    start(which);
}

} // namespace

void run_hostile() {
    Selector alarm = 1000, timer = 1001;
    (void)invoke(Operation::notification_create, abi::root_pool, alarm, configuration.core);
    (void)invoke(Operation::timer_create, abi::root_pool, timer, alarm, 1);
    for (Selector at = first_free; at < 512; at += 64) { // the table's pages, once and for all
        (void)invoke(Operation::capability_copy, abi::root_task, at, abi::root_task, abi::root_task, 1);
        (void)invoke(Operation::capability_delete, abi::root_task, at);
    }
    Word before = invoke(Operation::pool_info, abi::root_pool).value, earlier = 0;
    Word millisecond = glue::Clock::ticks_per_second() / 1000;
    auto count = [&] {
        Word sum = 0;
        for (unsigned i = 0; i < threads; ++i)
            sum += *reinterpret_cast<volatile Word*>(puppet_address + i * page);
        control().hostile[configuration.index] = earlier + sum;
        return sum;
    };
    while (!control().stop && !control().failed) {
        make_sandbox();
        Word enough = 200 + random.below(5000), least = random.below(20);
        for (Word i = 0; i < 300 && (i < least || count() < enough) && !control().failed; ++i) {
            (void)invoke(Operation::timer_set, timer, glue::Clock::ticks().value + millisecond);
            (void)invoke(Operation::wait, alarm);
            for (unsigned which = 0; which < threads; ++which)
                set_free(which);
            if (auto slot = static_cast<Selector>(1 + random.below(table_slots - 1)); shared[slot].what)
                give(slot);
        }
        Reply reply = invoke(Operation::pool_destroy, sandbox);
        Word after = 0;
        for (unsigned i = 0; i < 20000 && after != before; ++i) {
            (void)invoke(Operation::yield, 0);
            after = invoke(Operation::pool_info, abi::root_pool).value;
        }
        if (after != before) {
            print("FAIL hostile worker ");
            print(configuration.index);
            print(": free pages after a round are ");
            print(after);
            print(", not ");
            print(before);
            print("; pool_destroy said ");
            print(abi::error_names[static_cast<unsigned>(reply.error)]);
            print("\n");
            control().failed = 1;
            control().explained = 1;
        }
        earlier += count();
    }
}

} // namespace fuzz
