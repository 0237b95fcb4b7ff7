// SPDX-License-Identifier: BSD-2-Clause
// Page tables over simulated memory: after each step of every operation, an independent walk of the tables is
// compared with a model of what each address must show.
#include "kernel/page_table.hpp"

#include <map>
#include <random>

#include "kernel/host/pool_memory.hpp"

namespace kernel {
Word host_root_table[512]; // the kernel's half, which every space copies
Word* kernel_root_table = host_root_table;
} // namespace kernel

namespace {

using kernel::Budget;
using kernel::Error;
using kernel::PageTable;
using kernel::Pool;
using kernel::Word;
using kernel::test::NoLeak;
using kernel::test::root_pool;

constexpr Word page = arch::page, large = arch::large_page;

// What a processor would find: the entry as of a 4 KiB page, 0 if there is none.
Word walk(const PageTable& space, Word address) {
    const Word* table = arch::pool_pointer<Word>(space.root());
    for (unsigned level = 3;; --level) {
        Word entry = table[address >> (12 + 9 * level) & 511];
        if (!(entry & PageTable::present))
            return 0;
        if (level == 0)
            return entry;
        if (level == 1 && entry & PageTable::large) {
            Word bits = entry & ~(PageTable::large_address_mask | PageTable::large |
                                  PageTable::large_write_combining);
            if (entry & PageTable::large_write_combining)
                bits |= PageTable::write_combining;
            return bits | ((entry & PageTable::large_address_mask) + (address & (large - 1) & ~(page - 1)));
        }
        // Tables must grant everything: the pages decide.
        EXPECT_EQ(entry & 7, 7u);
        EXPECT_FALSE(entry & PageTable::no_execute);
        table = arch::pool_pointer<Word>(entry & PageTable::address_mask);
    }
}

// A space beside its model; addresses in two windows, one of them across a boundary of top-level tables.
struct Modelled {
    static constexpr Word windows[] = {0x4000'0000, (Word{1} << 39) - large};
    static constexpr Word window_pages = 1536;
    Pool& pool;
    PageTable space;
    std::map<Word, Word> pages; // address, entry

    explicit Modelled(Pool& p) : pool(p) { EXPECT_EQ(space.create(pool), Error::ok); }

    void compare(const char* when) const {
        for (Word window : windows)
            for (Word i = 0; i < window_pages; ++i) {
                Word address = window + i * page;
                auto at = pages.find(address);
                ASSERT_EQ(walk(space, address), at == pages.end() ? 0 : at->second)
                    << when << " at " << std::hex << address;
            }
    }
    static Word pick(std::mt19937_64& random) {
        return windows[random() % 2] + (random() % 3 ? random() % window_pages : random() % 3 * 512) * page;
    }
    static Word range(std::mt19937_64& random, Word address) {
        Word window = address < windows[1] ? windows[0] : windows[1];
        Word rest = window_pages - (address - window) / page;
        return 1 + random() % (random() % 3 ? std::min<Word>(rest, 20) : rest);
    }

    Error map(Word address, Word physical, Word count, Word bits, bool replace, int step) {
        for (Word mapped = 0; mapped < count;) {
            Budget budget(step);
            Word done;
            bool flush = false, replaced = false;
            Error error = space.map(pool, address + mapped * page, physical + mapped * page, count - mapped,
                                    bits, replace, budget, done, flush);
            for (Word i = 0; i < done; ++i) {
                Word at = address + (mapped + i) * page;
                replaced |= pages.count(at) > 0;
                EXPECT_TRUE(replace || !pages.count(at));
                pages[at] = (physical + (mapped + i) * page) | bits | PageTable::present | PageTable::user |
                            PageTable::accessed;
            }
            EXPECT_TRUE(flush || !replaced);
            mapped += done;
            if (error == Error::occupied) {
                EXPECT_TRUE(pages.count(address + mapped * page) &&
                            (!replace || pages[address + mapped * page] & PageTable::kernel_owned));
            }
            if (error != Error::ok)
                return error;
        }
        return Error::ok;
    }

    void unmap(Word address, Word count, int step) {
        for (Word passed = 0; passed < count;) {
            Budget budget(step);
            Word done, seen = 0;
            bool flush = false;
            ASSERT_EQ(space.unmap(pool, address + passed * page, count - passed, budget, done, seen, flush),
                      Error::ok);
            Word wanted = 0;
            bool any = false;
            for (Word i = 0; i < done; ++i)
                if (auto at = pages.find(address + (passed + i) * page);
                    at != pages.end() && !(at->second & PageTable::kernel_owned)) {
                    wanted |= at->second & (PageTable::accessed | PageTable::dirty);
                    any = true;
                    pages.erase(at);
                }
            ASSERT_EQ(seen, wanted);
            ASSERT_EQ(flush, any);
            passed += done;
        }
    }

    Error protect(Word address, Word count, Word bits, int step) {
        for (Word passed = 0; passed < count;) {
            Budget budget(step);
            Word done, seen = 0;
            bool flush = false;
            Error error =
                space.protect(pool, address + passed * page, count - passed, bits, budget, done, seen, flush);
            for (Word i = 0; i < done; ++i)
                if (auto at = pages.find(address + (passed + i) * page);
                    at != pages.end() && !(at->second & PageTable::kernel_owned)) {
                    Word& entry = at->second;
                    entry = (entry & ~(PageTable::writable | PageTable::no_execute | PageTable::dirty)) |
                            bits | PageTable::accessed;
                    EXPECT_TRUE(flush);
                }
            passed += done;
            if (error != Error::ok)
                return error;
        }
        return Error::ok;
    }

    void destroy(int step) {
        for (bool done = false; !done;) {
            Budget budget(step);
            done = space.destroy(pool, budget);
        }
        EXPECT_EQ(space.root(), 0u);
    }
};

constexpr Word rights = PageTable::may_write | PageTable::may_execute;

TEST(PageTable, EveryIntermediateStateIsAsTheModelSays) {
    Pool& pool = root_pool();
    for (unsigned seed = 1; seed <= 12; ++seed) {
        NoLeak no_leak(pool);
        std::mt19937_64 random(seed);
        Modelled m(pool);
        int step = seed % 3 ? Budget::step : 20000; // small steps come to the same as large ones
        for (unsigned i = 0; i < 400; ++i) {
            Word address = Modelled::pick(random), count = Modelled::range(random, address);
            switch (random() % 6) {
            case 0:
            case 1: {
                Word physical =
                    (random() % 4 ? random() % 4096 : random() % 8 * 512) * page + (Word{1} << 30);
                Word bits = rights | (random() % 2 ? PageTable::writable : 0) |
                            (random() % 2 ? PageTable::no_execute : 0) |
                            (random() % 8 ? 0 : PageTable::write_combining);
                m.map(address, physical, count, bits, random() % 2, step);
                break;
            }
            case 2:
                m.unmap(address, count, step);
                break;
            case 3:
                ASSERT_EQ(m.protect(address, count,
                                    random() % 2 ? PageTable::writable : PageTable::no_execute, step),
                          Error::ok);
                break;
            case 4: {
                Budget budget(step);
                Word physical = (random() % 4096) * page;
                if (m.pages.count(address))
                    break;
                Error error;
                do {
                    Budget one(step);
                    error = m.space.map_kernel_page(pool, address, physical, PageTable::writable, one);
                } while (error == Error::would_block);
                ASSERT_EQ(error, Error::ok);
                m.pages[address] = physical | PageTable::writable | PageTable::present | PageTable::user |
                                   PageTable::accessed | PageTable::no_execute | PageTable::kernel_owned;
                break;
            }
            default:
                if (auto at = m.pages.find(address);
                    at != m.pages.end() && at->second & PageTable::kernel_owned) {
                    m.space.remove_kernel_page(address);
                    m.pages.erase(at);
                } else {
                    m.space.remove_kernel_page(address); // not a kernel page: nothing happens
                }
            }
            m.compare("after a step");
            if (HasFatalFailure())
                FAIL() << "seed " << seed << " step " << i;
        }
        m.destroy(step);
    }
}

// The processor sets dirty in a large entry; every small page of it must show that after a split.
TEST(PageTable, SplittingKeepsWhatTheProcessorSaw) {
    Pool& pool = root_pool();
    NoLeak no_leak(pool);
    Modelled m(pool);
    ASSERT_EQ(m.map(0x4000'0000, Word{1} << 30, 512, rights | PageTable::writable, false, 20000), Error::ok);
    Word* table = arch::pool_pointer<Word>(m.space.root());
    for (unsigned level = 3; level > 1; --level)
        table = arch::pool_pointer<Word>(table[Word{0x4000'0000} >> (12 + 9 * level) & 511] &
                                         PageTable::address_mask);
    ASSERT_TRUE(table[0] & PageTable::large);
    table[0] |= PageTable::dirty;
    for (auto& entry : m.pages)
        entry.second |= PageTable::dirty;
    m.compare("large");
    m.unmap(0x4000'0000 + 5 * page, 1, 20000);
    m.compare("split");
    EXPECT_EQ(m.pages.size(), 511u);
    m.destroy(20000);
}

TEST(PageTable, ProtectNeverExceedsTheBinding) {
    Pool& pool = root_pool();
    NoLeak no_leak(pool);
    Modelled m(pool);
    ASSERT_EQ(m.map(0x4000'0000, 0, 4, PageTable::no_execute, false, 20000), Error::ok);
    EXPECT_EQ(m.protect(0x4000'0000, 4, PageTable::writable | PageTable::no_execute, 20000), Error::no_right);
    EXPECT_EQ(m.protect(0x4000'0000, 4, 0, 20000), Error::no_right); // executable
    m.compare("refused");
    m.destroy(20000);
}

// A space that may take no more memory says so, and what it did before stays consistent and comes back.
TEST(PageTable, ExhaustionLeavesAConsistentSpace) {
    Pool& root = root_pool();
    NoLeak no_leak(root);
    for (Word pages = 1; pages < 12; ++pages) {
        alignas(64) Pool small;
        small.promise(root, pages);
        while (!small.take_promised(root, 100)) {
        }
        Modelled m(small);
        Error error = Error::ok;
        for (Word i = 0; i < 8 && error == Error::ok; ++i)
            error =
                m.map(Modelled::windows[i % 2] + i / 2 * large / 2, Word{1} << 30, 3, rights, true, 20000);
        EXPECT_EQ(error, pages < 8 ? Error::no_memory : error);
        m.compare("exhausted");
        m.destroy(20000);
        EXPECT_EQ(small.free_pages, pages);
        small.return_pages(root);
    }
}

// All pages of one binding, and nothing else, in steps of any size.
TEST(PageTable, RevokeTakesThePagesOfOneBinding) {
    Pool& pool = root_pool();
    NoLeak no_leak(pool);
    Modelled m(pool);
    for (Word i = 0; i < 200; ++i) {
        Word tag = (1 + i % 3) << PageTable::tag_shift;
        ASSERT_EQ(m.map(Modelled::windows[i % 2] + i * 7 * page, i * page, 3, rights | tag, true, 20000),
                  Error::ok);
    }
    Word tag = Word{2} << PageTable::tag_shift, cursor = 0;
    bool flush = false;
    for (bool done = false; !done;) {
        Budget budget;
        done = m.space.revoke(tag, cursor, budget, flush);
    }
    EXPECT_TRUE(flush);
    std::erase_if(m.pages, [&](const auto& entry) { return (entry.second & PageTable::tag_mask) == tag; });
    m.compare("revoked");
    m.destroy(Budget::step);
}

} // namespace
