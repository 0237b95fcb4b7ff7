// SPDX-License-Identifier: BSD-2-Clause
// vCPUs: from vcpu_run to guest mode, from a trap back to the server, and upcalls. While guest code runs, the
// traps' registers go straight to the vCPU page; the way back to the server restores what it had when it
// called vcpu_run. The page is shared with the server: each of its fields is read once and checked where it
// is used.
#include "kernel/invocation.hpp"
#include "kernel/machine.hpp"
#include "kernel/scheduler.hpp"

namespace kernel {

namespace {
Word read_once(const Word& field) {
    return __atomic_load_n(&field, __ATOMIC_RELAXED);
}
} // namespace

Word vcpu_deadline(const Thread& thread) {
    Word deadline = read_once(thread.vcpu->page->deadline);
    return deadline == thread.vcpu->delivered_deadline ? abi::no_deadline : deadline;
}

void leave_guest(Core& core, Thread& thread, abi::Trap trap) {
    abi::VcpuPage& page = *thread.vcpu->page;
    page.fs_base = arch::read_fs_base();
    page.gs_base = arch::read_user_gs_base();
    arch::write_fs_base(thread.fs_base);
    arch::write_user_gs_base(thread.gs_base);
    thread.in_guest = false;
    core.in_guest = 0;
    set_frame(core, thread.frame_top());
    load_space(core, thread.task);
    thread.registers.rax = static_cast<Word>(Error::ok);
    thread.registers.rdx = static_cast<Word>(trap);
}

// vcpu_run(task) -> trap
void invoke_vcpu_run(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Vcpu> vcpu(thread, r.rdi, abi::vcpu_right::run);
    if (!vcpu) [[unlikely]]
        return reply(r, vcpu.error);
    Lookup<Task> task(thread, r.rsi, abi::task_right::enter);
    if (!task) [[unlikely]]
        return reply(r, task.error);
    if (vcpu->thread != &thread) [[unlikely]]
        return reply(r, Error::wrong_core);
    abi::VcpuPage& page = *vcpu->page;
    if (__atomic_load_n(&page.pending, __ATOMIC_RELAXED)) [[unlikely]]
        return reply(r, Error::ok, static_cast<Word>(abi::Trap::event));
    Word deadline = read_once(page.deadline);
    if (deadline < core.programmed) [[unlikely]] {
        Word now = arch::read_tsc();
        if (deadline <= now)
            return reply(r, Error::ok, static_cast<Word>(abi::Trap::deadline));
        program_timer(core, now);
    }
    Word fs = read_once(page.fs_base), gs = read_once(page.gs_base);
    if (fs >= abi::user_end || gs >= abi::user_end) [[unlikely]]
        return reply(r, Error::bad_address);
    thread.fs_base = arch::read_fs_base();
    thread.gs_base = arch::read_user_gs_base();
    arch::write_fs_base(fs);
    arch::write_user_gs_base(gs);
    thread.in_guest = true;
    thread.guest_task = task.object;
    core.in_guest = 1;
    set_frame(core, &page.user + 1);
    load_space(core, task.object);
}

// vcpu_wait()
void invoke_vcpu_wait(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Vcpu> vcpu(thread, r.rdi, abi::vcpu_right::run);
    if (!vcpu)
        return reply(r, vcpu.error);
    if (vcpu->thread != &thread)
        return reply(r, Error::wrong_core);
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
}

// On every way to guest mode: one read and check of what decides where the processor goes. A page that asks
// for a place outside user memory makes vcpu_run return instead.
extern "C" void prepare_guest() {
    Core& core = this_core();
    Thread& thread = *core.current;
    const Registers& user = thread.vcpu->page->user;
    Word rip = read_once(user.rip), rflags = read_once(user.rflags);
    if (rip >= abi::user_end) [[unlikely]] {
        leave_guest(core, thread, abi::Trap::exception);
        thread.registers.rax = static_cast<Word>(Error::bad_address);
        return;
    }
    core.guest_rip = rip;
    core.guest_rsp = read_once(user.rsp);
    rflags = (rflags & arch::rflags_user) | arch::rflags_fixed | arch::rflags_interrupts;
    core.guest_rflags = rflags;
    // SYSRET only where it does exactly what IRET would: after a system call whose RIP and RFLAGS are
    // unchanged.
    core.guest_iret = !(read_once(user.vector) == abi::vector_system_call && read_once(user.rcx) == rip &&
                        read_once(user.r11) == rflags && !(rflags & (1 << 16)));
}

extern "C" void handle_guest_system_call() {
    Core& core = this_core();
    leave_guest(core, *core.current, abi::Trap::system_call);
}

} // namespace kernel
