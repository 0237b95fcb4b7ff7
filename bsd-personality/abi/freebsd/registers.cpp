// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/abi/freebsd/registers.hpp"

#include "bsd-personality/abi/signal_frame.hpp"

#include <cstring>

namespace bsd::freebsd {

void fill_registers(const Lwp& lwp, std::byte* out) {
    const UserContext& c = *lwp.frame;
    RegisterSet r{};
    r.r15 = c.r15, r.r14 = c.r14, r.r13 = c.r13, r.r12 = c.r12, r.r11 = c.r11, r.r10 = c.r10;
    r.r9 = c.r9, r.r8 = c.r8, r.rdi = c.rdi, r.rsi = c.rsi, r.rbp = c.rbp, r.rbx = c.rbx;
    r.rdx = c.rdx, r.rcx = c.rcx, r.rax = c.rax;
    r.fs = user_fs_selector, r.gs = user_gs_selector;
    r.es = r.ds = static_cast<std::uint16_t>(user_data_selector);
    r.error = static_cast<std::uint32_t>(c.error);
    r.rip = c.rip, r.cs = user_code_selector, r.rflags = c.rflags, r.rsp = c.rsp, r.ss = user_data_selector;
    std::memcpy(out, &r, sizeof r);
}

SysResult<void> set_registers(Lwp& lwp, const std::byte* in) {
    RegisterSet r;
    std::memcpy(&r, in, sizeof r);
    if (!acceptable(r.rflags, r.cs))
        return Failure(Errno::einval);
    UserContext& c = *lwp.frame;
    c.r15 = r.r15, c.r14 = r.r14, c.r13 = r.r13, c.r12 = r.r12, c.r11 = r.r11, c.r10 = r.r10;
    c.r9 = r.r9, c.r8 = r.r8, c.rdi = r.rdi, c.rsi = r.rsi, c.rbp = r.rbp, c.rbx = r.rbx;
    c.rdx = r.rdx, c.rcx = r.rcx, c.rax = r.rax;
    c.rip = r.rip, c.rsp = r.rsp;
    c.rflags = clean_flags(r.rflags);
    return {};
}

} // namespace bsd::freebsd
