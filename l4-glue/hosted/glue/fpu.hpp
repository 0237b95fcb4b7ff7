// SPDX-License-Identifier: BSD-2-Clause
// Extended register state on the hosted platform: areas of the smallest legal size whose contents mean
// nothing, because no BSD thread runs here yet.
#pragma once

#include "l4-glue/start.hpp"

#include <cstring>

namespace glue {

class Fpu {
public:
    static constexpr std::size_t size() { return 576; }
    static void initialize(std::byte* area) { std::memset(area, 0, size()); }
    static void save(std::byte*) {}
    static bool restore(const std::byte*) { return true; }
};

} // namespace glue
