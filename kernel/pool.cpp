// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/pool.hpp"
#include "kernel/invariant.hpp"

#include "kernel/arch/x86_64/memory.hpp"

namespace kernel {

using arch::page;

namespace {
PageInfo* infos; // one per page of kernel object memory
Word first_page; // pool-window address of the page that infos[0] describes

unsigned class_of(unsigned size) {
    unsigned shift = 6;
    while ((1u << shift) < size)
        ++shift;
    return shift - 6;
}
PageInfo& info_of(const void* in_page) {
    return infos[(reinterpret_cast<Word>(in_page) - first_page) / page];
}
void* page_of(const PageInfo& info) {
    return reinterpret_cast<void*>(first_page + static_cast<Word>(&info - infos) * page);
}

#ifdef LIBELLE_INVARIANTS
void set_owner(PageInfo& info, const Pool* pool) {
    info.owner = pool;
}
void check_owner(const PageInfo& info, const Pool* pool) {
    invariant(info.owner == pool, "pool: another's page");
}
#else
void set_owner(PageInfo&, const Pool*) {}
void check_owner(const PageInfo&, const Pool*) {}
#endif
} // namespace

void PageList::push(PageInfo& info) {
    info.previous = nullptr;
    info.next = first;
    (first ? first->previous : last) = &info;
    first = &info;
}

void PageList::remove(PageInfo& info) {
    (info.previous ? info.previous->next : first) = info.next;
    (info.next ? info.next->previous : last) = info.previous;
}

void PageList::take_all(PageList& from) {
    if (!from.first)
        return;
    from.last->next = first;
    (first ? first->previous : last) = from.last;
    first = from.first;
    from = {};
}

void initialize_root_pool(Pool& pool, Word physical, Word pages) {
    Word info_pages = (pages * sizeof(PageInfo) + page - 1) / page;
    infos = arch::pool_pointer<PageInfo>(physical);
    clear(infos, info_pages * page);
    first_page = reinterpret_cast<Word>(infos) + info_pages * page;
    for (Word i = pages - info_pages; i-- > 0;) {
        pool.free_.push(infos[i]);
    }
    pool.free_pages = pool.total_pages = pages - info_pages;
}

void* Pool::allocate_page_uncleared() {
    PageInfo* info = free_.first;
    if (free_pages == 0) // what is on the list may be promised to a child
        return nullptr;
    free_.remove(*info);
    full_.push(*info);
    --free_pages;
    set_owner(*info, this);
    return page_of(*info);
}

void* Pool::allocate(unsigned size) {
    if (size > 2048) {
        void* page_memory = allocate_page_uncleared();
        if (page_memory)
            clear(page_memory, page);
        return page_memory;
    }
    unsigned which = class_of(size), block = 64u << which;
    PageInfo* info = partial_[which].first;
    if (!info) {
        auto* fresh = static_cast<std::byte*>(allocate_page_uncleared());
        if (!fresh)
            return nullptr;
        info = &info_of(fresh);
        full_.remove(*info);
        info->used_blocks = 0;
        info->free_blocks = nullptr;
        for (unsigned at = page; at >= block; at -= block) {
            *reinterpret_cast<void**>(fresh + at - block) = info->free_blocks;
            info->free_blocks = fresh + at - block;
        }
        partial_[which].push(*info);
    }
    void* result = info->free_blocks;
    info->free_blocks = *static_cast<void**>(result);
    if (++info->used_blocks; !info->free_blocks) {
        partial_[which].remove(*info);
        full_.push(*info);
    }
    clear(result, block);
    return result;
}

void Pool::release(void* block, unsigned size) {
    PageInfo& info = info_of(block);
    check_owner(info, this);
    poison(block, size > 2048 ? page : 64u << class_of(size));
    if (size <= 2048) {
        unsigned which = class_of(size);
        if (!info.free_blocks) {
            full_.remove(info);
            partial_[which].push(info);
        }
        *static_cast<void**>(block) = info.free_blocks;
        info.free_blocks = block;
        if (--info.used_blocks > 0)
            return;
        partial_[which].remove(info);
    } else {
        full_.remove(info);
    }
    free_.push(info);
    ++free_pages;
}

void Pool::promise(Pool& from, Word pages) {
    from.free_pages -= pages;
    promised = pages;
}

bool Pool::take_promised(Pool& from, unsigned limit) {
    unsigned count = promised < limit ? static_cast<unsigned>(promised) : limit;
    if (count > 0) {
        PageList taken{from.free_.first, from.free_.first};
        for (unsigned i = 1; i < count; ++i)
            taken.last = taken.last->next;
        from.free_.first = taken.last->next;
        (from.free_.first ? from.free_.first->previous : from.free_.last) = nullptr;
        free_.take_all(taken);
    }
    from.total_pages -= count;
    total_pages += count;
    free_pages += count;
    promised -= count;
    return promised == 0;
}

void Pool::check_pages() const {
    if constexpr (!checks_invariants)
        return;
    Word count = 0;
    for (const PageInfo* at = free_.first; at; at = at->next)
        ++count;
    invariant(count >= free_pages, "pool: fewer free pages than it believes");
    for (const PageList* list = partial_; list != partial_ + classes; ++list)
        for (const PageInfo* at = list->first; at; at = at->next, ++count)
            check_owner(*at, this);
    for (const PageInfo* at = full_.first; at; at = at->next, ++count)
        check_owner(*at, this);
    invariant(count == total_pages, "pool: not as many pages as it believes");
}

void Pool::return_pages(Pool& to) {
    check_pages();
    to.free_pages += promised + total_pages; // a promise is left if it was destroyed before it was complete
    to.total_pages += total_pages;
    free_pages = total_pages = promised = 0;
    to.free_.take_all(free_);
    to.free_.take_all(full_);
    for (PageList& list : partial_)
        to.free_.take_all(list);
}

namespace {
unsigned rank_of(Type type) {
    switch (type) {
    case Type::pool:
    case Type::task:
    case Type::thread:
        return 0;
    case Type::timer:
    case Type::irq:
        return 1;
    default:
        return 2;
    }
}
} // namespace

void Pool::add_object(Object& object) {
    Object*& first = objects[rank_of(object.type)];
    object.pool_next = first;
    object.pool_link = &first;
    if (first)
        first->pool_link = &object.pool_next;
    first = &object;
}

void Pool::remove_object(Object& object) {
    *object.pool_link = object.pool_next;
    if (object.pool_next)
        object.pool_next->pool_link = object.pool_link;
    object.pool_link = nullptr;
}

} // namespace kernel
