// SPDX-License-Identifier: BSD-2-Clause
//
// The payload of the boot module: everything the box starts from. The kernel reads only the header and the
// root task in front of it (kernel/abi/boot_module.hpp); what follows is this archive:
//
//     ArchiveHeader, ArchivePart[part_count], then the parts' stored bytes, each at a multiple of 16
//
// A part is the manifest, a native program (ELF) or a file-system image (proto/image.hpp). Each is a zlib
// stream of its own, so that the box inflates every image straight into the RAM it hands to jails, and skips
// what it does not need. All numbers are little-endian. The reader allocates nothing and trusts nothing.
#pragma once

#include "proto/bytes.hpp"

namespace proto {

inline constexpr std::uint64_t archive_magic = 0x31484352414c424cULL; // "LBLARCH1"
inline constexpr std::uint32_t archive_max_parts = 64;
/// No part may claim to inflate to more than this; a bound on what a corrupt header can ask for.
inline constexpr std::uint64_t archive_max_inflated = 4ULL << 30;

enum class PartKind : std::uint32_t { manifest = 1, program = 2, image = 3 };

struct ArchiveHeader {
    std::uint64_t magic;
    std::uint32_t part_count;
    std::uint32_t reserved;   ///< zero
    std::uint64_t total_size; ///< of the whole payload, this header included
};
static_assert(sizeof(ArchiveHeader) == 24);

struct ArchivePart {
    PartKind kind;
    std::uint32_t reserved; ///< zero
    std::uint64_t offset;   ///< of the zlib stream, from the payload's start
    std::uint64_t stored_size;
    std::uint64_t inflated_size;
    char name[32]; ///< NUL-terminated; unique for its kind
};
static_assert(sizeof(ArchivePart) == 64);

enum class ArchiveError : std::uint8_t {
    none,
    too_short, ///< the payload ends inside the header or the part table
    bad_magic, ///< not an archive, or another version
    bad_size,  ///< total_size is not the payload's size
    too_many_parts,
    reserved_not_zero,
    part_outside,   ///< a part's bytes lie outside the payload or inside the part table
    part_too_large, ///< inflated size above archive_max_inflated, or zero
    bad_name,       ///< empty or not NUL-terminated
    bad_kind,
    duplicate_name,
};
[[nodiscard]] const char* describe(ArchiveError error);

/// One part, checked: `stored` is the zlib stream.
struct Part {
    PartKind kind{};
    Text name;
    Bytes stored;
    std::uint64_t inflated_size = 0;
};

/// Checks the whole part table once; afterwards every lookup is safe. Keeps views into the payload.
class ArchiveReader {
public:
    ArchiveReader() = default;
    static Result<ArchiveReader, ArchiveError> open(Bytes payload);

    [[nodiscard]] std::uint32_t part_count() const { return count_; }
    /// index < part_count()
    [[nodiscard]] Part part(std::uint32_t index) const;
    /// False when there is no such part.
    [[nodiscard]] bool find(PartKind kind, Text name, Part& out) const;

private:
    ArchiveError check_part(std::uint32_t index) const;

    Bytes payload_{};
    std::uint32_t count_ = 0;
};

} // namespace proto
