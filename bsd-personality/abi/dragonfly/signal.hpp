// SPDX-License-Identifier: BSD-2-Clause
// DragonFly x86_64's signal frame, ucontext and siginfo.
#pragma once

#include "bsd-personality/abi/signal_frame.hpp"

namespace bsd::dragonfly {

struct MachineContext {
    std::uint64_t onstack;
    MachineRegisters registers;
    std::uint64_t extended_flags, trap_number, address, flags, error, rip, cs, rflags, rsp, ss;
    std::uint32_t length, fp_format, owned_fp, reserved, unused[8];
    std::byte fp_state[1024];
};
static_assert(sizeof(MachineContext) == 1280 && offsetof(MachineContext, rip) == 168 &&
              offsetof(MachineContext, length) == 208);
static_assert(offsetof(MachineContext, fp_state) == 256);

struct UserContextRecord {
    SignalSet mask;
    std::byte padding[48];
    MachineContext machine;
    std::uint64_t link;
    UserStack stack;
    std::uint64_t function, argument;
    std::int32_t spare[4];
};
static_assert(sizeof(UserContextRecord) == 1408 && offsetof(UserContextRecord, machine) == 64 &&
              offsetof(UserContextRecord, stack) == 1352);

struct SignalInfoRecord {
    std::int32_t signal, error, code, pid;
    std::uint32_t uid;
    std::int32_t status;
    std::uint64_t address, value;
    std::int64_t band;
    std::int32_t spare[8];
};
static_assert(sizeof(SignalInfoRecord) == 80 && offsetof(SignalInfoRecord, band) == 40);

struct SignalFrame {
    std::uint64_t handler;
    std::byte padding[56];
    UserContextRecord context;
    SignalInfoRecord info;
    std::byte end[48];
};
static_assert(sizeof(SignalFrame) == 1600 && offsetof(SignalFrame, context) == 64 &&
              offsetof(SignalFrame, info) == 1472);

inline constexpr unsigned trampoline_size = 21;
extern const std::uint8_t trampoline[trampoline_size];

/// DragonFly's si_code for an internal one: those that all signals share count down from 0.
int signal_code(int code);
SysResult<void> send_signal(Lwp& lwp, const SignalAction& action, const SignalInfo& info,
                            SignalSet return_mask);
SysResult<void> signal_return(Lwp& lwp, UserAddress context);
void signal_info(const SignalInfo& info, std::byte (&out)[80]);

} // namespace bsd::dragonfly
