// SPDX-License-Identifier: BSD-2-Clause
// Entropy of the box: the seed in the manifest and RDRAND, hashed together; every jail gets a stream of its
// own. Under instruction-counted emulation it is the seed alone.
#pragma once

#include "proto/manifest.hpp"

namespace box {

class Entropy {
public:
    /// False when there is neither a seed nor RDRAND: then no jail may start.
    [[nodiscard]] bool initialize(const proto::Manifest& manifest);
    /// 64 bytes that depend on the box's entropy and on `name`, and tell nothing about other names' bytes.
    void derive(proto::Text name, std::uint8_t (&out)[64]) const;

private:
    std::uint8_t secret_[32] = {};
};

} // namespace box
