// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/pool.hpp"

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
void* page_of(const PageInfo& info) {
    return reinterpret_cast<void*>(first_page + static_cast<Word>(&info - infos) * page);
}

void clear(void* memory, Word bytes) {
    Word words = bytes / 8;
    asm volatile("rep stosq" : "+D"(memory), "+c"(words) : "a"(0) : "memory");
}
} // namespace

PageInfo& page_info(const void* pool_page) {
    return infos[(reinterpret_cast<Word>(pool_page) - first_page) / page];
}

void PageList::push(PageInfo& info) {
    info.previous = nullptr;
    info.next = first;
    if (first)
        first->previous = &info;
    first = &info;
}

void PageList::remove(PageInfo& info) {
    (info.previous ? info.previous->next : first) = info.next;
    if (info.next)
        info.next->previous = info.previous;
}

void initialize_root_pool(Pool& pool, Word physical, Word pages) {
    Word info_pages = (pages * sizeof(PageInfo) + page - 1) / page;
    infos = arch::pool_pointer<PageInfo>(physical);
    clear(infos, info_pages * page);
    first_page = reinterpret_cast<Word>(infos) + info_pages * page;
    for (Word i = pages - info_pages; i-- > 0;) {
        infos[i] = {&pool, nullptr, nullptr, nullptr, 0, 0, 1};
        pool.free_.push(infos[i]);
    }
    pool.free_pages = pool.total_pages = pages - info_pages;
}

void* Pool::allocate(unsigned size) {
    if (size > 2048) {
        PageInfo* info = free_.first;
        if (free_pages == 0) // what is on the list may be promised to a child
            return nullptr;
        free_.remove(*info);
        full_.push(*info);
        --free_pages;
        info->free = 0;
        info->block_size = 0;
        clear(page_of(*info), page);
        return page_of(*info);
    }
    unsigned which = class_of(size), block = 64u << which;
    PageInfo* info = partial_[which].first;
    if (!info) {
        auto* fresh = static_cast<std::byte*>(allocate(4096));
        if (!fresh)
            return nullptr;
        info = &page_info(fresh);
        full_.remove(*info);
        info->block_size = static_cast<std::uint16_t>(block);
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
    PageInfo& info = page_info(reinterpret_cast<void*>(reinterpret_cast<Word>(block) & ~(page - 1)));
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
    info.free = 1;
    info.block_size = 0;
    free_.push(info);
    ++free_pages;
}

void Pool::promise(Pool& from, Word pages) {
    from.free_pages -= pages;
    promised = pages;
}

bool Pool::take_promised(Pool& from, unsigned steps) {
    for (; promised > 0; --promised) {
        if (steps-- == 0)
            return false;
        PageInfo* info = from.free_.first;
        from.free_.remove(*info);
        --from.total_pages;
        info->owner = this;
        free_.push(*info);
        ++free_pages;
        ++total_pages;
    }
    return true;
}

bool Pool::return_pages(Pool& to, unsigned steps) {
    to.free_pages += promised; // destroyed before it was complete
    promised = 0;
    PageList* lists[] = {&free_,       &full_,       &partial_[0], &partial_[1],
                         &partial_[2], &partial_[3], &partial_[4], &partial_[5]};
    for (PageList* list : lists) {
        while (PageInfo* info = list->first) {
            if (steps-- == 0)
                return false;
            list->remove(*info);
            --total_pages;
            *info = {&to, nullptr, nullptr, nullptr, 0, 0, 1};
            to.free_.push(*info);
            ++to.free_pages;
            ++to.total_pages;
        }
    }
    free_pages = 0;
    return true;
}

void Pool::add_object(Object& object) {
    object.pool_next = objects;
    object.pool_link = &objects;
    if (objects)
        objects->pool_link = &object.pool_next;
    objects = &object;
}

void Pool::remove_object(Object& object) {
    *object.pool_link = object.pool_next;
    if (object.pool_next)
        object.pool_next->pool_link = object.pool_link;
    object.pool_link = nullptr;
}

} // namespace kernel
