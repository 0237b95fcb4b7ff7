// SPDX-License-Identifier: BSD-2-Clause
// Makes an image out of a host directory (or takes one from a file), and finds files in it.
#pragma once

#include "proto/image.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cli {

/// An image's bytes as proto/image.hpp lays them out. Owner and group of everything become root; empty /dev
/// and /tmp are added. Throws UserError naming what is missing or cannot be read.
[[nodiscard]] std::vector<std::uint8_t> load_image(const std::string& path);

/// Throws UserError naming `path` when the bytes are no image.
void check_image(std::span<const std::uint8_t> image, const std::string& path);

/// The contents of a file of the image, where they lie; links are followed as inside the jail. Throws
/// UserError naming `path`.
[[nodiscard]] std::span<const std::uint8_t> image_file(std::span<const std::uint8_t> image,
                                                       const std::string& path);

/// A whole host file. Throws UserError.
[[nodiscard]] std::vector<std::uint8_t> read_file(const std::string& path);

} // namespace cli
