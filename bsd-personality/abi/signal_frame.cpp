// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/abi/signal_frame.hpp"

namespace bsd {

MachineRegisters get_registers(const UserContext& c) {
    return {c.rdi, c.rsi, c.rdx, c.rcx, c.r8,  c.r9,  c.rax, c.rbx,
            c.rbp, c.r10, c.r11, c.r12, c.r13, c.r14, c.r15};
}

void set_registers(UserContext& c, const MachineRegisters& r) {
    c.rdi = r.rdi, c.rsi = r.rsi, c.rdx = r.rdx, c.rcx = r.rcx, c.r8 = r.r8, c.r9 = r.r9, c.rax = r.rax,
    c.rbx = r.rbx;
    c.rbp = r.rbp, c.r10 = r.r10, c.r11 = r.r11, c.r12 = r.r12, c.r13 = r.r13, c.r14 = r.r14, c.r15 = r.r15;
}

bool acceptable(std::uint64_t rflags, std::uint64_t code_selector) {
    constexpr std::uint64_t fixed = 0x202;
    return ((rflags ^ fixed) & ~user_flags) == 0 && (code_selector & 3) == 3;
}

bool on_alternate_stack(const Lwp& lwp, std::uint64_t stack_pointer) {
    return !(lwp.altstack.flags & 4) && stack_pointer - lwp.altstack.base < lwp.altstack.size;
}

std::uint64_t frame_top(const Lwp& lwp, const SignalAction& action) {
    constexpr std::uint64_t red_zone = 128;
    if ((action.flags & sa_onstack) && !(lwp.altstack.flags & 4) && !on_alternate_stack(lwp, lwp.frame->rsp))
        return lwp.altstack.base + lwp.altstack.size;
    return lwp.frame->rsp - red_zone;
}

UserStack describe_stack(const Lwp& lwp, std::uint64_t stack_pointer) {
    return {lwp.altstack.base, lwp.altstack.size,
            lwp.altstack.flags & 4                   ? 4
            : on_alternate_stack(lwp, stack_pointer) ? 1
                                                     : 0,
            0};
}

void enter_trampoline(Lwp& lwp, const SignalInfo& info, int code, bool with_info, std::uint64_t frame,
                      std::uint64_t context, std::uint64_t siginfo) {
    constexpr std::uint64_t trap_flag = 0x100, direction_flag = 0x400;
    UserContext& c = *lwp.frame;
    c.rdi = static_cast<std::uint64_t>(info.signal);
    c.rsi = with_info ? siginfo : static_cast<std::uint64_t>(static_cast<std::int64_t>(code));
    c.rdx = context;
    c.rcx = info.address;
    c.rsp = frame;
    c.rip = lwp.proc.sigcode;
    c.rflags &= ~(trap_flag | direction_flag);
}

} // namespace bsd
