// SPDX-License-Identifier: BSD-2-Clause
// What the personality tells about its processes: calls that are not there, faults, exhaustion, and (switched
// on by the boot argument "trace") every call. Under giant.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

/// A call that was answered ENOSYS; the first of each name is noted in the jail's status.
void count_unknown_call(const Lwp& lwp, std::uint32_t number, const char* name);
void note_out_of_memory(const Lwp& lwp);

extern bool tracing;
void trace_call_slow(const Lwp& lwp, std::uint32_t number, const SystemCallEntry& entry,
                     const SystemCall& call);
void trace_result_slow(const Lwp& lwp, const SystemCallEntry& entry);
void trace_fault_slow(const Lwp& lwp, const SignalInfo& info);
inline void trace_call(const Lwp& lwp, std::uint32_t number, const SystemCallEntry& entry,
                       const SystemCall& call) {
    if (tracing) [[unlikely]]
        trace_call_slow(lwp, number, entry, call);
}
inline void trace_result(const Lwp& lwp, const SystemCallEntry& entry) {
    if (tracing) [[unlikely]]
        trace_result_slow(lwp, entry);
}
inline void trace_fault(const Lwp& lwp, const SignalInfo& info) {
    if (tracing) [[unlikely]]
        trace_fault_slow(lwp, info);
}

/// A line on the kernel's console, for crashes and traces. printf-like with %s %d %x (64 bits each) only.
void console_print(const char* format, ...);

} // namespace bsd
