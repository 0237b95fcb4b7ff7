// SPDX-License-Identifier: BSD-2-Clause
// Stacks and core-local words of the explored platform, without sanitizers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace glue {

inline constexpr std::size_t default_stack_size = 16 * 1024;

struct Fiber {
    bool create(std::byte*, std::size_t) { return true; }
    void adopt_current() {}
    void destroy() {}
};
inline void fiber_before_switch(Fiber&, Fiber&, bool) {}
inline void fiber_after_switch(Fiber&) {}
constexpr bool upcall_due() {
    return false;
}

namespace explored {
extern void* cpu_local; // of the vCPU that runs
}
inline void set_cpu_local(void* self) {
    explored::cpu_local = self;
}
template <class T>
inline T* cpu_local() {
    return static_cast<T*>(explored::cpu_local);
}
template <class T, std::size_t offset>
inline T cpu_local_constant() {
    return *reinterpret_cast<T*>(static_cast<char*>(explored::cpu_local) + offset);
}
template <std::size_t offset>
inline void cpu_local_increment() {
    ++*reinterpret_cast<std::uint32_t*>(static_cast<char*>(explored::cpu_local) + offset);
}
template <std::size_t offset>
inline bool cpu_local_decrement() {
    return --*reinterpret_cast<std::uint32_t*>(static_cast<char*>(explored::cpu_local) + offset) == 0;
}
// Whether a pointer that other cores change is set.
template <class T>
inline bool atomically_set(T* const& pointer) {
    return __atomic_load_n(&pointer, __ATOMIC_RELAXED) != nullptr;
}

inline void memory_released(void*, std::size_t) {}
inline void memory_allocated(void*, std::size_t) {}

} // namespace glue
