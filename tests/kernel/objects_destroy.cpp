// SPDX-License-Identifier: BSD-2-Clause
// Destroying what is in use: every state that a client thread and its server can be in, on each core, against
// every object that can go (a thread, a task, a pool with all that came from it, on either side). What is
// left must have heard of it, and in the end every page must be back.
#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

enum Slot : Selector { slot_endpoint = 10, slot_notification = 11, slot_guest = 12, slot_never = 13 };
constexpr unsigned cell = 192; // words of the shared page: counter, error of the client, of the server
constexpr Word vcpu_place = 0x4400'0000;

unsigned core_count() {
    return reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores;
}

IN_CHILD [[noreturn]] void stay(unsigned at, Error error) {
    shared<Word>(cell + at) = static_cast<Word>(error);
    for (;;)
        (void)invoke(Operation::wait, slot_never);
}

IN_CHILD void spin(Word) {
    for (;;)
        shared<Word>(cell) = shared<Word>(cell) + 1;
}
IN_CHILD void call(Word) {
    Message message{};
    stay(1, exchange(Operation::call, slot_endpoint, message));
}
IN_CHILD void wait(Word) {
    stay(1, invoke(Operation::wait, slot_notification).error);
}
IN_CHILD void fault(Word) {
    *reinterpret_cast<volatile char*>(0x1234'5000) = 1;
}
IN_CHILD void run_guest(Word) {
    auto& page_ = *reinterpret_cast<volatile abi::VcpuPage*>(vcpu_place);
    page_.user.rip = reinterpret_cast<Word>(&spin);
    page_.user.rsp = child_stack - 512;
    page_.user.rflags = 0x202;
    stay(1, glue::native::run_vcpu(slot_guest).error);
}
IN_CHILD void wait_as_vcpu(Word) {
    stay(1, invoke(Operation::vcpu_wait, 0).error);
}
// Takes a message and works on it for ever, or waits for the first.
IN_CHILD void serve(Word) {
    Message message{};
    Error error = exchange(Operation::receive, slot_endpoint, message);
    if (error != Error::ok)
        stay(2, error);
    for (;;)
        shared<Word>(cell) = shared<Word>(cell) + 1;
}

struct State {
    const char* name;
    void (*client)(Word);
    abi::ThreadState reached; // by the client; inactive: it is not started
    bool server, passive, pager, vcpu, bound, brief;
};
using abi::ThreadState;
constexpr State states[] = {
    // client, its state, server, passive, pager, vcpu, bound, brief
    {"inactive", nullptr, ThreadState::inactive, false, false, false, false, false, false},
    {"running", spin, ThreadState::ready, false, false, false, false, false, false},
    {"without budget", spin, ThreadState::ready, false, false, false, false, false, true},
    {"sending", call, ThreadState::sending, false, false, false, false, false, false},
    {"in a call", call, ThreadState::waiting_reply, true, false, false, false, false, false},
    {"in a call, its time lent", call, ThreadState::waiting_reply, true, true, false, false, false, false},
    {"waiting beside a bound receiver", wait, ThreadState::waiting, true, false, false, false, true, false},
    {"faulted", fault, ThreadState::faulted, false, false, false, false, false, false},
    {"fault queued at its pager", fault, ThreadState::sending, false, false, true, false, false, false},
    {"fault at its pager", fault, ThreadState::waiting_reply, true, false, true, false, false, false},
    {"in a guest", run_guest, ThreadState::ready, false, false, false, true, false, false},
    {"waiting as a vCPU", wait_as_vcpu, ThreadState::waiting, false, false, false, true, false, false},
};

enum class Target { client_thread, client_task, client_pool, server_thread, server_task, server_pool, all };
constexpr unsigned targets = 7;

// Selectors, the same for every scene, so that the suite's own table does not grow.
struct Scene {
    Selector slot[24];
    unsigned used = 0;
    Selector next() { return slot[used++]; }
};
Scene scene;

struct Side {
    Selector pool, task, ram, thread, context;
};

Selector make(Operation operation, Selector pool, Word a, Word b = 0, Word c = 0) {
    Selector made = scene.next();
    must(abi::operation_names[static_cast<unsigned>(operation)], invoke(operation, pool, made, a, b, c));
    return made;
}

Side make_side(Selector outer, unsigned core, Word priority, bool no_fpu, Word budget, Word period,
               Selector fault_endpoint) {
    Side side{};
    side.pool = make(Operation::pool_create, outer, 60);
    Child child = make_child(side.pool);
    side.task = child.task;
    side.thread = scene.next();
    must("thread", invoke(Operation::thread_create, side.pool, side.thread, side.task, core, child_buffer,
                          no_fpu ? Word{abi::thread_no_fpu} : 0));
    side.context = scene.next();
    must("context", invoke(Operation::scheduling_create, side.pool, side.context, core, budget, period, 200));
    must("configure",
         invoke(Operation::thread_configure, side.thread, priority, side.context, fault_endpoint));
    side.ram = child.ram;
    return side;
}

ThreadState state_of(Selector thread) {
    return static_cast<ThreadState>(invoke(Operation::thread_info, thread).value);
}

void reach(const char* name, Selector thread, ThreadState wanted) {
    for (unsigned i = 0; i < 20000 && state_of(thread) != wanted; ++i)
        pause_for(50);
    if (state_of(thread) != wanted) {
        print("  not reached: ");
        print(name);
        print("\n");
        CHECK_EQ(state_of(thread), wanted);
    }
}

void run_scene(const State& state, Target target, unsigned core) {
    scene.used = 0;
    shared<Word>(cell) = 0;
    constexpr Word unset = ~Word{0};
    shared<Word>(cell + 1) = unset;
    shared<Word>(cell + 2) = unset;
    Word second = glue::Clock::ticks_per_second();
    Selector outer = make(Operation::pool_create, abi::root_pool, 160);
    Selector faults = state.pager ? make(Operation::endpoint_create, outer, core) : Selector{0};
    Side server = make_side(outer, core, 81, true, 0, 0, 0);
    Side client = make_side(outer, core, 80, !state.vcpu, state.brief ? second / 10'000 : 0,
                            state.brief ? 1000 * second : 0, faults);
    Selector endpoint = state.pager ? faults : make(Operation::endpoint_create, server.pool, core);
    Selector notification = make(Operation::notification_create, server.pool, core);
    Selector never = make(Operation::notification_create, outer, core);
    Selector timer = make(Operation::timer_create, server.pool, notification, 1);
    Selector irq = scene.next();
    must("msi", invoke(Operation::msi_create, abi::root_irqs, irq, server.pool, notification, 1));
    if (core == 0)
        must("set", invoke(Operation::timer_set, timer, glue::Clock::ticks().value + second));
    for (const Side& side : {server, client}) {
        Child child{side.task, 0};
        give(child, slot_endpoint, endpoint, abi::endpoint_right::all);
        give(child, slot_notification, notification, abi::notification_right::all);
        give(child, slot_never, never, abi::notification_right::all);
    }
    Child client_child{client.task, 0};
    give(client_child, slot_guest, server.task, abi::task_right::enter);
    if (state.vcpu) {
        Selector event = make(Operation::notification_create, client.pool, core);
        (void)make(Operation::vcpu_create, client.pool, client.thread, vcpu_place, event);
    }
    if (state.server) {
        Selector bound = state.bound ? make(Operation::notification_create, server.pool, core) : Selector{0};
        must("bound", invoke(Operation::thread_configure, server.thread, 81, 0, 0, bound));
        start(server.thread, serve, 0, child_stack);
        reach(state.name, server.thread, ThreadState::receiving);
        if (state.passive)
            must("passive", invoke(Operation::scheduling_unbind, server.context));
    }
    if (state.client) {
        start(client.thread, state.client, 0, child_stack);
        reach(state.name, client.thread, state.reached);
        if (state.reached == ThreadState::ready || state.reached == ThreadState::waiting_reply)
            for (unsigned i = 0; i < 20000 && shared<Word>(cell) == 0; ++i)
                pause_for(50);
    }
    if (state.brief) // until the budget is used up, which does not come back
        for (Word last = ~Word{0}; last != shared<Word>(cell);) {
            last = shared<Word>(cell);
            pause_for(300);
        }

    const Side& side = target < Target::server_thread ? client : server;
    auto destroy = [&](Operation operation, Selector selector) {
        CHECK_ERROR(invoke(operation, selector), ok);
        CHECK_EQ(invoke(operation, selector).error, Error::bad_capability);
    };
    switch (target) {
    case Target::client_thread:
    case Target::server_thread:
        destroy(Operation::thread_destroy, side.thread);
        break;
    case Target::client_task:
    case Target::server_task:
        destroy(Operation::task_destroy, side.task);
        CHECK_EQ(invoke(Operation::thread_info, side.thread).error, Error::bad_capability);
        break;
    case Target::client_pool:
    case Target::server_pool:
        destroy(Operation::pool_destroy, side.pool);
        CHECK_EQ(invoke(Operation::thread_info, side.thread).error, Error::bad_capability);
        CHECK_EQ(invoke(Operation::unmap, side.task, scratch, 1).error, Error::bad_capability);
        break;
    case Target::all:
        break;
    }
    // Who was left behind is free, with an error that says so.
    bool server_gone = target >= Target::server_thread && target != Target::all;
    bool endpoint_gone = target == Target::server_pool && !state.pager;
    bool guest_gone = target == Target::server_task || target == Target::server_pool;
    bool aborted = (state.client == call && (endpoint_gone || (state.server && server_gone))) ||
                   (state.client == wait && target == Target::server_pool) ||
                   (state.client == run_guest && guest_gone);
    if (aborted) {
        for (unsigned i = 0; i < 20000 && shared<Word>(cell + 1) == unset; ++i)
            pause_for(50);
        CHECK_EQ(shared<Word>(cell + 1), Error::aborted);
    } else {
        CHECK_EQ(shared<Word>(cell + 1), unset);
    }
    if (state.pager && state.server && server_gone)
        reach(state.name, client.thread, ThreadState::faulted);
    CHECK_ERROR(invoke(Operation::pool_destroy, outer), ok);
    CHECK_ERROR(invoke(Operation::pool_info, outer), bad_capability);
    for (const Side& gone : {server, client}) {
        glue::free_selector(gone.task);
        glue::free_selector(gone.ram);
    }
}

} // namespace

void test_destroy_in_use() {
    for (Selector& slot : scene.slot)
        slot = new_selector();
    for (unsigned core = 0; core < core_count() && core < 2; ++core)
        for (const State& state : states)
            for (unsigned target = 0; target < targets; ++target) {
                Word before = invoke(Operation::pool_info, abi::root_pool).value;
                unsigned earlier = failures;
                run_scene(state, static_cast<Target>(target), core);
                Word after = invoke(Operation::pool_info, abi::root_pool).value;
                bool first = core == 0 && &state == states && target == 0; // pages of the suite's own table
                if (!first)
                    CHECK_EQ(after, before);
                if (failures != earlier) {
                    print("  ");
                    print(state.name);
                    print(", target ");
                    print(target);
                    print(", core ");
                    print(core);
                    print("\n");
                }
            }
}

} // namespace laboratory
