// SPDX-License-Identifier: BSD-2-Clause
//
// A file-system image as it lies in memory once inflated: a jail's root before anything was written to it.
//
//     ImageHeader, ImageEntry[entry_count], path bytes, padding, file data
//
// Each file's data starts at a multiple of 4096 and its last page is filled with zeros, so that its pages can
// be mapped read-only where they lie, by every jail that uses the image. Entries ascend bytewise by path, so
// that a directory comes before what it holds and no path is there twice; entry 0 is the root. Paths are
// relative to the root, without a leading or trailing slash
// ("usr/bin/env"), and have neither empty, "." nor ".." components. A symbolic link's data is its target.
// All numbers are little-endian. The reader allocates nothing and trusts nothing: after open() every entry is
// safe.
#pragma once

#include "proto/bytes.hpp"

namespace proto {

inline constexpr std::uint64_t image_magic = 0x31474d49454c424cULL; // "LBLEIMG1"
inline constexpr std::uint64_t image_page = 4096;
inline constexpr std::uint32_t image_max_path = 1023;

enum class EntryType : std::uint32_t { directory = 1, file = 2, symlink = 3 };

struct ImageHeader {
    std::uint64_t magic;
    std::uint32_t entry_count; ///< at least 1: the root
    std::uint32_t reserved;    ///< zero
    std::uint64_t paths_offset;
    std::uint64_t paths_size;
    std::uint64_t total_size; ///< a multiple of 4096
};
static_assert(sizeof(ImageHeader) == 40);

struct ImageEntry {
    EntryType type;
    std::uint32_t mode; ///< permission bits, 07777
    std::uint32_t uid;
    std::uint32_t gid;
    std::int64_t mtime;        ///< seconds since 1970
    std::uint64_t data_offset; ///< from the image's start, a multiple of 4096; 0 when size is 0
    std::uint64_t size;        ///< bytes of file data or of a link's target
    std::uint32_t path_offset; ///< from paths_offset
    std::uint32_t path_length;
    std::uint32_t parent;   ///< entry number of the directory it is in; 0 for the root itself
    std::uint32_t reserved; ///< zero
};
static_assert(sizeof(ImageEntry) == 56);

enum class ImageError : std::uint8_t {
    none,
    too_short, ///< ends inside the header or the entry table
    bad_magic,
    bad_size, ///< total_size differs from the region's or is no multiple of a page
    reserved_not_zero,
    no_root, ///< entry 0 is missing, not a directory or has a path
    bad_type,
    bad_mode,
    bad_path,   ///< outside the path area, empty, too long, or with a component that is not allowed
    not_sorted, ///< paths do not ascend strictly (so a path twice is an error as well)
    bad_parent, ///< not an earlier directory, or the path does not continue the parent's
    bad_data,   ///< unaligned or outside the image, or data on a directory
};
[[nodiscard]] const char* describe(ImageError error);

/// One entry, checked.
struct ImageNode {
    EntryType type{};
    std::uint32_t mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::int64_t mtime = 0;
    Text path; ///< relative to the root; empty for the root
    Text name; ///< the last component; empty for the root
    std::uint32_t parent = 0;
    std::uint64_t data_offset = 0; ///< from the image's start
    Bytes data;                    ///< file data or link target
};

struct ImageFault {
    ImageError error = ImageError::none;
    std::uint32_t entry = 0; ///< the entry at fault, where it is one
};

/// Walks an image in place. Keeps views into the image's memory.
class ImageReader {
public:
    ImageReader() = default;
    /// Checks everything once, in time linear in the image's entries and paths.
    static Result<ImageReader, ImageFault> open(Bytes image);

    [[nodiscard]] std::uint32_t entry_count() const { return count_; }
    /// index < entry_count(); a parent's index is always smaller than its children's.
    [[nodiscard]] ImageNode entry(std::uint32_t index) const;
    /// Looks a path up ("usr/bin/env"; no links are followed); false when it is not there. Logarithmic.
    [[nodiscard]] bool find(Text path, std::uint32_t& index) const;

private:
    [[nodiscard]] ImageError check_entry(std::uint32_t index) const;
    [[nodiscard]] ImageEntry raw(std::uint32_t index) const;
    [[nodiscard]] Text raw_path(const ImageEntry& entry) const;

    Bytes image_{};
    Bytes paths_{};
    std::uint32_t count_ = 0;
};

} // namespace proto
