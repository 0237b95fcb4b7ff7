// SPDX-License-Identifier: BSD-2-Clause
// Unpacks a part of the boot archive with libz, into memory of the box's choice and out of a fixed scratch
// area.
#pragma once

#include "proto/bytes.hpp"

namespace box {

/// Null when exactly `size` bytes came out; else what is wrong. Not reentrant.
[[nodiscard]] const char* inflate_part(proto::Bytes stored, std::byte* out, std::uint64_t size);

} // namespace box
