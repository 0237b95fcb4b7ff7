// SPDX-License-Identifier: BSD-2-Clause
// Text views and small helpers that replace <string_view> and <algorithm>, which clang cannot compile without
// FPU registers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proto/bytes.hpp"

namespace bsd {

using Text = proto::Text; // not NUL-terminated; whoever made it keeps the memory alive

template <class T>
constexpr T least(T a, T b) {
    return b < a ? b : a;
}
template <class T>
constexpr T most(T a, T b) {
    return a < b ? b : a;
}

/// The text of a NUL-terminated string.
constexpr Text text(const char* string) {
    std::size_t length = 0;
    while (string[length] != '\0')
        length++;
    return {string, length};
}

/// FNV-1a: names in directories and in the sysctl tree.
constexpr std::uint32_t hash(Text name) {
    std::uint32_t value = 2166136261u;
    for (std::size_t i = 0; i < name.size; i++)
        value = (value ^ static_cast<std::uint8_t>(name[i])) * 16777619u;
    return value;
}

} // namespace bsd
