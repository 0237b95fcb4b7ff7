// SPDX-License-Identifier: BSD-2-Clause
// What a signal of the host, by which a BSD thread trapped, means.
#pragma once

#include "l4-glue/start.hpp"

#include <csignal>
#include <optional>

namespace glue::hosted {

inline constexpr std::uint16_t user_code = 0x33, user_data = 0x2b;
// Flags that a BSD thread may set: carry … overflow, trap, direction, AC, ID.
inline constexpr std::uint64_t user_flags = 0x24'0dd5;

struct Report {
    int signal;
    siginfo_t information;
    std::uint64_t vector, error, fault_address; // of faults, as the processor told the host
};

// The registers are in the context already. Trap::event for an interruption; none: the process cannot go on.
std::optional<Trap> trap_of(UserContext& context, const Report& report);

Trap fetch_fault(UserContext& context, std::uint64_t address);
Trap protection_fault(UserContext& context, std::uint64_t error);
// `int 0x80` and what else enters the host's kernel by its 32-bit table; the instruction has been passed.
Trap foreign_call(UserContext& context);

} // namespace glue::hosted
