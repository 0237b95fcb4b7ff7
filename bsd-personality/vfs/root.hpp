// SPDX-License-Identifier: BSD-2-Clause
// The jail's file tree at boot: a tmpfs filled from the image, with /dev on top and the directories every
// program expects.
#pragma once

#include "bsd-personality/vfs/vnode.hpp"
#include "proto/bytes.hpp"

namespace bsd {

/// Builds the tree. An empty image gives an empty root. `why` gets a static text on errors: EINVAL (not an
/// image), ENOMEM. Call once, under the giant token.
SysResult<VnodeRef> make_root(proto::Bytes image, const char*& why);

/// Descriptors 0, 1, 2 on the console.
SysResult<void> open_standard_files(Lwp& lwp);

} // namespace bsd
