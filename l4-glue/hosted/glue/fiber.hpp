// SPDX-License-Identifier: BSD-2-Clause
// Stack switches under sanitizers: AddressSanitizer and ThreadSanitizer must be told of every change of
// stack. Without a sanitizer all of it is empty. A Fiber is used on its vCPU's Linux thread only (create and
// destroy on any).
#pragma once

#include "glue/vcpu.hpp"

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define LIBELLE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LIBELLE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define LIBELLE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LIBELLE_TSAN 1
#endif
#endif

namespace glue {

inline constexpr std::size_t default_stack_size = 64 * 1024; // of an LWKT thread; sanitizers need much

// Plain data in every build, so that objects which contain one have one layout.
struct Fiber {
    void* tsan = nullptr;
    void* fake_stack = nullptr;
    const void* bottom = nullptr;
    std::size_t size = 0;

    bool create(std::byte* stack, std::size_t stack_size);
    void adopt_current();
    void destroy();
};
// Around the switch from one stack to another: before on the old stack, after on the new one (also the first
// time). `for_ever`: the old stack will not be used again.
void fiber_before_switch(Fiber& from, Fiber& to, bool for_ever);
void fiber_after_switch(Fiber& me);

// LWKT asks when it leaves critical sections. True when upcalls are enabled and an event is pending or the
// deadline has passed.
bool upcall_due();

// The word at `offset` of what set_cpu_local() was given.
template <class T, std::size_t offset>
inline T cpu_local_constant() {
    return *reinterpret_cast<T*>(static_cast<char*>(hosted::cpu_local) + offset);
}

// The 32-bit word at `offset` of it, up and down by one instruction each, so that an upcall sees it whole.
// Both order the compiler's memory accesses. The second is true when the word has become zero.
template <std::size_t offset>
inline void cpu_local_increment() {
    auto* word = reinterpret_cast<std::uint32_t*>(static_cast<char*>(hosted::cpu_local) + offset);
    asm volatile("incl %0" : "+m"(*word)::"memory", "cc");
}
template <std::size_t offset>
inline bool cpu_local_decrement() {
    auto* word = reinterpret_cast<std::uint32_t*>(static_cast<char*>(hosted::cpu_local) + offset);
    bool zero;
    asm volatile("decl %1" : "=@ccz"(zero), "+m"(*word)::"memory");
    return zero;
}

// Whether a pointer that other cores change is set.
template <class T>
inline bool atomically_set(T* const& pointer) {
    return __atomic_load_n(&pointer, __ATOMIC_RELAXED) != nullptr;
}

template <class T>
inline T* cpu_local_again() {
    return cpu_local<T>();
}

// Allocators tell AddressSanitizer what may be touched.
void memory_released(void* memory, std::size_t size);
void memory_allocated(void* memory, std::size_t size);

} // namespace glue
