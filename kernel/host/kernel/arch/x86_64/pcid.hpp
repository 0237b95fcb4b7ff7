// SPDX-License-Identifier: BSD-2-Clause
// Stands in for kernel/arch/x86_64/pcid.hpp in unit tests on the host: a machine without PCID.
#pragma once

#include <cstdint>

namespace arch {

inline std::uint64_t tag_space(std::uint64_t root) {
    return root;
}
inline void release_tag(std::uint64_t) {}

} // namespace arch
