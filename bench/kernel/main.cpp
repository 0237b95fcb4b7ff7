// SPDX-License-Identifier: BSD-2-Clause
// Path lengths of the kernel, for runs under -icount where a tick is an instruction. Each figure is the mean
// of many rounds after a warm-up, user stubs on both sides included, and printed as "name value". A few
// rounds more lie between marks, for who counts what they consist of (tests/watch), announced by "marked name
// rounds".
#include "bench/kernel/bench.hpp"
#include "tests/watch/marks.hpp"

using namespace laboratory;

namespace {

constexpr unsigned rounds = 1000, marked_rounds = 16;
enum Shared : unsigned { shared_spin, shared_sum, shared_count, shared_marked };

Word now() {
    return glue::Clock::ticks().value;
}

void print(const char* name, Word value) {
    laboratory::print(name);
    laboratory::print(" ");
    laboratory::print(value);
    laboratory::print("\n");
}
void marked(const char* name, Word count) {
    laboratory::print("marked ");
    print(name, count);
}

template <class Round>
void measure(const char* name, Round round) {
    for (unsigned i = 0; i < 100; ++i)
        round();
    Word start = now();
    for (unsigned i = 0; i < rounds; ++i)
        round();
    Word ticks = (now() - start) / rounds;
    print(name, ticks);
    watch_begin();
    for (unsigned i = 0; i < marked_rounds; ++i)
        round();
    watch_end();
    marked(name, marked_rounds);
}

} // namespace

IN_CHILD void laboratory::serve(Word endpoint) {
    Message message{};
    (void)exchange(Operation::receive, static_cast<Selector>(endpoint), message);
    for (;;)
        (void)exchange(Operation::reply_wait, static_cast<Selector>(endpoint), message);
}

IN_CHILD void laboratory::echo_signal(Word) {
    for (;;) {
        (void)invoke(Operation::wait, slot_here);
        (void)invoke(Operation::signal, slot_there);
    }
}

IN_CHILD void laboratory::guest_system_calls(Word) {
    for (;;)
        asm volatile("syscall" ::: "rcx", "r11", "rax", "memory");
}

namespace {

IN_CHILD void wait_only(Word) {
    for (;;)
        (void)invoke(Operation::wait, slot_here);
}

constexpr Word marked_page = 600; // in the middle of a page table

IN_CHILD void touch_pages(Word pages) {
    for (Word i = 0; i < pages; ++i) {
        if (i == marked_page)
            watch_begin();
        if (i == marked_page + marked_rounds)
            watch_end();
        *reinterpret_cast<volatile char*>(scratch + i * page) = 1;
    }
    for (;;)
        (void)invoke(Operation::wait, slot_here);
}

IN_CHILD void guest_touch(Word pages) {
    for (Word i = 0; i < pages; ++i)
        *reinterpret_cast<volatile char*>(scratch + i * page) = 1;
    for (;;)
        asm volatile("syscall" ::: "rcx", "r11", "rax", "memory");
}

// The low-priority spinner notes the time all the while; the handler's first instruction looks how long ago
// that was.
IN_CHILD void handle_irq(Word) {
    for (;;) {
        (void)invoke(Operation::wait, slot_here);
        std::uint32_t low, high;
        asm volatile("rdtsc" : "=a"(low), "=d"(high));
        if (shared<Word>(shared_marked))
            watch_end();
        Word late = (Word{high} << 32 | low) - shared<Word>(shared_spin);
        shared<Word>(shared_sum) = shared<Word>(shared_sum) + late;
        shared<Word>(shared_count) = shared<Word>(shared_count) + 1;
    }
}

constexpr Word period = 10'000'000, half = period / 2;

// A thread that leaves the FPU alone and has a budget that is charged and refilled, as servers and realtime
// tasks do.
Selector make_budgeted(Selector task, unsigned priority, Word buffer, Selector faults = 0,
                       Word budget = half) {
    Selector thread = make_thread(task, 0, priority, buffer, true), scheduling = new_selector();
    must("scheduling_create",
         invoke(Operation::scheduling_create, abi::root_pool, scheduling, 0, budget, period, 255));
    must("thread_configure", invoke(Operation::thread_configure, thread, priority, scheduling, faults, 0));
    return thread;
}

alignas(4096) std::byte same_stack[4096];

void bench_ipc() {
    Selector cross = make_endpoint(), same = make_endpoint();
    Child child = make_child();
    give(child, slot_endpoint, cross, abi::endpoint_right::all);
    auto server = [](Selector task, Word buffer, void (*function)(Word), Word argument, Word stack) {
        Selector thread = make_budgeted(task, 120, buffer);
        start(thread, function, argument, stack);
        (void)invoke(Operation::yield, 0);
        return thread;
    };
    (void)server(child.task, child_buffer, serve, slot_endpoint, child_stack);
    (void)server(abi::root_task, child_buffer, serve, same,
                 reinterpret_cast<Word>(same_stack + sizeof same_stack));
    auto call = [](Selector endpoint, unsigned words) {
        Message message{abi::make_tag(1, words), {1, 2, 3, 4}, 0};
        (void)exchange(Operation::call, endpoint, message);
    };
    measure("ipc_call_cross", [&] { call(cross, 0); });
    measure("ipc_call_same", [&] { call(same, 0); });
    measure("ipc_call_64", [&] { call(cross, 64); });
}

void bench_notifications() {
    Selector here = make_notification(), there = make_notification();
    Child child = make_child();
    give(child, slot_here, there, abi::notification_right::all);
    give(child, slot_there, here, abi::notification_right::signal);
    Selector peer = make_budgeted(child.task, 100, child_buffer);
    start(peer, echo_signal, 0, child_stack);
    measure("notify_pingpong", [&] {
        (void)invoke(Operation::signal, there);
        (void)invoke(Operation::wait, here);
    });
    Selector high = make_notification();
    Child waiter = make_child();
    give(waiter, slot_here, high, abi::notification_right::all);
    start(make_budgeted(waiter.task, 130, child_buffer), wait_only, 0, child_stack);
    measure("notify_wake_high", [&] { (void)invoke(Operation::signal, high); });
}

void bench_vcpu() {
    Child guest = make_child();
    Selector notification = make_notification(), vcpu = new_selector();
    constexpr Word page_address = 0x4300'0000;
    must("vcpu_create",
         invoke(Operation::vcpu_create, abi::root_pool, vcpu, abi::root_thread, page_address, notification));
    auto& vcpu_page = *reinterpret_cast<volatile abi::VcpuPage*>(page_address);
    vcpu_page.deadline = abi::no_deadline;
    vcpu_page.user.rip = reinterpret_cast<Word>(&guest_system_calls);
    vcpu_page.user.rsp = child_stack - 8;
    vcpu_page.user.rflags = 0x202;
    auto expect = [&](Reply reply, abi::Trap trap) {
        if (!reply.ok() || reply.value != static_cast<Word>(trap))
            fail("unexpected trap");
    };
    measure("vcpu_syscall", [&] { expect(glue::native::run_vcpu(guest.task), abi::Trap::system_call); });

    constexpr Word pages = 1200;
    Word ram = take_ram(1);
    vcpu_page.user.rip = reinterpret_cast<Word>(&guest_touch);
    vcpu_page.user.rdi = pages;
    measure("vcpu_pagefault", [&] {
        expect(glue::native::run_vcpu(guest.task), abi::Trap::page_fault);
        Word address = vcpu_page.fault_address & ~(page - 1);
        must("map", invoke(Operation::map, guest.ram, address, ram, 1, abi::map_read | abi::map_write));
    });
}

alignas(4096) std::byte pager_stack[4096];
Selector pager_endpoint, pager_binding;
Word pager_ram;

void pager(Word) {
    Message message{};
    auto* buffer = reinterpret_cast<abi::MessageBuffer*>(0x4040'0000);
    buffer->item = {pager_binding, abi::map_read | abi::map_write, pager_ram, 0};
    (void)exchange(Operation::receive, pager_endpoint, message);
    for (;;) {
        message.tag = abi::make_tag(0, 0, abi::tag_page_item);
        (void)exchange(Operation::reply_wait, pager_endpoint, message);
    }
}

void bench_pager() {
    constexpr unsigned pages = 1000;
    pager_endpoint = make_endpoint();
    pager_ram = take_ram(1);
    Child child = make_child();
    pager_binding = child.ram;
    Selector done = make_notification(), faults = new_selector();
    give(child, slot_here, done, abi::notification_right::all);
    must("badge", invoke(Operation::capability_copy, abi::root_task, faults, abi::root_task, pager_endpoint,
                         abi::endpoint_right::send, 7));
    start(make_thread(abi::root_task, 0, 140, 0x4040'0000), pager, 0,
          reinterpret_cast<Word>(pager_stack + sizeof pager_stack));
    Selector toucher = make_thread(child.task, 0, 130, child_buffer, false, faults);
    // Page tables first: one touch in each of the tables' ranges.
    Word start_time = now();
    start(toucher, touch_pages, pages, child_stack);
    Word ticks = (now() - start_time) / pages;
    print("pager_pagefault", ticks);
    marked("pager_pagefault", marked_rounds);
}

void bench_irq() {
    Child child = make_child();
    Selector notification = make_notification(), irq = new_selector();
    give(child, slot_here, notification, abi::notification_right::all);
    start(make_budgeted(child.task, 200, child_buffer), handle_irq, 0, child_stack);
    glue::IoPort port(abi::root_ports);
    auto cmos = [&](unsigned index, unsigned value) {
        port.out(0x70, index);
        port.out(0x71, value);
    };
    constexpr unsigned rtc_line = 8;
    must("irq_create",
         invoke(Operation::irq_create, abi::root_irqs, irq, abi::root_pool, rtc_line, notification, 1));
    cmos(10, 0x26); // 1024 Hz
    cmos(11, 0x42); // periodic interrupt, 24 hours
    constexpr unsigned samples = 64;
    Word first = 0; // may have come before the spinner was there
    for (Word seen = 0; seen <= samples;) {
        port.out(0x70, 12);
        (void)port.in(0x71); // the clock may interrupt again
        (void)invoke(Operation::irq_acknowledge, irq);
        while (shared<Word>(shared_count) == seen) {
            std::uint32_t low, high;
            asm volatile("rdtsc" : "=a"(low), "=d"(high));
            shared<Word>(shared_spin) = Word{high} << 32 | low;
        }
        if (seen++ == 0)
            first = shared<Word>(shared_sum);
    }
    print("irq_user", (shared<Word>(shared_sum) - first) / samples);
    shared<Word>(shared_marked) = 1;
    for (Word seen = samples + 1; seen <= samples + marked_rounds; ++seen) {
        port.out(0x70, 12);
        (void)port.in(0x71);
        (void)invoke(Operation::irq_acknowledge, irq);
        while (shared<Word>(shared_count) == seen)
            watch_begin(); // again and again: what is seen begins with the interrupt
        marked("irq_user", 1);
    }
    cmos(11, 0x02);
}

alignas(4096) std::byte caller_stack[16384];
Selector caller_done;

void between_threads(Word) {
    bench_ipc();
    bench_notifications();
    (void)invoke(Operation::signal, caller_done);
    (void)invoke(Operation::wait, make_notification());
}

void under_interrupts(Word) {
    bench_irq();
    (void)invoke(Operation::signal, caller_done);
    (void)invoke(Operation::wait, make_notification());
}

// Runs a benchmark on a thread of its own, which like the servers leaves the FPU alone.
void run(void (*function)(Word), Word budget) {
    static Word buffer = 0x4060'0000;
    buffer += page;
    start(make_budgeted(abi::root_task, 100, buffer, 0, budget), function, 0,
          reinterpret_cast<Word>(caller_stack + sizeof caller_stack));
    must("wait", invoke(Operation::wait, caller_done));
}

} // namespace

extern "C" void libelle_main() {
    initialize();
    if (reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores > 1)
        bench_cores(); // does not return
    measure("null_syscall", [] { (void)invoke(Operation::null, 0); });
    caller_done = make_notification();
    run(between_threads, half);
    run(under_interrupts, period); // it spins all the time
    bench_vcpu();
    bench_pager();
    finish(0);
}
