// SPDX-License-Identifier: BSD-2-Clause
// LWKT's allocator as plain malloc, so that the sanitizers see every object, and its spin lock as nothing:
// these tests have one thread. Tests that need threads link the real LWKT instead.
#include "bsd-personality/vm/test_platform.hpp"

#include <cstdio>
#include <cstdlib>

#include "bsd-personality/kern/giant.hpp"
#include "lwkt/spinlock.hpp"

namespace lwkt {

namespace {
Thread self;
CoreHead head{&head, &self, 0, 0, 0};
} // namespace

void* allocate(std::size_t size) {
    return std::aligned_alloc(64, (size + 63) & ~std::size_t{63});
}
void release(void* pointer, std::size_t) {
    std::free(pointer);
}
void SpinLock::lock() {
    word_ = 1;
}
void SpinLock::unlock() {
    word_ = 0;
}

void panic(const char* text, const char* file, int line) {
    std::fprintf(stderr, "panic: %s (%s:%d)\n", text, file, line);
    std::abort();
}

} // namespace lwkt

namespace bsd::vm::test {

void set_up_memory(std::uint64_t bytes, std::span<const std::byte> image) {
    glue::hosted::set_up(bytes, 1, image);
    glue::set_cpu_local(&lwkt::head);
    pages_initialize();
}

std::uint64_t free_pages() {
    return page_counts().free;
}

} // namespace bsd::vm::test
