// SPDX-License-Identifier: BSD-2-Clause
// Names for addresses in the kernel's last words.
#pragma once

#include <string>

namespace cli {

/// The line with " <function+offset>" after each hexadecimal number that lies in a function of `elf_path`.
[[nodiscard]] std::string symbolized(const std::string& elf_path, const std::string& line);

} // namespace cli
