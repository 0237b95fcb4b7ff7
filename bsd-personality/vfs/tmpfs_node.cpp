// SPDX-License-Identifier: BSD-2-Clause
// Operations on tmpfs's nodes. A node lives as long as names (links_) or vnode references hold it.
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
    stamp = glue::Clock::ticks().value;
}
void TmpfsNode::settle(FileTime& time, std::uint64_t& stamp) {
    if (stamp == 0)
        return;
    std::uint64_t monotonic = glue::Clock::to_nanoseconds(glue::Ticks{stamp}).value;
    TimeSpec wall = to_timespec(wall_clock() - glue::Clock::now().value + monotonic);
    time = {wall.seconds, wall.nanoseconds};
    stamp = 0;
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

// --- directories
// ---------------------------------------------------------------------------------------------------------
SysResult<VnodeRef> TmpfsNode::lookup(Text name) {
    if (type != VnodeType::directory)
        return Failure(Errno::enotdir);
    TmpfsEntry* entry = mount_.find(*this, name);
    if (!entry)
        return Failure(Errno::enoent);
    return VnodeRef(entry->node);
}

SysResult<VnodeRef> TmpfsNode::create(Text name, VnodeType kind, std::uint16_t mode, const Ucred& owner,
                                      Text target) {
    if (type != VnodeType::directory)
        return Failure(Errno::enotdir);
    if (links_ < 2)
        return Failure(Errno::enoent); // this directory was removed
    if (mount_.find(*this, name))
        return Failure(Errno::eexist);
    // As in all BSDs, the group is the directory's.
    TmpfsNode* node = create(mount_, kind, mode, owner.uid, gid_);
    if (!node)
        return Failure(Errno::enospc);
    if (target.size != 0) {
        auto* bytes = static_cast<char*>(lwkt::allocate(target.size));
        if (!bytes) {
            lwkt::destroy(node);
            return Failure(Errno::enospc);
        }
        memcpy(bytes, target.data, target.size);
        node->target_ = {bytes, target.size};
        node->own_target_bytes_ = static_cast<std::uint32_t>(target.size);
    }
    if (!mount_.insert(*this, *node, name, true)) {
        lwkt::destroy(node);
        return Failure(Errno::enospc);
    }
    TimeSpec now = to_timespec(wall_clock());
    node->access_ = node->modify_ = node->change_ = node->birth_ = {now.seconds, now.nanoseconds};
    touch(modify_stamp_);
    touch(change_stamp_);
    changed(kind == VnodeType::directory ? note_write | note_link : std::uint32_t{note_write});
    return VnodeRef(node);
}

SysResult<void> TmpfsNode::link(Text name, Vnode& existing) {
    if (type != VnodeType::directory)
        return Failure(Errno::enotdir);
    Attributes there;
    TRY(existing.attributes(there));
    if (there.device != mount_.device)
        return Failure(Errno::exdev);
    auto& node = static_cast<TmpfsNode&>(existing);
    if (node.type == VnodeType::directory)
        return Failure(Errno::eperm);
    if (links_ < 2)
        return Failure(Errno::enoent);
    if (mount_.find(*this, name))
        return Failure(Errno::eexist);
    if (node.links_ >= 32767)
        return Failure(Errno::emlink);
    if (!mount_.insert(*this, node, name, true))
        return Failure(Errno::enospc);
    node.touch(node.change_stamp_);
    node.changed(note_link);
    touch(modify_stamp_);
    touch(change_stamp_);
    changed(note_write);
    return {};
}

SysResult<void> TmpfsNode::remove(Text name, bool directory) {
    if (type != VnodeType::directory)
        return Failure(Errno::enotdir);
    TmpfsEntry* entry = mount_.find(*this, name);
    if (!entry)
        return Failure(Errno::enoent);
    TmpfsNode* node = entry->node;
    if (directory) {
        if (node->type != VnodeType::directory)
            return Failure(Errno::enotdir);
        if (node->mounted)
            return Failure(Errno::ebusy);
        if (!node->is_empty())
            return Failure(Errno::enotempty);
    } else if (node->type == VnodeType::directory) {
        return Failure(Errno::eperm);
    }
    mount_.erase(*entry);
    node->drop_link();
    touch(modify_stamp_);
    touch(change_stamp_);
    changed(directory ? note_write | note_link : std::uint32_t{note_write});
    return {};
}

bool TmpfsNode::is_below(const TmpfsNode& other) const {
    for (const TmpfsNode* node = this; node; node = node->self_ ? node->self_->directory : nullptr)
        if (node == &other)
            return true;
    return false;
}

SysResult<void> TmpfsNode::rename(Text name, Vnode& to_directory, Text to_name) {
    Attributes there;
    TRY(to_directory.attributes(there));
    if (there.device != mount_.device)
        return Failure(Errno::exdev);
    auto& target_directory = static_cast<TmpfsNode&>(to_directory);
    if (type != VnodeType::directory || target_directory.type != VnodeType::directory)
        return Failure(Errno::enotdir);
    TmpfsEntry* entry = mount_.find(*this, name);
    if (!entry || target_directory.links_ < 2)
        return Failure(Errno::enoent);
    TmpfsNode* node = entry->node;
    bool directory = node->type == VnodeType::directory;
    if (node->mounted)
        return Failure(Errno::ebusy);
    if (directory && target_directory.is_below(*node))
        return Failure(Errno::einval);
    TmpfsEntry* victim = mount_.find(target_directory, to_name);
    TmpfsNode* old = victim ? victim->node : nullptr;
    if (old == node)
        return {}; // two names of one file: nothing happens
    if (old) {
        if (old->mounted)
            return Failure(Errno::ebusy);
        if (directory && old->type != VnodeType::directory)
            return Failure(Errno::enotdir);
        if (!directory && old->type == VnodeType::directory)
            return Failure(Errno::eisdir);
        if (directory && !old->is_empty())
            return Failure(Errno::enotempty);
    }
    if (!mount_.insert(target_directory, *node, to_name, true))
        return Failure(Errno::enospc);
    if (victim) {
        mount_.erase(*victim);
        old->drop_link();
    }
    mount_.erase(*entry);
    node->links_--;
    for (TmpfsNode* parent : {this, &target_directory}) {
        parent->touch(parent->modify_stamp_);
        parent->touch(parent->change_stamp_);
        parent->changed(note_write);
    }
    node->touch(node->change_stamp_);
    node->changed(note_rename);
    return {};
}

SysResult<void> TmpfsNode::read_directory(std::int64_t from, DirectoryConsumer& consumer) {
    if (type != VnodeType::directory)
        return Failure(Errno::enotdir);
    touch(access_stamp_);
    if (from <= 0 && !consumer.take({inode_, type, Text("."), 1}))
        return {};
    if (from <= 1) {
        VnodeRef above = parent();
        if (!consumer.take({static_cast<TmpfsNode*>(above.get())->inode_, type, Text(".."), 2}))
            return {};
    }
    TmpfsEntry* entry = hint_ && hint_->cookie >= from && from > 2 ? hint_ : entries_.first();
    while (entry) { // the hint may lie beyond `from` by removed entries only, or the list is walked from its
                    // start
        TmpfsEntry* before = entry->in_directory.previous;
        if (entry == hint_ && before && before->cookie >= from) {
            entry = entries_.first();
            hint_ = nullptr;
            continue;
        }
        if (entry->cookie >= from)
            break;
        entry = entries_.next(entry);
    }
    while (entry && consumer.take({entry->node->inode_, entry->node->type, entry->name, entry->cookie + 1}))
        entry = entries_.next(entry);
    hint_ = entry;
    return {};
}

VnodeRef TmpfsNode::parent() {
    return VnodeRef(self_ ? self_->directory : this);
}

// --- content
// ---------------------------------------------------------------------------------------------------------------
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
