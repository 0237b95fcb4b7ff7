// SPDX-License-Identifier: BSD-2-Clause
// What a debugger may do to a process that it has stopped: its memory, its threads' extended state.
// Everything it gives is checked. Under the giant token; nothing here sleeps.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

/// May `caller` debug `target`? Errors: EPERM.
SysResult<void> may_debug(const Proc& caller, const Proc& target);

/// Copies between the process and kernel memory. Errors: EFAULT.
SysResult<void> read_debugged(Proc& proc, std::uint64_t from, void* to, std::uint64_t size);
SysResult<void> write_debugged(Proc& proc, std::uint64_t to, const void* from, std::uint64_t size);

/// Replaces the first `size` bytes (512 and up) of the extended state of a thread that stands still by what
/// the processor will take of `from`.
void set_extended_state(Lwp& lwp, const std::byte* from, std::uint64_t size);

} // namespace bsd
