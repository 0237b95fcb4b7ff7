// SPDX-License-Identifier: BSD-2-Clause
// What the tests of address spaces share: fresh memory for each test that must be all given back, and
// accesses as user code makes them.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "bsd-personality/vm/test_platform.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd::vm::test {

using glue::Access;

inline constexpr std::uint64_t base = std::uint64_t{64} << 30;

struct Memory : testing::Test {
    Memory() {
        image.resize(64 * page_size);
        for (std::size_t i = 0; i < image.size(); i++)
            image[i] = static_cast<std::byte>(1 + i / page_size);
        test::set_up_memory(64 << 20, image);
        free_before = test::free_pages();
    }
    ~Memory() override {
        EXPECT_EQ(object_counts().objects, 0u);
        EXPECT_EQ(object_counts().pages, 0u);
        EXPECT_EQ(test::free_pages(), free_before);
    }
    static inline std::vector<std::byte> image;
    std::uint64_t free_before;
};
inline MapRequest anonymous(std::uint64_t address, std::uint64_t pages, bool fixed = true) {
    MapRequest request;
    request.address = address;
    request.length = pages * page_size;
    request.protection = protection_read | protection_write;
    request.fixed = fixed;
    return request;
}

inline std::uint64_t map(VmSpace& space, const MapRequest& request) {
    auto result = space.map(request);
    EXPECT_TRUE(result.ok());
    return result.ok() ? result.value() : 0;
}

inline bool put(VmSpace& space, std::uint64_t address, std::uint32_t value) {
    return copyout(space, &value, UserAddress{address}, sizeof value).ok();
}
inline std::uint32_t get(VmSpace& space, std::uint64_t address) {
    std::uint32_t value = 0xdead;
    EXPECT_TRUE(copyin(space, UserAddress{address}, &value, sizeof value).ok());
    return value;
}

/// What user code would see or do through the page tables; faults as a processor would.
inline FaultResult touch(VmSpace& space, std::uint64_t address, bool write, std::uint32_t* value) {
    for (int attempt = 0; attempt < 3; attempt++) {
        auto& mappings = space.hardware().mappings();
        auto found = mappings.find(round_down(address));
        if (found != mappings.end() && (!write || glue::has(found->second.access, Access::write))) {
            const std::byte* page = found->second.source == glue::Source::image
                                        ? glue::Ram::image().data() + found->second.offset.value
                                        : glue::Ram::pointer(found->second.offset);
            if (write)
                std::memcpy(const_cast<std::byte*>(page) + (address & page_mask), value, sizeof *value);
            else
                std::memcpy(value, page + (address & page_mask), sizeof *value);
            return FaultResult::done;
        }
        FaultResult result = space.fault(address, write ? Access::write : Access::read);
        if (result != FaultResult::done)
            return result;
    }
    ADD_FAILURE() << "the fault does not make progress";
    return FaultResult::no_memory;
}

} // namespace bsd::vm::test
