// SPDX-License-Identifier: BSD-2-Clause
// What the calls about files have in common: decoding of paths, descriptors and flags whose numbers differ
// between the two systems, and the rule for transfers that stopped half way.
#pragma once

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/systemcall.hpp"
#include "bsd-personality/vfs/namei.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

inline bool is_dragonfly(const Lwp& lwp) {
    return lwp.proc.abi->kind == AbiKind::dragonfly;
}

/// A directory descriptor argument: the ABI's AT_FDCWD becomes namei's.
inline int directory_argument(const Lwp& lwp, int fd) {
    return fd == lwp.proc.abi->at_fdcwd ? at_fdcwd : fd;
}

/// Flags of the *at calls, with FreeBSD's numbers.
enum AtFlag : std::uint32_t {
    at_eaccess = 0x100,
    at_symlink_nofollow = 0x200,
    at_symlink_follow = 0x400,
    at_removedir = 0x800,
    at_resolve_beneath = 0x2000,
    at_empty_path = 0x4000,
};
/// EINVAL for bits outside `allowed`.
inline SysResult<std::uint32_t> at_argument(const Lwp& lwp, std::uint32_t flags, std::uint32_t allowed) {
    if (is_dragonfly(lwp))
        flags = ((flags & 1) ? std::uint32_t{at_symlink_nofollow} : 0) |
                ((flags & 2) ? std::uint32_t{at_removedir} : 0) |
                ((flags & 4) ? std::uint32_t{at_eaccess} : 0) |
                ((flags & 8) ? std::uint32_t{at_symlink_follow} : 0);
    if (flags & ~allowed)
        return Failure(Errno::einval);
    return flags;
}
/// Lookup flags for calls that follow links unless told not to.
inline unsigned lookup_flags(std::uint32_t at) {
    return ((at & at_symlink_nofollow) ? 0u : unsigned{lookup_follow}) |
           ((at & at_resolve_beneath) ? unsigned{lookup_beneath} : 0u) |
           ((at & at_empty_path) ? unsigned{lookup_empty} : 0u);
}

/// open(2)'s flags with FreeBSD's numbers.
inline std::uint32_t open_argument(const Lwp& lwp, std::uint32_t flags) {
    if (!is_dragonfly(lwp))
        return flags;
    std::uint32_t same = flags & 0x1'8fff;
    return same | ((flags & 0x2'0000) ? std::uint32_t{open_close_on_exec} : 0) |
           ((flags & 0x800'0000) ? std::uint32_t{open_directory} : 0);
}

/// A path argument looked up; the usual beginning of a call about a name.
inline SysResult<void> name_argument(Lwp& lwp, int directory_fd, UserAddress path, unsigned flags,
                                     LookupResult& result) {
    PathBuffer buffer;
    TRY(buffer.copy_in(lwp, path));
    return namei(lwp, directory_argument(lwp, directory_fd), buffer.view(), flags, result);
}
inline SysResult<VnodeRef> vnode_argument(Lwp& lwp, int directory_fd, UserAddress path, unsigned flags) {
    LookupResult result;
    TRY(name_argument(lwp, directory_fd, path, flags, result));
    return static_cast<VnodeRef&&>(result.vnode);
}
/// A descriptor's file, held for a call that may sleep.
inline SysResult<FileRef> file_argument(Lwp& lwp, int fd) {
    return FileRef(TRY(lwp.proc.files->find(fd)));
}
/// The vnode of a descriptor. EINVAL when it has none.
inline SysResult<VnodeRef> vnode_of_descriptor(Lwp& lwp, int fd) {
    Vnode* vnode = TRY(lwp.proc.files->find(fd))->vnode();
    if (!vnode)
        return Failure(Errno::einval);
    return VnodeRef(vnode);
}

/// How many descriptors the process may have: RLIMIT_NOFILE within the table's own limit.
inline std::uint32_t limit_of_descriptors(const Proc& proc) {
    return static_cast<std::uint32_t>(
        least<std::uint64_t>(proc.limits[limit_nofile].current, FileTable::limit));
}

} // namespace bsd
