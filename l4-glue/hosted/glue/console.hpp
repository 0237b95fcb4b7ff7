// SPDX-License-Identifier: BSD-2-Clause
// Debug output of the hosted platform: standard error.
#pragma once

#include "glue/vcpu.hpp"

#include <cinttypes>
#include <cstdio>
#include <string_view>

namespace glue {

class Console {
public:
    static void write(std::string_view text) {
        hosted::HostCall host;
        std::fwrite(text.data(), 1, text.size(), stderr);
    }
    static void write_hex(std::uint64_t value) {
        hosted::HostCall host;
        std::fprintf(stderr, "0x%016" PRIx64, value);
    }
    static void write_decimal(std::uint64_t value) {
        hosted::HostCall host;
        std::fprintf(stderr, "%" PRIu64, value);
    }
};

} // namespace glue
