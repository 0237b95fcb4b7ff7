// SPDX-License-Identifier: BSD-2-Clause
// The pages of the jail's RAM that do not hold the program itself: a buddy allocator over glue::Ram, in
// blocks of up to 1024 pages. The jail's memory limit is simply the size of its RAM. User pages stop at a
// reserve, so that the personality itself can go on (and kill a process) when user memory is exhausted.
// LWKT's slab takes its pages here.
//
// Any core, any context but hard: a spin lock guards it, nothing blocks. Contents of pages are undefined.
#pragma once

#include "glue/address_space.hpp"
#include "lwkt/slab.hpp"

namespace bsd::vm {

inline constexpr std::uint64_t page_size = glue::page_size;
inline constexpr unsigned page_shift = 12;
inline constexpr std::uint64_t page_mask = page_size - 1;

constexpr std::uint64_t round_up(std::uint64_t bytes) {
    return (bytes + page_mask) & ~page_mask;
}
constexpr std::uint64_t round_down(std::uint64_t bytes) {
    return bytes & ~page_mask;
}

/// Which page of the RAM; 0 (where the program itself lies) stands for none.
using PageNumber = std::uint32_t;

/// Who asks: user pages leave the reserve alone.
enum class Urgency : std::uint8_t { user, system };

/// Takes over all RAM behind the program, once. False: there is less than half a MiB, with which nothing can
/// start.
bool pages_initialize();

/// One page, or 2^order contiguous ones aligned to their size (order <= 10); 0 when there is none.
[[nodiscard]] PageNumber page_allocate(Urgency urgency);
[[nodiscard]] PageNumber pages_allocate(unsigned order, Urgency urgency);
/// Pages of a larger block may be freed one by one.
void page_free(PageNumber page);
void pages_free(PageNumber first, unsigned order);

/// Gives `count` pages that lie one after the other back.
void pages_free_run(PageNumber first, std::uint64_t count);

/// Collects pages that go, and gives those that lie one after the other back together.
class PageBatch {
public:
    PageBatch() = default;
    PageBatch(const PageBatch&) = delete;
    PageBatch& operator=(const PageBatch&) = delete;
    ~PageBatch() { flush(); }
    void add(PageNumber page) {
        if (page != end_) {
            flush();
            start_ = page;
        }
        end_ = page + 1;
        count_++;
    }
    std::uint64_t count() const { return count_; }

private:
    void flush() {
        if (start_ != end_)
            pages_free_run(start_, end_ - start_);
    }
    PageNumber start_ = 0, end_ = 0; // not yet given back
    std::uint64_t count_ = 0;
};

struct PageCounts {
    std::uint64_t total; // that the allocator manages
    std::uint64_t free;
    std::uint64_t reserve; // of the free ones, not for user pages
};
PageCounts page_counts();

inline glue::RamOffset page_offset(PageNumber page) {
    return glue::RamOffset{std::uint64_t{page} << page_shift};
}
inline std::byte* page_pointer(PageNumber page) {
    return glue::Ram::pointer(page_offset(page));
}
/// For pages that have just been allocated: where nobody has had them yet, nothing is to be done.
void page_zero(PageNumber page, unsigned count = 1);
void page_copy(PageNumber to, const std::byte* from);

/// For lwkt's start.
lwkt::PageProvider page_provider();

} // namespace bsd::vm
