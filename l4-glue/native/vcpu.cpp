// SPDX-License-Identifier: BSD-2-Clause
#include "glue/vcpu.hpp"

#include "glue/console.hpp"

extern "C" void glue_upcall();
extern "C" glue::UpcallHandler glue_upcall_handler;
glue::UpcallHandler glue_upcall_handler;

namespace glue {

using abi::Operation;
using native::check;
using native::invoke;

namespace {
Vcpu vcpus[abi::max_cores];
CoreEntry entry_function;
constexpr std::size_t stack_size = 64 << 10;
// Stacks of the threads of vCPU 1 and up, and of upcalls: only until LWKT has its own.
alignas(4096) std::byte stacks[abi::max_cores][stack_size];
struct alignas(16) UpcallStack {
    std::byte memory[256];
    std::uint64_t page, pad; // the handler finds its page at the top
};
UpcallStack upcall_stacks[abi::max_cores];
} // namespace

struct VcpuStart {
    static void enter(CpuId cpu) {
        set_cpu_local(nullptr);
        entry_function(cpu);
        for (;;)
            asm volatile("ud2");
    }
    static void first_code(std::uint64_t cpu) { enter(CpuId{static_cast<std::uint32_t>(cpu)}); }

    static Outcome<void> make(unsigned n) {
        Vcpu& vcpu = vcpus[n];
        std::uint32_t core = start().core[n];
        abi::Selector thread = start_thread;
        vcpu.kick_ = allocate_selector();
        vcpu.notification_ = n == 0 ? abi::Selector{start_event} : allocate_selector();
        if (n > 0) {
            thread = allocate_selector();
            TRY(check(invoke(Operation::notification_create, start_pool, vcpu.notification_, core)));
            TRY(check(invoke(Operation::thread_create, start_pool, thread, start_task, core,
                             buffer_address + n * page_size, 0)));
            TRY(check(invoke(Operation::thread_configure, thread, start().priority, start_scheduling + n,
                             start_fault_endpoint + n, 0)));
        }
        TRY(check(invoke(Operation::capability_copy, start_task, vcpu.kick_, start_task, vcpu.notification_,
                         abi::notification_right::signal, n == 0 ? 0 : Vcpu::event_kick)));
        std::uint64_t address = vcpu_page_address + n * page_size;
        TRY(check(invoke(Operation::vcpu_create, start_pool, allocate_selector(), thread, address,
                         vcpu.notification_)));
        vcpu.page_ = reinterpret_cast<abi::VcpuPage*>(address);
        vcpu.page_->deadline = abi::no_deadline;
        upcall_stacks[n].page = address;
        vcpu.page_->upcall_stack = reinterpret_cast<std::uint64_t>(&upcall_stacks[n].page);
        vcpu.page_->upcall_entry = reinterpret_cast<std::uint64_t>(&glue_upcall);
        if (n > 0)
            TRY(check(invoke(Operation::thread_start, thread, reinterpret_cast<std::uint64_t>(&first_code),
                             reinterpret_cast<std::uint64_t>(stacks[n] + stack_size - 8), n)));
        return {};
    }
};

Outcome<void> Vcpu::start_all(CoreEntry entry) {
    entry_function = entry;
    for (unsigned n = 0; n < count(); ++n)
        TRY(VcpuStart::make(n));
    VcpuStart::enter(CpuId{0});
    return {};
}

Vcpu& Vcpu::of(CpuId cpu) {
    return vcpus[cpu.value];
}

void Vcpu::kick() {
    (void)invoke(Operation::signal, kick_);
}

void Vcpu::set_upcall_handler(UpcallHandler handler) {
    glue_upcall_handler = handler;
}

Trap Vcpu::failed(Error error) {
    // The server handed the kernel a state it refuses: bases or an instruction pointer outside user memory.
    if (error == Error::bad_address) {
        context().vector = 13;
        context().error = 0;
        return Trap::exception;
    }
    if (error == Error::aborted)
        return Trap::event; // the space is being destroyed by another core
    Console::write("vcpu_run failed: ");
    Console::write(abi::error_names[static_cast<unsigned>(error)]);
    Console::write("\n");
    asm volatile("ud2");
    __builtin_unreachable();
}

} // namespace glue
