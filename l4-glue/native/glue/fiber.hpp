// SPDX-License-Identifier: BSD-2-Clause
// What a platform must be told when a server changes stacks by itself. The native platform needs nothing.
#pragma once

#include <cstddef>

namespace glue {

inline constexpr std::size_t default_stack_size = 16 * 1024; // of an LWKT thread

struct Fiber {
    bool create(std::byte*, std::size_t) { return true; }
    void adopt_current() {}
    void destroy() {}
};
inline void fiber_before_switch(Fiber&, Fiber&, bool /* for_ever */) {}
inline void fiber_after_switch(Fiber&) {}

// Platforms without asynchronous upcalls answer here whether the handler should be called now.
constexpr bool upcall_due() {
    return false;
}

// For sanitizers: which memory of an allocator may be touched.
inline void memory_released(void*, std::size_t) {}
inline void memory_allocated(void*, std::size_t) {}

} // namespace glue
