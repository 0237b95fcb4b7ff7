// SPDX-License-Identifier: BSD-2-Clause
//
// Views of bytes and of text, a checked little-endian reader, and a result type, for code that must compile
// inside L4 tasks without FPU registers. (The standard library's <span> and <string_view> pull in long
// double, which clang refuses with -mgeneral-regs-only.) Views own nothing; whoever makes one keeps the
// memory alive.
#pragma once

#include <cstddef>
#include <cstdint>

namespace proto {

/// Text that is not NUL-terminated.
struct Text {
    const char* data = nullptr;
    std::size_t size = 0;

    constexpr Text() = default;
    constexpr Text(const char* start, std::size_t length) : data(start), size(length) {}
    template <std::size_t N>
    constexpr Text(const char (&literal)[N]) : data(literal), size(N - 1) {}

    [[nodiscard]] constexpr bool empty() const { return size == 0; }
    [[nodiscard]] constexpr char operator[](std::size_t index) const { return data[index]; }

    friend constexpr bool operator==(const Text& a, const Text& b) {
        if (a.size != b.size)
            return false;
        for (std::size_t i = 0; i < a.size; i++)
            if (a.data[i] != b.data[i])
                return false;
        return true;
    }
    [[nodiscard]] constexpr bool starts_with(const Text& prefix) const {
        return size >= prefix.size && Text(data, prefix.size) == prefix;
    }
};

/// The text up to the first NUL of a fixed-size field, or up to its end.
template <std::size_t N>
[[nodiscard]] constexpr Text field_text(const char (&field)[N]) {
    std::size_t length = 0;
    while (length < N && field[length] != '\0')
        length++;
    return {field, length};
}

/// Bytes somebody else owns.
struct Bytes {
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;

    /// [offset, offset+length) lies inside; immune to overflow.
    [[nodiscard]] constexpr bool holds(std::uint64_t offset, std::uint64_t length) const {
        return offset <= size && length <= size - offset;
    }
    /// Callers check holds() first.
    [[nodiscard]] constexpr Bytes part(std::uint64_t offset, std::uint64_t length) const {
        return {data + offset, static_cast<std::size_t>(length)};
    }
};

/// Copies a trivially copyable structure out of bytes that may be unaligned; the caller checked holds().
template <typename T>
[[nodiscard]] inline T load(Bytes bytes, std::uint64_t offset) {
    static_assert(__is_trivially_copyable(T));
    T value;
    __builtin_memcpy(&value, bytes.data + offset, sizeof value);
    return value;
}

/// A value or the reason why there is none. E is a small enumeration or structure.
template <typename T, typename E>
class [[nodiscard]] Result {
public:
    constexpr Result(T value) : value_(value), ok_(true) {}
    constexpr Result(E error) : error_(error), ok_(false) {}

    [[nodiscard]] constexpr bool ok() const { return ok_; }
    constexpr explicit operator bool() const { return ok_; }
    [[nodiscard]] constexpr const T& value() const { return value_; }
    [[nodiscard]] constexpr const E& error() const { return error_; }

private:
    T value_{};
    E error_{};
    bool ok_;
};

} // namespace proto
