// SPDX-License-Identifier: BSD-2-Clause
// Debug output on the kernel's console, for crash messages and tests; slow, and never needed for function.
#pragma once

#include <string_view>

#include "glue/invoke.hpp"
#include "l4-glue/start.hpp"

namespace glue {

class Console {
public:
    // start_console and abi::root_console are the same selector, so root and child tasks both can write.
    static void write(std::string_view text) {
        while (!text.empty()) {
            std::uint64_t word = 0;
            std::size_t n = text.size() < 8 ? text.size() : 8;
            for (std::size_t i = 0; i < n; ++i)
                word |= std::uint64_t{static_cast<unsigned char>(text[i])} << 8 * i;
            (void)native::invoke(abi::Operation::console_write, start_console, word, n);
            text.remove_prefix(n);
        }
    }
    static void write_hex(std::uint64_t value) {
        char text[18] = {'0', 'x'};
        for (unsigned i = 0; i < 16; ++i)
            text[2 + i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
        write({text, sizeof text});
    }
    static void write_decimal(std::uint64_t value) {
        char text[20];
        unsigned at = sizeof text;
        do
            text[--at] = static_cast<char>('0' + value % 10);
        while (value /= 10);
        write({text + at, sizeof text - at});
    }
};
static_assert(std::uint32_t{start_console} == std::uint32_t{abi::root_console});

} // namespace glue
