// SPDX-License-Identifier: BSD-2-Clause
// What the signal frames of both systems have in common: the order of the general registers, where a frame
// goes, and which registers a program may set.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

/// mc_rdi .. mc_r15 lie in this order in both systems.
struct MachineRegisters {
    std::uint64_t rdi, rsi, rdx, rcx, r8, r9, rax, rbx, rbp, r10, r11, r12, r13, r14, r15;
};
static_assert(sizeof(MachineRegisters) == 15 * 8);

/// sigaltstack's structure, the same in both systems.
struct UserStack {
    std::uint64_t base, size;
    std::int32_t flags, padding;
};
static_assert(sizeof(UserStack) == 24);

/// What a frame says about the processor, as the real systems do.
inline constexpr std::uint64_t user_code_selector = 0x43, user_data_selector = 0x3b;
inline constexpr std::uint16_t user_fs_selector = 0x13, user_gs_selector = 0x1b;
inline constexpr std::uint64_t fp_format_none = 0x10000, fp_format_xmm = 0x10002;
inline constexpr std::uint64_t fp_owned_none = 0x20000, fp_owned_fpu = 0x20001, fp_owned_pcb = 0x20002;

MachineRegisters get_registers(const UserContext& context);
void set_registers(UserContext& context, const MachineRegisters& registers);

/// Flags that a program may change by itself: arithmetic, TF, DF, NT, RF, AC, ID.
inline constexpr std::uint64_t user_flags = 0x25'4dd5;
/// The flags, rip and rsp of a context that comes from user memory may be loaded.
bool acceptable(std::uint64_t rflags, std::uint64_t code_selector);
constexpr std::uint64_t clean_flags(std::uint64_t rflags) {
    return (rflags & user_flags) | 0x202;
}

bool on_alternate_stack(const Lwp& lwp, std::uint64_t stack_pointer);
/// Where a frame begins to grow down: the alternate stack if asked for, else below the red zone.
std::uint64_t frame_top(const Lwp& lwp, const SignalAction& action);
/// uc_stack of the frame.
UserStack describe_stack(const Lwp& lwp, std::uint64_t stack_pointer);
/// Entry of the handler by way of the trampoline.
void enter_trampoline(Lwp& lwp, const SignalInfo& info, int code, bool with_info, std::uint64_t frame,
                      std::uint64_t context, std::uint64_t siginfo);

} // namespace bsd
