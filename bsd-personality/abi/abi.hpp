// SPDX-License-Identifier: BSD-2-Clause
// What differs between the systems whose binaries run here, chosen at exec from the executable's brand:
// numbers, layouts and addresses as data and a few functions. Immutable.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

class CoreFile;
struct ExecImage;
class StackWriter;

enum class AbiKind : std::uint8_t { freebsd = 1, dragonfly = 2 }; // numbers of proto::JailAbi

struct Abi {
    AbiKind kind;
    const char* system_name; // kern.ostype
    const SystemCallTable& calls;
    int (*errno_number)(Errno error); // as the system's userland knows it
    int at_fdcwd;

    // --- memory layout, where it is not randomized (kern/exec_layout.hpp)
    std::uint64_t stack_top;                 // first address above the main stack
    std::uint64_t sigcode_address;           // page of the signal trampoline
    std::uint64_t ps_strings;                // struct ps_strings
    std::uint64_t position_independent_base; // ET_DYN without a preferred address
    std::uint64_t max_stack, default_stack_limit;

    // --- signals
    const std::uint8_t* trampoline;
    unsigned trampoline_size;
    /// Builds the frame on the user stack and points the registers at the handler. EFAULT: the stack is not
    /// usable.
    SysResult<void> (*send_signal)(Lwp& lwp, const SignalAction& action, const SignalInfo& info,
                                   SignalSet return_mask);
    /// sigreturn(2): registers and mask from a ucontext in user memory. Errors: EFAULT, EINVAL.
    SysResult<void> (*signal_return)(Lwp& lwp, UserAddress context);
    /// siginfo_t as userland sees it; 80 bytes in both systems.
    void (*signal_info)(const SignalInfo& info, std::byte (&out)[80]);

    // --- exec
    /// Writes argument vector, auxiliary vector and strings; sets the entry registers.
    SysResult<void> (*build_stack)(const ExecImage& image, StackWriter& writer, UserContext& registers);

    // --- debugging
    unsigned register_set_size = 0; // of struct reg
    void (*fill_registers)(const Lwp& lwp, std::byte* out) = nullptr;
    /// Errors: EINVAL (flags or selectors that a program may not have).
    SysResult<void> (*set_registers)(Lwp& lwp, const std::byte* in) = nullptr;
    std::uint8_t core_osabi = 0;
    std::uint32_t core_note_flags = 0, core_note_align = 0; // of the notes' program header
    /// Notes of a core file, those of `lwp`, which took the signal, first. All threads stand still.
    void (*put_core_notes)(CoreFile& file, Lwp& lwp, const SignalInfo& info) = nullptr;
};

extern const Abi freebsd_abi, dragonfly_abi;
/// Of the jail: what it reports as its system, and runs executables without a brand as. Set once at boot.
extern const Abi* default_abi;

} // namespace bsd
