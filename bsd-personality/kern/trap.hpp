// SPDX-License-Identifier: BSD-2-Clause
// Faults of user code: memory first, and what cannot be helped becomes a signal. Under giant, by the faulting
// thread.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

void page_fault(Lwp& lwp);
void exception(Lwp& lwp);

/// The signal that a processor exception means; pure.
SignalInfo exception_signal(std::uint64_t vector, std::uint64_t error, std::uint64_t rip);

} // namespace bsd
