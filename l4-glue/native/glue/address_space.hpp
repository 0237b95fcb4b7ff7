// SPDX-License-Identifier: BSD-2-Clause
// Address spaces and RAM of the native platform. Ram is the task's own region, mapped linearly at ram_window;
// an AddressSpace is a kernel task without capabilities, made from the task's pool, into which pages of
// regions are mapped. All calls may be made in a critical section; none blocks.
#pragma once

#include <span>

#include "glue/invoke.hpp"
#include "l4-glue/start.hpp"

namespace glue {

inline const StartInformation& start() {
    return *reinterpret_cast<const StartInformation*>(start_address);
}

// Selectors are handed out by one allocator a task (l4-glue/native/selectors.cpp); 0 when the table is full.
abi::Selector allocate_selector();
void free_selector(abi::Selector selector);

// The task's RAM: all of it is mapped at ram_window, so that an offset is a pointer.
class Ram {
public:
    static std::byte* pointer(RamOffset offset) {
        return reinterpret_cast<std::byte*>(ram_window + offset.value);
    }
    static RamOffset offset(const void* pointer) {
        return RamOffset{reinterpret_cast<std::uint64_t>(pointer) - ram_window};
    }
    static std::uint64_t size() { return start().ram_size; }
    static std::uint64_t used() {
        return start().ram_used;
    }                                                 // the start of the region holds the program itself
    static void will_write(RamOffset, std::size_t) {} // it is all there
    static constexpr bool zeroed() { return false; }
    static std::span<const std::byte> image() {
        return {reinterpret_cast<const std::byte*>(image_window), start().image_size};
    }
};

// Memory that the kernel has for what this task makes: page tables and kernel objects, out of its pool.
// Bytes.
struct KernelMemory {
    std::uint64_t total, free;
};
KernelMemory kernel_memory();

// Addresses that the platform keeps for itself below abi::user_end: none.
inline constexpr bool reserved_for_platform(std::uint64_t, std::uint64_t) {
    return false;
}

// How many pages a fault should map at least and at most, where they lie one after the other: a map call is
// cheap.
inline constexpr std::uint64_t ram_window_pages = 16, image_window_pages = 32;
constexpr std::uint64_t fault_block_pages() {
    return 1;
}
// Up to how many pages of a map entry a fork copies at once, instead of by faults later.
constexpr std::uint64_t fork_copy_pages() {
    return 0;
}

enum class Source : unsigned { ram, image }; // the regions that a BSD address space can map

class AddressSpace {
public:
    AddressSpace() = default;
    AddressSpace(const AddressSpace&) = delete;
    AddressSpace& operator=(const AddressSpace&) = delete;
    ~AddressSpace() { destroy(); }

    // Makes the space. Errors: no_memory (pool or selectors).
    Outcome<void> create();
    void destroy();

    // Maps `pages` pages from `offset` of the source at `address`, replacing what is there.
    // Errors: no_memory (page tables), bad_address, bad_range, no_right (write to the image).
    Outcome<void> map(UserAddress address, Source source, RamOffset offset, std::size_t pages, Access access);
    // Removes mappings in a range; pages that are not mapped are passed over. No stale translation survives.
    void unmap(UserAddress address, std::size_t pages);
    // Reduces or restores rights of mapped pages in a range; others are passed over.
    void protect(UserAddress address, std::size_t pages, Access access);

    // Changes of rights between these may take place at the second one only.
    void hold() {}
    void let_go() {}

    abi::Selector selector() const { return task_; }
    static constexpr bool reusable = true;      // for another program, when it has been emptied
    static constexpr bool cheap_to_make = true; // so that who sleeps for long does without

private:
    abi::Selector task_ = 0;
    abi::Selector binding_[2] = {0, 0};
};

} // namespace glue
