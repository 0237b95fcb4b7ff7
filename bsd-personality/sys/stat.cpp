// SPDX-License-Identifier: BSD-2-Clause
// stat and statfs families, access, pathconf. One implementation; the layout is picked by the call and the
// ABI.
#include "bsd-personality/abi/file_records.hpp"
#include "bsd-personality/sys/file_arguments.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

namespace {

SysResult<Return> put_stat(Lwp& lwp, const Attributes& attributes, UserAddress to, bool old_layout = false) {
    VmSpace& space = *lwp.proc.vmspace;
    if (is_dragonfly(lwp))
        TRY(copyout(space, to, dragonfly::pack_stat(attributes)));
    else if (old_layout)
        TRY(copyout(space, to, freebsd::pack_stat11(attributes)));
    else
        TRY(copyout(space, to, freebsd::pack_stat(attributes)));
    return Return();
}

SysResult<Return> stat_name(Lwp& lwp, int fd, UserAddress path, unsigned flags, UserAddress to,
                            bool old_layout = false) {
    VnodeRef vnode = TRY(vnode_argument(lwp, fd, path, flags));
    Attributes attributes;
    TRY(vnode->attributes(attributes));
    return put_stat(lwp, attributes, to, old_layout);
}

SysResult<Return> stat_descriptor(Lwp& lwp, int fd, UserAddress to, bool old_layout = false) {
    Attributes attributes;
    if (shared_mode()) {
        TRY(TRY(lwp.proc.files->find(fd))->attributes_shared(lwp, attributes));
    } else {
        FileRef file = TRY(file_argument(lwp, fd));
        TRY(file->attributes(lwp, attributes));
    }
    return put_stat(lwp, attributes, to, old_layout);
}

constexpr std::uint32_t stat_flags = at_symlink_nofollow | at_resolve_beneath | at_empty_path;

} // namespace

SysResult<Return> sys_fstat(Lwp& lwp, const SystemCall& call) {
    return stat_descriptor(lwp, call.integer(0), call.address(1));
}
SysResult<Return> sys_fstatat(Lwp& lwp, const SystemCall& call) {
    std::uint32_t at = TRY(at_argument(lwp, call.natural(3), stat_flags));
    PathBuffer path;
    TRY(path.copy_in(lwp, call.address(1)));
    if (path.length == 0 && (at & at_empty_path) && call.integer(0) != lwp.proc.abi->at_fdcwd)
        return stat_descriptor(lwp, call.integer(0), call.address(2));
    LookupResult found;
    TRY(namei(lwp, directory_argument(lwp, call.integer(0)), path.view(), lookup_flags(at), found));
    Attributes attributes;
    TRY(found.vnode->attributes(attributes));
    return put_stat(lwp, attributes, call.address(2));
}
SysResult<Return> sys_stat(Lwp& lwp, const SystemCall& call) { // DragonFly; FreeBSD's libc uses fstatat
    return stat_name(lwp, lwp.proc.abi->at_fdcwd, call.address(0), lookup_follow, call.address(1));
}
SysResult<Return> sys_lstat(Lwp& lwp, const SystemCall& call) {
    return stat_name(lwp, lwp.proc.abi->at_fdcwd, call.address(0), 0, call.address(1));
}
SysResult<Return> sys_freebsd11_stat(Lwp& lwp, const SystemCall& call) {
    return stat_name(lwp, at_fdcwd, call.address(0), lookup_follow, call.address(1), true);
}
SysResult<Return> sys_freebsd11_lstat(Lwp& lwp, const SystemCall& call) {
    return stat_name(lwp, at_fdcwd, call.address(0), 0, call.address(1), true);
}
SysResult<Return> sys_freebsd11_fstat(Lwp& lwp, const SystemCall& call) {
    return stat_descriptor(lwp, call.integer(0), call.address(1), true);
}
SysResult<Return> sys_freebsd11_fstatat(Lwp& lwp, const SystemCall& call) {
    std::uint32_t at = TRY(at_argument(lwp, call.natural(3), stat_flags));
    return stat_name(lwp, call.integer(0), call.address(1), lookup_flags(at), call.address(2), true);
}

// --- file systems ----------------------------------------------------------------------------------------
namespace {

// The record may be larger than what belongs on a kernel stack.
template <class Record>
SysResult<Return> put_packed(Lwp& lwp, const FileSystemInformation& info, UserAddress to,
                             void (*pack)(const FileSystemInformation&, Record&)) {
    auto* record = static_cast<Record*>(lwkt::allocate(sizeof(Record)));
    if (!record)
        return Failure(Errno::enomem);
    pack(info, *record);
    auto copied = copyout(*lwp.proc.vmspace, record, to, sizeof(Record));
    lwkt::release(record, sizeof(Record));
    TRY(copied);
    return Return();
}

enum class FsLayout : std::uint8_t { current, freebsd11, statvfs };

SysResult<Return> put_statfs(Lwp& lwp, Vnode& vnode, UserAddress to, FsLayout layout) {
    FileSystemInformation info{};
    vnode.file_system(info);
    if (layout == FsLayout::statvfs)
        return put_packed(lwp, info, to, dragonfly::pack_statvfs);
    if (is_dragonfly(lwp))
        return put_packed(lwp, info, to, dragonfly::pack_statfs);
    if (layout == FsLayout::freebsd11)
        return put_packed(lwp, info, to, freebsd::pack_statfs11);
    return put_packed(lwp, info, to, freebsd::pack_statfs);
}

SysResult<Return> statfs_name(Lwp& lwp, const SystemCall& call, FsLayout layout) {
    VnodeRef vnode = TRY(vnode_argument(lwp, lwp.proc.abi->at_fdcwd, call.address(0), lookup_follow));
    return put_statfs(lwp, *vnode, call.address(1), layout);
}
SysResult<Return> statfs_descriptor(Lwp& lwp, const SystemCall& call, FsLayout layout) {
    VnodeRef vnode = TRY(vnode_of_descriptor(lwp, call.integer(0)));
    return put_statfs(lwp, *vnode, call.address(1), layout);
}

SysResult<Return> list_file_systems(Lwp& lwp, const SystemCall& call, FsLayout layout) {
    std::uint64_t size = is_dragonfly(lwp)               ? sizeof(dragonfly::StatFs)
                         : layout == FsLayout::freebsd11 ? sizeof(freebsd::StatFs11)
                                                         : sizeof(freebsd::StatFs);
    auto room = static_cast<std::int64_t>(call.word(1));
    constexpr const char* mounts[] = {"/", "/dev"};
    constexpr std::uint64_t mount_count = sizeof mounts / sizeof mounts[0];
    if (call.word(0) == 0)
        return Return(mount_count);
    if (room < 0)
        return Failure(Errno::einval);
    std::uint64_t count = least<std::uint64_t>(mount_count, static_cast<std::uint64_t>(room) / size);
    for (std::uint64_t i = 0; i < count; i++) {
        VnodeRef vnode = TRY(find_vnode(lwp, text(mounts[i])));
        (void)TRY(put_statfs(lwp, *vnode, UserAddress{call.word(0) + i * size}, layout));
    }
    return Return(count);
}

} // namespace

SysResult<Return> sys_statfs(Lwp& lwp, const SystemCall& call) {
    return statfs_name(lwp, call, FsLayout::current);
}
SysResult<Return> sys_fstatfs(Lwp& lwp, const SystemCall& call) {
    return statfs_descriptor(lwp, call, FsLayout::current);
}
SysResult<Return> sys_getfsstat(Lwp& lwp, const SystemCall& call) {
    return list_file_systems(lwp, call, FsLayout::current);
}
SysResult<Return> sys_freebsd11_statfs(Lwp& lwp, const SystemCall& call) {
    return statfs_name(lwp, call, FsLayout::freebsd11);
}
SysResult<Return> sys_freebsd11_fstatfs(Lwp& lwp, const SystemCall& call) {
    return statfs_descriptor(lwp, call, FsLayout::freebsd11);
}
SysResult<Return> sys_freebsd11_getfsstat(Lwp& lwp, const SystemCall& call) {
    return list_file_systems(lwp, call, FsLayout::freebsd11);
}
SysResult<Return> sys_statvfs(Lwp& lwp, const SystemCall& call) {
    return statfs_name(lwp, call, FsLayout::statvfs);
}
SysResult<Return> sys_fstatvfs(Lwp& lwp, const SystemCall& call) {
    return statfs_descriptor(lwp, call, FsLayout::statvfs);
}

// --- access and limits -----------------------------------------------------------------------------------
namespace {

SysResult<Return> access_name(Lwp& lwp, int fd, UserAddress path, std::uint32_t mode, std::uint32_t at) {
    if (mode & ~std::uint32_t{7})
        return Failure(Errno::einval);
    Ucred ids = *lwp.proc.cred;
    if (!(at & at_eaccess)) { // asks for the real ids
        ids.uid = ids.ruid;
        ids.gid = ids.rgid;
    }
    PathBuffer buffer;
    TRY(buffer.copy_in(lwp, path));
    LookupResult found;
    TRY(namei(lwp, directory_argument(lwp, fd), buffer.view(), lookup_flags(at), found));
    TRY(check_permission(*found.vnode, ids, mode));
    return Return();
}

// Values of both systems' _PC_ names.
SysResult<Return> path_limit(int name) {
    switch (name) {
    case 1: // LINK_MAX
        return Return(32767);
    case 2: // MAX_CANON
    case 3: // MAX_INPUT
    case 4: // NAME_MAX
        return Return(255);
    case 5: // PATH_MAX
        return Return(path_max);
    case 6: // PIPE_BUF
        return Return(512);
    case 7: // CHOWN_RESTRICTED
    case 8: // NO_TRUNC
        return Return(1);
    case 9: // VDISABLE
        return Return(0xff);
    case 12: // FILESIZEBITS
        return Return(64);
    case 13: // REC_INCR_XFER_SIZE and the next ones
    case 15:
    case 16:
    case 17:
        return Return(4096);
    case 18: // SYMLINK_MAX
        return Return(path_max);
    default:
        return Failure(Errno::einval);
    }
}

} // namespace

SysResult<Return> sys_access(Lwp& lwp, const SystemCall& call) {
    return access_name(lwp, lwp.proc.abi->at_fdcwd, call.address(0), call.natural(1), 0);
}
SysResult<Return> sys_eaccess(Lwp& lwp, const SystemCall& call) {
    return access_name(lwp, lwp.proc.abi->at_fdcwd, call.address(0), call.natural(1), at_eaccess);
}
SysResult<Return> sys_faccessat(Lwp& lwp, const SystemCall& call) {
    std::uint32_t at = TRY(at_argument(lwp, call.natural(3), stat_flags | at_eaccess));
    return access_name(lwp, call.integer(0), call.address(1), call.natural(2), at);
}
SysResult<Return> sys_pathconf(Lwp& lwp, const SystemCall& call) {
    (void)TRY(vnode_argument(lwp, lwp.proc.abi->at_fdcwd, call.address(0), lookup_follow));
    return path_limit(call.integer(1));
}
SysResult<Return> sys_lpathconf(Lwp& lwp, const SystemCall& call) {
    (void)TRY(vnode_argument(lwp, lwp.proc.abi->at_fdcwd, call.address(0), 0));
    return path_limit(call.integer(1));
}
SysResult<Return> sys_fpathconf(Lwp& lwp, const SystemCall& call) {
    (void)TRY(lwp.proc.files->find(call.integer(0)));
    return path_limit(call.integer(1));
}

} // namespace bsd
