// SPDX-License-Identifier: BSD-2-Clause
// ioctl commands of terminals, which FreeBSD and DragonFly share unless a line says otherwise, and the bits
// of packet mode.
#pragma once

#include <cstdint>

namespace bsd::tty {

inline constexpr std::uint64_t tiocmodg = 0x4004'7403, tiocmods = 0x8004'7404, tiocexcl = 0x2000'740d,
                               tiocnxcl = 0x2000'740e, tiocgptn = 0x4004'740f, // FreeBSD
    tiocflush = 0x8004'7410, tiocgeta = 0x402c'7413, tiocseta = 0x802c'7414, tiocsetaw = 0x802c'7415,
                               tiocsetaf = 0x802c'7416, tiocgetd = 0x4004'741a, tiocsetd = 0x8004'741b,
                               tiocptmaster = 0x2000'741c, // FreeBSD
    tiocisptmaster = 0x2000'7455,                          // DragonFly
    tiocsig_freebsd = 0x2004'745f, tiocsig = 0x2000'745f, tiocdrain = 0x2000'745e, tiocext = 0x8004'7460,
                               tiocsctty = 0x2000'7461, tioccons = 0x8004'7462, tiocgsid = 0x4004'7463,
                               tiocstat = 0x2000'7465, tiocswinsz = 0x8008'7467, tiocgwinsz = 0x4008'7468,
                               tiocmget = 0x4004'746a, tiocmbic = 0x8004'746b, tiocmbis = 0x8004'746c,
                               tiocmset = 0x8004'746d, tiocstart = 0x2000'746e, tiocstop = 0x2000'746f,
                               tiocpkt = 0x8004'7470, tiocnotty = 0x2000'7471, tiocsti = 0x8001'7472,
                               tiocoutq = 0x4004'7473, tiocspgrp = 0x8004'7476, tiocgpgrp = 0x4004'7477,
                               tioccdtr = 0x2000'7478, tiocsdtr = 0x2000'7479, tioccbrk = 0x2000'747a,
                               tiocsbrk = 0x2000'747b;
/// FreeBSD's FIODGNAME {int length; void* buffer} and DragonFly's FIODNAME {void* buffer; unsigned length}.
inline constexpr std::uint64_t fiodgname = 0x8010'6678;
inline constexpr std::int32_t device_type_terminal = 4; // FIODTYPE

enum Packet : std::uint8_t {
    packet_flush_read = 1,
    packet_flush_write = 2,
    packet_stop = 4,
    packet_start = 8,
    packet_no_stop = 0x10,
    packet_do_stop = 0x20,
    packet_ioctl = 0x40, // DragonFly: with TIOCEXT, termios follow
};

} // namespace bsd::tty
