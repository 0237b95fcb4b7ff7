// SPDX-License-Identifier: BSD-2-Clause
// Whether two cores that have nothing to do with each other work twice as fast as one: calls, notifications
// and traps between partners of one core, in plain emulation with a thread of the host for each core. Prints
// "cores NAME ONE BOTH", rounds a second, the best of a few runs each. With "watched" on the command line one
// run on both cores is marked instead, for who looks at the lines that they touch (tests/watch).
#include <cstring>

#include "bench/kernel/bench.hpp"
#include "tests/watch/marks.hpp"

using namespace laboratory;

namespace {

constexpr unsigned two = 2, runs = 5, warm_up = 200;
// The last is not independent at all: what finds sharing must find it there.
enum Kind : unsigned { kind_call, kind_signal, kind_system_call, kind_page_fault, kind_across };
const char* const kind_names[] = {"ipc", "notification", "vcpu_syscall", "vcpu_pagefault", "across"};

// A worker thread's own, set up by the first one; `arrived` and `ticks` are read by it too.
struct alignas(page) Worker {
    Selector endpoint, here, there, other, idle, guest;
    volatile abi::VcpuPage* vcpu;
    alignas(64) volatile Word arrived; // how many runs it has begun and ended
    Word ticks;
};
Worker workers[two];
alignas(page) struct { volatile Word both, kind, rounds, marked; } orders;
constexpr unsigned stack_size = 4 * page;
alignas(page) std::byte stacks[two][2 * stack_size];
Selector finished;

Word now() {
    return glue::Clock::ticks().value;
}

void trap(Worker& self, abi::Trap wanted) {
    Reply reply = glue::native::run_vcpu(self.guest);
    if (!reply.ok() || reply.value != static_cast<Word>(wanted))
        fail("unexpected trap");
}

void work(Worker& self, Word kind, Word rounds) {
    if (self.vcpu)
        self.vcpu->user.rip =
            kind == kind_system_call ? reinterpret_cast<Word>(&guest_system_calls) : scratch;
    for (Word i = 0; i < rounds; ++i) {
        if (kind == kind_call) {
            Message message{abi::make_tag(1, 0), {}, 0};
            (void)exchange(Operation::call, self.endpoint, message);
        } else if (kind == kind_signal) {
            (void)invoke(Operation::signal, self.there);
            (void)invoke(Operation::wait, self.here);
        } else if (kind == kind_across) {
            (void)invoke(Operation::signal, self.other);
        } else {
            trap(self, kind == kind_system_call ? abi::Trap::system_call : abi::Trap::page_fault);
        }
    }
}

// Both are here when it returns.
void meet(unsigned index) {
    Word mine = workers[index].arrived + 1;
    workers[index].arrived = mine;
    while (workers[1 - index].arrived < mine)
        __builtin_ia32_pause();
}

void run(unsigned index) {
    Worker& self = workers[index];
    Word kind = orders.kind, rounds = orders.rounds;
    work(self, kind, warm_up);
    if (orders.both)
        meet(index);
    bool mark = index == 0 && orders.marked;
    if (mark)
        watch_begin();
    if (orders.marked) // neither has done all of it before the mark
        meet(index);
    Word from = now();
    work(self, kind, rounds);
    self.ticks = now() - from;
    if (orders.both)
        meet(index);
    if (mark)
        watch_end();
}

// The other core's worker: does what the first one orders, and sleeps until it does.
void second(Word) {
    for (Selector idle = workers[1].idle;;) {
        (void)invoke(Operation::wait, idle);
        run(1);
    }
}

Word best_of(unsigned many, unsigned kind, bool both, Word rounds) {
    Word best = abi::no_deadline;
    orders.kind = kind;
    orders.both = both;
    orders.rounds = rounds;
    for (unsigned i = 0; i < many; ++i) {
        if (both)
            (void)invoke(Operation::signal, workers[1].idle);
        run(0);
        Word ticks = workers[0].ticks;
        if (both && workers[1].ticks > ticks)
            ticks = workers[1].ticks;
        best = ticks < best ? ticks : best;
    }
    return (both ? 2 : 1) * rounds * glue::Clock::ticks_per_second() / best;
}

void first(Word from) {
    const auto* boot = reinterpret_cast<const abi::BootInformation*>(abi::root_boot_address);
    bool watched = std::strcmp(boot->command_line, "watched") == 0;
    orders.marked = watched;
    unsigned last = from == kind_call ? kind_signal : watched ? kind_across : kind_page_fault;
    for (auto kind = static_cast<unsigned>(from); kind <= last; ++kind) {
        if (watched) {
            (void)best_of(1, kind, true, 3000);
            print("marked ");
            print(kind_names[kind]);
            print(" 6000\n");
            continue;
        }
        Word rounds = 4000, one = best_of(runs, kind, false, rounds);
        Word both = best_of(runs, kind, true, rounds);
        print("cores ");
        print(kind_names[kind]);
        print(" ");
        print(one);
        print(" ");
        print(both);
        print("\n");
    }
    (void)invoke(Operation::signal, finished);
    (void)invoke(Operation::wait, workers[0].idle);
}

// Partners for calls and notifications, and a guest.
void prepare(unsigned core) {
    Worker& self = workers[core];
    Child server = make_child(), echo = make_child();
    self.endpoint = make_endpoint(core);
    give(server, slot_endpoint, self.endpoint, abi::endpoint_right::all);
    start(make_thread(server.task, core, 120, child_buffer), serve, slot_endpoint, child_stack);
    self.here = make_notification(core);
    self.there = make_notification(core);
    workers[1 - core].other = make_notification(core);
    give(echo, slot_here, self.there, abi::notification_right::all);
    give(echo, slot_there, self.here, abi::notification_right::signal);
    start(make_thread(echo.task, core, 100, child_buffer), echo_signal, 0, child_stack);
    self.guest = make_child().task;
}

// Calls and notifications are for threads that leave the FPU alone, as their partners do; a vCPU's may not be
// one.
void start_worker(unsigned core, Kind from) {
    Worker& self = workers[core];
    bool has_vcpu = from == kind_system_call;
    self.idle = make_notification(core);
    Word buffer = 0x4060'0000 + core * 0x10'0000 + from * 2 * page;
    Selector thread = new_selector(), scheduling = new_selector(), vcpu = new_selector();
    must("thread", invoke(Operation::thread_create, abi::root_pool, thread, abi::root_task, core, buffer,
                          has_vcpu ? 0 : Word{abi::thread_no_fpu}));
    must("context", invoke(Operation::scheduling_create, abi::root_pool, scheduling, core, 0, 0, 255));
    must("configure", invoke(Operation::thread_configure, thread, 100, scheduling, 0, 0));
    if (has_vcpu) {
        must("vcpu", invoke(Operation::vcpu_create, abi::root_pool, vcpu, thread, buffer + page,
                            make_notification(core)));
        self.vcpu = reinterpret_cast<volatile abi::VcpuPage*>(buffer + page);
        self.vcpu->deadline = abi::no_deadline;
        self.vcpu->user.rsp = child_stack - 8;
        self.vcpu->user.rflags = 0x202;
    }
    start(thread, core == 0 ? first : second, from,
          reinterpret_cast<Word>(stacks[core] + (has_vcpu ? 1 : 2) * stack_size));
}

} // namespace

void laboratory::bench_cores() {
    finished = make_notification();
    for (unsigned core = 0; core < two; ++core)
        prepare(core);
    for (Kind from : {kind_call, kind_system_call}) {
        for (unsigned core = two; core-- > 0;)
            start_worker(core, from);
        must("wait", invoke(Operation::wait, finished));
    }
    finish(0);
}
