// SPDX-License-Identifier: BSD-2-Clause
// The machine's CMOS clock, read once when the manifest names no epoch.
#pragma once

#include "glue/thread.hpp"

namespace box {

/// Nanoseconds since 1970 (the clock is taken as UTC); 0 when the clock shows nonsense.
[[nodiscard]] std::uint64_t read_cmos_clock(const glue::IoPort& port);

} // namespace box
