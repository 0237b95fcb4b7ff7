// SPDX-License-Identifier: BSD-2-Clause
// The open file of a vnode: offset, append, directory reading, advisory locks of flock.
#pragma once

#include "bsd-personality/vfs/vnode.hpp"

namespace bsd {

class VnodeFile final : public File {
public:
    VnodeFile(VnodeRef vnode, std::uint32_t open_flags)
        : File(vnode->type == VnodeType::fifo ? FileType::fifo : FileType::vnode, open_flags),
          vnode_(static_cast<VnodeRef&&>(vnode)) {}
    ~VnodeFile() = default;
    /// ENOMEM.
    static SysResult<FileRef> create(VnodeRef vnode, std::uint32_t flags);

    SysResult<void> read(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<void> write(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<std::int64_t> seek(Lwp& lwp, std::int64_t offset, int whence) override;
    SysResult<int> ioctl(Lwp& lwp, std::uint64_t command, void* argument) override;
    SysResult<void> attributes(Lwp& lwp, Attributes& out) override;
    SysResult<void> truncate(Lwp& lwp, std::int64_t length) override;
    SysResult<void> read_shared(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<void> write_shared(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<std::int64_t> seek_shared(Lwp& lwp, std::int64_t offset, int whence) override;
    SysResult<void> attributes_shared(Lwp& lwp, Attributes& out) override;
    Readiness readiness(Direction direction) override { return vnode_->readiness(direction); }
    EventSource* events(Direction direction) override { return vnode_->events(direction); }
    Vnode* vnode() override { return vnode_.get(); }
    SysResult<vm::Object*> mapping(Lwp& lwp) override;

private:
    void destroy() override;
    SysResult<std::uint64_t> excess(Lwp& lwp, std::int64_t at, std::uint64_t length) const;
    VnodeRef vnode_;
    Claimable position_; // `offset`
};

} // namespace bsd
