// SPDX-License-Identifier: BSD-2-Clause
// What the personality tells about its processes: calls that are not there, exhaustion. Under giant.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

/// A call that was answered ENOSYS; the first of each name is noted in the jail's status.
void count_unknown_call(const Lwp& lwp, std::uint32_t number, const char* name);
void note_out_of_memory(const Lwp& lwp);

/// A line on the kernel's console, for crashes. printf-like with %s %d %x (64 bits each) only.
void console_print(const char* format, ...);

} // namespace bsd
