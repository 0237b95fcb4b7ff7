// SPDX-License-Identifier: BSD-2-Clause
// Address spaces and RAM of the hosted platform. In a jail RAM is a shared memory file and an AddressSpace a
// Linux process of its own (l4-glue/hosted/space.hpp). In unit tests RAM is an anonymous mapping that the
// test sets up, and an AddressSpace only records what is mapped where, so that tests can look. Not for
// several threads at once: callers hold a token.
#pragma once

#include "l4-glue/start.hpp"

#include <map>
#include <span>

namespace glue {

namespace hosted {
// Sets up RAM of `ram_size` bytes and the number of vCPUs; replaces an earlier set-up. The image is borrowed.
void set_up(std::uint64_t ram_size, unsigned vcpus, std::span<const std::byte> image = {});
extern StartInformation start_information;
// The same for a jail: RAM is a new shared memory file, the image is the file `image` (-1: none), and address
// spaces are processes. Before there are threads. A line of text for people if it fails, else null.
const char* set_up_jail(const char* name, std::uint64_t ram_size, unsigned vcpus, int image);
extern StartInformation start_information;
extern std::byte* ram;
extern std::span<const std::byte> image;
inline unsigned fault_block = 1, fork_copy = 0; // more in a jail; set before there are threads
class Space;
} // namespace hosted

// What a BSD process may map. In between lies the stub (l4-glue/hosted/stub/layout.hpp).
inline constexpr bool reserved_for_platform(std::uint64_t start, std::uint64_t end) {
    return start < 0x6000'0020'0000 && end > 0x6000'0000'0000;
}

inline const StartInformation& start() {
    return hosted::start_information;
}

class Ram {
public:
    static std::byte* pointer(RamOffset offset) { return hosted::ram + offset.value; }
    static RamOffset offset(const void* pointer) {
        return RamOffset{static_cast<std::uint64_t>(static_cast<const std::byte*>(pointer) - hosted::ram)};
    }
    static std::uint64_t size() { return start().ram_size; }
    static std::uint64_t used() { return start().ram_used; }
    static std::span<const std::byte> image() { return hosted::image; }
    // What no one has written to is zero.
    static bool zeroed() { return hosted::fault_block > 1; }
    // Much of it will be written at once.
    static void will_write(RamOffset offset, std::size_t pages);
};

// How many pages a fault should map at least and at most, where they lie one after the other: a map call of a
// jail costs some context switches of the host.
inline constexpr std::uint64_t ram_window_pages = 64, image_window_pages = 4096;
inline std::uint64_t fault_block_pages() {
    return hosted::fault_block;
}
// Up to how many pages of a map entry a fork copies at once, instead of by faults later.
inline std::uint64_t fork_copy_pages() {
    return hosted::fork_copy;
}

// Kernel memory is the host's, and not told.
struct KernelMemory {
    std::uint64_t total, free;
};
inline KernelMemory kernel_memory() {
    return {0, 0};
}

enum class Source : unsigned { ram, image };

class AddressSpace {
public:
    struct Mapping {
        Source source;
        RamOffset offset;
        Access access;
    };

    AddressSpace() = default;
    AddressSpace(const AddressSpace&) = delete;
    AddressSpace& operator=(const AddressSpace&) = delete;
    ~AddressSpace() { destroy(); }

    Outcome<void> create();
    void destroy();
    Outcome<void> map(UserAddress address, Source source, RamOffset offset, std::size_t pages, Access access);
    void unmap(UserAddress address, std::size_t pages);
    void protect(UserAddress address, std::size_t pages, Access access);

    // For tests: what is mapped, by page address; and creation can be made to fail after `n` more mapped
    // pages.
    const std::map<std::uint64_t, Mapping>& mappings() const { return mappings_; }
    static void fail_after(std::uint64_t pages) { pages_left = pages; }

    // Changes of rights between these may take place at the second one only.
    void hold();
    void let_go();

    // A space that has run code is never used for another program: what its threads do is not known.
    static constexpr bool reusable = false;
    static constexpr bool cheap_to_make = false; // a process of the host
    // Null in unit tests.
    hosted::Space* process() const { return process_; }

private:
    hosted::Space* process_ = nullptr;
    static std::uint64_t pages_left;
    bool created_ = false;
    std::map<std::uint64_t, Mapping> mappings_;
};

} // namespace glue
