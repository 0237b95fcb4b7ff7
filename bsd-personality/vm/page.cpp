// SPDX-License-Identifier: BSD-2-Clause
// The buddy allocator. One record a page lies at the start of the RAM it manages. A free block is on the list
// of its order under its first page; the records of its other pages say nothing.
#include "bsd-personality/vm/page.hpp"

#include <cstring>

#include "bsd-personality/kern/text.hpp"
#include "lwkt/spinlock.hpp"

namespace bsd::vm {
namespace {

constexpr unsigned orders = 11; // blocks of 1 .. 1024 pages
constexpr std::uint64_t least_ram = 512 << 10;

struct PageRecord {
    PageNumber next, previous; // in the list of free blocks
    std::uint8_t order;        // valid for the first page of a free block
    bool free;                 // first page of a free block
    bool used;                 // somebody has had the page, and it is not what RAM was at the start
};

struct Allocator {
    lwkt::SpinLock lock;
    // immutable after initialize()
    PageRecord* records = nullptr; // of page `first`
    PageNumber first = 0, end = 0; // managed pages
    std::uint64_t total = 0, reserve = 0;
    // guarded by lock
    PageNumber head[orders] = {};
    std::uint64_t free = 0;

    PageRecord& record(PageNumber page) { return records[page - first]; }
    void push(PageNumber page, unsigned order);
    void unlink(PageNumber page);
    PageNumber take(unsigned order);
    void give(PageNumber page, unsigned order);
    void soil(PageNumber page, std::uint64_t count) {
        for (std::uint64_t i = 0; i != count; i++)
            records[page - first + i].used = true;
    }
};
constinit Allocator allocator;

void Allocator::push(PageNumber page, unsigned order) {
    PageNumber next = head[order];
    PageRecord& added = record(page);
    added.next = next;
    added.previous = 0;
    added.order = static_cast<std::uint8_t>(order);
    added.free = true;
    if (next != 0)
        record(next).previous = page;
    head[order] = page;
}

void Allocator::unlink(PageNumber page) {
    PageRecord& gone = record(page);
    if (gone.previous != 0)
        record(gone.previous).next = gone.next;
    else
        head[gone.order] = gone.next;
    if (gone.next != 0)
        record(gone.next).previous = gone.previous;
    gone.free = false;
}

PageNumber Allocator::take(unsigned order) {
    unsigned from = order;
    while (head[from] == 0)
        if (++from == orders)
            return 0;
    PageNumber page = head[from];
    unlink(page);
    while (from > order) { // the upper half goes back, so that low addresses are used first
        from--;
        push(page + (1u << from), from);
    }
    free -= std::uint64_t{1} << order;
    return page;
}

void Allocator::give(PageNumber page, unsigned order) {
    verify(page >= first && page + (1u << order) <= end && (page & ((1u << order) - 1)) == 0);
    verify(!record(page).free);
    free += std::uint64_t{1} << order;
    for (; order + 1 < orders; order++) {
        PageNumber buddy = page ^ (1u << order);
        if (buddy < first || buddy >= end || !record(buddy).free || record(buddy).order != order)
            break;
        unlink(buddy);
        page &= ~(1u << order);
    }
    push(page, order);
}

void* provide(std::size_t pages) {
    unsigned order = 0;
    while ((std::size_t{1} << order) < pages)
        order++;
    PageNumber page = pages_allocate(order, Urgency::system);
    return page != 0 ? page_pointer(page) : nullptr;
}

void take_back(void* block, std::size_t pages) {
    unsigned order = 0;
    while ((std::size_t{1} << order) < pages)
        order++;
    pages_free(static_cast<PageNumber>(glue::Ram::offset(block).value >> page_shift), order);
}

} // namespace

bool pages_initialize() {
    std::uint64_t begin = most(round_up(glue::Ram::used()), page_size), end = round_down(glue::Ram::size());
    verify(end >> page_shift < ~PageNumber{0});
    if (begin > end || end - begin < least_ram)
        return false;
    std::uint64_t record_bytes = round_up(((end - begin) >> page_shift) * sizeof(PageRecord));
    for (PageNumber& head : allocator.head)
        head = 0; // tests set up memory several times
    allocator.free = 0;
    allocator.records = reinterpret_cast<PageRecord*>(glue::Ram::pointer(glue::RamOffset{begin}));
    begin += record_bytes;
    if (!glue::Ram::zeroed()) {
        std::memset(static_cast<void*>(allocator.records), 0, record_bytes);
        for (std::uint64_t i = 0; i != record_bytes / sizeof(PageRecord); i++)
            allocator.records[i].used = true;
    }
    allocator.first = static_cast<PageNumber>(begin >> page_shift);
    allocator.end = static_cast<PageNumber>(end >> page_shift);
    allocator.total = allocator.end - allocator.first;
    allocator.reserve = least(most(allocator.total / 64, std::uint64_t{64}), std::uint64_t{1024});
    // In descending order, so that the lists begin with low addresses.
    for (PageNumber page = allocator.end; page > allocator.first;) {
        unsigned order = orders - 1;
        while ((page & ((1u << order) - 1)) != 0 || page - allocator.first < (1u << order))
            order--;
        page -= 1u << order;
        allocator.push(page, order);
        allocator.free += std::uint64_t{1} << order;
    }
    return true;
}

PageNumber pages_allocate(unsigned order, Urgency urgency) {
    if (order >= orders)
        return 0;
    lwkt::SpinGuard guard(allocator.lock);
    if (urgency == Urgency::user && allocator.free < allocator.reserve + (std::uint64_t{1} << order))
        [[unlikely]]
        return 0;
    return allocator.take(order);
}

PageNumber page_allocate(Urgency urgency) {
    return pages_allocate(0, urgency);
}

void pages_free(PageNumber first, unsigned order) {
    lwkt::SpinGuard guard(allocator.lock);
    allocator.soil(first, std::uint64_t{1} << order);
    allocator.give(first, order);
}

void pages_free_run(PageNumber first, std::uint64_t count) {
    lwkt::SpinGuard guard(allocator.lock);
    allocator.soil(first, count);
    while (count > 0) {
        unsigned order = least(static_cast<unsigned>(__builtin_ctz(first)), orders - 1);
        while ((std::uint64_t{1} << order) > count)
            order--;
        allocator.give(first, order);
        first += 1u << order;
        count -= std::uint64_t{1} << order;
    }
}

void page_free(PageNumber page) {
    pages_free(page, 0);
}

PageCounts page_counts() {
    lwkt::SpinGuard guard(allocator.lock);
    return {allocator.total, allocator.free, allocator.reserve};
}

void page_zero(PageNumber page, unsigned count) {
    const PageRecord* record = &allocator.record(page); // ours, like the pages
    for (unsigned done = 0; done != count;) {
        if (!record[done].used) {
            done++;
            continue;
        }
        unsigned end = done + 1;
        while (end != count && record[end].used)
            end++;
        if (end - done > 1)
            glue::Ram::will_write(page_offset(static_cast<PageNumber>(page + done)), end - done);
        std::uint64_t words = std::uint64_t{end - done} * (page_size / 8);
        void* to = page_pointer(static_cast<PageNumber>(page + done));
        asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0) : "memory");
        done = end;
    }
}

void page_copy(PageNumber to, const std::byte* from) {
    std::uint64_t words = page_size / 8;
    void* target = page_pointer(to);
    asm volatile("rep movsq" : "+D"(target), "+S"(from), "+c"(words) : : "memory");
}

lwkt::PageProvider page_provider() {
    return {provide, take_back};
}

} // namespace bsd::vm
