// SPDX-License-Identifier: BSD-2-Clause
// Structures about files as the userlands of both systems lay them out, and how they are filled.
#pragma once

#include <cstddef>

#include "bsd-personality/vfs/vnode.hpp"

namespace bsd {

namespace freebsd {

struct Stat {
    std::uint64_t device, inode, links;
    std::uint16_t mode;
    std::int16_t bsd_flags;
    std::uint32_t uid, gid;
    std::int32_t padding;
    std::uint64_t special;
    FileTime access, modify, change, birth;
    std::int64_t size, blocks;
    std::int32_t block_size;
    std::uint32_t flags;
    std::uint64_t generation, spare[10];
};
static_assert(sizeof(Stat) == 224 && offsetof(Stat, mode) == 24 && offsetof(Stat, special) == 40);
static_assert(offsetof(Stat, birth) == 96 && offsetof(Stat, size) == 112 &&
              offsetof(Stat, generation) == 136);

struct Stat11 { // before 64-bit inodes
    std::uint32_t device, inode;
    std::uint16_t mode, links;
    std::uint32_t uid, gid, special;
    FileTime access, modify, change;
    std::int64_t size, blocks;
    std::int32_t block_size;
    std::uint32_t flags, generation;
    std::int32_t spare;
    FileTime birth;
};
static_assert(sizeof(Stat11) == 120 && offsetof(Stat11, size) == 72 && offsetof(Stat11, birth) == 104);

struct StatFs {
    std::uint32_t version, type;
    std::uint64_t flags, block_size, io_size, blocks, free_blocks;
    std::int64_t available_blocks;
    std::uint64_t files;
    std::int64_t free_files;
    std::uint64_t transfers[4];
    std::uint32_t spare0[2];
    std::uint64_t spare[9];
    std::uint32_t name_max, owner, identity[2];
    char char_spare[80], type_name[16], mounted_from[1024], mounted_on[1024];
};
static_assert(sizeof(StatFs) == 2344 && offsetof(StatFs, name_max) == 184 &&
              offsetof(StatFs, type_name) == 280);

struct StatFs11 {
    std::uint32_t version, type;
    std::uint64_t flags, block_size, io_size, blocks, free_blocks;
    std::int64_t available_blocks;
    std::uint64_t files;
    std::int64_t free_files;
    std::uint64_t transfers[4], spare[10];
    std::uint32_t name_max, owner, identity[2];
    char char_spare[80], type_name[16], mounted_from[88], mounted_on[88];
};
static_assert(sizeof(StatFs11) == 472 && offsetof(StatFs11, name_max) == 184 &&
              offsetof(StatFs11, mounted_on) == 384);

Stat pack_stat(const Attributes& from);
Stat11 pack_stat11(const Attributes& from);
void pack_statfs(const FileSystemInformation& from, StatFs& to);
void pack_statfs11(const FileSystemInformation& from, StatFs11& to);

} // namespace freebsd

namespace dragonfly {

struct Stat {
    std::uint64_t inode;
    std::uint32_t links, device;
    std::uint16_t mode, padding;
    std::uint32_t uid, gid, special;
    FileTime access, modify, change;
    std::int64_t size, blocks;
    std::uint32_t old_block_size, flags, generation;
    std::int32_t spare;
    std::int64_t block_size, more_spare;
};
static_assert(sizeof(Stat) == 128 && offsetof(Stat, access) == 32 && offsetof(Stat, size) == 80);

struct StatFs {
    std::int64_t spare2, block_size, io_size, blocks, free_blocks, available_blocks, files, free_files;
    std::uint32_t identity[2], owner;
    std::int32_t type, flags;
    std::int64_t sync_writes, async_writes;
    char type_name[16], mounted_on[80];
    std::int64_t sync_reads, async_reads;
    std::int16_t spares1;
    char mounted_from[80];
    std::int16_t spares2;
    std::int64_t spare[2];
};
static_assert(sizeof(StatFs) == 320 && offsetof(StatFs, type_name) == 104 &&
              offsetof(StatFs, mounted_from) == 218);

struct StatVfs {
    std::uint64_t block_size, fragment_size, blocks, free_blocks, available_blocks, files, free_files,
        available_files;
    std::uint64_t identity, flags, name_max;
    std::uint32_t owner, type;
    std::uint64_t transfers[4];
    std::uint8_t identity_uuid[16], unique_uuid[16];
};
static_assert(sizeof(StatVfs) == 160 && offsetof(StatVfs, owner) == 88);

Stat pack_stat(const Attributes& from);
void pack_statfs(const FileSystemInformation& from, StatFs& to);
void pack_statvfs(const FileSystemInformation& from, StatVfs& to);

} // namespace dragonfly

/// Which getdirentries layout: entries of 64-bit FreeBSD, of FreeBSD 11 and older, of DragonFly.
enum class DirentLayout : std::uint8_t { freebsd, freebsd11, dragonfly };

/// Fills a buffer with directory entries in an ABI's layout.
class DirentPacker final : public DirectoryConsumer {
public:
    DirentPacker(DirentLayout layout, std::byte* buffer, std::size_t capacity)
        : layout_(layout), buffer_(buffer), capacity_(capacity) {}
    bool take(const DirectoryEntry& entry) override;
    std::size_t used() const { return used_; }
    std::int64_t next() const { return next_; } // offset after the last entry taken
    bool refused() const { return refused_; }   // an entry did not fit

private:
    const DirentLayout layout_;
    std::byte* const buffer_;
    const std::size_t capacity_;
    std::size_t used_ = 0;
    std::int64_t next_ = 0;
    bool refused_ = false;
};

} // namespace bsd
