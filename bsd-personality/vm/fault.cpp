// SPDX-License-Identifier: BSD-2-Clause
// Page faults and translations for the personality's own accesses. Both resolve an address to a frame in the
// same way; a fault then maps a window of pages that lie one after the other in memory, with one kernel
// invocation. Memory that is touched in sequence is filled (or copied) in growing runs. Page tables are a
// cache: whatever is missing there is mapped again, and pages are mapped writable only while a write needs
// nothing done first.
#include <cstring>

#include "bsd-personality/kern/giant.hpp"
#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

using namespace vm;
using Place = Frame::Place;

namespace {

constexpr std::uint64_t longest_run = 16;  // pages that one fault fills at most
constexpr std::uint64_t most_block = 1024; // pages; the page allocator's largest
constexpr std::uint64_t block_share = 64;  // of the free pages that a block may be, at most: one in so many
constexpr std::uint64_t stack_growth = 128 << 10; // the stack grows by this at least
constexpr std::uint64_t stack_index = 1 << 18;    // pages of room below a stack's object

bool present(const Frame& frame) {
    return frame.place >= Place::own;
}

/// `next` lies right behind `frame` in the same memory, with the same rights.
bool adjoins(const Frame& frame, const Frame& next, std::uint64_t distance) {
    return next.place == frame.place && next.source == frame.source &&
           next.offset.value == frame.offset.value + (distance << page_shift);
}

} // namespace

// An anonymous entry gets its object when it is touched first. The index follows the address within a leaf of
// the page tree, so that few leaves are needed.
bool VmSpace::prepare_object(MapEntry& entry) {
    if (entry.object != nullptr)
        return true;
    entry.object = Object::create_anonymous().release();
    if (entry.object == nullptr)
        return false;
    entry.index = (entry.start >> page_shift) % PageTree::fan;
    if (entry.stack)
        entry.index += stack_index;
    entry.object->attach(entry);
    return true;
}

// Before a write to memory that is shared since a fork, or to a private file mapping: a shadow takes the
// pages that will be written. If the other holders are gone, the object itself can.
bool VmSpace::prepare_write(MapEntry& entry) {
    if (!entry.needs_copy)
        return true;
    if (!entry.object->exclusive()) {
        Object* shadow = Object::create_shadow(entry.object);
        if (shadow == nullptr)
            return false;
        entry.object->detach(entry);
        entry.object = shadow;
        shadow->attach(entry);
    }
    entry.needs_copy = false;
    return true;
}

// What to bring in for `page`. Where changing page tables is dear: a block around it, of new memory or of a
// file's that is written to, and of new memory as much as is in use right before it. Else only the page
// itself, or 4 pages and then 16 for a walk through pages that are alike. Other copies stay small: a fork
// makes many.
VmSpace::Run VmSpace::run_to_fill(MapEntry& entry, std::uint64_t page, Place place) const {
    std::uint64_t least_block = glue::fault_block_pages();
    if (least_block > 1 && place != Place::backing) {
        PageCounts counts = page_counts();
        auto fits = [&](std::uint64_t start, std::uint64_t pages) {
            return pages <= counts.free / block_share &&
                   entry.object->alike(entry.index_at(start), pages, place);
        };
        for (std::uint64_t block = most_block; block > least_block && place == Place::nowhere; block /= 2) {
            std::uint64_t bytes = block << page_shift, start = page & ~(bytes - 1);
            if (start < entry.start + bytes || start + bytes > entry.end)
                continue;
            std::uint64_t index = entry.index_at(start);
            if (entry.object->find(index - 1).place == Place::own &&
                entry.object->find(index - block).place == Place::own && fits(start, block))
                return {start, block};
        }
        for (std::uint64_t block = least_block; block > 1; block /= 2) {
            std::uint64_t bytes = block << page_shift, aligned = page & ~(bytes - 1);
            std::uint64_t start = most(aligned, entry.start), end = least(aligned + bytes, entry.end);
            if (fits(start, (end - start) >> page_shift))
                return {start, (end - start) >> page_shift};
        }
    }
    if (place == Place::image || page != entry.next_fault)
        return {page, 1};
    std::uint64_t run = least(std::uint64_t{entry.fault_run} * 4, longest_run);
    std::uint64_t room = (entry.end - page) >> page_shift;
    while (run > room)
        run /= 2;
    return {page, entry.object->alike(entry.index_at(page) + 1, run - 1, place) ? run : 1};
}

// Gives the entry's object pages of its own: copies of `from` (and of what follows it), or zeros if it is
// nowhere.
FaultResult VmSpace::fill(MapEntry& entry, std::uint64_t page, const Frame& from, Frame& frame, Run& filled) {
    auto [start, run] = run_to_fill(entry, page, from.place);
    unsigned order = 0;
    while (std::uint64_t{1} << order < run)
        order++;
    PageNumber first = pages_allocate(order, Urgency::user);
    if (first == 0 && run > 1) {
        start = page;
        run = 1;
        order = 0;
        first = page_allocate(Urgency::user);
    }
    if (first == 0)
        return FaultResult::no_memory;
    pages_free_run(static_cast<PageNumber>(first + run), (std::uint64_t{1} << order) - run);
    std::uint64_t index = entry.index_at(start);
    bool copy = present(from), beside = copy && entry.object->mapped_beside(entry);
    if (copy) {
        for (std::uint64_t i = 0; i < run; i++)
            page_copy(static_cast<PageNumber>(first + i),
                      (run == 1 ? from : entry.object->find(index + i)).pointer());
    } else {
        page_zero(first, static_cast<unsigned>(run));
    }
    std::uint64_t done = entry.object->insert_run(index, first, run);
    if (done < run) [[unlikely]] {
        pages_free_run(static_cast<PageNumber>(first + done), run - done);
        if (start + (done << page_shift) <= page)
            return FaultResult::no_memory;
        run = done;
    }
    for (std::uint64_t i = 0; copy && i < run; i++)
        forget_translation(start + (i << page_shift));
    if (beside)
        entry.object->unmap_everywhere(index, index + run, &entry);
    (copy ? counters_.copies : counters_.zero_fills) += run;
    entry.next_fault = start + (run << page_shift);
    entry.fault_run = static_cast<std::uint32_t>(run);
    frame = {Place::own, glue::Source::ram,
             page_offset(static_cast<PageNumber>(first + ((page - start) >> page_shift)))};
    filled = {start, run};
    return FaultResult::done;
}

// Finds or makes the frame at `page`. `filled` is empty if it was there, else what was brought in with it:
// that replaces what page tables may hold.
FaultResult VmSpace::resolve(MapEntry& entry, std::uint64_t page, bool write, Frame& frame, Run& filled) {
    filled = {};
    if (!prepare_object(entry) || (write && !prepare_write(entry)))
        return FaultResult::no_memory;
    Frame found = entry.object->find(entry.index_at(page));
    if (found.place == Place::own || (present(found) && !write)) [[likely]] {
        frame = found;
        return FaultResult::done;
    }
    if (found.place == Place::beyond_end)
        return FaultResult::beyond_end;
    return fill(entry, page, found, frame, filled);
}

// Maps the frame at `page`, and around it what lies around it in memory as well: the run that was just
// filled, or what was found.
FaultResult VmSpace::map_window(MapEntry& entry, std::uint64_t page, const Frame& frame, const Run& filled) {
    glue::Access access = glue::Access::read;
    if (frame.place == Place::own && (entry.protection & protection_write) != 0 && !entry.needs_copy) {
        access = access | glue::Access::write;
        entry.hardware_writable = true;
    }
    if ((entry.protection & protection_execute) != 0)
        access = access | glue::Access::execute;
    std::uint64_t start = page, end = page + page_size;
    if (filled.pages != 0) {
        start = filled.start;
        end = start + (filled.pages << page_shift);
    } else {
        std::uint64_t window =
            (frame.place == Place::image ? glue::image_window_pages : glue::ram_window_pages) << page_shift;
        std::uint64_t low = most(entry.start, page & ~(window - 1));
        std::uint64_t high = least(entry.end, (page & ~(window - 1)) + window);
        std::uint64_t index = entry.index_at(page);
        while (end < high && adjoins(frame, entry.object->find(index + ((end - page) >> page_shift)),
                                     (end - page) >> page_shift))
            end += page_size;
        while (start > low) {
            Frame before = entry.object->find(index - ((page - start) >> page_shift) - 1);
            if (!adjoins(before, frame, ((page - start) >> page_shift) + 1))
                break;
            start -= page_size;
        }
    }
    Frame first = frame;
    first.offset.value -= page - start;
    bool mapped = map_hardware(start, first, (end - start) >> page_shift, access);
    if (entry.mapped_start == entry.mapped_end) {
        entry.mapped_start = start;
        entry.mapped_end = end;
    } else {
        entry.mapped_start = least(entry.mapped_start, start);
        entry.mapped_end = most(entry.mapped_end, end);
    }
    return mapped ? FaultResult::done : FaultResult::no_memory;
}

// All pages of the entry's own object, which are not mapped yet.
void VmSpace::map_own_pages(MapEntry& entry) {
    std::uint64_t index = 0;
    if (entry.protection == protection_none)
        return;
    for (std::uint64_t from = entry.index;
         entry.object->next_own(from, index) && index < entry.index + entry.pages();) {
        std::uint64_t page = entry.start + ((index - entry.index) << page_shift);
        if (map_window(entry, page, entry.object->find(index), {}) != FaultResult::done)
            return;
        from = most(index + 1, entry.index_at(entry.mapped_end));
    }
}

FaultResult VmSpace::fault(std::uint64_t address, glue::Access access) {
    counters_.faults++;
    MapEntry* entry = lookup(address);
    if (entry == nullptr && (entry = grow_stack(address)) == nullptr)
        return FaultResult::no_mapping;
    bool write = glue::has(access, glue::Access::write);
    unsigned needed = write                                      ? protection_write
                      : glue::has(access, glue::Access::execute) ? protection_execute
                                                                 : protection_all;
    if ((entry->protection & needed) == 0)
        return FaultResult::protection;
    Frame frame;
    Run filled;
    std::uint64_t page = round_down(address);
    FaultResult result = resolve(*entry, page, write, frame, filled);
    return result == FaultResult::done ? map_window(*entry, page, frame, filled) : result;
}

std::byte* VmSpace::translate_slow(std::uint64_t address, bool write) {
    if (address >= user_address_end || shared_mode())
        return nullptr;
    MapEntry* entry = lookup(address);
    if (entry == nullptr && (entry = grow_stack(address)) == nullptr)
        return nullptr;
    if ((entry->protection & (write ? protection_write : protection_all)) == 0)
        return nullptr;
    Frame frame;
    Run filled;
    std::uint64_t page = round_down(address);
    if (resolve(*entry, page, write, frame, filled) != FaultResult::done)
        return nullptr;
    // A page that replaces another must not leave the old one in the page tables.
    if (filled.pages != 0 && map_window(*entry, page, frame, filled) != FaultResult::done)
        return nullptr;
    bool writable =
        frame.place == Place::own && (entry->protection & protection_write) != 0 && !entry->needs_copy;
    translation(lwkt::current_cpu(), page) = {page | 1, frame.pointer(), writable};
    return frame.pointer() + (address & page_mask);
}

std::byte* VmSpace::translate_for_debugger(std::uint64_t address, bool write) {
    MapEntry* entry = address < user_address_end ? lookup(address) : nullptr;
    if (entry == nullptr || entry->protection == protection_none)
        return nullptr;
    if (write && (entry->protection & protection_write) == 0 &&
        (entry->shared || (entry->max_protection & protection_write) == 0))
        return nullptr;
    Frame frame;
    Run filled;
    std::uint64_t page = round_down(address);
    if (resolve(*entry, page, write, frame, filled) != FaultResult::done)
        return nullptr;
    if (filled.pages != 0 && map_window(*entry, page, frame, filled) != FaultResult::done)
        return nullptr;
    forget_translation(page);
    return frame.pointer() + (address & page_mask);
}

// The main stack grows into the free room below it, as far as RLIMIT_STACK allows, and keeps a page away from
// what is mapped there.
MapEntry* VmSpace::grow_stack(std::uint64_t address) {
    if (address < stack_low_ || address >= stack_top_ || stack_top_ - round_down(address) > limits.stack)
        return nullptr;
    MapEntry* entry = tree_.first_above(address);
    if (entry == nullptr || !entry->stack)
        return nullptr;
    std::uint64_t lowest = most(stack_low_, stack_top_ - least(limits.stack & ~page_mask, stack_top_));
    if (entry->previous != nullptr)
        lowest = most(lowest, entry->previous->end + page_size);
    std::uint64_t start = most(address & ~(stack_growth - 1), lowest);
    std::uint64_t pages = (entry->start - start) >> page_shift;
    if (start > address || start >= entry->start || counters_.virtual_bytes > limits.total ||
        pages << page_shift > limits.total - counters_.virtual_bytes)
        return nullptr;
    if (entry->object != nullptr) {
        if (entry->index < pages)
            return nullptr;
        entry->index -= pages;
    }
    entry->start = start;
    tree_.resized(entry);
    counters_.virtual_bytes += pages << page_shift;
    return entry;
}

} // namespace bsd
