// SPDX-License-Identifier: BSD-2-Clause
//
// Small text parsing for the manifest and for control files. Nothing allocates.
#pragma once

#include "proto/bytes.hpp"

namespace proto {

/// 0 to 15, or -1.
[[nodiscard]] int hex_digit(char c);

/// Without blanks, tabs and carriage returns at both ends.
[[nodiscard]] Text trimmed(Text text);

/// Decimal without sign; false when it is anything else or does not fit.
[[nodiscard]] bool parse_number(Text text, std::uint64_t& out);

/// The same, and low <= out <= high.
[[nodiscard]] bool parse_number_between(Text text, std::uint64_t low, std::uint64_t high, std::uint64_t& out);

/// Resolves the quoted text at `start` (which points at the opening quote) in place: the result is never
/// longer than the source. Escapes: \" \\ \n \t \r \xHH. Null when all is well, else the reason.
[[nodiscard]] const char* unquote(char* start, std::size_t size, Text& out);

} // namespace proto
