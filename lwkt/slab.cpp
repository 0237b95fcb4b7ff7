// SPDX-License-Identifier: BSD-2-Clause
// The slab allocator. Small objects come from zones: naturally aligned blocks of 4 or 16 KiB with a header,
// cut into objects of one class and owned by the core that made them. Only the owner touches a zone; an
// object released on another core is pushed on its owner's list, which the owner drains when it is idle, out
// of objects, or kicked. Bigger requests go to the page provider. A zone that becomes empty goes back, except
// one a class.
#include "lwkt/globaldata.hpp"

namespace lwkt {

namespace {

constexpr std::size_t class_sizes[slab_classes] = {16,  32,  48,  64,  96,  128,  160,  192, 256,
                                                   288, 384, 512, 544, 768, 1024, 1536, 2048};
constexpr std::size_t largest_class = 2048;
constexpr std::uint32_t remote_kick = 64; // releases by other cores after which the owner is kicked

constexpr std::size_t zone_pages(unsigned index) {
    return class_sizes[index] <= 256 ? 1 : 4;
}

constexpr unsigned find_class(std::size_t size) {
    unsigned index = 0;
    while (class_sizes[index] < size)
        ++index;
    return index;
}

// Class of every multiple of 16, made at compile time.
struct ClassTable {
    std::uint8_t of[largest_class / 16 + 1];
    constexpr ClassTable() : of{} {
        for (std::size_t units = 0; units <= largest_class / 16; ++units)
            of[units] = static_cast<std::uint8_t>(find_class(units * 16));
    }
};
constexpr ClassTable class_table;
unsigned class_of(std::size_t size) {
    return class_table.of[(size + 15) / 16];
}

std::size_t pages_of(std::size_t size) {
    std::size_t pages = 1;
    while (pages * glue::page_size < size)
        pages *= 2;
    return pages;
}

struct FreeObject {
    FreeObject* next;
    SlabZone* zone; // on the remote list only
};
static_assert(sizeof(FreeObject) == 16);

} // namespace

struct alignas(64) SlabZone {
    GlobalData* owner; // immutable
    FreeObject* free;  // released objects
    SlabZone* next;    // among the partial zones of the class
    SlabZone* previous;
    std::uint16_t index;    // class; immutable
    std::uint16_t capacity; // immutable
    std::uint16_t fresh;    // objects never handed out, at the end of the zone
    std::uint16_t used;
};
static_assert(sizeof(SlabZone) == 64);

namespace {

SlabZone* zone_of(void* object, unsigned index) {
    return reinterpret_cast<SlabZone*>(reinterpret_cast<std::uintptr_t>(object) &
                                       ~(zone_pages(index) * glue::page_size - 1));
}

void link_zone(SlabClass& slab, SlabZone* zone) {
    zone->previous = nullptr;
    zone->next = slab.partial;
    if (zone->next)
        zone->next->previous = zone;
    slab.partial = zone;
}

void unlink_zone(SlabClass& slab, SlabZone* zone) {
    (zone->previous ? zone->previous->next : slab.partial) = zone->next;
    if (zone->next)
        zone->next->previous = zone->previous;
}

SlabZone* make_zone(GlobalData& gd, unsigned index) {
    std::size_t bytes = zone_pages(index) * glue::page_size;
    void* block = page_provider.allocate(zone_pages(index));
    if (block == nullptr)
        return nullptr;
    auto capacity = static_cast<std::uint16_t>((bytes - sizeof(SlabZone)) / class_sizes[index]);
    auto* zone = new (block)
        SlabZone{&gd, nullptr, nullptr, nullptr, static_cast<std::uint16_t>(index), capacity, capacity, 0};
    gd.slab_counters.pages += zone_pages(index);
    glue::memory_released(zone + 1, bytes - sizeof(SlabZone));
    link_zone(gd.slab[index], zone);
    ktr(KtrEvent::slab_zone, zone, 1);
    ++gd.slab[index].empty_zones;
    return zone;
}

void free_zone(GlobalData& gd, SlabZone* zone) {
    unsigned index = zone->index;
    ktr(KtrEvent::slab_zone, zone, 0);
    unlink_zone(gd.slab[index], zone);
    --gd.slab[index].empty_zones;
    gd.slab_counters.pages -= zone_pages(index);
    glue::memory_allocated(zone, zone_pages(index) * glue::page_size);
    page_provider.release(zone, zone_pages(index));
}

// The object's zone belongs to this core.
void release_here(GlobalData& gd, SlabZone* zone, void* pointer) {
    SlabClass& slab = gd.slab[zone->index];
    std::size_t size = class_sizes[zone->index];
    verify(zone->owner == &gd && zone->used != 0);
    auto* object = static_cast<FreeObject*>(pointer);
    object->next = zone->free;
    if (zone->free == nullptr && zone->fresh == 0)
        link_zone(slab, zone); // it was full
    zone->free = object;
    gd.slab_counters.allocated -= size;
    glue::memory_released(static_cast<std::byte*>(pointer) + sizeof(FreeObject), size - sizeof(FreeObject));
    if (--zone->used == 0 && ++slab.empty_zones > 1)
        free_zone(gd, zone);
}

void release_elsewhere(SlabZone* zone, void* pointer) {
    GlobalData& owner = *zone->owner;
    auto* object = static_cast<FreeObject*>(pointer);
    object->zone = zone;
    void* head = __atomic_load_n(&owner.remote_frees, __ATOMIC_RELAXED);
    do
        object->next = static_cast<FreeObject*>(head);
    while (!__atomic_compare_exchange_n(&owner.remote_frees, &head, pointer, true, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED));
    if (__atomic_add_fetch(&owner.remote_free_count, 1, __ATOMIC_RELAXED) == remote_kick)
        owner.vcpu->kick();
}

} // namespace

void drain_remote_frees(GlobalData& gd) {
    if (__atomic_load_n(&gd.remote_frees, __ATOMIC_RELAXED) == nullptr)
        return;
    __atomic_store_n(&gd.remote_free_count, 0, __ATOMIC_RELAXED);
    auto* object = static_cast<FreeObject*>(__atomic_exchange_n(&gd.remote_frees, nullptr, __ATOMIC_SEQ_CST));
    while (object) {
        FreeObject* next = object->next;
        ++gd.slab_counters.remote;
        release_here(gd, object->zone, object);
        object = next;
    }
}

void release_empty_zones(GlobalData& gd) {
    for (SlabClass& slab : gd.slab) {
        SlabZone* next;
        for (SlabZone* zone = slab.partial; zone; zone = next) {
            next = zone->next;
            if (zone->used == 0)
                free_zone(gd, zone);
        }
    }
}

void* allocate(std::size_t size) {
    CriticalSection critical;
    GlobalData& gd = here();
    if (size > largest_class) {
        std::size_t pages = size <= 16 * glue::page_size ? pages_of(size) : 0;
        void* block = pages ? page_provider.allocate(pages) : nullptr;
        if (block) {
            gd.slab_counters.pages += pages;
            gd.slab_counters.allocated += pages * glue::page_size;
        } else {
            ++gd.slab_counters.failures;
        }
        return block;
    }
    unsigned index = class_of(size);
    SlabClass& slab = gd.slab[index];
    SlabZone* zone = slab.partial;
    if (zone == nullptr) [[unlikely]] {
        drain_remote_frees(gd);
        zone = slab.partial ? slab.partial : make_zone(gd, index);
        if (zone == nullptr) {
            ++gd.slab_counters.failures;
            return nullptr;
        }
    }
    void* object = zone->free;
    if (object)
        zone->free = zone->free->next;
    else
        object = reinterpret_cast<std::byte*>(zone) + sizeof(SlabZone) +
                 std::size_t(zone->capacity - zone->fresh--) * class_sizes[index];
    if (zone->used++ == 0)
        --slab.empty_zones;
    if (zone->free == nullptr && zone->fresh == 0)
        unlink_zone(slab, zone);
    gd.slab_counters.allocated += class_sizes[index];
    glue::memory_allocated(object, size);
    return object;
}

void release(void* pointer, std::size_t size) {
    if (pointer == nullptr)
        return;
    CriticalSection critical;
    GlobalData& gd = here();
    if (size > largest_class) {
        std::size_t pages = pages_of(size);
        gd.slab_counters.pages -= pages;
        gd.slab_counters.allocated -= pages * glue::page_size;
        return page_provider.release(pointer, pages);
    }
    SlabZone* zone = zone_of(pointer, class_of(size));
    verify(zone->index == class_of(size)); // the size is not the one asked for
    if (size < sizeof(FreeObject))
        glue::memory_allocated(pointer, sizeof(FreeObject));
    if (zone->owner == &gd) {
        if (__atomic_load_n(&gd.remote_frees, __ATOMIC_RELAXED)) [[unlikely]]
            drain_remote_frees(gd);
        release_here(gd, zone, pointer);
    } else {
        release_elsewhere(zone, pointer);
    }
}

SlabStatistics slab_statistics(CpuId cpu) {
    return globaldata_of[cpu.value]->slab_counters;
}

} // namespace lwkt
