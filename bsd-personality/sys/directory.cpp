// SPDX-License-Identifier: BSD-2-Clause
// Names: getdirentries, mkdir, unlink, rename, link, symlink, readlink, chdir, chroot, getcwd, realpath.
#include <string.h>

#include "bsd-personality/abi/file_records.hpp"
#include "bsd-personality/sys/file_arguments.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

// --- reading directories ---------------------------------------------------------------------------------
namespace {

// Entries are packed into a kernel buffer of at most this size a call; callers come again for more.
constexpr std::uint64_t largest_listing = 16 << 10;

SysResult<Return> list_directory(Lwp& lwp, int fd, UserAddress to, std::uint64_t capacity, UserAddress base,
                                 DirentLayout layout) {
    FileRef file = TRY(file_argument(lwp, fd));
    Vnode* vnode = file->vnode();
    if (!file->readable())
        return Failure(Errno::ebadf);
    if (!vnode || vnode->type != VnodeType::directory)
        return Failure(layout == DirentLayout::dragonfly && !vnode ? Errno::ebadf : Errno::einval);
    std::uint64_t size = least(capacity, largest_listing);
    if (size == 0)
        return Failure(Errno::einval);
    auto* buffer = static_cast<std::byte*>(lwkt::allocate(size));
    if (!buffer)
        return Failure(Errno::enomem);
    std::int64_t start = file->offset;
    DirentPacker packer(layout, buffer, size);
    auto listed = vnode->read_directory(start, packer);
    bool ok = listed.ok();
    Errno error = ok ? Errno::einval : listed.error();
    if (ok && packer.used() == 0 && packer.refused())
        ok = false; // not even one entry fits
    if (ok && packer.used() != 0) {
        auto out = copyout(*lwp.proc.vmspace, buffer, to, packer.used());
        ok = out.ok();
        error = out.error();
    }
    lwkt::release(buffer, size);
    if (!ok)
        return Failure(error);
    if (packer.used() != 0)
        file->offset = packer.next();
    if (base.value != 0)
        TRY(copyout(*lwp.proc.vmspace, base, start));
    return Return(packer.used());
}

} // namespace

SysResult<Return> sys_getdirentries(Lwp& lwp, const SystemCall& call) {
    if (is_dragonfly(lwp))
        return list_directory(lwp, call.integer(0), call.address(1), call.natural(2), call.address(3),
                              DirentLayout::dragonfly);
    return list_directory(lwp, call.integer(0), call.address(1), call.word(2), call.address(3),
                          DirentLayout::freebsd);
}
SysResult<Return> sys_freebsd11_getdirentries(Lwp& lwp, const SystemCall& call) {
    return list_directory(lwp, call.integer(0), call.address(1), call.natural(2), call.address(3),
                          DirentLayout::freebsd11);
}
SysResult<Return> sys_freebsd11_getdents(Lwp& lwp, const SystemCall& call) {
    return list_directory(lwp, call.integer(0), call.address(1), call.word(2), UserAddress{0},
                          DirentLayout::freebsd11);
}

// --- making and removing names ---------------------------------------------------------------------------
namespace {

// The directory and last component for a name that must not exist yet; the caller may write there.
SysResult<void> new_name(Lwp& lwp, int fd, UserAddress path, LookupResult& found, bool directory) {
    TRY(name_argument(lwp, fd, path, lookup_parent, found));
    if (found.vnode)
        return Failure(Errno::eexist);
    if (found.wants_directory && !directory)
        return Failure(Errno::enoent);
    return check_permission(*found.directory, *lwp.proc.cred, may_write);
}

// In a sticky directory only the owner of file or directory removes it.
SysResult<void> check_removal(Lwp& lwp, Vnode& directory, Vnode& victim) {
    const Ucred& cred = *lwp.proc.cred;
    TRY(check_permission(directory, cred, may_write));
    if (cred.is_superuser())
        return {};
    Attributes above, own;
    TRY(directory.attributes(above));
    TRY(victim.attributes(own));
    if ((above.mode & 01000) && above.uid != cred.uid && own.uid != cred.uid)
        return Failure(Errno::eperm);
    return {};
}

SysResult<void> existing_name(Lwp& lwp, int fd, UserAddress path, LookupResult& found) {
    TRY(name_argument(lwp, fd, path, lookup_hold_name, found));
    if (!found.directory) // "/" or a link's end: no name to remove
        return Failure(Errno::ebusy);
    if (found.vnode->covers)
        return Failure(Errno::ebusy);
    return {};
}

bool is_dots(Text name) {
    return name == Text(".") || name == Text("..");
}

SysResult<Return> make_node(Lwp& lwp, int fd, UserAddress path, VnodeType type, std::uint16_t mode,
                            Text target = {}) {
    LookupResult found;
    TRY(new_name(lwp, fd, path, found, type == VnodeType::directory));
    auto permissions = static_cast<std::uint16_t>(mode & 07777);
    if (type != VnodeType::symlink)
        permissions &= static_cast<std::uint16_t>(~lwp.proc.umask);
    (void)TRY(found.directory->create(found.name_view(), type, permissions, *lwp.proc.cred, target));
    return Return();
}

SysResult<Return> remove_name(Lwp& lwp, int fd, UserAddress path, bool directory) {
    LookupResult found;
    TRY(existing_name(lwp, fd, path, found));
    if (directory && is_dots(found.name_view()))
        return Failure(found.name_length == 1 ? Errno::einval : Errno::enotempty);
    TRY(check_removal(lwp, *found.directory, *found.vnode));
    TRY(found.directory->remove(found.name_view(), directory));
    return Return();
}

SysResult<Return> rename_name(Lwp& lwp, int from_fd, UserAddress from, int to_fd, UserAddress to) {
    LookupResult source, target;
    TRY(existing_name(lwp, from_fd, from, source));
    TRY(name_argument(lwp, to_fd, to, lookup_parent, target));
    if (is_dots(source.name_view()) || is_dots(target.name_view()))
        return Failure(Errno::einval);
    if (!target.directory)
        return Failure(Errno::eisdir);
    if (target.wants_directory && source.vnode->type != VnodeType::directory)
        return Failure(Errno::enotdir);
    TRY(check_removal(lwp, *source.directory, *source.vnode));
    if (target.vnode) {
        if (target.vnode->covers)
            return Failure(Errno::ebusy);
        TRY(check_removal(lwp, *target.directory, *target.vnode));
    } else {
        TRY(check_permission(*target.directory, *lwp.proc.cred, may_write));
    }
    TRY(source.directory->rename(source.name_view(), *target.directory, target.name_view()));
    return Return();
}

SysResult<Return> link_name(Lwp& lwp, int from_fd, UserAddress from, int to_fd, UserAddress to,
                            unsigned flags) {
    VnodeRef existing = TRY(vnode_argument(lwp, from_fd, from, flags));
    if (existing->type == VnodeType::directory)
        return Failure(Errno::eperm);
    LookupResult target;
    TRY(new_name(lwp, to_fd, to, target, false));
    TRY(target.directory->link(target.name_view(), *existing));
    return Return();
}

SysResult<Return> symlink_name(Lwp& lwp, UserAddress contents, int fd, UserAddress path) {
    PathBuffer target;
    TRY(target.copy_in(lwp, contents));
    if (target.length == 0)
        return Failure(Errno::enoent);
    return make_node(lwp, fd, path, VnodeType::symlink, 0755, target.view());
}

SysResult<Return> read_link(Lwp& lwp, int fd, UserAddress path, UserAddress to, std::uint64_t capacity) {
    VnodeRef vnode = TRY(vnode_argument(lwp, fd, path, lookup_empty));
    Text target = TRY(vnode->target());
    std::uint64_t length = least<std::uint64_t>(target.size, capacity);
    TRY(copyout(*lwp.proc.vmspace, target.data, to, length));
    return Return(length);
}

int here(const Lwp& lwp) {
    return lwp.proc.abi->at_fdcwd;
}
std::uint16_t mode_of(std::uint64_t word) {
    return static_cast<std::uint16_t>(word);
}

} // namespace

SysResult<Return> sys_mkdir(Lwp& lwp, const SystemCall& call) {
    return make_node(lwp, here(lwp), call.address(0), VnodeType::directory, mode_of(call.word(1)));
}
SysResult<Return> sys_mkdirat(Lwp& lwp, const SystemCall& call) {
    return make_node(lwp, call.integer(0), call.address(1), VnodeType::directory, mode_of(call.word(2)));
}
SysResult<Return> sys_mkfifo(Lwp& lwp, const SystemCall& call) {
    return make_node(lwp, here(lwp), call.address(0), VnodeType::fifo, mode_of(call.word(1)));
}
SysResult<Return> sys_mkfifoat(Lwp& lwp, const SystemCall& call) {
    return make_node(lwp, call.integer(0), call.address(1), VnodeType::fifo, mode_of(call.word(2)));
}
// Devices exist in /dev only, so a jail's superuser cannot make any, as in a real jail.
SysResult<Return> sys_mknodat(Lwp& lwp, const SystemCall& call) {
    if ((call.word(2) & 0xf000) == type_bits(VnodeType::fifo))
        return make_node(lwp, call.integer(0), call.address(1), VnodeType::fifo, mode_of(call.word(2)));
    return Failure(Errno::eperm);
}
SysResult<Return> sys_rmdir(Lwp& lwp, const SystemCall& call) {
    return remove_name(lwp, here(lwp), call.address(0), true);
}
SysResult<Return> sys_unlink(Lwp& lwp, const SystemCall& call) {
    return remove_name(lwp, here(lwp), call.address(0), false);
}
SysResult<Return> sys_unlinkat(Lwp& lwp, const SystemCall& call) {
    std::uint32_t at = TRY(at_argument(lwp, call.natural(2), at_removedir | at_resolve_beneath));
    return remove_name(lwp, call.integer(0), call.address(1), (at & at_removedir) != 0);
}
SysResult<Return> sys_funlinkat(Lwp& lwp, const SystemCall& call) {
    constexpr std::int32_t no_descriptor = -200;
    std::uint32_t at = TRY(at_argument(lwp, call.natural(3), at_removedir | at_resolve_beneath));
    if (call.integer(2) != no_descriptor) { // removes only if the name still is that file
        VnodeRef expected = TRY(vnode_of_descriptor(lwp, call.integer(2)));
        VnodeRef found = TRY(vnode_argument(lwp, call.integer(0), call.address(1), 0));
        if (expected.get() != found.get())
            return Failure(Errno::edeadlk);
    }
    return remove_name(lwp, call.integer(0), call.address(1), (at & at_removedir) != 0);
}
SysResult<Return> sys_rename(Lwp& lwp, const SystemCall& call) {
    return rename_name(lwp, here(lwp), call.address(0), here(lwp), call.address(1));
}
SysResult<Return> sys_renameat(Lwp& lwp, const SystemCall& call) {
    return rename_name(lwp, call.integer(0), call.address(1), call.integer(2), call.address(3));
}
SysResult<Return> sys_link(Lwp& lwp, const SystemCall& call) {
    return link_name(lwp, here(lwp), call.address(0), here(lwp), call.address(1), lookup_follow);
}
SysResult<Return> sys_linkat(Lwp& lwp, const SystemCall& call) {
    std::uint32_t at =
        TRY(at_argument(lwp, call.natural(4), at_symlink_follow | at_resolve_beneath | at_empty_path));
    unsigned flags = ((at & at_symlink_follow) ? unsigned{lookup_follow} : 0u) |
                     ((at & at_empty_path) ? unsigned{lookup_empty} : 0u);
    return link_name(lwp, call.integer(0), call.address(1), call.integer(2), call.address(3), flags);
}
SysResult<Return> sys_symlink(Lwp& lwp, const SystemCall& call) {
    return symlink_name(lwp, call.address(0), here(lwp), call.address(1));
}
SysResult<Return> sys_symlinkat(Lwp& lwp, const SystemCall& call) {
    return symlink_name(lwp, call.address(0), call.integer(1), call.address(2));
}
SysResult<Return> sys_readlink(Lwp& lwp, const SystemCall& call) {
    std::uint64_t capacity = is_dragonfly(lwp) ? call.natural(2) : call.word(2);
    return read_link(lwp, here(lwp), call.address(0), call.address(1), capacity);
}
SysResult<Return> sys_readlinkat(Lwp& lwp, const SystemCall& call) {
    return read_link(lwp, call.integer(0), call.address(1), call.address(2), call.word(3));
}

// --- where a process is ----------------------------------------------------------------------------------
namespace {

SysResult<void> check_directory(Lwp& lwp, Vnode& vnode) {
    if (vnode.type != VnodeType::directory)
        return Failure(Errno::enotdir);
    return check_permission(vnode, *lwp.proc.cred, may_exec);
}

} // namespace

SysResult<Return> sys_chdir(Lwp& lwp, const SystemCall& call) {
    VnodeRef vnode = TRY(vnode_argument(lwp, here(lwp), call.address(0), lookup_follow));
    TRY(check_directory(lwp, *vnode));
    lwp.proc.cwd = static_cast<VnodeRef&&>(vnode);
    return Return();
}
SysResult<Return> sys_fchdir(Lwp& lwp, const SystemCall& call) {
    File* file = TRY(lwp.proc.files->find(call.integer(0)));
    if (!file->vnode())
        return Failure(Errno::enotdir);
    VnodeRef vnode(file->vnode());
    TRY(check_directory(lwp, *vnode));
    lwp.proc.cwd = static_cast<VnodeRef&&>(vnode);
    return Return();
}
SysResult<Return> sys_chroot(Lwp& lwp, const SystemCall& call) {
    if (!lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    VnodeRef vnode = TRY(vnode_argument(lwp, here(lwp), call.address(0), lookup_follow));
    TRY(check_directory(lwp, *vnode));
    lwp.proc.root = static_cast<VnodeRef&&>(vnode);
    return Return();
}

// FreeBSD's call answers 0, DragonFly's the length with the NUL.
SysResult<Return> sys_getcwd(Lwp& lwp, const SystemCall& call) {
    PathBuffer path;
    std::uint64_t capacity = is_dragonfly(lwp) ? call.natural(1) : call.word(1);
    if (capacity < 2)
        return Failure(Errno::einval);
    std::uint64_t length = TRY(directory_path(*lwp.proc.root, *lwp.proc.cwd, path.bytes, path_max)) + 1u;
    if (length > capacity)
        return Failure(Errno::erange);
    TRY(copyout(*lwp.proc.vmspace, path.bytes, call.address(0), length));
    return Return(is_dragonfly(lwp) ? length : 0);
}

namespace {

SysResult<Return> real_path(Lwp& lwp, int fd, UserAddress path, UserAddress to, std::uint64_t capacity) {
    LookupResult found;
    TRY(name_argument(lwp, fd, path, lookup_follow, found));
    PathBuffer out;
    if (found.vnode->type == VnodeType::directory) {
        out.length = TRY(directory_path(*lwp.proc.root, *found.vnode, out.bytes, path_max));
    } else {
        // Files do not know their names: look again for the directory, which needs the path without its last
        // link.
        LookupResult named;
        TRY(name_argument(lwp, fd, path, lookup_hold_name, named));
        if (!named.directory || named.vnode.get() != found.vnode.get())
            return Failure(Errno::einval); // ends in a symbolic link: libraries then walk by themselves
        out.length = TRY(directory_path(*lwp.proc.root, *named.directory, out.bytes, path_max));
        if (out.length + named.name_length + 2 > path_max)
            return Failure(Errno::enametoolong);
        if (out.length > 1)
            out.bytes[out.length++] = '/';
        memcpy(out.bytes + out.length, named.name, named.name_length + 1);
        out.length += named.name_length;
    }
    if (out.length + 1 > capacity)
        return Failure(Errno::erange);
    TRY(copyout(*lwp.proc.vmspace, out.bytes, to, out.length + 1));
    return Return(is_dragonfly(lwp) ? out.length : 0);
}

} // namespace

SysResult<Return> sys_realpathat(Lwp& lwp, const SystemCall& call) {
    return real_path(lwp, call.integer(0), call.address(1), call.address(2), call.word(3));
}
SysResult<Return> sys_realpath(Lwp& lwp, const SystemCall& call) {
    return real_path(lwp, here(lwp), call.address(0), call.address(1), call.word(2));
}

} // namespace bsd
