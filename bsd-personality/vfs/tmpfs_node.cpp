// SPDX-License-Identifier: BSD-2-Clause
// Operations on tmpfs's nodes but those on names in directories. A node lives as long as names (links_) or
// vnode references hold it.
#include <string.h>

#include "bsd-personality/kern/kqueue.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/vfs/fifo.hpp"
#include "bsd-personality/vfs/locks.hpp"
#include "bsd-personality/vfs/namei.hpp"
#include "bsd-personality/vfs/tmpfs.hpp"
#include "bsd-personality/vm/page.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

TmpfsNode* TmpfsNode::create(Tmpfs& mount, VnodeType type, std::uint16_t mode, std::uint32_t uid,
                             std::uint32_t gid) {
    auto* node = lwkt::construct<TmpfsNode>(mount, type);
    if (!node)
        return nullptr;
    node->references_ = 0; // names and callers add theirs
    node->mode_ = mode;
    node->uid_ = uid;
    node->gid_ = gid;
    node->links_ = type == VnodeType::directory ? 1 : 0; // its "."
    return node;
}

TmpfsNode::~TmpfsNode() {
    if (own_target_bytes_ != 0)
        lwkt::release(const_cast<char*>(target_.data), own_target_bytes_);
    lwkt::destroy(vnode_events);
    free_locks(*this);
    mount_.nodes--;
}

void TmpfsNode::inactive() {
    free_if_unused();
}
void TmpfsNode::free_if_unused() {
    std::uint32_t held = type == VnodeType::directory ? 1 : 0;
    if (references_ == 0 && links_ <= held)
        lwkt::destroy(this);
}
void TmpfsNode::drop_link() {
    links_--;
    touch(change_stamp_);
    changed(note_delete);
    free_if_unused();
}

void TmpfsNode::touch(std::uint64_t& stamp) {
    __atomic_store_n(&stamp, glue::Clock::ticks().value, __ATOMIC_RELAXED);
}
void TmpfsNode::settle(FileTime& time, std::uint64_t& stamp) {
    if (__atomic_load_n(&stamp, __ATOMIC_RELAXED) == 0)
        return;
    std::uint64_t ticks = __atomic_exchange_n(&stamp, 0, __ATOMIC_RELAXED);
    std::uint64_t monotonic = glue::Clock::to_nanoseconds(glue::Ticks{ticks}).value;
    TimeSpec wall = to_timespec(wall_clock() - glue::Clock::now().value + monotonic);
    time = {wall.seconds, wall.nanoseconds};
}
void TmpfsNode::changed(std::uint32_t note) {
    if (vnode_events)
        vnode_events->notify(note);
}

SysResult<void> TmpfsNode::attributes(Attributes& out) {
    settle(access_, access_stamp_);
    settle(modify_, modify_stamp_);
    settle(change_, change_stamp_);
    out.device = mount_.device;
    out.inode = inode_;
    out.type = type;
    out.mode = mode_;
    out.links = links_;
    out.uid = uid_;
    out.gid = gid_;
    out.special = 0;
    out.access = access_;
    out.modify = modify_;
    out.change = change_;
    out.birth = birth_;
    out.size = size();
    out.blocks = type == VnodeType::regular ? (out.size + 511) / 512 : 0;
    out.block_size = 4096;
    out.flags = flags_;
    out.generation = 1;
    return {};
}

SysResult<void> TmpfsNode::change(const AttributeChange& change) {
    settle(access_, access_stamp_);
    settle(modify_, modify_stamp_);
    if (change.fields & AttributeChange::mode_field)
        mode_ = change.mode & 07777;
    if (change.fields & AttributeChange::owner_field)
        uid_ = change.uid;
    if (change.fields & AttributeChange::group_field)
        gid_ = change.gid;
    if (change.fields & AttributeChange::access_field)
        access_ = change.access;
    if (change.fields & AttributeChange::modify_field)
        modify_ = change.modify;
    if (change.fields & AttributeChange::flags_field)
        flags_ = change.flags;
    touch(change_stamp_);
    changed(note_attrib);
    return {};
}

std::int64_t TmpfsNode::size() {
    switch (type) {
    case VnodeType::regular:
        return static_cast<std::int64_t>(object_ ? object_->size() : image_size_);
    case VnodeType::symlink:
        return static_cast<std::int64_t>(target_.size);
    case VnodeType::directory:
        return 512;
    default:
        return 0;
    }
}

// --- content ---------------------------------------------------------------------------------------------
SysResult<Text> TmpfsNode::target() {
    if (type != VnodeType::symlink)
        return Failure(Errno::einval);
    return target_;
}

SysResult<vm::Object*> TmpfsNode::object() {
    if (type != VnodeType::regular)
        return Failure(Errno::enodev);
    if (!object_) {
        object_ = image_size_ != 0 ? vm::Object::create_image(image_offset_, image_size_)
                                   : vm::Object::create_file(0);
        if (!object_)
            return Failure(Errno::enomem);
    }
    return object_.get();
}

SysResult<void> TmpfsNode::read(Lwp& lwp, Uio& uio, std::int64_t offset, std::uint32_t flags) {
    if (type != VnodeType::regular)
        return Vnode::read(lwp, uio, offset, flags);
    vm::Object* content = TRY(object());
    touch(access_stamp_);
    auto at = static_cast<std::uint64_t>(offset);
    while (uio.residual() != 0 && at < content->size()) {
        std::uint64_t within = at & vm::page_mask;
        std::uint64_t run = least(least(uio.residual(), vm::page_size - within), content->size() - at);
        TRY(uio.copy_out(content->page(at >> vm::page_shift) + within, run));
        at += run;
    }
    return {};
}

SysResult<void> TmpfsNode::write(Lwp& lwp, Uio& uio, std::int64_t offset, std::uint32_t flags) {
    if (type != VnodeType::regular)
        return Vnode::write(lwp, uio, offset, flags);
    vm::Object* content = TRY(object());
    auto at = static_cast<std::uint64_t>(offset);
    if (uio.residual() == 0)
        return {};
    touch(modify_stamp_);
    touch(change_stamp_);
    if (mode_ & 06000) // set-id bits do not survive writing
        mode_ &= static_cast<std::uint16_t>(lwp.proc.cred->is_superuser() ? 07777 : 01777);
    std::uint32_t note = note_write;
    while (uio.residual() != 0) {
        std::uint64_t within = at & vm::page_mask;
        std::uint64_t run = least(uio.residual(), vm::page_size - within);
        std::uint64_t old = content->size();
        if (at + run > old) {
            TRY(content->resize(at + run));
            note |= note_extend;
        }
        auto page = content->page_for_write(at >> vm::page_shift, false);
        bool ok = page.ok();
        Errno error = ok ? Errno::efault : Errno::enospc;
        if (ok) {
            auto copied = uio.copy_in(page.value() + within, run);
            ok = copied.ok();
            if (!ok)
                error = copied.error();
        }
        if (!ok) {
            if (at + run > old)
                (void)content->resize(old); // nothing of this page counts
            changed(note);
            return Failure(error);
        }
        at += run;
    }
    changed(note);
    return {};
}

// --- in shared mode --------------------------------------------------------------------------------------
SysResult<void> TmpfsNode::attributes_shared(Attributes& out) {
    Claim claim(times_);
    if (!claim)
        return Failure(Errno::eexclusive);
    return attributes(out);
}

SysResult<void> TmpfsNode::read_shared(Uio& uio, std::int64_t offset) {
    vm::Object* content = object_.get(); // none of other types, or nobody has read it yet
    if (!content || offset < 0 || !uio.at_hand(uio.residual(), true))
        return Failure(Errno::eexclusive);
    touch(access_stamp_);
    auto at = static_cast<std::uint64_t>(offset);
    while (uio.residual() != 0 && at < content->size()) {
        std::uint64_t within = at & vm::page_mask;
        std::uint64_t run = least(least(uio.residual(), vm::page_size - within), content->size() - at);
        TRY(uio.copy_out(content->peek(at >> vm::page_shift) + within, run));
        at += run;
    }
    return {};
}

// Only over pages that the file has already.
SysResult<void> TmpfsNode::write_shared(Uio& uio, std::int64_t offset) {
    vm::Object* content = object_.get();
    auto at = static_cast<std::uint64_t>(offset), end = at + uio.residual();
    if (!content || offset < 0 || at == end || end > content->size() || (mode_ & 06000) || vnode_events ||
        !uio.at_hand(uio.residual(), false))
        return Failure(Errno::eexclusive);
    for (std::uint64_t index = at >> vm::page_shift; index <= (end - 1) >> vm::page_shift; index++)
        if (!content->peek_own(index))
            return Failure(Errno::eexclusive);
    touch(modify_stamp_);
    touch(change_stamp_);
    while (at != end) {
        std::uint64_t within = at & vm::page_mask, run = least(end - at, vm::page_size - within);
        TRY(uio.copy_in(content->peek_own(at >> vm::page_shift) + within, run));
        at += run;
    }
    return {};
}

SysResult<void> TmpfsNode::truncate(std::int64_t length) {
    if (type != VnodeType::regular)
        return Vnode::truncate(length);
    if (length < 0)
        return Failure(Errno::einval);
    vm::Object* content = nullptr;
    if (length == 0 && !object_) { // the image's bytes are not wanted any more
        image_size_ = 0;
    }
    content = TRY(object());
    TRY(content->resize(static_cast<std::uint64_t>(length)));
    touch(modify_stamp_);
    touch(change_stamp_);
    changed(note_attrib);
    return {};
}

SysResult<FileRef> TmpfsNode::open(Lwp& lwp, std::uint32_t flags) {
    if (type == VnodeType::fifo)
        return open_fifo(lwp, *this, fifo_, flags);
    return Vnode::open(lwp, flags);
}

void TmpfsNode::file_system(FileSystemInformation& out) {
    vm::PageCounts pages = vm::page_counts();
    out = {"tmpfs",       "tmpfs",    mount_.mounted_on,         0x87,
           pages.total,   pages.free, mount_.nodes + pages.free, pages.free,
           mount_.device, false};
}

} // namespace bsd
