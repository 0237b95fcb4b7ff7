// SPDX-License-Identifier: BSD-2-Clause
// A space's page tables, and those that are kept, emptied, for the next process.
#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

using namespace vm;

namespace {

// Tables are kept when emptying them is cheap, and not for ever: empty ones would pile up in them.
constexpr unsigned max_kept_tables = 8, max_table_uses = 256, max_kept_entries = 16;
constexpr std::uint64_t max_kept_pages = 1024;

PageTables* kept_tables; // emptied ones, for the next process
unsigned kept_table_count;

void destroy_tables(PageTables* tables) {
    tables->~PageTables();
    lwkt::release(tables, sizeof(PageTables));
}

} // namespace

bool VmSpace::drop_kept_tables() {
    if (kept_tables == nullptr)
        return false;
    while (PageTables* tables = kept_tables) {
        kept_tables = tables->next;
        destroy_tables(tables);
    }
    kept_table_count = 0;
    return true;
}

PageTables* VmSpace::make_tables() {
    void* memory = lwkt::allocate(sizeof(PageTables));
    if (memory == nullptr)
        return nullptr;
    auto* tables = new (memory) PageTables;
    if (tables->space.create().ok())
        return tables;
    destroy_tables(tables);
    return nullptr;
}

PageTables* VmSpace::take_tables() {
    if (PageTables* tables = kept_tables; tables != nullptr) {
        kept_tables = tables->next;
        kept_table_count--;
        tables->uses++;
        return tables;
    }
    return make_tables();
}

void VmSpace::rest() {
    if (!glue::AddressSpace::cheap_to_make)
        return;
    PageTables* fresh = make_tables();
    if (fresh == nullptr)
        return;
    for (MapEntry* entry = tree_.first(); entry != nullptr; entry = entry->next) {
        entry->mapped_start = entry->mapped_end = entry->start;
        entry->hardware_writable = false;
    }
    destroy_tables(tables_);
    tables_ = fresh;
    release_spare_entries();
}

// The process is gone: nothing runs in its tables any more.
void VmSpace::give_tables() {
    std::uint64_t pages = 0, entries = 0;
    for (const MapEntry* entry = tree_.first(); entry != nullptr; entry = entry->next) {
        pages += (entry->mapped_end - entry->mapped_start) >> page_shift;
        entries += entry->mapped_end != entry->mapped_start;
    }
    if (!glue::AddressSpace::reusable || pages > max_kept_pages || entries > max_kept_entries ||
        tables_->uses >= max_table_uses || kept_table_count >= max_kept_tables)
        return destroy_tables(tables_);
    for (MapEntry* entry = tree_.first(); entry != nullptr; entry = entry->next)
        forget(*entry, entry->start, entry->end);
    tables_->next = kept_tables;
    kept_tables = tables_;
    kept_table_count++;
}

// Takes write access away. Only the object's own pages can have it: where they are few in a wide range, only
// those are visited.
void VmSpace::write_protect(MapEntry& entry) {
    constexpr std::uint64_t sparse = 8, worthwhile_gap = 32;
    glue::Access access = glue::Access::read;
    if ((entry.protection & protection_execute) != 0)
        access = access | glue::Access::execute;
    auto protect_range = [&](std::uint64_t first, std::uint64_t last) {
        tables_->space.protect(glue::UserAddress{entry.start + ((first - entry.index) << page_shift)},
                               last + 1 - first, access);
    };
    entry.hardware_writable = false;
    std::uint64_t low = entry.index_at(entry.mapped_start), high = entry.index_at(entry.mapped_end);
    if (entry.object->own_pages() * sparse >= high - low)
        return protect_range(low, high - 1);
    std::uint64_t first = 0, last = 0, index = 0;
    bool open = false;
    for (std::uint64_t from = low; entry.object->next_own(from, index) && index < high; from = index + 1) {
        if (open && index - last > worthwhile_gap) {
            protect_range(first, last);
            open = false;
        }
        if (!open)
            first = index;
        open = true;
        last = index;
    }
    if (open)
        protect_range(first, last);
}

// Kept tables are the first to go when the kernel's pool is exhausted.
bool VmSpace::map_hardware(std::uint64_t address, const Frame& frame, std::uint64_t pages,
                           glue::Access access) {
    do {
        if (tables_->space.map(glue::UserAddress{address}, frame.source, frame.offset, pages, access).ok())
            return true;
    } while (drop_kept_tables());
    return false;
}

void VmSpace::forget_translations() {
    for (unsigned i = 0; i != translation_slots * lwkt::cpu_count(); ++i)
        translations_[i].tag = 0;
}

void VmSpace::forget(MapEntry& entry, std::uint64_t start, std::uint64_t end) {
    if (entry.object == nullptr)
        return; // never touched
    if (end - start > translation_slots << page_shift)
        forget_translations();
    else
        for (std::uint64_t page = start; page < end; page += page_size)
            forget_translation(page);
    std::uint64_t from = most(start, entry.mapped_start), to = least(end, entry.mapped_end);
    if (from >= to)
        return;
    tables_->space.unmap(glue::UserAddress{from}, (to - from) >> page_shift);
    if (from == entry.mapped_start)
        entry.mapped_start = to;
    else if (to == entry.mapped_end)
        entry.mapped_end = from;
    if (entry.mapped_start == entry.mapped_end)
        entry.hardware_writable = false;
}

} // namespace bsd
