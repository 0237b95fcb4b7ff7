// SPDX-License-Identifier: BSD-2-Clause
// Changes of the map: what mmap, munmap, mprotect, minherit, madvise and break do. Entries are reserved
// first; after that nothing fails.
#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

using namespace vm;

namespace {

constexpr std::uint64_t end_of_2g = std::uint64_t{1} << 31;
constexpr std::uint64_t max_stack_room = 512 << 20;
constexpr std::uint64_t initial_stack = 128 << 10;

/// The entry is plain private anonymous memory, which neighbours may join.
bool plain(const MapEntry& entry) {
    return !entry.shared && !entry.stack && !entry.guard && !entry.wired && !entry.no_core &&
           entry.inherit == Inherit::copy;
}

} // namespace

// Free room that lies in nobody's way.
std::uint64_t VmSpace::find_room(std::uint64_t from, std::uint64_t length, unsigned align_shift,
                                 std::uint64_t limit) const {
    std::uint64_t found = tree_.find_room(from, length, limit, align_shift);
    if (found != 0 && found < stack_top_ && found + length > stack_low_)
        found = tree_.find_room(stack_top_, length, limit, align_shift);
    return found;
}

// Where to put a mapping without MAP_FIXED: at the hint if it is free there, else at the first room above it,
// else at the first room above the usual base. Hints in the program's own area (where the heap may grow) are
// ignored.
std::uint64_t VmSpace::choose_address(const MapRequest& request, std::uint64_t length) const {
    std::uint64_t hint = round_up(request.address);
    unsigned shift = request.align_shift;
    if (request.below_2g) {
        std::uint64_t from =
            hint != 0 && hint < end_of_2g ? hint : most(layout_.heap, std::uint64_t{0x1000'0000});
        std::uint64_t found = find_room(from, length, shift, end_of_2g);
        return found != 0 ? found : find_room(user_address_begin, length, shift, end_of_2g);
    }
    bool ignored = hint < user_address_begin || hint >= user_address_end ||
                   (hint >= layout_.program && hint < layout_.heap_end);
    if (!ignored)
        if (std::uint64_t found = find_room(hint, length, shift); found != 0)
            return found;
    if (std::uint64_t found = find_room(layout_.base, length, shift); found != 0)
        return found;
    return find_room(layout_.keep_heap_room ? layout_.heap_end : user_address_begin, length, shift);
}

// Anonymous memory right behind a like entry joins it: heaps that grow stay one entry.
bool VmSpace::extend_previous(const MapRequest& request, std::uint64_t start, std::uint64_t end) {
    if (request.object != nullptr || request.shared || request.stack || request.guard || request.no_core ||
        request.inherit_shared || wire_future)
        return false;
    MapEntry* entry = tree_.floor(start);
    if (entry == nullptr || entry->end != start || !plain(*entry) ||
        entry->protection != request.protection || entry->max_protection != request.max_protection)
        return false;
    if (entry->object != nullptr) {
        if (!entry->object->exclusive() || entry->object->backing() != nullptr)
            return false;
        std::uint64_t index = entry->index + entry->pages();
        entry->object->free_pages(index, index + ((end - start) >> page_shift));
    }
    entry->end = end;
    tree_.resized(entry);
    return true;
}

SysResult<std::uint64_t> VmSpace::map(const MapRequest& request) {
    std::uint64_t length = round_up(request.length), start = request.address;
    if (length == 0 || length < request.length || (request.offset & page_mask) != 0 ||
        request.offset + length < request.offset)
        return Failure(Errno::einval);
    if (request.fixed) {
        if ((start & page_mask) != 0 || start < user_address_begin || !valid_range(start, length))
            return Failure(Errno::einval);
        if (request.exclusive && !tree_.free(start, start + length))
            return Failure(Errno::enomem);
    } else if (!valid_range(0, length) || (start = choose_address(request, length)) == 0) {
        return Failure(Errno::enomem);
    }
    if (glue::reserved_for_platform(start, start + length))
        return Failure(Errno::enomem);
    if (length > limits.total || counters_.virtual_bytes > limits.total - length || !reserve_entries(4))
        return Failure(Errno::enomem);
    if (wire_future && !request.guard && !request.stack &&
        (length > limits.locked || wired_bytes() > limits.locked - length))
        return Failure(Errno::enomem);
    std::uint64_t end = start + length;
    if (request.fixed)
        remove_range(start, end);
    std::uint64_t low = start; // the stack begins with less than its room
    if (request.stack) {
        stack_top_ = end;
        stack_low_ = end - least(most(length, max_stack_room), end - user_address_begin);
        low = end - least(length, initial_stack);
    }
    counters_.virtual_bytes += end - low;
    if (request.guard_below) {
        MapEntry* guard = new_entry();
        guard->start = start;
        guard->end = low = start + page_size;
        guard->max_protection = protection_all;
        guard->guard = true;
        tree_.insert(guard);
    }
    if (!request.guard_below && extend_previous(request, start, end))
        return start;
    MapEntry* entry = new_entry();
    entry->start = low;
    entry->end = end;
    entry->protection = request.guard ? 0 : request.protection;
    entry->max_protection = request.max_protection;
    entry->shared = request.shared;
    entry->stack = request.stack;
    entry->guard = request.guard;
    entry->wired = wire_future && !request.guard;
    entry->no_core = request.no_core;
    if (request.shared || request.inherit_shared)
        entry->inherit = Inherit::share;
    if (request.object != nullptr) {
        request.object->ref();
        entry->object = request.object;
        entry->object->attach(*entry);
        entry->index = request.offset >> page_shift;
        entry->needs_copy = !request.shared;
    }
    tree_.insert(entry);
    return start;
}

SysResult<void> VmSpace::unmap(std::uint64_t start, std::uint64_t end) {
    if (!reserve_entries(2))
        return Failure(Errno::enomem);
    remove_range(start, end);
    return {};
}

SysResult<void> VmSpace::protect(std::uint64_t start, std::uint64_t end, std::uint8_t protection,
                                 std::uint8_t maximum) {
    for (const MapEntry* entry = tree_.first_above(start); entry != nullptr && entry->start < end;
         entry = entry->next)
        if (!entry->guard && ((protection | maximum) & ~entry->max_protection) != 0)
            return Failure(Errno::eacces);
    if (start >= end)
        return {};
    if (!reserve_entries(2))
        return Failure(Errno::enomem);
    for (MapEntry* entry = clip_range(start, end); entry != nullptr && entry->start < end;
         entry = entry->next) {
        if (entry->guard)
            continue;
        auto lost = static_cast<unsigned>(entry->protection & ~protection);
        if (maximum != 0)
            entry->max_protection = maximum;
        entry->protection = protection;
        if (lost == 0 || entry->mapped_start == entry->mapped_end)
            continue; // what was gained comes by faults
        if (protection == protection_none) {
            forget(*entry, entry->start, entry->end);
            continue;
        }
        glue::Access access = glue::Access::read;
        if ((protection & protection_execute) != 0)
            access = access | glue::Access::execute;
        tables_->space.protect(glue::UserAddress{entry->mapped_start},
                               (entry->mapped_end - entry->mapped_start) >> page_shift, access);
        entry->hardware_writable = false;
    }
    forget_translations();
    return {};
}

SysResult<void> VmSpace::set_inherit(std::uint64_t start, std::uint64_t end, Inherit inherit) {
    if (start >= end)
        return {};
    if (!reserve_entries(2))
        return Failure(Errno::enomem);
    for (MapEntry* entry = clip_range(start, end); entry != nullptr && entry->start < end;
         entry = entry->next)
        if (!entry->guard || inherit != Inherit::zero)
            entry->inherit = inherit;
    return {};
}

SysResult<void> VmSpace::set_no_core(std::uint64_t start, std::uint64_t end, bool no_core) {
    if (start >= end)
        return {};
    if (!reserve_entries(2))
        return Failure(Errno::enomem);
    for (MapEntry* entry = clip_range(start, end); entry != nullptr && entry->start < end;
         entry = entry->next)
        entry->no_core = no_core;
    return {};
}

void VmSpace::discard(std::uint64_t start, std::uint64_t end) {
    for (MapEntry* entry = tree_.first_above(start); entry != nullptr && entry->start < end;
         entry = entry->next) {
        // Memory that others see, or that has older pages below, keeps its content: that is allowed.
        if (entry->object == nullptr || entry->shared || entry->needs_copy || entry->wired ||
            entry->object->backing() != nullptr || !entry->object->private_to(*this))
            continue;
        std::uint64_t from = most(start, entry->start), to = least(end, entry->end);
        forget(*entry, from, to);
        entry->object->free_pages(entry->index_at(from), entry->index_at(to));
    }
}

void VmSpace::set_layout(const MapLayout& layout) {
    layout_ = layout;
    break_ = layout_.heap;
}

SysResult<void> VmSpace::set_break(std::uint64_t address) {
    if (address < layout_.heap)
        return Failure(Errno::einval);
    if (address > user_address_end || address - layout_.heap > limits.data)
        return Failure(Errno::enomem);
    std::uint64_t old_end = round_up(break_), new_end = round_up(address);
    if (new_end > old_end) {
        MapRequest request;
        request.address = old_end;
        request.length = new_end - old_end;
        request.protection = protection_read | protection_write;
        request.fixed = request.exclusive = true;
        TRY(map(request));
    } else if (new_end < old_end) {
        TRY(unmap(new_end, old_end));
    }
    break_ = address;
    return {};
}

} // namespace bsd
