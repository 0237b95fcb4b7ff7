// SPDX-License-Identifier: BSD-2-Clause
// devfs: /dev, a fixed set of devices: null, zero, random, urandom, console, and the process's descriptors as
// fd/N with stdin, stdout and stderr as links to them; ptmx, the slaves of ptys as pts/N, and tty, the
// caller's controlling terminal. Nothing can be created there. Under the giant token.
#pragma once

#include "bsd-personality/vfs/vnode.hpp"

namespace bsd {

inline constexpr std::uint32_t devfs_device = 0x6b01; // st_dev
/// The root directory of devfs; one a jail, never freed.
Vnode& devfs_root();
/// A console file for descriptor `stream` of the first process (0, 1, 2). Errors: ENOMEM.
SysResult<FileRef> open_console(int stream);

} // namespace bsd
