// SPDX-License-Identifier: BSD-2-Clause
// FreeBSD amd64's register sets as debuggers and core files have them.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd::freebsd {

struct RegisterSet { // struct reg
    std::uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    std::uint32_t trap_number;
    std::uint16_t fs, gs;
    std::uint32_t error;
    std::uint16_t es, ds;
    std::uint64_t rip, cs, rflags, rsp, ss;
};
static_assert(sizeof(RegisterSet) == 176 && offsetof(RegisterSet, trap_number) == 120 &&
              offsetof(RegisterSet, rip) == 136);

void fill_registers(const Lwp& lwp, std::byte* out);
SysResult<void> set_registers(Lwp& lwp, const std::byte* in);

} // namespace bsd::freebsd
