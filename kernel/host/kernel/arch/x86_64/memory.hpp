// SPDX-License-Identifier: BSD-2-Clause
// The address space of unit tests on the host, in place of the kernel's own header: pool memory lies in one
// reserved range of the process, so that addresses and references have a fixed base there too.
#pragma once

#include <cstdint>

namespace arch {

using Word = std::uint64_t;

inline constexpr Word pool_window = 0x2000'0000'0000;
inline constexpr Word page = 4096, large_page = 2 << 20;

inline Word pool_physical(const void* p) {
    return reinterpret_cast<Word>(p) - pool_window;
}
template <class T = void>
inline T* pool_pointer(Word physical) {
    return reinterpret_cast<T*>(physical + pool_window);
}

} // namespace arch
