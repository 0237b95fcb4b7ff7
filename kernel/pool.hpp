// SPDX-License-Identifier: BSD-2-Clause
// Memory pools: all kernel memory. Each page of kernel object memory has a PageInfo that says which pool owns
// it and how it is cut. A pool cuts pages into blocks of 64 .. 2048 bytes or hands out whole pages. Creating
// a child moves pages from the parent's free list; destroying the child moves all of its pages back. All
// members hold structure_lock.
#pragma once

#include <new>

#include "kernel/object.hpp"

namespace kernel {

struct PageInfo {
    Pool* owner;
    PageInfo *next, *previous; // in the owner's free, partial or full list
    void* free_blocks;         // of a cut page
    std::uint16_t used_blocks;
    std::uint16_t block_size; // 0: whole page
    std::uint32_t free;       // whole page on the free list
};
static_assert(sizeof(PageInfo) == 40);

struct PageList {
    PageInfo* first = nullptr;
    void push(PageInfo& page);
    void remove(PageInfo& page);
};

class Pool : public Object {
public:
    static constexpr Type kind = Type::pool;

    // Takes a block of `size` bytes (at most 4096), zeroed and aligned to 64 (a page: to 4096); nullptr if
    // exhausted.
    void* allocate(unsigned size);
    void release(void* block, unsigned size);
    void* allocate_page() { return allocate(4096); }
    void release_page(void* page) { release(page, 4096); }

    // A child is made in steps: pages are promised at once, so that the parent cannot use them meanwhile, and
    // moved up to `steps` at a time; true when all have been.
    void promise(Pool& from, Word pages); // no more than from.free_pages
    bool take_promised(Pool& from, unsigned steps);
    // Moves up to `steps` pages of any state back to `to`; true when none is left.
    bool return_pages(Pool& to, unsigned steps);

    void add_object(Object& object);
    void remove_object(Object& object);

    Object* objects = nullptr; // all objects made from this pool
    Word free_pages = 0, total_pages = 0;
    Word promised = 0;
    unsigned destroy_phase = 0;
    Word grace = 0; // reclaim ticket while being destroyed

private:
    static constexpr unsigned classes = 6; // 64 .. 2048
    PageList free_, full_, partial_[classes];
    friend void initialize_root_pool(Pool& pool, Word physical, Word pages);
};

// Boot: turns a physical range, mapped in the pool window, into the root pool.
void initialize_root_pool(Pool& pool, Word physical, Word pages);
PageInfo& page_info(const void* pool_page);

// Makes an object from a pool and links it. Holds structure_lock; nullptr if exhausted.
template <class T>
T* make(Pool& pool) {
    static_assert(sizeof(T) <= 4096);
    void* memory = pool.allocate(sizeof(T));
    if (!memory)
        return nullptr;
    T* object = new (memory) T;
    object->type = T::kind;
    object->pool = &pool;
    pool.add_object(*object);
    return object;
}

} // namespace kernel
