// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vfs/vnode_file.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/ioctl.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vfs/locks.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

SysResult<FileRef> VnodeFile::create(VnodeRef vnode, std::uint32_t flags) {
    auto* file = lwkt::construct<VnodeFile>(static_cast<VnodeRef&&>(vnode), flags);
    if (!file)
        return Failure(Errno::enomem);
    return FileRef::adopt(file);
}

void VnodeFile::destroy() {
    if (vnode_->locks)
        release_locks(*vnode_, this);
    lwkt::destroy(this);
}

SysResult<void> VnodeFile::read(Lwp& lwp, Uio& uio, const std::int64_t* position) {
    if (position)
        return vnode_->read(lwp, uio, *position, flags);
    std::uint64_t before = uio.residual();
    auto result = vnode_->read(lwp, uio, offset, flags);
    if (vnode_->type == VnodeType::regular)
        offset += static_cast<std::int64_t>(before - uio.residual());
    return result;
}

// How much of a write is beyond what a file of this process may be; EFBIG beyond what any may be.
SysResult<std::uint64_t> VnodeFile::excess(Lwp& lwp, std::int64_t at, std::uint64_t length) const {
    std::uint64_t end, limit = lwp.proc.limits[limit_fsize].current;
    if (vnode_->type != VnodeType::regular || length == 0)
        return std::uint64_t{0};
    if (__builtin_add_overflow(static_cast<std::uint64_t>(at), length, &end) || end > limit_infinity)
        return Failure(Errno::efbig);
    return end > limit ? least(end - limit, length) : 0;
}

SysResult<void> VnodeFile::write(Lwp& lwp, Uio& uio, const std::int64_t* position) {
    std::int64_t at = (flags & open_append) ? vnode_->size() : position ? *position : offset;
    std::uint64_t before = uio.residual();
    std::uint64_t beyond = TRY(excess(lwp, at, before));
    // FreeBSD writes up to the limit first.
    if (beyond != 0 && (beyond == before || lwp.proc.abi->kind == AbiKind::dragonfly)) {
        post_kernel_signal(lwp.proc, sigxfsz);
        return Failure(Errno::efbig);
    }
    uio.hold_back(beyond);
    auto result = vnode_->write(lwp, uio, at, flags);
    uio.give_back(beyond);
    if (!position && vnode_->type == VnodeType::regular)
        offset = at + static_cast<std::int64_t>(before - uio.residual());
    return result;
}

// --- in shared mode --------------------------------------------------------------------------------------
SysResult<void> VnodeFile::read_shared(Lwp&, Uio& uio, const std::int64_t* position) {
    if (position)
        return vnode_->read_shared(uio, *position);
    Claim claim(position_);
    if (!claim)
        return Failure(Errno::eexclusive);
    std::uint64_t before = uio.residual();
    TRY(vnode_->read_shared(uio, offset));
    if (vnode_->type == VnodeType::regular)
        offset += static_cast<std::int64_t>(before - uio.residual());
    return {};
}

SysResult<void> VnodeFile::write_shared(Lwp& lwp, Uio& uio, const std::int64_t* position) {
    Claim claim(position_);
    if (!claim || (flags & open_append))
        return Failure(Errno::eexclusive);
    std::int64_t at = position ? *position : offset;
    if (at < 0)
        return Failure(Errno::eexclusive);
    std::uint64_t length = uio.residual();
    if (TRY(excess(lwp, at, length)) != 0)
        return Failure(Errno::eexclusive);
    TRY(vnode_->write_shared(uio, at));
    if (!position && vnode_->type == VnodeType::regular)
        offset = at + static_cast<std::int64_t>(length);
    return {};
}

SysResult<std::int64_t> VnodeFile::seek_shared(Lwp& lwp, std::int64_t to, int whence) {
    Claim claim(position_);
    if (!claim)
        return Failure(Errno::eexclusive);
    return seek(lwp, to, whence);
}

SysResult<void> VnodeFile::attributes_shared(Lwp&, Attributes& out) {
    return vnode_->attributes_shared(out);
}

SysResult<std::int64_t> VnodeFile::seek(Lwp&, std::int64_t to, int whence) {
    std::int64_t base = 0;
    if (vnode_->type == VnodeType::fifo || vnode_->type == VnodeType::socket)
        return Failure(Errno::espipe);
    switch (whence) {
    case 0:
        break;
    case 1:
        base = offset;
        break;
    case 2:
        base = vnode_->size();
        break;
    case 3: // data: all of a file counts as data
    case 4: // hole: there is one at the end
        if (vnode_->type != VnodeType::regular)
            return Failure(Errno::enotty);
        if (to < 0 || to >= vnode_->size())
            return Failure(Errno::enxio);
        if (whence == 4)
            to = vnode_->size();
        break;
    default:
        return Failure(Errno::einval);
    }
    if (__builtin_add_overflow(base, to, &to))
        return Failure(Errno::eoverflow);
    if (to < 0 && vnode_->type != VnodeType::character)
        return Failure(Errno::einval);
    return offset = to;
}

SysResult<int> VnodeFile::ioctl(Lwp& lwp, std::uint64_t command, void* argument) {
    if (command == fionread && vnode_->type == VnodeType::regular) {
        *static_cast<std::int32_t*>(argument) = static_cast<std::int32_t>(vnode_->size() - offset);
        return 0;
    }
    return vnode_->ioctl(lwp, command, argument);
}

SysResult<void> VnodeFile::attributes(Lwp&, Attributes& out) {
    return vnode_->attributes(out);
}
SysResult<void> VnodeFile::truncate(Lwp&, std::int64_t length) {
    return vnode_->truncate(length);
}
SysResult<vm::Object*> VnodeFile::mapping(Lwp&) {
    return vnode_->object();
}

} // namespace bsd
