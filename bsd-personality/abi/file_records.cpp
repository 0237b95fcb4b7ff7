// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/abi/file_records.hpp"

#include <string.h>

namespace bsd {

namespace {

template <std::size_t N>
void copy_text(char (&to)[N], const char* from) {
    Text source = text(from);
    std::size_t length = least(source.size, N - 1);
    memcpy(to, source.data, length);
    memset(to + length, 0, N - length);
}

constexpr std::uint32_t mount_read_only = 1, mount_local = 0x1000;

template <class Record>
void pack_common(const FileSystemInformation& from, Record& to) {
    memset(&to, 0, sizeof to);
    to.type = static_cast<decltype(to.type)>(from.type);
    to.flags = mount_local | (from.read_only ? mount_read_only : 0);
    to.block_size = to.io_size = 4096;
    to.blocks = static_cast<decltype(to.blocks)>(from.blocks);
    to.free_blocks = static_cast<decltype(to.free_blocks)>(from.free_blocks);
    to.available_blocks = static_cast<decltype(to.available_blocks)>(from.free_blocks);
    to.files = static_cast<decltype(to.files)>(from.files);
    to.free_files = static_cast<decltype(to.free_files)>(from.free_files);
    to.identity[0] = static_cast<std::uint32_t>(from.identity);
    to.identity[1] = from.type;
    copy_text(to.type_name, from.type_name);
    copy_text(to.mounted_from, from.mounted_from);
    copy_text(to.mounted_on, from.mounted_on);
}

std::uint16_t full_mode(const Attributes& from) {
    return static_cast<std::uint16_t>(type_bits(from.type) | from.mode);
}

} // namespace

namespace freebsd {

Stat pack_stat(const Attributes& from) {
    Stat to{};
    to.device = from.device;
    to.inode = from.inode;
    to.links = from.links;
    to.mode = full_mode(from);
    to.uid = from.uid;
    to.gid = from.gid;
    to.special = from.special;
    to.access = from.access;
    to.modify = from.modify;
    to.change = from.change;
    to.birth = from.birth;
    to.size = from.size;
    to.blocks = from.blocks;
    to.block_size = from.block_size;
    to.flags = from.flags;
    to.generation = from.generation;
    return to;
}

Stat11 pack_stat11(const Attributes& from) {
    Stat11 to{};
    to.device = static_cast<std::uint32_t>(from.device);
    to.inode = static_cast<std::uint32_t>(from.inode);
    to.mode = full_mode(from);
    to.links = static_cast<std::uint16_t>(least<std::uint32_t>(from.links, 0xffff));
    to.uid = from.uid;
    to.gid = from.gid;
    to.special = static_cast<std::uint32_t>(from.special);
    to.access = from.access;
    to.modify = from.modify;
    to.change = from.change;
    to.birth = from.birth;
    to.size = from.size;
    to.blocks = from.blocks;
    to.block_size = from.block_size;
    to.flags = from.flags;
    to.generation = static_cast<std::uint32_t>(from.generation);
    return to;
}

void pack_statfs(const FileSystemInformation& from, StatFs& to) {
    pack_common(from, to);
    to.version = 0x2014'0518;
    to.name_max = 255;
}

void pack_statfs11(const FileSystemInformation& from, StatFs11& to) {
    pack_common(from, to);
    to.version = 0x2003'0518;
    to.name_max = 255;
}

} // namespace freebsd

namespace dragonfly {

Stat pack_stat(const Attributes& from) {
    Stat to{};
    to.inode = from.inode;
    to.links = from.links;
    to.device = static_cast<std::uint32_t>(from.device);
    to.mode = full_mode(from);
    to.uid = from.uid;
    to.gid = from.gid;
    to.special = static_cast<std::uint32_t>(from.special);
    to.access = from.access;
    to.modify = from.modify;
    to.change = from.change;
    to.size = from.size;
    to.blocks = from.blocks;
    to.old_block_size = static_cast<std::uint32_t>(from.block_size);
    to.flags = from.flags;
    to.generation = static_cast<std::uint32_t>(from.generation);
    to.block_size = from.block_size;
    return to;
}

void pack_statfs(const FileSystemInformation& from, StatFs& to) {
    pack_common(from, to);
}

void pack_statvfs(const FileSystemInformation& from, StatVfs& to) {
    memset(&to, 0, sizeof to);
    to.block_size = to.fragment_size = 4096;
    to.blocks = from.blocks;
    to.free_blocks = to.available_blocks = from.free_blocks;
    to.files = from.files;
    to.free_files = to.available_files = from.free_files;
    to.identity = from.identity;
    to.flags = from.read_only ? 1 : 0;
    to.name_max = 255;
    to.type = from.type;
}

} // namespace dragonfly

// --- directory entries -----------------------------------------------------------------------------------
bool DirentPacker::take(const DirectoryEntry& entry) {
    std::size_t header = layout_ == DirentLayout::freebsd ? 24 : layout_ == DirentLayout::freebsd11 ? 8 : 16;
    std::size_t align = layout_ == DirentLayout::freebsd11 ? 3 : 7;
    std::size_t length = (header + entry.name.size + 1 + align) & ~align;
    if (length > capacity_ - used_) {
        refused_ = true;
        return false;
    }
    std::byte* at = buffer_ + used_;
    memset(at, 0, length);
    auto put = [at](std::size_t offset, auto value) { memcpy(at + offset, &value, sizeof value); };
    std::uint8_t type = directory_type(entry.type);
    auto name_length = static_cast<std::uint16_t>(entry.name.size);
    switch (layout_) {
    case DirentLayout::freebsd:
        put(0, entry.inode);
        put(8, entry.next);
        put(16, static_cast<std::uint16_t>(length));
        put(18, type);
        put(20, name_length);
        break;
    case DirentLayout::freebsd11:
        put(0, static_cast<std::uint32_t>(entry.inode));
        put(4, static_cast<std::uint16_t>(length));
        put(6, type);
        put(7, static_cast<std::uint8_t>(name_length));
        break;
    case DirentLayout::dragonfly:
        put(0, entry.inode);
        put(8, name_length);
        put(10, type);
        break;
    }
    memcpy(at + header, entry.name.data, entry.name.size);
    used_ += length;
    next_ = entry.next;
    return true;
}

} // namespace bsd
