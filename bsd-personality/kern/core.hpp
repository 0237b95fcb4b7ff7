// SPDX-License-Identifier: BSD-2-Clause
// Core files: what a process that dies by certain signals leaves behind for a debugger, an ELF file with its
// threads' registers as notes and its memory as segments.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

/// Whether the default action of a signal writes one.
constexpr bool dumps_core(int signal) {
    return signal == sigquit || (signal >= sigill && signal <= sigfpe) || signal == sigbus ||
           signal == sigsegv || signal == sigsys;
}

/// Writes the core file of the calling thread's process, which is about to end by a signal. False: there is
/// none, or not all of it. Sleeps.
bool dump_core(Lwp& lwp, const SignalInfo& info);

} // namespace bsd
