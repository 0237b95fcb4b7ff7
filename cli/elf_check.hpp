// SPDX-License-Identifier: BSD-2-Clause
// Looks at executables before they are put into a box, so that a wrong file is one clear line and not a dead
// jail.
#pragma once

#include "proto/jail.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace cli {

enum class Brand { freebsd, dragonfly, linux_system, netbsd, openbsd, none };

struct Executable {
    Brand brand = Brand::none;
    std::string interpreter; ///< empty: static
};

/// Throws UserError naming `name` when it is no complete x86-64 ELF executable.
[[nodiscard]] Executable check_executable(const std::string& name, std::span<const std::uint8_t> bytes);

/// The ABI to run it with: what the user asked for, else its brand. Throws UserError when there is no such
/// ABI or the brand says otherwise.
[[nodiscard]] proto::JailAbi choose_abi(const std::string& name, const Executable& executable,
                                        const std::optional<std::string>& asked);

} // namespace cli
