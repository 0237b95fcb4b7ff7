// SPDX-License-Identifier: BSD-2-Clause
// Every entry into the kernel arrives here from entry.S: system calls of threads, exceptions, interrupts.
// Each ends by leave_kernel with whatever thread is current by then.
#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/flush.hpp"
#include "kernel/invocation.hpp"
#include "kernel/irq.hpp"
#include "kernel/panic.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/trace.hpp"

extern "C" const char idle_wait_end[];

namespace kernel {

namespace {

constexpr Word vector_debug = 1, vector_page_fault = 14, vector_end_of_exceptions = 32;

} // namespace

// Indexed by abi::Operation; the order is kernel.abi's. The system-call entry jumps through it.
extern "C" const Handler operation_handlers[] = {
    invoke_null,
    invoke_console_write,
    invoke_pool_create,
    invoke_pool_info,
    invoke_pool_destroy,
    invoke_region_carve,
    invoke_region_info,
    invoke_task_create,
    invoke_capability_copy,
    invoke_capability_delete,
    invoke_bind,
    invoke_map,
    invoke_unmap,
    invoke_protect,
    invoke_thread_create,
    invoke_thread_configure,
    invoke_thread_start,
    invoke_thread_stop,
    invoke_thread_info,
    invoke_thread_destroy,
    invoke_task_destroy,
    invoke_endpoint_create,
    invoke_notification_create,
    invoke_scheduling_create,
    invoke_vcpu_create,
    invoke_vcpu_run,
    invoke_vcpu_wait,
    invoke_timer_create,
    invoke_timer_set,
    invoke_irq_create,
    invoke_irq_acknowledge,
    invoke_port_in,
    invoke_port_out,
    invoke_signal,
    invoke_wait,
    invoke_poll,
    invoke_call,
    invoke_receive,
    invoke_reply_wait,
    invoke_yield,
    invoke_msi_create,
    invoke_counter_read,
    invoke_capability_move,
    invoke_capability_revoke,
    invoke_task_grow,
    invoke_scheduling_bind,
    invoke_scheduling_unbind,
    invoke_scheduling_configure,
    invoke_scheduling_info,
    invoke_thread_migrate,
    invoke_core_info,
    invoke_send,
    invoke_reply,
    invoke_thread_cancel,
    invoke_irq_route,
    invoke_trace_create,
    invoke_trace_control,
    invoke_trace_read,
    invoke_object_number,
};
extern "C" const Word handler_count = sizeof(operation_handlers) / sizeof(operation_handlers[0]);
static_assert(sizeof(operation_handlers) / sizeof(operation_handlers[0]) == abi::operation_count);

static_assert(!(arch::pool_window >> 46 & 1) && arch::image_window >> 46 & 1); // entry.S tells them apart

// An exception of user mode. The registers may lie in a vCPU page, where the server can change them at any
// time: only a thread's own are looked at.
extern "C" void handle_trap(Registers* r, Word vector) {
    Core& core = this_core();
    Thread& thread = *core.current;
    ++core.counters[static_cast<unsigned>(abi::Counter::traps)];
    Word address = vector == vector_page_fault ? arch::read_cr2() : 0;
    trace(core, abi::Event::fault, &thread, vector, address);
    if (vector == vector_debug)
        asm volatile("mov %0, %%db6" ::"r"(Word{0}));
    if (thread.in_guest) {
        thread.vcpu->page->fault_address = address;
        leave_guest(core, thread, vector == vector_page_fault ? abi::Trap::page_fault : abi::Trap::exception);
        return;
    }
    send_fault(core, thread, vector == vector_page_fault ? abi::label_page_fault : abi::label_exception,
               address, r->error, vector);
    schedule(core);
}

extern "C" void handle_kernel_trap(Registers* r) {
    // An exception can come where GS is the user's, at the last instruction out: no look at the core before.
    if (r->vector < vector_end_of_exceptions)
        panic_with(*r, "exception in the kernel");
    Core& core = this_core();
    // Only the halted idle loop runs with interrupts on.
    if (core.current || r->rip != reinterpret_cast<Word>(idle_wait_end))
        panic_with(*r, "interrupt in the kernel");
    ++core.sequence;
    Word now = arch::read_tsc();
    core.counters[static_cast<unsigned>(abi::Counter::idle_ticks)] += now - core.accounted_at;
    core.accounted_at = now;
    trace(core, abi::Event::interrupt, nullptr, r->vector, 0);
    serve_interrupt(core, r->vector);
    core.reschedule = true;
    schedule(core);
}

void invoke_null(Core&, Thread& thread) {
    reply(thread.registers, Error::ok);
}

void invoke_yield(Core& core, Thread& thread) {
    reply(thread.registers, Error::ok);
    core.ready.push(thread);
    core.reschedule = true;
    account(core, arch::read_tsc());
    core.current->ready_since = core.accounted_at;
}

} // namespace kernel
