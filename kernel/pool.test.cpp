// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/pool.hpp"

#include <cstring>
#include <map>
#include <random>

#include "kernel/host/pool_memory.hpp"

namespace {

using kernel::Pool;
using kernel::Word;
using kernel::test::NoLeak;
using kernel::test::root_pool;

bool zero(const void* memory, unsigned size) {
    const auto* bytes = static_cast<const unsigned char*>(memory);
    for (unsigned i = 0; i < size; ++i)
        if (bytes[i])
            return false;
    return true;
}

// Blocks are aligned, zeroed and disjoint, whatever was allocated and released before; at the end every page
// is back.
TEST(Pool, BlocksAreZeroedAlignedAndDisjoint) {
    Pool& pool = root_pool();
    NoLeak no_leak(pool);
    std::mt19937_64 random(1);
    std::map<char*, unsigned> live; // address, size
    for (unsigned step = 0; step < 40000; ++step) {
        if (random() % 5 < 2 && !live.empty()) {
            auto at = live.lower_bound(reinterpret_cast<char*>(random()));
            if (at == live.end())
                at = live.begin();
            std::memset(at->first, 0xa5, at->second);
            pool.release(at->first, at->second);
            live.erase(at);
            continue;
        }
        const unsigned sizes[] = {1, 64, 65, 100, 128, 300, 512, 1000, 2048, 2049, 4096};
        unsigned size = sizes[random() % 11];
        auto* block = static_cast<char*>(pool.allocate(size));
        ASSERT_NE(block, nullptr);
        ASSERT_EQ(reinterpret_cast<Word>(block) % (size > 2048 ? 4096 : 64), 0u);
        ASSERT_TRUE(zero(block, size));
        auto next = live.lower_bound(block);
        if (next != live.end()) {
            ASSERT_LE(block + size, next->first);
        }
        if (next != live.begin()) {
            --next;
            ASSERT_LE(next->first + next->second, block);
        }
        std::memset(block, 0x5a, size);
        live[block] = size;
    }
    for (auto [block, size] : live)
        pool.release(block, size);
}

// A child has exactly what was moved into it, and exhausting it takes nothing from its parent.
TEST(Pool, ChildIsFilledInStepsAndGivesAllBack) {
    Pool& root = root_pool();
    NoLeak no_leak(root);
    Word total = root.total_pages;
    alignas(64) Pool child;
    child.pool = &root;
    child.promise(root, 100);
    EXPECT_EQ(root.free_pages, total - 100);
    unsigned steps = 1;
    while (!child.take_promised(root, 7))
        ++steps;
    EXPECT_EQ(steps, 15u);
    EXPECT_EQ(child.free_pages, 100u);
    EXPECT_EQ(child.total_pages, 100u);
    Word before = root.free_pages;
    for (unsigned i = 0; i < 50; ++i)
        ASSERT_NE(child.allocate_page(), nullptr);
    for (unsigned i = 0; i < 50 * 64; ++i)
        ASSERT_NE(child.allocate(64), nullptr);
    EXPECT_EQ(child.allocate_page(), nullptr);
    EXPECT_EQ(child.allocate(64), nullptr);
    EXPECT_EQ(child.free_pages, 0u);
    EXPECT_EQ(root.free_pages, before);
    child.return_pages(root); // whatever they held
    EXPECT_EQ(child.total_pages, 0u);
    EXPECT_EQ(root.total_pages, total);
}

// What is promised to a child is nobody else's, even before it is moved.
TEST(Pool, PromisedPagesAreNotHandedOut) {
    Pool& root = root_pool();
    NoLeak no_leak(root);
    alignas(64) Pool child, grandchild;
    child.promise(root, 10);
    while (!child.take_promised(root, 3)) {
    }
    grandchild.promise(child, 8);
    EXPECT_NE(child.allocate_page(), nullptr);
    EXPECT_NE(child.allocate_page(), nullptr);
    EXPECT_EQ(child.allocate_page(), nullptr);
    EXPECT_FALSE(grandchild.take_promised(child, 5));
    grandchild.return_pages(child); // destroyed before it was complete
    EXPECT_EQ(child.free_pages, 8u);
    child.return_pages(root);
}

} // namespace
