// SPDX-License-Identifier: BSD-2-Clause
// Text for control files and messages, into a buffer of fixed size; what does not fit is cut off.
#pragma once

#include "proto/bytes.hpp"

namespace box {

class TextWriter {
public:
    TextWriter(char* out, std::size_t capacity) : out_(out), capacity_(capacity) {}
    TextWriter& operator<<(proto::Text text) {
        for (std::size_t i = 0; i < text.size && used_ < capacity_; i++)
            out_[used_++] = text[i];
        return *this;
    }
    TextWriter& operator<<(const char* text) { return *this << proto::Text(text, __builtin_strlen(text)); }
    TextWriter& operator<<(std::uint64_t number) {
        char digits[20];
        unsigned at = sizeof digits;
        do
            digits[--at] = static_cast<char>('0' + number % 10);
        while (number /= 10);
        return *this << proto::Text(digits + at, sizeof digits - at);
    }
    TextWriter& hex(std::uint64_t number) {
        char digits[16];
        unsigned at = sizeof digits;
        do
            digits[--at] = "0123456789abcdef"[number & 15];
        while (number >>= 4);
        return *this << "0x" << proto::Text(digits + at, sizeof digits - at);
    }
    [[nodiscard]] proto::Text text() const { return {out_, used_}; }

private:
    char* out_;
    std::size_t capacity_;
    std::size_t used_ = 0;
};

} // namespace box
