// SPDX-License-Identifier: BSD-2-Clause
// Advisory locks on vnodes: byte ranges owned by processes (fcntl F_SETLK; the owner is the process's
// descriptor table, which dies with its last process) and whole files owned by open files (flock). Under the
// giant token.
#pragma once

#include "bsd-personality/vfs/vnode.hpp"

namespace bsd {

struct LockRange {
    std::int64_t start = 0, end = 0; // inclusive; end of file is the largest number
    bool exclusive = false;
    std::int32_t pid = 0;
};

/// Locks a range for `owner` (a FileTable or a File). `wait`: sleeps interruptibly until it is free.
/// Errors: EAGAIN, EINTR, ENOMEM (ENOLCK).
SysResult<void> lock_range(Lwp& lwp, Vnode& vnode, const void* owner, LockRange range, bool wait);
SysResult<void> unlock_range(Vnode& vnode, const void* owner, std::int64_t start, std::int64_t end);
/// The first lock in the way of `range`; false when there is none.
bool blocking_lock(Vnode& vnode, const void* owner, LockRange& range);
/// What close does to the locks of a process, and the last close to those of flock.
void release_locks(Vnode& vnode, const void* owner);
inline void release_process_locks(Vnode& vnode, const FileTable& table) {
    if (vnode.locks)
        release_locks(vnode, &table);
}
/// For the file system, when the vnode's memory goes.
void free_locks(Vnode& vnode);

} // namespace bsd
