// SPDX-License-Identifier: BSD-2-Clause
// The releases that the two ABIs claim to be; libraries choose calls by these numbers.
#pragma once

#include <cstdint>

namespace bsd {

inline constexpr std::uint32_t freebsd_osreldate = 1403000;
inline constexpr const char* freebsd_release = "14.3-RELEASE";
inline constexpr std::uint32_t dragonfly_osreldate = 600400;
inline constexpr const char* dragonfly_release = "6.4-RELEASE";

} // namespace bsd
