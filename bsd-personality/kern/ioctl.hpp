// SPDX-License-Identifier: BSD-2-Clause
// ioctl command numbers, which FreeBSD and DragonFly share, and how a command says what it carries.
#pragma once

#include <cstdint>

namespace bsd {

inline constexpr std::uint64_t ioc_out = 0x4000'0000;  // the kernel writes
inline constexpr std::uint64_t ioc_in = 0x8000'0000;   // the kernel reads
inline constexpr std::uint64_t ioc_void = 0x2000'0000; // the argument itself is the value
inline constexpr unsigned ioc_largest = 128;           // bytes of argument that are served
constexpr unsigned ioc_length(std::uint64_t command) {
    return static_cast<unsigned>(command >> 16 & 0x1fff);
}

inline constexpr std::uint64_t fioclex = 0x2000'6601, fionclex = 0x2000'6602, fionread = 0x4004'667f,
                               fionbio = 0x8004'667e, fioasync = 0x8004'667d, fiosetown = 0x8004'667c,
                               fiogetown = 0x4004'667b, fiodtype = 0x4004'667a, fionwrite = 0x4004'6677,
                               fionspace = 0x4004'6676;
inline constexpr std::uint64_t siocspgrp = 0x8004'7308, siocgpgrp = 0x4004'7309, siocatmark = 0x4004'7307;

} // namespace bsd
