// SPDX-License-Identifier: BSD-2-Clause
// FreeBSD's procctl(2) about memory: PROC_ASLR_, PROC_PROTMAX_ and PROC_STACKGAP_, CTL and STATUS.
#include "bsd-personality/kern/elf.hpp"
#include "bsd-personality/sys/procctl.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

constexpr std::uint32_t active = 0x8000'0000;
using Choice = MemoryPolicy::Choice;

SysResult<Choice> choice_of(std::uint32_t value) {
    if (value < 1 || value > 3)
        return Failure(Errno::einval);
    return static_cast<Choice>(value);
}

enum StackGap : std::uint32_t { gap_enable = 1, gap_disable = 2, gap_enable_exec = 4, gap_disable_exec = 8 };

// A gap that was given up does not come back before the next program.
SysResult<void> set_stack_gap(MemoryPolicy& policy, std::uint32_t value) {
    constexpr std::uint32_t now = gap_enable | gap_disable, later = gap_enable_exec | gap_disable_exec;
    if ((value & ~(now | later)) != 0 || (value & now) == now || (value & later) == later ||
        ((value & gap_enable) != 0 && policy.no_stack_gap))
        return Failure(Errno::einval);
    if ((value & gap_disable) != 0)
        policy.no_stack_gap = true;
    if ((value & later) != 0)
        policy.no_stack_gap_after_exec = (value & gap_disable_exec) != 0;
    return {};
}

} // namespace

bool implies_maximum(const Proc& proc, std::uint8_t protection) {
    if (protection == vm::protection_none || proc.memory_policy.maximum_protection == Choice::forced_off ||
        (proc.features & ElfFile::no_implied_maximum) != 0)
        return false;
    return memory_settings.imply_maximum || proc.memory_policy.maximum_protection == Choice::forced_on;
}

SysResult<Return> set_memory_policy(Lwp& lwp, Proc& proc, int command, UserAddress data) {
    MemoryPolicy& policy = proc.memory_policy;
    auto value = TRY(copyin<std::uint32_t>(*lwp.proc.vmspace, data));
    switch (command) {
    case procctl_aslr_control:
        policy.aslr = TRY(choice_of(value));
        break;
    case procctl_protmax_control:
        policy.maximum_protection = TRY(choice_of(value));
        break;
    default:
        TRY(set_stack_gap(policy, value));
    }
    return Return();
}

std::uint32_t memory_policy_status(const Proc& proc, int command) {
    const MemoryPolicy& policy = proc.memory_policy;
    switch (command) {
    case procctl_aslr_status:
        return static_cast<std::uint32_t>(policy.aslr) |
               (proc.vmspace && proc.vmspace->randomized ? active : 0); // init has none, nor who ends
    case procctl_protmax_status:
        return static_cast<std::uint32_t>(policy.maximum_protection) |
               (implies_maximum(proc, vm::protection_read) ? active : 0);
    default:
        return (policy.no_stack_gap ? gap_disable : gap_enable) |
               (policy.no_stack_gap_after_exec ? gap_disable_exec : gap_enable_exec);
    }
}

} // namespace bsd
