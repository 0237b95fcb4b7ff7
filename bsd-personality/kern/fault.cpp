// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/counters.hpp"
#include "bsd-personality/kern/ktrace.hpp"
#include "bsd-personality/kern/trace.hpp"
#include "bsd-personality/kern/trap.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

namespace {

// Trap numbers of both systems (machine/trap.h), by processor vector; 0: none.
constexpr std::uint8_t trap_numbers[32] = {18, 10, 19, 3, 20, 21, 1, 22, 23, 24,
                                           25, 26, 27, 9, 12, 0,  6, 14, 28, 29};
constexpr int page_fault_trap = 12;

} // namespace

SignalInfo exception_signal(std::uint64_t vector, std::uint64_t, std::uint64_t rip) {
    SignalInfo info;
    info.address = rip;
    info.trap_number = vector < 32 ? trap_numbers[vector] : 0;
    switch (vector) {
    case 0: // divide error
        info.signal = sigfpe, info.code = fpe_intdiv;
        break;
    case 1: // debug
        info.signal = sigtrap, info.code = trap_trace;
        break;
    case 3: // breakpoint
        info.signal = sigtrap, info.code = trap_brkpt;
        break;
    case 4: // overflow
        info.signal = sigfpe, info.code = fpe_intovf;
        break;
    case 5: // bound
        info.signal = sigfpe, info.code = fpe_fltsub;
        break;
    case 6: // invalid opcode
        info.signal = sigill, info.code = ill_prvopc;
        break;
    case 11: // segment not present
    case 12: // stack fault
        info.signal = sigbus, info.code = bus_adrerr;
        break;
    case 13: // general protection, non-canonical addresses among them
        info.signal = sigbus, info.code = bus_objerr;
        break;
    case 16: // x87
    case 19: // SIMD
        info.signal = sigfpe, info.code = fpe_fltinv;
        break;
    case 17: // alignment check
        info.signal = sigbus, info.code = bus_adraln;
        break;
    default:
        info.signal = sigill, info.code = ill_illopc;
    }
    return info;
}

void exception(Lwp& lwp) {
    UserContext& registers = *lwp.frame;
    if (registers.vector == 1)
        registers.rflags &= ~std::uint64_t{0x100}; // a single step is reported once
    SignalInfo info = exception_signal(registers.vector, registers.error, registers.rip);
    trace_fault(lwp, info);
    post_fault(lwp, info);
}

void page_fault(Lwp& lwp) {
    UserContext& registers = *lwp.frame;
    constexpr std::uint64_t error_write = 2, error_fetch = 16;
    glue::Access access = registers.error & error_fetch   ? glue::Access::execute
                          : registers.error & error_write ? glue::Access::write
                                                          : glue::Access::read;
    lwp.cpu_time.faults++;
    SignalInfo info;
    info.address = registers.fault_address;
    info.trap_number = page_fault_trap;
    if (ktrace_wants(lwp, Ktr::fault))
        ktrace_fault(lwp, registers.fault_address,
                     access == glue::Access::execute ? 4u
                     : access == glue::Access::write ? 2u
                                                     : 1u);
    FaultResult result = lwp.proc.vmspace->fault(registers.fault_address, access);
    if (ktrace_wants(lwp, Ktr::fault_end)) {
        constexpr int codes[] = {0, 1, 2, 12, 6}; // KERN_ numbers by FaultResult
        ktrace_fault_end(lwp, codes[static_cast<unsigned>(result)]);
    }
    switch (result) {
    case FaultResult::done:
        return;
    case FaultResult::no_mapping:
        info.signal = sigsegv, info.code = segv_maperr;
        break;
    case FaultResult::protection:
        info.signal = sigsegv, info.code = segv_accerr;
        break;
    case FaultResult::beyond_end:
        info.signal = sigbus, info.code = bus_objerr;
        break;
    case FaultResult::no_memory:
        note_out_of_memory(lwp);
        post_kernel_signal(lwp.proc, sigkill);
        return;
    }
    registers.vector = 14;
    trace_fault(lwp, info);
    post_fault(lwp, info);
}

} // namespace bsd
