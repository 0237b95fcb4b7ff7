// SPDX-License-Identifier: BSD-2-Clause
// FreeBSD amd64's signal frame, ucontext and siginfo.
#pragma once

#include "bsd-personality/abi/signal_frame.hpp"

namespace bsd::freebsd {

struct MachineContext {
    std::uint64_t onstack;
    MachineRegisters registers;
    std::uint32_t trap_number;
    std::uint16_t fs, gs;
    std::uint64_t address;
    std::uint32_t flags;
    std::uint16_t es, ds;
    std::uint64_t error, rip, cs, rflags, rsp, ss;
    std::int64_t length, fp_format, owned_fp;
    std::byte fp_state[512];
    std::uint64_t fs_base, gs_base, xfpu_state, xfpu_state_length;
    std::uint64_t spare[4];
};
static_assert(sizeof(MachineContext) == 800 && offsetof(MachineContext, flags) == 144 &&
              offsetof(MachineContext, rip) == 160);
static_assert(offsetof(MachineContext, length) == 200 && offsetof(MachineContext, fp_state) == 224 &&
              offsetof(MachineContext, fs_base) == 736);

enum MachineFlag : std::uint32_t { has_segments = 1, has_bases = 2, has_xfpu = 4 };

struct UserContextRecord {
    SignalSet mask;
    MachineContext machine;
    std::uint64_t link;
    UserStack stack;
    std::int32_t flags, spare[7];
};
static_assert(sizeof(UserContextRecord) == 880 && offsetof(UserContextRecord, stack) == 824 &&
              offsetof(UserContextRecord, flags) == 848);

struct SignalInfoRecord {
    std::int32_t signal, error, code, pid;
    std::uint32_t uid;
    std::int32_t status;
    std::uint64_t address, value;
    std::int32_t reason[2]; // trap number; timer id and overrun
    std::uint64_t spare[4];
};
static_assert(sizeof(SignalInfoRecord) == 80 && offsetof(SignalInfoRecord, value) == 32);

struct SignalFrame {
    std::uint64_t handler, padding;
    UserContextRecord context;
    SignalInfoRecord info;
};
static_assert(sizeof(SignalFrame) == 976 && offsetof(SignalFrame, context) == 16 &&
              offsetof(SignalFrame, info) == 896);

inline constexpr unsigned trampoline_size = 21;
extern const std::uint8_t trampoline[trampoline_size];

SignalInfoRecord to_record(const SignalInfo& info);
/// The calling thread's context, for frames and getcontext(2); the part of the extended state that the
/// structure has no room for is not in it.
void fill_context(Lwp& lwp, SignalSet mask, UserContextRecord& out);
/// Loads a context: registers, bases, extended state, mask. Errors: EINVAL, EFAULT; nothing has changed then.
SysResult<void> load_context(Lwp& lwp, const UserContextRecord& context);

SysResult<void> send_signal(Lwp& lwp, const SignalAction& action, const SignalInfo& info,
                            SignalSet return_mask);
SysResult<void> signal_return(Lwp& lwp, UserAddress context);
void signal_info(const SignalInfo& info, std::byte (&out)[80]);

} // namespace bsd::freebsd
