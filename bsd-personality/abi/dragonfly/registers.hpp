// SPDX-License-Identifier: BSD-2-Clause
// DragonFly x86_64's register set as debuggers and core files have it.
#pragma once

#include "bsd-personality/abi/signal_frame.hpp"

namespace bsd::dragonfly {

struct RegisterSet { // struct reg
    MachineRegisters general;
    std::uint64_t extended_flags, trap_number, address, flags, error, rip, cs, rflags, rsp, ss;
};
static_assert(sizeof(RegisterSet) == 200 && offsetof(RegisterSet, rip) == 160);

void fill_registers(const Lwp& lwp, std::byte* out);
SysResult<void> set_registers(Lwp& lwp, const std::byte* in);

} // namespace bsd::dragonfly
