// SPDX-License-Identifier: BSD-2-Clause
// The name table of a tmpfs, and filling it from an image.
#include "bsd-personality/vfs/tmpfs.hpp"

#include <string.h>

#include "bsd-personality/kern/time.hpp"
#include "lwkt/slab.hpp"
#include "proto/image.hpp"

namespace bsd {

namespace {
constexpr std::uint32_t largest_table = 65536 / sizeof(TmpfsEntry*); // what the slab gives in one piece
std::uint32_t next_device = 0x6c00; // st_dev: distinct a mount; guarded by giant
} // namespace

Tmpfs* Tmpfs::create(const char* mounted_on, std::uint32_t expected_names) {
    auto* mount = lwkt::construct<Tmpfs>();
    if (!mount)
        return nullptr;
    std::uint32_t count = 64;
    while (count < expected_names && count < largest_table)
        count *= 2;
    mount->buckets_ = static_cast<TmpfsEntry**>(lwkt::allocate(count * sizeof(TmpfsEntry*)));
    mount->root_ = mount->buckets_ ? TmpfsNode::create(*mount, VnodeType::directory, 0755, 0, 0) : nullptr;
    if (!mount->root_) {
        lwkt::release(mount->buckets_, count * sizeof(TmpfsEntry*));
        lwkt::destroy(mount);
        return nullptr;
    }
    memset(mount->buckets_, 0, count * sizeof(TmpfsEntry*));
    mount->bucket_count_ = count;
    mount->mounted_on = mounted_on;
    mount->device = next_device++;
    mount->root_->links_ = 2; // "." and the mount itself: never goes
    return mount;
}

void Tmpfs::destroy(Tmpfs* mount) {
    TmpfsNode* directory = mount->root_;
    for (;;) {
        if (TmpfsEntry* entry = directory->entries_.first()) {
            TmpfsNode* node = entry->node;
            if (node->type == VnodeType::directory && !node->entries_.empty()) {
                directory = node;
                continue;
            }
            mount->erase(*entry);
            node->drop_link();
        } else if (directory->self_) {
            directory = directory->self_->directory;
        } else {
            break;
        }
    }
    lwkt::destroy(mount->root_);
    lwkt::release(mount->buckets_, mount->bucket_count_ * sizeof(TmpfsEntry*));
    lwkt::destroy(mount);
}

std::uint32_t Tmpfs::key(const TmpfsNode& directory, std::uint32_t name_hash) {
    return name_hash ^ static_cast<std::uint32_t>(directory.inode_) * 0x9e37'79b1u;
}

TmpfsEntry* Tmpfs::find(const TmpfsNode& directory, Text name) const {
    std::uint32_t wanted = key(directory, hash(name));
    for (TmpfsEntry* entry = buckets_[wanted & (bucket_count_ - 1)]; entry; entry = entry->next_in_bucket)
        if (entry->hash == wanted && entry->directory == &directory && entry->name.size == name.size &&
            memcmp(entry->name.data, name.data, name.size) == 0)
            return entry;
    return nullptr;
}

void Tmpfs::grow() {
    std::uint32_t count = bucket_count_ * 2;
    if (count > largest_table)
        return;
    auto** buckets = static_cast<TmpfsEntry**>(lwkt::allocate(count * sizeof(TmpfsEntry*)));
    if (!buckets)
        return; // longer chains instead
    memset(buckets, 0, count * sizeof(TmpfsEntry*));
    for (std::uint32_t i = 0; i < bucket_count_; i++)
        while (TmpfsEntry* entry = buckets_[i]) {
            buckets_[i] = entry->next_in_bucket;
            TmpfsEntry*& head = buckets[entry->hash & (count - 1)];
            entry->next_in_bucket = head;
            head = entry;
        }
    lwkt::release(buckets_, bucket_count_ * sizeof(TmpfsEntry*));
    buckets_ = buckets;
    bucket_count_ = count;
}

TmpfsEntry* Tmpfs::insert(TmpfsNode& directory, TmpfsNode& node, Text name, bool copy) {
    auto own = copy ? static_cast<std::uint32_t>(name.size) : 0;
    void* memory = lwkt::allocate(sizeof(TmpfsEntry) + own);
    if (!memory)
        return nullptr;
    auto* entry = new (memory) TmpfsEntry;
    if (copy) {
        char* to = reinterpret_cast<char*>(entry + 1);
        memcpy(to, name.data, name.size);
        name = {to, name.size};
    }
    entry->directory = &directory;
    entry->node = &node;
    entry->name = name;
    entry->own_bytes = own;
    entry->hash = key(directory, hash(name));
    entry->cookie = directory.next_cookie_++;
    if (++used_ > bucket_count_)
        grow();
    TmpfsEntry*& head = buckets_[entry->hash & (bucket_count_ - 1)];
    entry->next_in_bucket = head;
    head = entry;
    directory.entries_.push_back(entry);
    node.links_++;
    if (node.type == VnodeType::directory) {
        node.self_ = entry;
        directory.links_++; // its ".."
    }
    return entry;
}

// The node keeps its link count: whoever erases drops it afterwards, when the entry is gone.
void Tmpfs::erase(TmpfsEntry& entry) {
    for (TmpfsEntry** link = &buckets_[entry.hash & (bucket_count_ - 1)]; *link;
         link = &(*link)->next_in_bucket)
        if (*link == &entry) {
            *link = entry.next_in_bucket;
            break;
        }
    used_--;
    TmpfsNode& directory = *entry.directory;
    if (directory.hint_ == &entry)
        directory.hint_ = directory.entries_.next(&entry);
    directory.entries_.remove(&entry);
    if (entry.node->type == VnodeType::directory) {
        if (entry.node->self_ == &entry)
            entry.node->self_ = nullptr;
        directory.links_--;
    }
    lwkt::release(&entry, sizeof(TmpfsEntry) + entry.own_bytes);
}

// One pass: the image has parents before children, and `nodes` remembers what each entry number became.
SysResult<void> Tmpfs::fill(const proto::ImageReader& image) {
    const std::uint32_t count = image.entry_count();
    constexpr std::uint32_t chunk = 65536 / sizeof(TmpfsNode*);
    const std::uint32_t chunks = (count + chunk - 1) / chunk;
    auto*** table = static_cast<TmpfsNode***>(lwkt::allocate(chunks * sizeof(TmpfsNode**)));
    if (!table)
        return Failure(Errno::enomem);
    memset(table, 0, chunks * sizeof(TmpfsNode**));
    bool failed = false;
    for (std::uint32_t i = 0; i < count; i++) {
        TmpfsNode**& part = table[i / chunk];
        if (!part && !(part = static_cast<TmpfsNode**>(lwkt::allocate(chunk * sizeof(TmpfsNode*))))) {
            failed = true;
            break;
        }
        proto::ImageNode source = image.entry(i);
        TmpfsNode* node = root_;
        if (i != 0) {
            constexpr VnodeType kinds[] = {VnodeType::none, VnodeType::directory, VnodeType::regular,
                                           VnodeType::symlink};
            node = TmpfsNode::create(*this, kinds[static_cast<unsigned>(source.type) & 3], 0, 0, 0);
            TmpfsNode* directory = table[source.parent / chunk][source.parent % chunk];
            if (!node || !insert(*directory, *node, source.name, false)) {
                if (node)
                    node->free_if_unused();
                failed = true;
                break;
            }
        }
        part[i % chunk] = node;
        node->mode_ = static_cast<std::uint16_t>(source.mode & 07777);
        node->uid_ = source.uid;
        node->gid_ = source.gid;
        node->access_ = node->modify_ = node->change_ = node->birth_ = {source.mtime, 0};
        if (source.type == proto::EntryType::file) {
            node->image_offset_ = source.data_offset;
            node->image_size_ = source.data.size;
        } else if (source.type == proto::EntryType::symlink) {
            node->target_ = {reinterpret_cast<const char*>(source.data.data), source.data.size};
        }
    }
    for (std::uint32_t i = 0; i < chunks; i++)
        if (table[i])
            lwkt::release(table[i], chunk * sizeof(TmpfsNode*));
    lwkt::release(table, chunks * sizeof(TmpfsNode**));
    if (failed)
        return Failure(Errno::enomem);
    return {};
}

} // namespace bsd
