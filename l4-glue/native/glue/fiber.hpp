// SPDX-License-Identifier: BSD-2-Clause
// What a platform must be told when a server changes stacks by itself. The native platform needs nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glue {

inline constexpr std::size_t default_stack_size =
    12 * 1024; // of an LWKT thread; 6 KiB is the most seen in use

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

// The word at `offset` of what set_cpu_local() was given, in one instruction. Only for words that are
// constant in each thread: the compiler may read it once for a whole function.
template <class T, std::size_t offset>
inline T cpu_local_constant() {
    T value;
    asm("mov %%gs:%c1, %0" : "=r"(value) : "i"(offset));
    return value;
}

// The 32-bit word at `offset` of it, up and down by one instruction each, so that an upcall sees it whole.
// Both order the compiler's memory accesses. The second is true when the word has become zero.
template <std::size_t offset>
inline void cpu_local_increment() {
    asm volatile("incl %%gs:%c0" ::"i"(offset) : "memory", "cc");
}
template <std::size_t offset>
inline bool cpu_local_decrement() {
    bool zero;
    asm volatile("decl %%gs:%c1" : "=@ccz"(zero) : "i"(offset) : "memory");
    return zero;
}

// Whether a pointer that other cores change is set: a relaxed atomic load, compared where it lies. Not moved
// before an earlier atomic operation.
template <class T>
inline bool atomically_set(T* const& pointer) {
    bool set;
    asm volatile("cmpq $0, %1" : "=@ccne"(set) : "m"(pointer));
    return set;
}

// cpu_local() that the compiler does not remember from before.
template <class T>
inline T* cpu_local_again() {
    T* self;
    asm volatile("mov %%gs:0, %0" : "=r"(self));
    return self;
}

// For sanitizers: which memory of an allocator may be touched.
inline void memory_released(void*, std::size_t) {}
inline void memory_allocated(void*, std::size_t) {}

} // namespace glue
