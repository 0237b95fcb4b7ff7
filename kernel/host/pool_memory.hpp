// SPDX-License-Identifier: BSD-2-Clause
// Memory for a root pool in unit tests.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/pool.hpp"

namespace kernel::test {

// Maps the pool window's first pages and makes a root pool of them; the tests of a program share one, since
// the kernel has one, and each leaves it as full as it was.
inline Pool& root_pool() {
    constexpr Word physical = 16 << 20, pages = 4096;
    alignas(64) static Pool pool;
    static bool made = [] {
        void* wanted = arch::pool_pointer(physical);
        void* memory = mmap(wanted, pages * arch::page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (memory != wanted)
            return false;
        pool.type = Type::pool;
        initialize_root_pool(pool, physical, pages);
        return true;
    }();
    if (!made)
        std::abort();
    return pool;
}

// The pool is as full at the end of a scope as at its begin.
class NoLeak {
public:
    explicit NoLeak(const Pool& pool) : pool_(pool), before_(pool.free_pages) {}
    ~NoLeak() { EXPECT_EQ(pool_.free_pages, before_); }

private:
    const Pool& pool_;
    Word before_;
};

} // namespace kernel::test
