// SPDX-License-Identifier: BSD-2-Clause
// What must hold inside the kernel, checked by the kernel that the fuzzer runs on several cores
// (kernel-checked, LIBELLE_INVARIANTS), which also fills freed memory with nonsense. The kernel that is used
// has no code for it.
#pragma once

#include "kernel/panic.hpp"

namespace kernel {

#ifdef LIBELLE_INVARIANTS
inline constexpr bool checks_invariants = true;
[[gnu::always_inline]] inline void invariant(bool holds, const char* what) {
    if (!holds) [[unlikely]]
        panic(what);
}
// Where an object was: whoever still looks at it finds no address, no type and no state.
inline void poison(void* memory, unsigned long bytes) {
    for (unsigned long i = 0; i < bytes / 8; ++i)
        static_cast<unsigned long*>(memory)[i] = 0xdbdb'dbdb'dbdb'dbdb;
}
#else
inline constexpr bool checks_invariants = false;
[[gnu::always_inline]] inline void invariant(bool, const char*) {}
[[gnu::always_inline]] inline void poison(void*, unsigned long) {}
#endif

} // namespace kernel
