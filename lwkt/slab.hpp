// SPDX-License-Identifier: BSD-2-Clause
// Memory for the layer above and for LWKT itself: a slab allocator per core, without locks in the common
// case. Memory may be released on any core. Exhaustion is a nullptr, never an abort.
#pragma once

#include "lwkt/thread.hpp"

#include <new>
#include <utility>

namespace lwkt {

// Where whole pages come from. Both functions may be called from any core, in a critical section, before and
// after LWKT runs; they must not block, take tokens or call allocate(). A lwkt::SpinLock (lwkt/spinlock.hpp)
// protects them.
struct PageProvider {
    // A block of `pages` (a power of two, at most 16) contiguous pages, aligned to its own size; nullptr if
    // there is none. Contents undefined. Where stacks are no power of two, blocks come back in parts that
    // are.
    void* (*allocate)(std::size_t pages);
    void (*release)(void* block, std::size_t pages);
};

// `size` bytes (1 .. 65536), aligned to 16, to their own size if that is a power of two up to 64, and to a
// page from 4096 up. Contents undefined. nullptr on exhaustion. Any context but hard; does not block.
[[nodiscard]] void* allocate(std::size_t size);
// Gives it back; `size` is the size asked for. nullptr is ignored. Any core, any context but hard.
void release(void* pointer, std::size_t size);

// new and delete for these.
template <class T, class... Arguments>
[[nodiscard]] T* construct(Arguments&&... arguments) {
    static_assert(alignof(T) <= 64);
    void* memory = allocate(alignof(T) > 16 && sizeof(T) < 64 ? 64 : sizeof(T));
    return memory ? new (memory) T(std::forward<Arguments>(arguments)...) : nullptr;
}
template <class T>
void destroy(T* object) {
    if (!object)
        return;
    object->~T();
    release(object, alignof(T) > 16 && sizeof(T) < 64 ? 64 : sizeof(T));
}

struct SlabStatistics {
    std::uint64_t pages;     // taken from the provider by this core and not given back
    std::uint64_t allocated; // bytes in use, rounded to classes
    std::uint64_t failures;
    std::uint64_t remote; // releases that came from other cores
};
SlabStatistics slab_statistics(CpuId cpu);

} // namespace lwkt
