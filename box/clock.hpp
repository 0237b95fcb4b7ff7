// SPDX-License-Identifier: BSD-2-Clause
// Ticks of the time-stamp counter in the root task, whose information page lies elsewhere than a child's.
#pragma once

#include "kernel/abi/layout.hpp"

namespace box {

/// For durations up to days; exact to a part in a million.
[[nodiscard]] inline std::uint64_t ticks_of(std::uint64_t ns) {
    const auto& page = *reinterpret_cast<const abi::InformationPage*>(abi::root_information_address);
    const std::uint64_t seconds = ns / 1'000'000'000;
    return seconds * page.ticks_per_second + ns % 1'000'000'000 * (page.ticks_per_second / 1000) / 1'000'000;
}

} // namespace box
