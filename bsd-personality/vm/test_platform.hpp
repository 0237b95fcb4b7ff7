// SPDX-License-Identifier: BSD-2-Clause
// Memory for host tests of the personality: RAM and image of the hosted glue, the page allocator and the slab
// on it.
#pragma once

#include <span>

#include "bsd-personality/vm/object.hpp"

namespace bsd::vm::test {

/// Fresh RAM of a size; what earlier tests left is forgotten.
void set_up_memory(std::uint64_t bytes, std::span<const std::byte> image = {});
/// Free pages, what the slab caches counted as free.
std::uint64_t free_pages();

} // namespace bsd::vm::test

/// The value of a result that a test expects to be there.
#define TRY_VALUE(expression)                                                                                \
    ({                                                                                                       \
        auto&& result_ = (expression);                                                                       \
        EXPECT_TRUE(result_.ok());                                                                           \
        result_.take();                                                                                      \
    })
