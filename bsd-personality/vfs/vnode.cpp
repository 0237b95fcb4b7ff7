// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vfs/vnode.hpp"

#include "bsd-personality/kern/ucred.hpp"
#include "bsd-personality/vfs/vnode_file.hpp"
#include "bsd-personality/vm/object.hpp"

namespace bsd {

SysResult<void> Vnode::change(const AttributeChange&) {
    return Failure(Errno::eperm);
}
SysResult<VnodeRef> Vnode::lookup(Text) {
    return Failure(Errno::enotdir);
}
SysResult<VnodeRef> Vnode::create(Text, VnodeType, std::uint16_t, const Ucred&, Text) {
    return Failure(type == VnodeType::directory ? Errno::erofs : Errno::enotdir);
}
SysResult<void> Vnode::link(Text, Vnode&) {
    return Failure(type == VnodeType::directory ? Errno::erofs : Errno::enotdir);
}
SysResult<void> Vnode::remove(Text, bool) {
    return Failure(type == VnodeType::directory ? Errno::erofs : Errno::enotdir);
}
SysResult<void> Vnode::rename(Text, Vnode&, Text) {
    return Failure(type == VnodeType::directory ? Errno::erofs : Errno::enotdir);
}
SysResult<void> Vnode::read_directory(std::int64_t, DirectoryConsumer&) {
    return Failure(Errno::enotdir);
}
VnodeRef Vnode::parent() {
    return VnodeRef(this);
}
SysResult<Text> Vnode::target() {
    return Failure(Errno::einval);
}
SysResult<void> Vnode::read(Lwp&, Uio&, std::int64_t, std::uint32_t) {
    return Failure(type == VnodeType::directory ? Errno::eisdir : Errno::eopnotsupp);
}
SysResult<void> Vnode::write(Lwp&, Uio&, std::int64_t, std::uint32_t) {
    return Failure(Errno::eopnotsupp);
}
SysResult<void> Vnode::truncate(std::int64_t) {
    return Failure(type == VnodeType::directory ? Errno::eisdir : Errno::einval);
}
SysResult<void> Vnode::read_shared(Uio&, std::int64_t) {
    return Failure(Errno::eexclusive);
}
SysResult<void> Vnode::write_shared(Uio&, std::int64_t) {
    return Failure(Errno::eexclusive);
}
SysResult<void> Vnode::attributes_shared(Attributes&) {
    return Failure(Errno::eexclusive);
}
SysResult<vm::Object*> Vnode::object() {
    return Failure(Errno::enodev);
}
SysResult<FileRef> Vnode::open(Lwp&, std::uint32_t flags) {
    return VnodeFile::create(VnodeRef(this), flags);
}
SysResult<int> Vnode::ioctl(Lwp&, std::uint64_t, void*) {
    return Failure(Errno::enotty);
}
SysResult<void> Vnode::revoke() {
    return Failure(Errno::eopnotsupp);
}
Readiness Vnode::readiness(Direction) {
    return {.ready = true};
}
EventSource* Vnode::events(Direction) {
    return nullptr;
}

SysResult<void> check_permission(Vnode& vnode, const Ucred& cred, unsigned permission) {
    if (permission == 0)
        return {};
    Attributes attributes;
    TRY(vnode.attributes(attributes));
    if (cred.is_superuser()) {
        // The superuser executes a file only if somebody may.
        if ((permission & may_exec) && vnode.type != VnodeType::directory && !(attributes.mode & 0111))
            return Failure(Errno::eacces);
        return {};
    }
    unsigned granted = attributes.mode;
    if (cred.uid == attributes.uid)
        granted >>= 6;
    else if (cred.is_member(attributes.gid))
        granted >>= 3;
    if ((granted & permission) != permission)
        return Failure(Errno::eacces);
    return {};
}

} // namespace bsd
