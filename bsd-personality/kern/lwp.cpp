// SPDX-License-Identifier: BSD-2-Clause
// Threads of processes: making, finding, notifying and ending them. The last one that leaves takes the
// process's resources with it (kern/exit.cpp).
#include "bsd-personality/kern/cpu.hpp"
#include "bsd-personality/kern/debug.hpp"
#include "bsd-personality/kern/hold.hpp"
#include "bsd-personality/kern/rest.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/trace.hpp"
#include "bsd-personality/kern/upmap.hpp"
#include "glue/fpu.hpp"
#include "lwkt/slab.hpp"

#include <cstring>
#include <new>

namespace bsd {

unsigned lwp_total = 0;
unsigned lwps_on_cpu[abi::max_cores];

namespace {

constexpr unsigned buckets = 256;
List<Lwp, &Lwp::by_tid> by_tid[buckets]; // guarded by giant
constexpr lwpid_t first_tid = 100000, last_possible_tid = 999999;
lwpid_t last_tid = first_tid;

List<Lwp, &Lwp::by_tid>& bucket(lwpid_t tid) {
    return by_tid[static_cast<unsigned>(tid) % buckets];
}

lwpid_t fresh_tid() {
    do
        last_tid = last_tid >= last_possible_tid ? first_tid : last_tid + 1;
    while (find_lwp(last_tid));
    return last_tid;
}

void free_lwp(Lwp& lwp) {
    Proc& proc = lwp.proc;
    bucket(lwp.tid).remove(&lwp);
    proc.lwps.remove(&lwp);
    proc.lwp_count--;
    lwps_on_cpu[lwp.thread->cpu]--;
    lwp_total--;
    drop_thread_page(lwp);
    lwp.~Lwp(); // its memory is its LWKT thread's
}

} // namespace

Lwp* find_lwp(lwpid_t tid) {
    for (Lwp* lwp = bucket(tid).first(); lwp; lwp = bucket(tid).next(lwp))
        if (lwp->tid == tid)
            return lwp;
    return nullptr;
}

lwkt::CpuId choose_cpu() {
    unsigned best = 0;
    for (unsigned cpu = 1; cpu < lwkt::cpu_count(); cpu++)
        if (lwps_on_cpu[cpu] < lwps_on_cpu[best])
            best = cpu;
    return lwkt::CpuId{best};
}

SysResult<Lwp*> create_lwp(Proc& proc) {
    if (lwp_total >= max_lwps || proc.lwp_count >= max_lwps_a_process)
        return Failure(Errno::eproclim);
    constexpr std::size_t align = 64; // of XSAVE areas
    constexpr std::size_t head = (sizeof(Lwp) + align - 1) & ~(align - 1);
    const std::size_t size = head + glue::Fpu::size();
    lwkt::Thread* thread =
        lwkt::create(lwp_main, nullptr, lwkt::Priority::kernel_user, choose_cpu(), proc.command, 0, size);
    if (!thread)
        return Failure(Errno::enomem);
    Lwp* lwp = new (lwkt::room_of(thread, size)) Lwp(proc);
    thread->argument = lwp;
    lwp->thread = thread;
    lwp->fpu = reinterpret_cast<std::byte*>(lwp) + head;
    std::memset(&lwp->saved, 0, sizeof lwp->saved);
    glue::Fpu::initialize(lwp->fpu);
    lwp->thread->owner = lwp;
    lwp->tid = fresh_tid();
    lwp->observers =
        static_cast<std::uint8_t>((tracing ? observe_truss : 0) | (proc.ktrace ? observe_ktrace : 0));
    bucket(lwp->tid).push_front(lwp);
    proc.lwps.push_back(lwp);
    proc.lwp_count++;
    lwps_on_cpu[lwp->thread->cpu]++;
    lwp_total++;
    return lwp;
}

void inherit_schedule(Lwp& parent, Lwp& child) {
    child.scheduling = parent.scheduling;
    child.affinity = parent.affinity;
    child.estimate.inherit(parent.estimate, glue::Clock::now().value);
}

// Ends and stops mark the threads that are there. Who makes one may be marked and not have seen it yet: then
// its new thread must see the same, or a process that ends would live on by it.
void start_lwp(Lwp& lwp) {
    std::uint32_t flags = lwp.proc.flags;
    if (flags & (proc_exiting | proc_single))
        __atomic_fetch_or(&lwp.ast, ast_exit, __ATOMIC_SEQ_CST);
    if (flags & proc_stopped)
        __atomic_fetch_or(&lwp.ast, ast_stop, __ATOMIC_SEQ_CST);
    leave_rest(*lwp.proc.vmspace);
    if (lwp.proc.lwp_count > 1)
        note_debug_event(lwp, debug_lwp, stop_born);
    if (lwp.proc.debug)
        update_observers(lwp.proc);
    lwp.held = false;
    if (must_hold(lwp))
        set_ast(lwp, ast_stop);
    lwkt::schedule(lwp.thread);
}

void destroy_unstarted_lwp(Lwp& lwp) {
    lwkt::Thread* thread = lwp.thread;
    free_lwp(lwp);
    lwkt::destroy_unstarted(thread);
}

void retire_lwp(Lwp& lwp) {
    abandon_vcpu(lwp);
    lwp.proc.usage.add(lwp.cpu_time, glue::Clock::ticks());
    lwkt::current()->owner = nullptr;
    free_lwp(lwp);
}

void set_ast(Lwp& lwp, std::uint32_t bits) {
    __atomic_fetch_or(&lwp.ast, bits, __ATOMIC_SEQ_CST);
    if (lwp.thread == lwkt::current())
        return;
    lwkt::interrupt(lwp.thread);
    // In user mode it runs on another core only: this one runs us. It looks at `ast` whenever it traps.
    // A thread that changes vCPUs looks at `ast` after it has arrived, so the later of both sees the other.
    std::uint32_t cpu = __atomic_load_n(&lwp.thread->cpu, __ATOMIC_SEQ_CST);
    if (cpu != lwkt::current_cpu().value)
        glue::Vcpu::of(lwkt::CpuId{cpu}).kick();
}

SysResult<void> single_thread(Lwp& lwp) {
    Proc& proc = lwp.proc;
    if (proc.flags & (proc_exiting | proc_single))
        return Failure(Errno::eintr);
    if (proc.lwp_count == 1)
        return {};
    proc.flags |= proc_single;
    proc.single = &lwp;
    for (Lwp* other = proc.lwps.first(); other; other = proc.lwps.next(other))
        if (other != &lwp)
            set_ast(*other, ast_exit);
    while (proc.lwp_count > 1)
        lwkt::tsleep(&proc.lwp_count, lwkt::sleep_plain, "single");
    proc.flags &= ~proc_single;
    proc.single = nullptr;
    return {};
}

} // namespace bsd
