// SPDX-License-Identifier: BSD-2-Clause
// vCPUs: from vcpu_run to guest mode, from a trap back to the server, and upcalls. While guest code runs, the
// traps' registers go straight to the vCPU page; the way back to the server restores what it had when it
// called vcpu_run. The page is shared with the server: each of its fields is read once and checked where it
// is used.
#include "kernel/guard.hpp"
#include "kernel/invocation.hpp"
#include "kernel/machine.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/switch.hpp"

namespace kernel {

namespace {
Word read_once(const Word& field) {
    return __atomic_load_n(&field, __ATOMIC_RELAXED);
}
} // namespace

namespace {

[[gnu::always_inline]] inline void back_to_server(Core& core, Thread& thread) {
    abi::VcpuPage& page = *thread.vcpu->page;
    Word lost;
    if constexpr (guarded(Guard::bases_saved_leaving))
        exchange_bases(page.fs_base, page.gs_base, thread.fs_base, thread.gs_base);
    else
        exchange_bases(lost, lost, thread.fs_base, thread.gs_base);
    thread.in_guest = false;
    core.in_guest = false;
    set_frame(core, thread.registers);
    load_space(core, thread.task);
}

// To load a base that is not canonical is an exception in the kernel.
[[gnu::always_inline]] inline bool bad_bases(Word fs, Word gs) {
    return guarded(Guard::guest_bases) && (fs >= abi::user_end || gs >= abi::user_end);
}

// One read and check of what decides where the processor goes in guest mode; false if it asks for a place
// outside user memory.
[[gnu::always_inline]] inline bool check_guest(Core& core, const Registers& user) {
    Word rip = read_once(user.rip), asked = read_once(user.rflags);
    if (guarded(Guard::guest_rip) && rip >= abi::user_end) [[unlikely]]
        return false;
    core.guest_rip = guarded(Guard::guest_read_once) ? rip : read_once(user.rip);
    core.guest_rsp = read_once(user.rsp);
    Word rflags = guarded(Guard::guest_flags)
                      ? (asked & arch::rflags_user) | arch::rflags_fixed | arch::rflags_interrupts
                      : asked;
    core.guest_rflags = rflags;
    // SYSRET loads RIP from RCX and RFLAGS from R11: only where that is what IRET would restore.
    core.guest_iret =
        guarded(Guard::guest_sysret) && (read_once(user.rcx) != rip || read_once(user.r11) != rflags);
    return true;
}

} // namespace

void leave_guest(Core& core, Thread& thread, abi::Trap trap) {
    back_to_server(core, thread);
    thread.registers.rax = static_cast<Word>(Error::ok);
    thread.registers.rdx = static_cast<Word>(trap);
}

extern "C" void leave_guest_system_call() {
    Core& core = this_core();
    back_to_server(core, *core.current);
}

namespace {
[[gnu::always_inline]] inline void into_guest(Core& core, Thread& thread, Task& task, Word fs, Word gs) {
    exchange_bases(thread.fs_base, thread.gs_base, fs, gs);
    thread.in_guest = true;
    thread.guest_task = &task;
    core.in_guest = true;
    set_frame(core, thread.vcpu->page->user);
    load_space(core, &task);
}
} // namespace

// vcpu_run() -> trap, if it can enter the guest at once; else nothing has been changed.
extern "C" bool vcpu_run_fast(Word selector) {
    Core& core = this_core();
    Thread& thread = *core.current;
    auto found = thread.task->table.find(static_cast<Selector>(selector));
    if (!(found.rights & abi::task_right::enter) || !is_live(*found.object, live_head(Type::task, 0)) ||
        !thread.vcpu) [[unlikely]]
        return false;
    abi::VcpuPage& page = *thread.vcpu->page;
    Word fs = read_once(page.fs_base), gs = read_once(page.gs_base);
    if (__atomic_load_n(&page.pending, __ATOMIC_RELAXED) || read_once(page.deadline) < core.programmed ||
        bad_bases(fs, gs) || !check_guest(core, page.user)) [[unlikely]]
        return false;
    into_guest(core, thread, static_cast<Task&>(*found.object), fs, gs);
    return true;
}

// vcpu_run() -> trap: every case that is not the common one.
void invoke_vcpu_run(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Task> task(thread, r.rdi, abi::task_right::enter);
    if (!task)
        return reply(r, task.error);
    if (!thread.vcpu)
        return reply(r, Error::wrong_state);
    abi::VcpuPage& page = *thread.vcpu->page;
    if (__atomic_load_n(&page.pending, __ATOMIC_RELAXED))
        return reply(r, Error::ok, static_cast<Word>(abi::Trap::event));
    Word deadline = read_once(page.deadline);
    if (deadline < core.programmed) {
        Word now = arch::read_tsc();
        if (deadline <= now)
            return reply(r, Error::ok, static_cast<Word>(abi::Trap::deadline));
        program_timer(core, now);
    }
    Word fs = read_once(page.fs_base), gs = read_once(page.gs_base);
    if (bad_bases(fs, gs))
        return reply(r, Error::bad_address);
    into_guest(core, thread, *task, fs, gs);
}

// vcpu_wait()
void invoke_vcpu_wait(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Vcpu* vcpu = thread.vcpu;
    if (!vcpu)
        return reply(r, Error::wrong_state);
    Word deadline = read_once(vcpu->page->deadline);
    if (__atomic_load_n(&vcpu->page->pending, __ATOMIC_RELAXED) || deadline <= arch::read_tsc())
        return reply(r, Error::ok);
    if (deadline != abi::no_deadline) {
        thread.timer.what = TimerNode::What::vcpu_wait;
        core.timers.insert(thread.timer, deadline);
    }
    block_current(core, ThreadState::waiting);
}

// Interrupts the server: out of guest mode, out of vcpu_wait, or by an upcall into its own code.
void vcpu_event(Core& core, Thread& thread, abi::Trap reason) {
    abi::VcpuPage& page = *thread.vcpu->page;
    if (reason == abi::Trap::event)
        __atomic_store_n(&page.pending, 1, __ATOMIC_RELAXED);
    else
        thread.vcpu->delivered_deadline = read_once(page.deadline);
    if (thread.state == ThreadState::waiting && !thread.queue) // vcpu_wait
        return finish(core, thread, Error::ok);
    if (thread.in_guest) {
        if (core.current == &thread)
            return leave_guest(core, thread, reason);
        abandon_guest(core, thread, Error::ok, reason);
        return;
    }
    if (thread.state != ThreadState::ready)
        return; // blocked in IPC or a wait: it looks at `pending` before it runs guest code again
    __atomic_store_n(&page.pending, 1, __ATOMIC_RELAXED);
    Word entry = read_once(page.upcall_entry), stack = read_once(page.upcall_stack);
    if (!__atomic_load_n(&page.upcall_enable, __ATOMIC_RELAXED) || entry >= abi::user_end)
        return;
    __atomic_store_n(&page.upcall_enable, 0, __ATOMIC_RELAXED);
    page.upcall = thread.registers;
    thread.registers.rip = entry;
    thread.registers.rsp = stack;
    thread.registers.vector = 0; // leave by IRET: rcx and r11 belong to the interrupted code
    core.switched = true;
}

// On every way to guest mode but the fast one. A page that asks for a place outside user memory makes
// vcpu_run return instead.
extern "C" void prepare_guest(Core& core) {
    Thread& thread = *core.current;
    if (check_guest(core, thread.vcpu->page->user)) [[likely]]
        return;
    leave_guest(core, thread, abi::Trap::exception);
    thread.registers.rax = static_cast<Word>(Error::bad_address);
}

} // namespace kernel
