// SPDX-License-Identifier: BSD-2-Clause
// Address spaces and RAM of the hosted platform: RAM is an anonymous mapping that the test sets up, an
// AddressSpace only records what is mapped where, so that tests can look. Not for several threads at once:
// callers hold a token.
#pragma once

#include "l4-glue/start.hpp"

#include <map>
#include <span>

namespace glue {

namespace hosted {
// Sets up RAM of `ram_size` bytes and the number of vCPUs; replaces an earlier set-up. The image is borrowed.
void set_up(std::uint64_t ram_size, unsigned vcpus, std::span<const std::byte> image = {});
extern StartInformation start_information;
extern std::byte* ram;
extern std::span<const std::byte> image;
} // namespace hosted

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
};

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

private:
    static std::uint64_t pages_left;
    bool created_ = false;
    std::map<std::uint64_t, Mapping> mappings_;
};

} // namespace glue
