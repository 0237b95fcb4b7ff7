// SPDX-License-Identifier: BSD-2-Clause
//
// Builds images and boot archives in memory. For the host's tools and for tests only: it allocates and
// throws.
#pragma once

#include "proto/boot_archive.hpp"
#include "proto/image.hpp"

#include <string>
#include <vector>

namespace proto {

/// One file, directory or link to put into an image. `path` as in proto/image.hpp; `data` is a link's target
/// too.
struct ImageSource {
    EntryType type = EntryType::file;
    std::uint32_t mode = 0644;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::int64_t mtime = 0;
    std::string path;
    std::vector<std::uint8_t> data;
};

/// Sorts the sources, adds missing parent directories and the root, and lays the image out.
/// Throws std::invalid_argument naming the path that is not allowed or is there twice.
[[nodiscard]] std::vector<std::uint8_t> write_image(std::vector<ImageSource> sources);

struct PartSource {
    PartKind kind{};
    std::string name;
    std::vector<std::uint8_t> stored; ///< a zlib stream
    std::uint64_t inflated_size = 0;
};

/// Throws std::invalid_argument when a name does not fit or there are too many parts.
[[nodiscard]] std::vector<std::uint8_t> write_archive(const std::vector<PartSource>& parts);

} // namespace proto
