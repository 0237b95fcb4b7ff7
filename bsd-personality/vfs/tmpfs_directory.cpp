// SPDX-License-Identifier: BSD-2-Clause
// Operations on names in a tmpfs's directories.
#include <string.h>

#include "bsd-personality/kern/kqueue.hpp"
#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/kern/ucred.hpp"
#include "bsd-personality/vfs/tmpfs.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

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
    if (existing.mount_identity() != &mount_)
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
    if (to_directory.mount_identity() != &mount_)
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

} // namespace bsd
