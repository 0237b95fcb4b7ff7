// SPDX-License-Identifier: BSD-2-Clause
// The page allocator, the page tree and the map tree against simple models.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "bsd-personality/vm/map_tree.hpp"
#include "bsd-personality/vm/page_tree.hpp"
#include "bsd-personality/vm/test_platform.hpp"

namespace bsd::vm {
namespace {

TEST(PageAllocator, GivesEveryPageOnceAndMergesWhatComesBack) {
    test::set_up_memory(4 << 20);
    PageCounts before = page_counts();
    std::set<PageNumber> pages;
    while (PageNumber page = page_allocate(Urgency::system))
        EXPECT_TRUE(pages.insert(page).second);
    EXPECT_EQ(pages.size(), before.free);
    EXPECT_EQ(page_counts().free, 0u);
    for (PageNumber page : pages)
        page_free(page);
    EXPECT_EQ(page_counts().free, before.free);
    PageNumber block = pages_allocate(8, Urgency::system);
    EXPECT_NE(block, 0u);
    EXPECT_EQ(block % 256, 0u);
    pages_free(block, 8);
}

TEST(PageAllocator, LeavesTheReserveToTheSystem) {
    test::set_up_memory(4 << 20);
    std::vector<PageNumber> pages;
    while (PageNumber page = page_allocate(Urgency::user))
        pages.push_back(page);
    EXPECT_EQ(page_counts().free, page_counts().reserve);
    PageNumber page = page_allocate(Urgency::system);
    EXPECT_NE(page, 0u);
    page_free(page);
    for (PageNumber each : pages)
        page_free(each);
}

TEST(PageTree, BehavesLikeAMap) {
    test::set_up_memory(64 << 20);
    std::mt19937_64 random(1);
    PageTree tree;
    std::map<std::uint64_t, PageNumber> model;
    for (int round = 0; round < 20000; round++) {
        std::uint64_t index = random() >> (12 + random() % 52);
        if (random() % 3 == 0 && !model.empty())
            index = std::next(model.begin(), static_cast<long>(random() % model.size()))->first;
        auto found = model.find(index);
        ASSERT_EQ(tree.find(index), found == model.end() ? 0 : found->second);
        if (found == model.end()) {
            auto page = static_cast<PageNumber>(random() | 1);
            ASSERT_TRUE(tree.insert(index, page));
            model[index] = page;
        } else {
            ASSERT_EQ(tree.remove(index), found->second);
            model.erase(found);
        }
        ASSERT_EQ(tree.count(), model.size());
        std::uint64_t from = random() >> (12 + random() % 52), at = 0;
        PageNumber next = tree.next(from, at);
        auto expected = model.lower_bound(from);
        ASSERT_EQ(next, expected == model.end() ? 0 : expected->second);
        if (next != 0) {
            ASSERT_EQ(at, expected->first);
        }
    }
    for (auto& [index, page] : model)
        ASSERT_EQ(tree.remove(index), page);
}

TEST(MapTree, FindsEntriesAndRoom) {
    std::mt19937_64 random(2);
    MapTree tree;
    std::map<std::uint64_t, MapEntry*> model;
    std::vector<std::unique_ptr<MapEntry>> memory;
    constexpr std::uint64_t space = 4096;
    for (int round = 0; round < 20000; round++) {
        std::uint64_t start = 1 + random() % space, end = start + 1 + random() % 8;
        start <<= page_shift, end <<= page_shift;
        if (tree.free(start, end)) {
            memory.push_back(std::make_unique<MapEntry>());
            MapEntry* entry = memory.back().get();
            entry->start = start;
            entry->end = end;
            tree.insert(entry);
            model[start] = entry;
        } else if (random() % 2 == 0) {
            auto at = std::next(model.begin(), static_cast<long>(random() % model.size()));
            tree.remove(at->second);
            model.erase(at);
        } else {
            auto at = std::next(model.begin(), static_cast<long>(random() % model.size()));
            if (at->second->end - at->second->start > page_size) {
                at->second->end -= page_size;
                tree.resized(at->second);
            }
        }
        std::uint64_t address = (random() % (space + 20)) << page_shift;
        auto above = model.upper_bound(address);
        MapEntry* floor = above == model.begin() ? nullptr : std::prev(above)->second;
        ASSERT_EQ(tree.floor(address), floor);

        std::uint64_t length = (1 + random() % 30) << page_shift;
        unsigned shift = page_shift + static_cast<unsigned>(random() % 4);
        std::uint64_t limit = (space + 100) << page_shift, from = address + page_size, expected = 0;
        for (std::uint64_t at = (from + (1 << shift) - 1) >> shift << shift; at + length <= limit;
             at += 1 << shift) {
            auto next = model.upper_bound(at);
            bool clear = next == model.begin() || std::prev(next)->second->end <= at;
            if (clear && (next == model.end() || next->first >= at + length)) {
                expected = at;
                break;
            }
        }
        ASSERT_EQ(tree.find_room(from, length, limit, shift), expected);
    }
    MapEntry* previous = nullptr;
    for (MapEntry* entry = tree.first(); entry != nullptr; previous = entry, entry = entry->next)
        ASSERT_TRUE(previous == nullptr || previous->end <= entry->start);
}

} // namespace
} // namespace bsd::vm
