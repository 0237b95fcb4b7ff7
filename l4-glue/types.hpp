// SPDX-License-Identifier: BSD-2-Clause
// Tagged integers and names that every platform of the glue shares.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include "kernel/abi/layout.hpp"
#include "kernel/abi/operations.hpp"
#include "l4-glue/result.hpp"

namespace glue {

using Error = abi::Error;
template <class T>
using Outcome = Result<T, Error>;

inline constexpr std::size_t page_size = 4096;

// An integer with a meaning of its own: no arithmetic between different tags, no silent conversion.
template <class Tag, class Rep>
struct Tagged {
    Rep value{};
    constexpr Tagged() = default;
    constexpr explicit Tagged(Rep v) : value(v) {}
    constexpr auto operator<=>(const Tagged&) const = default;
    constexpr Tagged operator+(Tagged other) const { return Tagged(value + other.value); }
    constexpr Tagged operator-(Tagged other) const { return Tagged(value - other.value); }
};

using Ticks = Tagged<struct TicksTag, std::uint64_t>;             // of the time-stamp counter
using Nanoseconds = Tagged<struct NanosecondsTag, std::uint64_t>; // since the box started (monotonic)
using UserAddress = Tagged<struct UserAddressTag, std::uint64_t>; // in a BSD process, hostile
using RamOffset = Tagged<struct RamOffsetTag, std::uint64_t>;     // bytes from the start of a RAM region
using CpuId = Tagged<struct CpuIdTag, std::uint32_t>;             // index of a vCPU in this task, from 0

inline constexpr Ticks no_deadline{~std::uint64_t{0}};

enum class Access : std::uint32_t { none = 0, read = 1, write = 2, execute = 4 };
constexpr Access operator|(Access a, Access b) {
    return Access(std::uint32_t(a) | std::uint32_t(b));
}
constexpr bool has(Access set, Access bit) {
    return (std::uint32_t(set) & std::uint32_t(bit)) != 0;
}

// What a device writes, and where, to interrupt: for its MSI registers or a row of its MSI-X table.
struct InterruptMessage {
    std::uint64_t address = 0;
    std::uint32_t data = 0;
};

using Trap = abi::Trap; // why Vcpu::enter returned

// The registers of a BSD thread in user mode, as they lie in the vCPU page (its first 25 words).
struct UserContext : abi::Registers {
    std::uint64_t fs_base, gs_base;
    std::uint64_t fault_address; // of a page fault; output only
};
static_assert(sizeof(UserContext) == 25 * 8);

} // namespace glue
