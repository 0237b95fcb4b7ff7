// SPDX-License-Identifier: BSD-2-Clause
// Parts of FreeBSD's procctl(2).
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

enum ProcctlMemoryCommand : int {
    procctl_aslr_control = 13,
    procctl_aslr_status = 14,
    procctl_protmax_control = 15,
    procctl_protmax_status = 16,
    procctl_stackgap_control = 17,
    procctl_stackgap_status = 18,
};

/// The three CTL commands: a word at `data` of the caller. Errors: EFAULT, EINVAL.
SysResult<Return> set_memory_policy(Lwp& lwp, Proc& proc, int command, UserAddress data);
/// What the three STATUS commands answer.
std::uint32_t memory_policy_status(const Proc& proc, int command);
/// mmap with this protection and without PROT_MAX makes it the most that mprotect may give.
bool implies_maximum(const Proc& proc, std::uint8_t protection);

} // namespace bsd
