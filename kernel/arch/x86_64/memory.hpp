// SPDX-License-Identifier: BSD-2-Clause
// The kernel's address space. The upper half is the same in every task:
//   0xffff8000'00000000  pool window: kernel object memory, linear, 2 MiB pages, never executable; no user's
//   RAM 0xffffffff'80000000  kernel image: text r-x, constants r--, data rw- 0xffffffff'c0000000  devices:
//   local APIC, I/O APIC
#pragma once

#include <cstdint>

namespace arch {

using Word = std::uint64_t;

inline constexpr Word pool_window = 0xffff'8000'0000'0000;
inline constexpr Word image_window = 0xffff'ffff'8000'0000;
inline constexpr Word device_window = 0xffff'ffff'c000'0000;
inline constexpr Word page = 4096, large_page = 2 << 20;

inline Word pool_physical(const void* p) {
    return reinterpret_cast<Word>(p) - pool_window;
}
template <class T = void>
inline T* pool_pointer(Word physical) {
    return reinterpret_cast<T*>(physical + pool_window);
}
inline Word image_physical(const void* p) {
    return reinterpret_cast<Word>(p) - image_window;
}

} // namespace arch
