// SPDX-License-Identifier: BSD-2-Clause
// Brings every operation and interrupt that has to do with many things at once to what should be its longest
// way through the kernel, for the plugin to measure (watch.cpp). What it prints says how far it came; that
// the scenes are what they are meant to be is checked where they are set.
#include <cstddef>

#include "tests/kernel/laboratory.hpp"

using namespace laboratory;

namespace {

constexpr unsigned longest_chain = 31, chains = 4, stack_size = 1024, threads = 720;
constexpr unsigned prio_server = 150, prio_client = 140;
constexpr Word buffers = 0x5000'0000;
alignas(4096) std::byte stacks[threads + 1][stack_size];
unsigned made;
Selector never, starter; // nobody signals it; the context on which passive threads come to where they wait
Selector endpoints[chains][longest_chain + 1];
Selector gate; // the endpoint that is about to have much to do with
Word instant;  // a deadline of many

[[noreturn]] void sleep_forever() {
    for (;;)
        (void)invoke(Operation::wait, never);
}

// A thread of the root task; passive: it runs on `starter` until it first waits.
Selector spawn(void (*function)(Word), Word argument, unsigned priority, bool passive, Word buffer_at = 0) {
    unsigned index = made++;
    if (index == threads)
        fail("too few stacks");
    Word buffer = buffer_at ? buffer_at : buffers + index * page,
         stack = reinterpret_cast<Word>(stacks[index + 1]);
    Selector thread = make_thread(abi::root_task, 0, priority, buffer, passive);
    if (passive)
        must("lend", invoke(Operation::thread_configure, thread, priority, starter, 0, 0));
    start(thread, function, argument, stack);
    (void)invoke(Operation::yield, 0);
    if (passive)
        must("take", invoke(Operation::scheduling_unbind, starter));
    return thread;
}

void expect(const char* what, Selector thread, abi::ThreadState state) {
    if (invoke(Operation::thread_info, thread).value != static_cast<Word>(state))
        fail(what);
}

// Takes a call at its place in the chain and passes it on; the last one keeps it.
void link(Word place) {
    Word chain = place / 64, index = place % 64;
    Message message{};
    (void)exchange(Operation::receive, endpoints[chain][index], message);
    if (index + 1 < longest_chain)
        (void)exchange(Operation::call, endpoints[chain][index + 1], message);
    sleep_forever();
}
void call_gate(Word) {
    Message message{};
    (void)exchange(Operation::call, gate, message);
    sleep_forever();
}
// Has served the gate, and does something else now.
void visit_gate(Word) {
    Message message{};
    (void)exchange(Operation::receive, gate, message, 1);
    sleep_forever();
}
void send_gate(Word) {
    Message message{};
    (void)exchange(Operation::send, gate, message);
    sleep_forever();
}

// Chains of passive servers that begin at the gate, each with a client at its head whose time they run on.
void make_chains(unsigned many, Selector* clients) {
    for (unsigned chain = 0; chain < many; ++chain) {
        endpoints[chain][0] = gate;
        for (unsigned i = 1; i < longest_chain; ++i)
            endpoints[chain][i] = make_endpoint();
        for (unsigned i = longest_chain; i-- > 0;)
            spawn(link, chain * 64 + i, prio_server, true);
        clients[chain] = spawn(call_gate, 0, prio_client, false);
        expect("chain", clients[chain], abi::ThreadState::waiting_reply);
    }
}

Selector new_pool(Word pages, Selector parent = abi::root_pool) {
    Selector pool = new_selector();
    must("pool", invoke(Operation::pool_create, parent, pool, pages));
    return pool;
}

// The head of the longest chain goes, twice, while the next client waits to help what it leaves behind; then
// the endpoint goes, where clients help as many orphans as one step looks at.
void break_chains() {
    Selector pool = new_pool(32), clients[chains], helpers[chains];
    gate = make_endpoint(0, pool);
    make_chains(chains, clients);
    for (unsigned i = 0; i < 60; ++i) // all of them are looked at before the orphan is found
        spawn(visit_gate, 0, prio_server, false);
    for (unsigned i = 0; i < chains; ++i) {
        helpers[i] = spawn(call_gate, 0, prio_client, false);
        expect("helper", helpers[i], abi::ThreadState::sending);
        must("cancel", invoke(Operation::thread_cancel, clients[i]));
    }
    Selector next = spawn(call_gate, 0, prio_client, false);
    must("destroy", invoke(Operation::thread_destroy, helpers[0]));
    expect("next", next, abi::ThreadState::sending);
    must("pool_destroy", invoke(Operation::pool_destroy, pool));
    print("chains\n");
}

// Who sends one way queues before a server that cannot take it.
void pester() {
    gate = make_endpoint();
    Selector calls = make_endpoint();
    for (unsigned i = 0; i < 100; ++i)
        spawn(send_gate, 0, prio_client, false);
    static Selector door;
    door = calls;
    spawn(
        [](Word) {
            Message message{};
            (void)exchange(Operation::receive, door, message);
            (void)exchange(Operation::reply_wait, gate, message);
            sleep_forever();
        },
        0, prio_server, true);
    Message message{};
    (void)exchange(Operation::call, calls, message);
    print("senders\n");
}

// Many timers and time-outs at one tick, most of them waking a thread.
void expire() {
    gate = make_endpoint();
    instant = glue::Clock::ticks().value + 30'000'000;
    auto wait_until = [](Word) {
        for (;;) {
            Message message{};
            (void)exchange(Operation::receive, gate, message, instant);
            (void)invoke(Operation::wait, never);
        }
    };
    for (unsigned i = 0; i < 100; ++i)
        spawn(wait_until, 0, 101 + i, false);
    for (unsigned i = 0; i < 200; ++i) {
        static Selector bell;
        bell = make_notification();
        Selector timer = new_selector();
        must("timer", invoke(Operation::timer_create, abi::root_pool, timer, bell, 1));
        must("set", invoke(Operation::timer_set, timer, instant));
        if (i % 2)
            spawn(
                [](Word ring) {
                    (void)invoke(Operation::wait, static_cast<Selector>(ring));
                    sleep_forever();
                },
                bell, 101 + i / 2, false);
    }
    if (glue::Clock::ticks().value > instant)
        fail("too slow");
    while (glue::Clock::ticks().value < instant + 1'000'000) {
    }
    print("timers\n");
}

IN_CHILD void spin(Word) {
    for (;;)
        asm volatile("");
}

// All vCPUs that a core may have were interrupted in one guest space, which goes.
void leave_guests() {
    constexpr unsigned vcpus = 64;
    Child guest = make_child(abi::root_pool, 1024);
    for (unsigned i = 0; i < 900; ++i)
        give(guest, 100 + i, never, abi::notification_right::signal);
    static Selector space;
    space = guest.task;
    for (unsigned i = 0; i < vcpus; ++i) {
        Word at = buffers + 0x40'0000 + i * 2 * page;
        Selector thread = new_selector(), time = new_selector(), vcpu = new_selector();
        must("thread", invoke(Operation::thread_create, abi::root_pool, thread, abi::root_task, 0, at, 0));
        must("time", invoke(Operation::scheduling_create, abi::root_pool, time, 0, 0, 0, 255));
        must("configure", invoke(Operation::thread_configure, thread, 10 + i, time, 0, 0));
        must("vcpu",
             invoke(Operation::vcpu_create, abi::root_pool, vcpu, thread, at + page, make_notification()));
        auto& state = *reinterpret_cast<volatile abi::VcpuPage*>(at + page);
        state.deadline = abi::no_deadline;
        state.user.rip = reinterpret_cast<Word>(&spin);
        state.user.rflags = 0x202;
        start(
            thread,
            [](Word) {
                (void)glue::native::run_vcpu(space);
                sleep_forever();
            },
            0, reinterpret_cast<Word>(stacks[++made]));
        pause_for(20);
        if (state.user.rip != reinterpret_cast<Word>(&spin) && state.user.rip == 0)
            fail("guest");
    }
    must("task_destroy", invoke(Operation::task_destroy, guest.task));
    print("guests\n");
}

// As deep a derivation as there can be, each step with further leaves; and a tree of pools.
void deep_trees() {
    auto copy = [](Selector to, Selector from, Word badge = 0) {
        must("copy", invoke(Operation::capability_copy, abi::root_task, to, abi::root_task, from,
                            abi::notification_right::all, badge));
    };
    for (unsigned leaves = 0; leaves < 3; ++leaves) {
        Selector top = make_notification(), at = top;
        for (unsigned depth = 1; depth <= 126; ++depth) {
            Selector below = new_selector();
            copy(below, at);
            for (unsigned i = 0; i < leaves; ++i)
                copy(new_selector(), at);
            at = below;
        }
        must("revoke", invoke(Operation::capability_revoke, abi::root_task, top));
    }
    Selector outer = new_pool(300), inner = outer;
    for (unsigned depth = 2; depth <= 15; ++depth) {
        inner = new_pool(300 - 15 * depth, inner);
        make_endpoint(0, inner);
        make_notification(0, inner);
    }
    must("pool_destroy", invoke(Operation::pool_destroy, outer));
    print("trees\n");
}

Selector item_binding;
Word item_ram;

// Words, a page that needs every table, and a capability in one message.
void carry() {
    gate = make_endpoint();
    item_ram = take_ram(1);
    item_binding = new_selector();
    must("bind", invoke(Operation::bind, abi::root_task, item_binding, abi::root_pool, abi::root_ram));
    static constexpr Word full = abi::message_words, tag_all = abi::tag_items;
    spawn(
        [](Word) {
            auto& buffer = *reinterpret_cast<abi::MessageBuffer*>(buffers);
            Message message{};
            (void)exchange(Operation::receive, gate, message);
            for (Word i = 0;; ++i) {
                buffer.item = {item_binding, abi::map_read, item_ram, (i + 2) << 39};
                buffer.capability = {never, abi::notification_right::all, 0};
                buffer.receive_slot = 0;
                message.tag = abi::make_tag(1, full, tag_all);
                (void)exchange(Operation::reply_wait, gate, message);
            }
        },
        0, prio_server, false, buffers);
    auto& own = *reinterpret_cast<abi::MessageBuffer*>(abi::root_buffer_address);
    for (Word i = 0; i < 8; ++i) {
        own.receive_slot = new_selector();
        Message message{abi::make_tag(1, full), {}, 0};
        must("call", exchange(Operation::call, gate, message));
        if ((message.tag & tag_all) != tag_all)
            fail("items");
    }
    print("items\n");
}

void fill_vectors() {
    Selector first = 0;
    for (Error error = Error::ok; error == Error::ok;) {
        Selector irq = new_selector();
        error = invoke(Operation::msi_create, abi::root_irqs, irq, abi::root_pool, never, 1).error;
        first = first ? first : irq;
    }
    must("delete", invoke(Operation::capability_delete, abi::root_task, first));
    print("vectors\n");
}

} // namespace

extern "C" void libelle_main() {
    initialize();
    never = make_notification();
    starter = new_selector();
    must("time", invoke(Operation::scheduling_create, abi::root_pool, starter, 0, 0, 0, 255));
    carry();
    deep_trees();
    fill_vectors();
    leave_guests();
    break_chains();
    pester();
    expire();
    finish(0);
}
