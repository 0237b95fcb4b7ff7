// SPDX-License-Identifier: BSD-2-Clause
// Named pipes: while a FIFO is open, its vnode has one channel that all its files share.
#pragma once

#include "bsd-personality/kern/pipe.hpp"
#include "bsd-personality/vfs/vnode.hpp"

namespace bsd {

struct FifoState {
    Channel channel;
    std::uint32_t readers = 0, writers = 0;
};

/// Opens a FIFO whose state is kept at `state` (null while nobody has it open). Waits for the other side
/// unless nonblocking. Errors: ENXIO (nonblocking writer without readers), EINTR/ERESTART, ENOMEM.
SysResult<FileRef> open_fifo(Lwp& lwp, Vnode& vnode, FifoState*& state, std::uint32_t flags);

} // namespace bsd
