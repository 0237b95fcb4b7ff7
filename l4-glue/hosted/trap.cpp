// SPDX-License-Identifier: BSD-2-Clause
#include "l4-glue/hosted/trap.hpp"

#include <linux/audit.h>

namespace glue::hosted {

namespace {
constexpr int code_seccomp = 1; // SYS_SECCOMP
constexpr std::uint64_t vsyscall_page = 0xffff'ffff'ff60'0000;
constexpr std::uint64_t vectors = 32, general_protection = 13, page_fault = 14;
// Linux lets this one number pass every filter since 6.14 (uretprobe), and answers it by a signal.
constexpr std::uint64_t passed_number = 335;

Trap system_call(UserContext& context) {
    context.vector = abi::vector_system_call;
    return Trap::system_call;
}
} // namespace

Trap fetch_fault(UserContext& context, std::uint64_t address) {
    context.vector = page_fault;
    context.error = 4 | 16;
    context.fault_address = address;
    return Trap::page_fault;
}

Trap protection_fault(UserContext& context, std::uint64_t error) {
    context.vector = general_protection;
    context.error = error;
    return Trap::exception;
}

Trap foreign_call(UserContext& context) {
    context.rip -= 2;
    return protection_fault(context, 0x80 * 8 + 2);
}

std::optional<Trap> trap_of(UserContext& context, const Report& report) {
    const siginfo_t& reason = report.information;
    if (report.signal == SIGSYS && reason.si_code == code_seccomp) {
        auto address = reinterpret_cast<std::uint64_t>(reason.si_call_addr);
        if (address >= vsyscall_page) { // the host has emulated the return of a call that did not happen
            context.rip = address;
            context.rsp -= 8;
            return fetch_fault(context, address);
        }
        return reason.si_arch == AUDIT_ARCH_X86_64 ? system_call(context) : foreign_call(context);
    }
    if (report.signal == SIGILL && reason.si_code == SI_KERNEL) {
        context.rax = passed_number;
        return system_call(context);
    }
    if (report.signal == SIGUSR1 || report.signal == SIGSYS)
        return Trap::event;
    if (context.rip >= vsyscall_page) // the host does not say then which exception it was
        return fetch_fault(context, context.rip);
    context.vector = report.vector < vectors ? report.vector : general_protection;
    context.error = report.error;
    if (report.vector != page_fault)
        return Trap::exception;
    if (report.signal == SIGBUS) // memory that is mapped and not there: the host has run out
        return std::nullopt;
    context.fault_address = report.fault_address;
    return Trap::page_fault;
}

} // namespace glue::hosted
