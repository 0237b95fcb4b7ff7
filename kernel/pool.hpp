// SPDX-License-Identifier: BSD-2-Clause
// Memory pools: all kernel memory. Each page of kernel object memory has a PageInfo that links it into a list
// of the pool that owns it and says how it is cut. A pool cuts pages into blocks of 64 .. 2048 bytes or hands
// out whole pages. Creating a child moves pages from the parent's free list; destroying the child moves all
// of its pages back. All members hold structure_lock.
#pragma once

#include <new>

#include "kernel/invariant.hpp"
#include "kernel/object.hpp"

namespace kernel {

// Of a page that is in use; a free one's is only linked.
struct PageInfo {
    PageInfo *next, *previous; // in its pool's free, partial or full list
    void* free_blocks;         // of a cut page
    Word used_blocks;
#ifdef LIBELLE_INVARIANTS
    const void* owner; // the pool
#endif
};
static_assert(sizeof(PageInfo) == 32 || checks_invariants);

struct PageList {
    PageInfo *first = nullptr, *last = nullptr;
    void push(PageInfo& page);
    void remove(PageInfo& page);
    void take_all(PageList& from); // to the front; `from` is empty then
};

class Pool : public Object {
public:
    static constexpr Type kind = Type::pool;

    // Takes a block of `size` bytes (at most 4096), zeroed and aligned to 64 (a page: to 4096); nullptr if
    // exhausted.
    void* allocate(unsigned size);
    void release(void* block, unsigned size);
    void* allocate_page() { return allocate(4096); }
    void* allocate_page_uncleared(); // for who writes all of it at once
    void release_page(void* page) { release(page, 4096); }

    // A child is made in steps: pages are promised at once, so that the parent cannot use them meanwhile, and
    // moved up to `limit` at a time; true when all have been.
    void promise(Pool& from, Word pages); // no more than from.free_pages
    bool take_promised(Pool& from, unsigned limit);
    // Moves all pages, whatever they held, back to `to`.
    void return_pages(Pool& to);

    void check_pages() const; // (invariant.hpp) as many as it believes, none of them another's
    void add_object(Object& object);
    void remove_object(Object& object);

    // The objects made from this pool, in the order in which they are destroyed: what runs, then what
    // signals, then what those ran on, waited for and mapped through.
    static constexpr unsigned ranks = 3;
    Object* objects[ranks] = {};
    Word buried = 0; // objects that are destroyed but not freed yet
    Word free_pages = 0, total_pages = 0;
    Word promised = 0;
    unsigned depth = 0; // immutable: pools above it
    static constexpr unsigned max_depth = 15;

private:
    static constexpr unsigned classes = 6; // 64 .. 2048
    PageList free_, full_, partial_[classes];
    friend void initialize_root_pool(Pool& pool, Word physical, Word pages);
};

// Boot: turns a physical range, mapped in the pool window, into the root pool.
void initialize_root_pool(Pool& pool, Word physical, Word pages);

// Memory in words, by one instruction that emulation and the counting of steps price at one a word.
inline void clear(void* memory, Word bytes) {
    Word words = bytes / 8;
    asm volatile("rep stosq" : "+D"(memory), "+c"(words) : "a"(0) : "memory");
}
inline void copy(void* to, const void* from, Word bytes) {
    Word words = bytes / 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

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
