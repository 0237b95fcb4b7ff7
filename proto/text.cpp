// SPDX-License-Identifier: BSD-2-Clause
#include "proto/text.hpp"

namespace proto {

namespace {
bool blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

} // namespace

int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

Text trimmed(Text text) {
    while (!text.empty() && blank(text[0]))
        text = {text.data + 1, text.size - 1};
    while (!text.empty() && blank(text[text.size - 1]))
        text.size--;
    return text;
}

bool parse_number(Text text, std::uint64_t& out) {
    if (text.empty())
        return false;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < text.size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, std::uint64_t{10}, &value) ||
            __builtin_add_overflow(value, static_cast<std::uint64_t>(text[i] - '0'), &value))
            return false;
    }
    out = value;
    return true;
}

bool parse_number_between(Text text, std::uint64_t low, std::uint64_t high, std::uint64_t& out) {
    return parse_number(text, out) && out >= low && out <= high;
}

const char* unquote(char* start, std::size_t size, Text& out) {
    std::size_t written = 0;
    for (std::size_t i = 1; i < size; i++) {
        char c = start[i];
        if (c == '"') {
            out = {start, written};
            return i + 1 == size ? nullptr : "text after the closing quote";
        }
        if (c == '\\') {
            if (++i >= size)
                break;
            switch (start[i]) {
            case '"':
            case '\\':
                c = start[i];
                break;
            case 'n':
                c = '\n';
                break;
            case 't':
                c = '\t';
                break;
            case 'r':
                c = '\r';
                break;
            case 'x': {
                const int high = i + 1 < size ? hex_digit(start[i + 1]) : -1;
                const int low = i + 2 < size ? hex_digit(start[i + 2]) : -1;
                if (high < 0 || low < 0)
                    return "\\x needs two hexadecimal digits";
                c = static_cast<char>(high * 16 + low);
                i += 2;
                break;
            }
            default:
                return "unknown escape";
            }
        }
        start[written++] = c;
    }
    return "no closing quote";
}

} // namespace proto
