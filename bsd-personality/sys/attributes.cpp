// SPDX-License-Identifier: BSD-2-Clause
// chmod, chown, utimes, chflags, truncate and umask families.
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/sys/file_arguments.hpp"

namespace bsd {

namespace {

// What a descriptor's mode and owner are of. EINVAL when it has none.
SysResult<VnodeRef> owned_node(Lwp& lwp, int fd) {
    Vnode* node = TRY(lwp.proc.files->find(fd))->owned_node();
    if (!node)
        return Failure(Errno::einval);
    return VnodeRef(node);
}

// Only the owner changes attributes.
SysResult<void> check_owner(Lwp& lwp, Vnode& vnode, Attributes& now) {
    TRY(vnode.attributes(now));
    if (!lwp.proc.cred->is_superuser() && lwp.proc.cred->uid != now.uid)
        return Failure(Errno::eperm);
    return {};
}

SysResult<Return> change_mode(Lwp& lwp, Vnode& vnode, std::uint64_t mode) {
    Attributes now;
    TRY(check_owner(lwp, vnode, now));
    AttributeChange change;
    change.fields = AttributeChange::mode_field;
    change.mode = static_cast<std::uint16_t>(mode & 07777);
    if (!lwp.proc.cred->is_superuser() && !lwp.proc.cred->is_member(now.gid))
        change.mode &= static_cast<std::uint16_t>(~02000);
    TRY(vnode.change(change));
    return Return();
}

// -1 leaves an id as it is. Set-id bits go when anybody but the superuser changes an owner.
SysResult<Return> change_owner(Lwp& lwp, Vnode& vnode, std::uint32_t uid, std::uint32_t gid) {
    constexpr std::uint32_t keep = ~std::uint32_t{0};
    Attributes now;
    TRY(check_owner(lwp, vnode, now));
    const Ucred& cred = *lwp.proc.cred;
    if (!cred.is_superuser() && ((uid != keep && uid != now.uid) || (gid != keep && !cred.is_member(gid))))
        return Failure(Errno::eperm);
    AttributeChange change;
    if (uid != keep) {
        change.fields |= AttributeChange::owner_field;
        change.uid = uid;
    }
    if (gid != keep) {
        change.fields |= AttributeChange::group_field;
        change.gid = gid;
    }
    if (!cred.is_superuser() && (now.mode & 06000)) {
        change.fields |= AttributeChange::mode_field;
        change.mode = static_cast<std::uint16_t>(now.mode & ~06000);
    }
    TRY(vnode.change(change));
    return Return();
}

SysResult<Return> change_flags(Lwp& lwp, Vnode& vnode, std::uint64_t flags) {
    Attributes now;
    TRY(check_owner(lwp, vnode, now));
    AttributeChange change;
    change.fields = AttributeChange::flags_field;
    change.flags = static_cast<std::uint32_t>(flags);
    TRY(vnode.change(change));
    return Return();
}

enum class TimeUnit : std::uint8_t { microseconds, nanoseconds };

// Two times from user memory; UTIME_NOW -1 and UTIME_OMIT -2 are for nanoseconds only.
SysResult<Return> change_times(Lwp& lwp, Vnode& vnode, UserAddress from, TimeUnit unit) {
    constexpr std::int64_t utime_now = -1, utime_omit = -2;
    TimeSpec given[2] = {{0, utime_now}, {0, utime_now}};
    if (from.value != 0) {
        TRY(copyin(*lwp.proc.vmspace, from, given, sizeof given));
        if (unit == TimeUnit::microseconds)
            for (TimeSpec& time : given) {
                if (time.nanoseconds < 0 || time.nanoseconds >= 1'000'000)
                    return Failure(Errno::einval);
                time.nanoseconds *= 1000;
            }
    }
    AttributeChange change;
    TimeSpec wall = to_timespec(wall_clock());
    bool only_now = true;
    for (int i = 0; i < 2; i++) {
        if (given[i].nanoseconds == utime_omit)
            continue;
        change.fields |= i == 0 ? AttributeChange::access_field : AttributeChange::modify_field;
        if (given[i].nanoseconds == utime_now)
            given[i] = wall;
        else if (given[i].nanoseconds < 0 || given[i].nanoseconds >= 1'000'000'000)
            return Failure(Errno::einval);
        else
            only_now = false;
        (i == 0 ? change.access : change.modify) = {given[i].seconds, given[i].nanoseconds};
    }
    if (change.fields == 0)
        return Return();
    Attributes now;
    auto owner = check_owner(lwp, vnode, now);
    if (!owner.ok()) { // whoever may write may set the present
        if (!only_now)
            return Failure(owner.error());
        TRY(check_permission(vnode, *lwp.proc.cred, may_write));
    }
    TRY(vnode.change(change));
    return Return();
}

// RLIMIT_FSIZE.
SysResult<void> check_length(Lwp& lwp, std::uint64_t length) {
    if (length <= lwp.proc.limits[limit_fsize].current)
        return {};
    post_kernel_signal(lwp.proc, sigxfsz);
    return Failure(Errno::efbig);
}

SysResult<Return> truncate_name(Lwp& lwp, UserAddress path, std::uint64_t length) {
    VnodeRef vnode = TRY(vnode_argument(lwp, lwp.proc.abi->at_fdcwd, path, lookup_follow));
    if (static_cast<std::int64_t>(length) < 0)
        return Failure(Errno::einval);
    if (vnode->type == VnodeType::directory)
        return Failure(Errno::eisdir);
    TRY(check_permission(*vnode, *lwp.proc.cred, may_write));
    TRY(check_length(lwp, length));
    TRY(vnode->truncate(static_cast<std::int64_t>(length)));
    return Return();
}

SysResult<Return> truncate_descriptor(Lwp& lwp, int fd, std::uint64_t length) {
    FileRef file = TRY(file_argument(lwp, fd));
    if (static_cast<std::int64_t>(length) < 0 || !file->writable())
        return Failure(Errno::einval);
    TRY(check_length(lwp, length));
    TRY(file->truncate(lwp, static_cast<std::int64_t>(length)));
    return Return();
}

int here(const Lwp& lwp) {
    return lwp.proc.abi->at_fdcwd;
}
constexpr std::uint32_t change_at = at_symlink_nofollow | at_resolve_beneath | at_empty_path;

SysResult<VnodeRef> at_name(Lwp& lwp, int fd, UserAddress path, std::uint32_t raw_flags) {
    std::uint32_t at = TRY(at_argument(lwp, raw_flags, change_at));
    return vnode_argument(lwp, fd, path, lookup_flags(at));
}

} // namespace

SysResult<Return> sys_chmod(Lwp& lwp, const SystemCall& call) {
    return change_mode(lwp, *TRY(vnode_argument(lwp, here(lwp), call.address(0), lookup_follow)),
                       call.word(1));
}
SysResult<Return> sys_lchmod(Lwp& lwp, const SystemCall& call) {
    return change_mode(lwp, *TRY(vnode_argument(lwp, here(lwp), call.address(0), 0)), call.word(1));
}
SysResult<Return> sys_fchmod(Lwp& lwp, const SystemCall& call) {
    return change_mode(lwp, *TRY(owned_node(lwp, call.integer(0))), call.word(1));
}
SysResult<Return> sys_fchmodat(Lwp& lwp, const SystemCall& call) {
    return change_mode(lwp, *TRY(at_name(lwp, call.integer(0), call.address(1), call.natural(3))),
                       call.word(2));
}
SysResult<Return> sys_chown(Lwp& lwp, const SystemCall& call) {
    return change_owner(lwp, *TRY(vnode_argument(lwp, here(lwp), call.address(0), lookup_follow)),
                        call.natural(1), call.natural(2));
}
SysResult<Return> sys_lchown(Lwp& lwp, const SystemCall& call) {
    return change_owner(lwp, *TRY(vnode_argument(lwp, here(lwp), call.address(0), 0)), call.natural(1),
                        call.natural(2));
}
SysResult<Return> sys_fchown(Lwp& lwp, const SystemCall& call) {
    return change_owner(lwp, *TRY(owned_node(lwp, call.integer(0))), call.natural(1), call.natural(2));
}
SysResult<Return> sys_fchownat(Lwp& lwp, const SystemCall& call) {
    return change_owner(lwp, *TRY(at_name(lwp, call.integer(0), call.address(1), call.natural(4))),
                        call.natural(2), call.natural(3));
}
SysResult<Return> sys_chflags(Lwp& lwp, const SystemCall& call) {
    return change_flags(lwp, *TRY(vnode_argument(lwp, here(lwp), call.address(0), lookup_follow)),
                        call.word(1));
}
SysResult<Return> sys_lchflags(Lwp& lwp, const SystemCall& call) {
    return change_flags(lwp, *TRY(vnode_argument(lwp, here(lwp), call.address(0), 0)), call.word(1));
}
SysResult<Return> sys_fchflags(Lwp& lwp, const SystemCall& call) {
    return change_flags(lwp, *TRY(vnode_of_descriptor(lwp, call.integer(0))), call.word(1));
}
SysResult<Return> sys_chflagsat(Lwp& lwp, const SystemCall& call) {
    return change_flags(lwp, *TRY(at_name(lwp, call.integer(0), call.address(1), call.natural(3))),
                        call.word(2));
}
SysResult<Return> sys_utimes(Lwp& lwp, const SystemCall& call) {
    VnodeRef vnode = TRY(vnode_argument(lwp, here(lwp), call.address(0), lookup_follow));
    return change_times(lwp, *vnode, call.address(1), TimeUnit::microseconds);
}
SysResult<Return> sys_lutimes(Lwp& lwp, const SystemCall& call) {
    VnodeRef vnode = TRY(vnode_argument(lwp, here(lwp), call.address(0), 0));
    return change_times(lwp, *vnode, call.address(1), TimeUnit::microseconds);
}
SysResult<Return> sys_futimes(Lwp& lwp, const SystemCall& call) {
    return change_times(lwp, *TRY(vnode_of_descriptor(lwp, call.integer(0))), call.address(1),
                        TimeUnit::microseconds);
}
SysResult<Return> sys_futimesat(Lwp& lwp, const SystemCall& call) {
    VnodeRef vnode = TRY(vnode_argument(lwp, call.integer(0), call.address(1), lookup_follow));
    return change_times(lwp, *vnode, call.address(2), TimeUnit::microseconds);
}
SysResult<Return> sys_futimens(Lwp& lwp, const SystemCall& call) {
    return change_times(lwp, *TRY(vnode_of_descriptor(lwp, call.integer(0))), call.address(1),
                        TimeUnit::nanoseconds);
}
SysResult<Return> sys_utimensat(Lwp& lwp, const SystemCall& call) {
    VnodeRef vnode = TRY(at_name(lwp, call.integer(0), call.address(1), call.natural(3)));
    return change_times(lwp, *vnode, call.address(2), TimeUnit::nanoseconds);
}

SysResult<Return> sys_truncate(Lwp& lwp, const SystemCall& call) {
    return truncate_name(lwp, call.address(0), call.word(1));
}
SysResult<Return> sys_truncate_padded(Lwp& lwp, const SystemCall& call) {
    return truncate_name(lwp, call.address(0), call.word(2));
}
SysResult<Return> sys_ftruncate(Lwp& lwp, const SystemCall& call) {
    return truncate_descriptor(lwp, call.integer(0), call.word(1));
}
SysResult<Return> sys_ftruncate_padded(Lwp& lwp, const SystemCall& call) {
    return truncate_descriptor(lwp, call.integer(0), call.word(2));
}
SysResult<Return> sys_umask(Lwp& lwp, const SystemCall& call) {
    std::uint16_t old = lwp.proc.umask;
    lwp.proc.umask = static_cast<std::uint16_t>(call.word(0) & 0777);
    return Return(old);
}

} // namespace bsd
