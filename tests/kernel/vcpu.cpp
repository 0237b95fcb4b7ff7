// SPDX-License-Identifier: BSD-2-Clause
// vCPUs: traps, upcalls, the hazards of leaving to guest mode; and destroying things that are in use.
#include <initializer_list>

#include "tests/kernel/check.hpp"

namespace laboratory {

namespace {

enum Slot : Selector { slot_endpoint = 10, slot_here = 11, slot_there = 12 };
constexpr unsigned cell = 96;
constexpr Word vcpu_address = 0x4300'0000;

Selector vcpu, vcpu_notification, vcpu_event;
Child guest;

auto& vcpu_page() {
    return *reinterpret_cast<volatile abi::VcpuPage*>(vcpu_address);
}

IN_CHILD void guest_loop(Word) {
    for (;;)
        shared<Word>(cell) = shared<Word>(cell) + 1;
}

IN_CHILD void guest_calls(Word) {
    for (;;)
        asm volatile("mov $1234, %%eax; mov $7, %%ebx; syscall" ::: "rax", "rbx", "rcx", "r11", "memory");
}

IN_CHILD void guest_faults(Word) {
    *reinterpret_cast<volatile char*>(0x7777'0000) = 1;
    asm volatile("ud2");
}

void prepare(void (*function)(Word)) {
    auto& page_ = vcpu_page();
    page_.user.rip = reinterpret_cast<Word>(function);
    page_.user.rsp = child_stack - 8;
    page_.user.rflags = 0x202;
    page_.user.vector = 0;
    page_.deadline = abi::no_deadline;
    page_.fs_base = 0;
    page_.gs_base = 0;
    page_.pending = 0;
    page_.events = 0;
}

Reply run() {
    return glue::native::run_vcpu(guest.task);
}

volatile Word upcalls;
alignas(16) std::byte upcall_stack[4096];

extern "C" void test_upcall_entry();
extern "C" void test_upcall() {
    upcalls = upcalls + 1;
}

// Counts, then goes back to what was interrupted: registers from the page, by way of the interrupted stack.
asm(R"(
.text
.globl test_upcall_entry
test_upcall_entry:
    call test_upcall
    mov $0x43000000, %rsi
    lea 272(%rsi), %rsi
    mov 160(%rsi), %rdi
    mov 136(%rsi), %rax
    mov %rax, -8(%rdi)
    mov 152(%rsi), %rax
    mov %rax, -16(%rdi)
    lea -16(%rdi), %rdi
    mov 0(%rsi), %r15
    mov 8(%rsi), %r14
    mov 16(%rsi), %r13
    mov 24(%rsi), %r12
    mov 32(%rsi), %rbp
    mov 40(%rsi), %rbx
    mov 48(%rsi), %r11
    mov 56(%rsi), %r10
    mov 64(%rsi), %r9
    mov 72(%rsi), %r8
    mov 80(%rsi), %rax
    mov 88(%rsi), %rcx
    mov 96(%rsi), %rdx
    mov %rdi, %rsp
    mov 112(%rsi), %rdi
    mov 104(%rsi), %rsi
    popfq
    ret
)");

} // namespace

void test_vcpu() {
    guest = make_child();
    vcpu = new_selector();
    vcpu_event = new_selector();
    vcpu_notification = make_notification();
    auto create = [&](Word address, Selector notification) {
        return invoke(Operation::vcpu_create, abi::root_pool, vcpu, abi::root_thread, address, notification);
    };
    CHECK_ERROR(create(0, vcpu_notification), bad_address);
    CHECK_ERROR(create(vcpu_address + 1, vcpu_notification), bad_address);
    CHECK_ERROR(create(vcpu_address, abi::root_pool), bad_capability);
    CHECK_ERROR(create(vcpu_address, vcpu_notification), ok);
    must("badge", invoke(Operation::capability_copy, abi::root_task, vcpu_event, abi::root_task,
                         vcpu_notification, abi::notification_right::signal, 0x40));

    prepare(guest_calls);
    Reply trap = run();
    CHECK_ERROR(trap, ok);
    CHECK_EQ(trap.value, abi::Trap::system_call);
    CHECK_EQ(vcpu_page().user.rax, 1234);
    CHECK_EQ(vcpu_page().user.rbx, 7);
    CHECK_EQ(vcpu_page().user.rcx, vcpu_page().user.rip);
    CHECK_EQ(run().value, abi::Trap::system_call); // and again, from where it was

    prepare(guest_faults);
    CHECK_EQ(run().value, abi::Trap::page_fault);
    CHECK_EQ(vcpu_page().fault_address, 0x7777'0000);
    CHECK_EQ(vcpu_page().user.error, 6);
    must("map",
         invoke(Operation::map, guest.ram, 0x7777'0000, take_ram(1), 1, abi::map_read | abi::map_write));
    CHECK_EQ(run().value, abi::Trap::exception);
    CHECK_EQ(vcpu_page().user.vector, 6);

    // Deadline: at once when it has passed, by the timer when it lies ahead.
    prepare(guest_loop);
    vcpu_page().deadline = glue::Clock::ticks().value;
    CHECK_EQ(run().value, abi::Trap::deadline);
    shared<Word>(cell) = 0;
    for (int i = 0; i < 1000 && shared<Word>(cell) == 0;
         ++i) { // a busy host may let it pass before the guest runs
        Word deadline = glue::Clock::ticks().value + glue::Clock::ticks_per_second() / 1000;
        vcpu_page().deadline = deadline;
        CHECK_EQ(run().value, abi::Trap::deadline);
        CHECK(glue::Clock::ticks().value >= deadline);
    }
    CHECK(shared<Word>(cell) > 0);

    // Events: pending before, or while the guest runs.
    prepare(guest_loop);
    CHECK_ERROR(invoke(Operation::signal, vcpu_event), ok);
    CHECK_EQ(vcpu_page().events, 0x40);
    CHECK_EQ(run().value, abi::Trap::event);
    prepare(guest_loop);
    Selector timer = new_selector();
    must("timer", invoke(Operation::timer_create, abi::root_pool, timer, vcpu_event, 0x80));
    must("set", invoke(Operation::timer_set, timer,
                       glue::Clock::ticks().value + glue::Clock::ticks_per_second() / 1000));
    CHECK_EQ(run().value, abi::Trap::event);
    CHECK_EQ(vcpu_page().events, 0x80);
    // vcpu_wait: until an event, or the deadline.
    prepare(guest_loop);
    must("set", invoke(Operation::timer_set, timer,
                       glue::Clock::ticks().value + glue::Clock::ticks_per_second() / 1000));
    CHECK_ERROR(invoke(Operation::vcpu_wait, vcpu), ok);
    CHECK_EQ(vcpu_page().events, 0x80);
    prepare(guest_loop);
    vcpu_page().deadline = glue::Clock::ticks().value + glue::Clock::ticks_per_second() / 1000;
    CHECK_ERROR(invoke(Operation::vcpu_wait, vcpu), ok);
    CHECK_EQ(vcpu_page().events, 0);
}

void test_upcalls() {
    prepare(guest_loop);
    auto& page_ = vcpu_page();
    page_.upcall_entry = reinterpret_cast<Word>(&test_upcall_entry);
    page_.upcall_stack = reinterpret_cast<Word>(upcall_stack + sizeof upcall_stack - 16);
    upcalls = 0;
    // Disabled: only pending is set.
    CHECK_ERROR(invoke(Operation::signal, vcpu_event), ok);
    CHECK_EQ(upcalls, 0);
    CHECK_EQ(page_.pending, 1);
    // Enabled: own code is interrupted, between any two instructions, and goes on as if nothing had been.
    page_.pending = 0;
    page_.events = 0;
    page_.upcall_enable = 1;
    Reply reply = invoke(Operation::signal, vcpu_event);
    CHECK_ERROR(reply, ok);
    CHECK_EQ(upcalls, 1);
    CHECK_EQ(page_.upcall_enable, 0); // the kernel cleared it
    CHECK_EQ(page_.events, 0x40);
    for (Word i = 1; i <= 20; ++i) {
        // The kernel looks at the deadline when it enters; a host that was away for so long has to try again.
        do {
            prepare(guest_calls);
            page_.deadline = glue::Clock::ticks().value + glue::Clock::ticks_per_second() / 200 + 137 * i;
            page_.upcall_enable = 1;
        } while (run().value == static_cast<Word>(abi::Trap::deadline));
        Word a = 3, b = 5, steps = 0;
        while (upcalls == i && steps < 100'000'000) { // arithmetic that a lost register would spoil
            a = a * 3 + steps % 7;
            b = b * 3 + steps % 7;
            ++steps;
        }
        CHECK_EQ(upcalls, i + 1);
        CHECK_EQ(b - a, [&] {
            Word d = 2;
            for (Word s = 0; s < steps; ++s)
                d *= 3;
            return d;
        }());
        page_.deadline = abi::no_deadline;
    }
    page_.pending = 0;
    page_.events = 0;
}

void test_leaving_to_guest() {
    auto& page_ = vcpu_page();
    // A place outside user memory, or not canonical, is refused and the server goes on.
    for (Word rip : {Word{abi::user_end}, Word{0x8000'0000'0000}, Word{0xffff'ffff'8020'0000}, ~Word{0}}) {
        prepare(guest_loop);
        page_.user.rip = rip;
        CHECK_ERROR(run(), bad_address);
        prepare(guest_calls); // the same by way of SYSRET
        page_.user.rip = rip;
        page_.user.rcx = rip;
        page_.user.rflags = 0x202;
        page_.user.r11 = 0x202;
        page_.user.vector = abi::vector_system_call;
        CHECK_ERROR(run(), bad_address);
    }
    prepare(guest_calls);
    page_.fs_base = 0x8000'0000'0000;
    CHECK_ERROR(run(), bad_address);
    prepare(guest_calls);
    page_.gs_base = ~Word{0};
    CHECK_ERROR(run(), bad_address);
    // RFLAGS: IOPL, NT, VM and a cleared IF do not get through; segments are what the kernel says.
    prepare(guest_calls);
    page_.user.rflags = 0x3000 | 0x4000 | 0x20000;
    page_.user.cs = 0x08;
    page_.user.ss = 0x10;
    CHECK_EQ(run().value, abi::Trap::system_call);
    CHECK_EQ(page_.user.r11 & (0x3000 | 0x4000 | 0x20000 | 0x200), 0x200);
    // Single step: the trap arrives from user mode after one instruction, also right at a system call's
    // return.
    prepare(guest_calls);
    page_.user.rflags = 0x302;
    page_.user.cs = 0x08;
    CHECK_EQ(run().value, abi::Trap::exception);
    CHECK_EQ(page_.user.vector, 1);
    CHECK_EQ(page_.user.cs, 0x23);
    // A stack pointer that is not canonical is the guest's own fault.
    prepare(guest_calls);
    page_.user.rsp = 0x8000'0000'0000'0000;
    CHECK_EQ(run().value, abi::Trap::exception); // its first push
    CHECK_EQ(page_.user.rsp, 0x8000'0000'0000'0000);
    // Segment bases survive a trap.
    prepare(guest_calls);
    page_.fs_base = 0x1111'2222'3000;
    page_.gs_base = 0x2222'1111'4000;
    CHECK_EQ(run().value, abi::Trap::system_call);
    CHECK_EQ(page_.fs_base, 0x1111'2222'3000);
    CHECK_EQ(page_.gs_base, 0x2222'1111'4000);
    CHECK_ERROR(glue::native::run_vcpu(abi::root_pool), bad_capability);
    CHECK_ERROR(glue::native::run_vcpu(59998), bad_capability);
}

namespace {

IN_CHILD void call_forever(Word) {
    Message message{};
    for (;;)
        (void)exchange(Operation::call, slot_endpoint, message);
}

IN_CHILD void spin(Word) {
    for (;;)
        shared<Word>(cell + 1) = shared<Word>(cell + 1) + 1;
}

// A task with threads in every state, all from one pool; then the pool goes.
void make_and_destroy(unsigned core, unsigned delay) {
    Selector pool = new_selector();
    must("pool", invoke(Operation::pool_create, abi::root_pool, pool, 200));
    Child child = make_child(pool);
    Selector endpoint = make_endpoint(core, pool), idle = make_notification(core, pool);
    give(child, slot_endpoint, endpoint, abi::endpoint_right::all);
    give(child, slot_here, idle, abi::notification_right::all);
    for (unsigned i = 0; i < 3; ++i) // senders that nobody receives from
        start(make_thread(child.task, core, 90, child_buffer + i * page, false, 0, pool), call_forever, 0,
              child_stack - i * 256);
    start(make_thread(child.task, core, 80, child_buffer + 5 * page, false, 0, pool), spin, 0,
          child_stack - 5 * 256);
    Selector timer = new_selector();
    must("timer", invoke(Operation::timer_create, pool, timer, idle, 1));
    if (core == 0)
        must("set", invoke(Operation::timer_set, timer, glue::Clock::ticks().value + 50'000));
    Word until = glue::Clock::ticks().value + delay;
    while (glue::Clock::ticks().value < until) {
    }
    CHECK_ERROR(invoke(Operation::pool_destroy, pool), ok);
    CHECK_ERROR(invoke(Operation::pool_info, pool), bad_capability);
    CHECK_ERROR(invoke(Operation::unmap, child.task, scratch, 1), bad_capability);
    CHECK_ERROR(invoke(Operation::signal, idle), bad_capability);
    for (Selector selector : {pool, child.task, child.ram, endpoint, idle, timer})
        glue::free_selector(selector);
}

} // namespace

void test_destroy() {
    unsigned cores = reinterpret_cast<const abi::InformationPage*>(abi::root_information_address)->cores;
    make_and_destroy(0, 1000); // tables of the suite's own are made at the first time
    Word before = free_pages();
    for (unsigned round = 0; round < 40; ++round)
        make_and_destroy(round % cores, 1000 + 5000 * (round % 7));
    // What a round takes of the suite's own pool is slots of its capability table.
    CHECK(before - free_pages() <= 16);

    // A destroyed space cannot be entered.
    prepare(guest_loop);
    CHECK_ERROR(invoke(Operation::task_destroy, guest.task), ok);
    CHECK_ERROR(run(), bad_capability);
}

} // namespace laboratory
