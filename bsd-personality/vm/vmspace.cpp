// SPDX-License-Identifier: BSD-2-Clause
// Life of a space, its entries and the page tables: creation, fork, destruction, splitting and removal.
// The order that keeps memory safe: pages leave the page tables before they go back to the allocator.
#include "bsd-personality/vm/vmspace.hpp"

#include "bsd-personality/kern/text.hpp"

namespace bsd {

using namespace vm;

namespace {

constexpr std::uint64_t worth_counting = 256 << 10; // bytes that go, before which what is resident is noted
constexpr unsigned spare_entries = 8;               // kept for the next mmap
} // namespace

VmSpace* VmSpace::create() {
    void* memory = lwkt::allocate(sizeof(VmSpace));
    if (memory == nullptr)
        return nullptr;
    auto* space = new (memory) VmSpace;
    space->tables_ = take_tables();
    space->translations_ = static_cast<Translation*>(lwkt::allocate(translation_bytes()));
    if (space->translations_ != nullptr)
        space->forget_translations();
    if (space->tables_ == nullptr || space->translations_ == nullptr) {
        space->unref();
        return nullptr;
    }
    return space;
}

void VmSpace::unref() {
    verify(references_ != 0);
    if (--references_ == 0)
        destroy();
}

void VmSpace::destroy() {
    if (umtx_keys)
        umtx_owner_gone(this);
    if (tables_ != nullptr)
        give_tables();
    for (MapEntry* entry = tree_.first(); entry != nullptr;) {
        MapEntry* next = entry->next; // the tree goes as a whole
        if (entry->object != nullptr) {
            entry->object->detach(*entry);
            entry->object->unref();
        }
        lwkt::release(entry, sizeof(MapEntry));
        entry = next;
    }
    release_spare_entries();
    if (translations_ != nullptr)
        lwkt::release(translations_, translation_bytes());
    this->~VmSpace();
    lwkt::release(this, sizeof(VmSpace));
}

// --- entries
// ---------------------------------------------------------------------------------------------------------

MapEntry* VmSpace::lookup(std::uint64_t address) {
    if (last_ != nullptr && last_->start <= address && address < last_->end) [[likely]]
        return last_;
    MapEntry* entry = tree_.floor(address);
    if (entry == nullptr || address >= entry->end)
        return nullptr;
    last_ = entry;
    return entry;
}

// Operations reserve what they may need before they change anything.
bool VmSpace::reserve_entries(unsigned count) {
    while (spares_ < count) {
        auto* entry = static_cast<MapEntry*>(lwkt::allocate(sizeof(MapEntry)));
        if (entry == nullptr)
            return false;
        entry->next = spare_;
        spare_ = entry;
        spares_++;
    }
    return true;
}

MapEntry* VmSpace::new_entry() {
    verify(spare_ != nullptr);
    MapEntry* entry = spare_;
    spare_ = entry->next;
    spares_--;
    new (entry) MapEntry;
    entry->space = this;
    return entry;
}

void VmSpace::release_spare_entries() {
    while (MapEntry* entry = spare_) {
        spare_ = entry->next;
        lwkt::release(entry, sizeof(MapEntry));
    }
    spares_ = 0;
}

void VmSpace::free_entry(MapEntry* entry) {
    if (last_ == entry)
        last_ = nullptr;
    if (spares_ >= spare_entries)
        return lwkt::release(entry, sizeof(MapEntry));
    entry->next = spare_;
    spare_ = entry;
    spares_++;
}

// Splits an entry so that one begins at `address`, which lies inside. Uses one reserved entry.
void VmSpace::split(MapEntry& entry, std::uint64_t address) {
    MapEntry* upper = new_entry();
    *upper = entry;
    upper->left = upper->right = upper->parent = upper->next = upper->previous = nullptr;
    upper->in_object = {};
    upper->start = address;
    upper->index = entry.index_at(address);
    upper->mapped_start = most(entry.mapped_start, address);
    upper->mapped_end = most(entry.mapped_end, upper->mapped_start);
    entry.end = address;
    entry.mapped_end = least(entry.mapped_end, address);
    entry.mapped_start = least(entry.mapped_start, entry.mapped_end);
    if (entry.object != nullptr) {
        entry.object->ref();
        entry.object->attach(*upper);
    }
    tree_.insert(upper); // also updates the gap before it
}

// Makes entries begin and end at the ends of a range and returns the first one in it. Uses two reserved
// entries.
MapEntry* VmSpace::clip_range(std::uint64_t start, std::uint64_t end) {
    MapEntry* first = tree_.first_above(start);
    if (first == nullptr || first->start >= end)
        return nullptr;
    if (first->start < start) {
        split(*first, start);
        first = first->next;
    }
    MapEntry* last = tree_.floor(end - 1);
    if (last->start < end && last->end > end)
        split(*last, end);
    return first;
}

void VmSpace::remove_range(std::uint64_t start, std::uint64_t end) {
    if (end - start >= worth_counting)
        note_resident();
    for (MapEntry* entry = clip_range(start, end); entry != nullptr && entry->start < end;) {
        MapEntry* next = entry->next;
        forget(*entry, entry->start, entry->end);
        if (Object* object = entry->object; object != nullptr) {
            if (object->references() > 1 && object->private_to(*this))
                object->free_pages(entry->index, entry->index + entry->pages());
            object->detach(*entry);
            object->unref();
        }
        counters_.virtual_bytes -= entry->end - entry->start;
        tree_.remove(entry);
        free_entry(entry);
        entry = next;
    }
}

// --- fork
// ------------------------------------------------------------------------------------------------------------

// Gives the child its entry for one of this space. Uses one of the child's reserved entries.
bool VmSpace::copy_entry(MapEntry& entry, VmSpace& child) {
    if (entry.inherit == Inherit::none)
        return true;
    if (entry.inherit == Inherit::share && !(prepare_object(entry) && prepare_write(entry)))
        return false;
    bool fresh = entry.inherit == Inherit::zero;
    MapEntry* copy = child.new_entry();
    copy->start = entry.start;
    copy->end = entry.end;
    copy->index = entry.index;
    copy->protection = entry.protection;
    copy->max_protection = entry.max_protection;
    copy->inherit = entry.inherit;
    copy->shared = entry.shared && !fresh;
    copy->stack = entry.stack;
    copy->guard = entry.guard;
    copy->no_core = entry.no_core;
    if (entry.object != nullptr && !fresh && entry.inherit == Inherit::copy &&
        child.copy_pages(entry, *copy)) {
        // It has its own.
    } else if (entry.object != nullptr && !fresh) {
        entry.object->ref();
        entry.object->attach(*copy);
        copy->object = entry.object;
        if (entry.inherit == Inherit::copy) {
            copy->shared = false;
            copy->needs_copy = true;
            if (!entry.shared)
                entry.needs_copy = true;
            if (entry.hardware_writable && !entry.shared)
                write_protect(entry);
        }
    }
    child.tree_.insert(copy);
    child.counters_.virtual_bytes += copy->end - copy->start;
    if (copy->object != nullptr && copy->object != entry.object)
        child.map_own_pages(*copy);
    return true;
}

// Few pages that only this entry of the parent sees are copied, where faults are dear: neither side will have
// to take one for them. False: nothing has happened.
bool VmSpace::copy_pages(MapEntry& entry, MapEntry& copy) {
    Object& object = *entry.object;
    if (entry.needs_copy || entry.shared || !object.exclusive() || object.own_pages() == 0 ||
        object.own_pages() > glue::fork_copy_pages())
        return false;
    copy.object = object.duplicate(entry.index, entry.index + entry.pages());
    if (copy.object == nullptr)
        return false;
    copy.object->attach(copy);
    counters_.copies += copy.object->own_pages();
    return true;
}

VmSpace* VmSpace::fork() {
    VmSpace* child = create();
    if (child == nullptr)
        return nullptr;
    forget_translations(); // none may be written through any more
    tables_->space.hold();
    bool copied = true;
    for (MapEntry* entry = tree_.first(); entry != nullptr && copied; entry = entry->next)
        copied = child->reserve_entries(1) && copy_entry(*entry, *child);
    tables_->space.let_go();
    if (!copied) {
        child->unref();
        return nullptr;
    }
    child->limits = limits;
    child->layout_ = layout_;
    child->randomized = randomized;
    child->break_ = break_;
    child->stack_top_ = stack_top_;
    child->stack_low_ = stack_low_;
    return child;
}

void VmSpace::replace_object(Object& old, Object& by) {
    for (MapEntry* entry = tree_.first(); entry != nullptr; entry = entry->next) {
        if (entry->object != &old)
            continue;
        verify(entry->mapped_start == entry->mapped_end);
        old.detach(*entry);
        by.ref();
        entry->object = &by;
        by.attach(*entry);
        old.unref();
    }
}

// --- questions
// -------------------------------------------------------------------------------------------------------

bool VmSpace::covered(std::uint64_t start, std::uint64_t end) const {
    for (const MapEntry* entry = tree_.first_above(start); entry != nullptr; entry = entry->next) {
        if (entry->start > start)
            return false;
        start = entry->end;
        if (start >= end)
            return true;
    }
    return false;
}

unsigned VmSpace::core_state(std::uint64_t address) const {
    const MapEntry* entry = tree_.floor(address);
    if (entry == nullptr || address >= entry->end || entry->object == nullptr)
        return 0;
    const bool mapped = address >= entry->mapped_start && address < entry->mapped_end;
    switch (entry->object->find(entry->index_at(address)).place) {
    case Frame::Place::own: // somebody has written to it, or may have
        return 1 | (mapped ? 2 | 4 : 8 | 16);
    case Frame::Place::backing:
    case Frame::Place::image:
        return 1 | (mapped ? 2 : 8);
    default:
        return 0;
    }
}

bool VmSpace::shared_key(std::uint64_t address, Key& key) {
    MapEntry* entry = address < user_address_end ? lookup(address) : nullptr;
    if (entry == nullptr)
        return false;
    key = {this, address};
    if (entry->shared || entry->inherit == Inherit::share) {
        if (!prepare_object(*entry) || !prepare_write(*entry))
            return false;
        key = {entry->object, (entry->index_at(address) << page_shift) | (address & page_mask)};
    }
    return true;
}

// The first entries are enough where there are many: this is about what goes, which is large.
void VmSpace::note_resident() {
    constexpr unsigned most_entries = 128;
    std::uint64_t pages = 0;
    const MapEntry* entry = tree_.first();
    for (unsigned i = 0; entry != nullptr && i < most_entries; entry = entry->next, i++)
        if (entry->object != nullptr)
            pages += least(entry->object->resident(), entry->pages());
    counters_.most_resident = most(counters_.most_resident, pages);
}

std::uint64_t VmSpace::resident_pages() const {
    std::uint64_t pages = 0;
    for (const MapEntry* entry = tree_.first(); entry != nullptr; entry = entry->next)
        if (entry->object != nullptr)
            pages += least(entry->object->resident(), entry->pages());
    return pages;
}

} // namespace bsd
