// SPDX-License-Identifier: BSD-2-Clause
// Path lookup. A path is first copied from user memory into a PathBuffer (on the caller's stack or from the
// slab), then walked from the process's root, its working directory or a directory descriptor. Mount points
// are crossed, symbolic links followed (at most 32), ".." stays inside the process's root.
#pragma once

#include "bsd-personality/vfs/vnode.hpp"

namespace bsd {

inline constexpr unsigned path_max = 1024; // with the NUL
inline constexpr unsigned name_max = 255;
inline constexpr int at_fdcwd = -100; // what namei takes; DragonFly's number is translated where calls enter

/// A path in kernel memory.
struct PathBuffer {
    char bytes[path_max];
    unsigned length = 0;
    /// From user memory. Errors: EFAULT, ENAMETOOLONG.
    SysResult<void> copy_in(Lwp& lwp, glue::UserAddress from);
    Text view() const { return {bytes, length}; }
};

enum LookupFlag : unsigned {
    lookup_follow = 1,    // a symbolic link at the end is followed
    lookup_parent = 2,    // the last component need not exist; `directory` and `name` are wanted
    lookup_beneath = 4,   // never above the start (O_RESOLVE_BENEATH)
    lookup_empty = 8,     // an empty path names the start itself
    lookup_hold_name = 16 // `directory` and `name` are wanted too
};

struct LookupResult {
    VnodeRef vnode;     // null only with lookup_parent: it does not exist
    VnodeRef directory; // with lookup_parent or lookup_hold_name: where the last component lies; null for "/"
                        // and the like
    char name[name_max + 1];
    unsigned name_length = 0;
    bool wants_directory = false; // the path ended in a slash
    Text name_view() const { return {name, name_length}; }
};

/// Where a lookup starts and whose permissions count.
struct LookupContext {
    Vnode& root;
    Vnode& start;
    const Ucred& cred;
};

/// Walks `path`. Errors: ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, ENOTCAPABLE (beneath violated).
SysResult<void> lookup(const LookupContext& context, Text path, unsigned flags, LookupResult& result);

/// For a thread's call: from its working directory or `directory_fd` (at_fdcwd). Adds EBADF and ENOTDIR.
SysResult<void> namei(Lwp& lwp, int directory_fd, Text path, unsigned flags, LookupResult& result);
/// namei for callers inside the personality that need just the vnode (exec, chroot): follows links.
SysResult<VnodeRef> find_vnode(Lwp& lwp, Text path);

/// The absolute path of a directory inside `root` (getcwd). Returns the length without NUL. Errors: ENOENT
/// (removed or outside), ERANGE (does not fit `capacity`, the NUL included).
SysResult<unsigned> directory_path(Vnode& root, Vnode& directory, char* buffer, unsigned capacity);

/// open(2) without a descriptor: flags are OpenFlag. Errors: all of open(2).
SysResult<FileRef> open_path(Lwp& lwp, int directory_fd, Text path, std::uint32_t flags, std::uint16_t mode);

} // namespace bsd
