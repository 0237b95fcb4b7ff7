// SPDX-License-Identifier: BSD-2-Clause
// Locked memory. Pages never leave memory once they are there: to lock is to bring in, and to count.
#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

using namespace vm;

std::uint64_t most_wired_pages() {
    return page_counts().total / 5 * 4;
}

SysResult<void> VmSpace::set_wired(std::uint64_t start, std::uint64_t end, bool wired) {
    if (start >= end)
        return {};
    if (!reserve_entries(2))
        return Failure(Errno::enomem);
    for (MapEntry* entry = clip_range(start, end); entry != nullptr && entry->start < end;
         entry = entry->next)
        entry->wired = wired && !entry->guard;
    return {};
}

std::uint64_t VmSpace::wired_bytes() const {
    std::uint64_t bytes = 0;
    for (const MapEntry* entry = tree_.first(); entry != nullptr; entry = entry->next)
        if (entry->wired)
            bytes += entry->end - entry->start;
    return bytes;
}

bool VmSpace::wired_within(std::uint64_t start, std::uint64_t end) const {
    for (const MapEntry* entry = tree_.first_above(start); entry != nullptr && entry->start < end;
         entry = entry->next)
        if (entry->wired)
            return true;
    return false;
}

bool VmSpace::closed_within(std::uint64_t start, std::uint64_t end) const {
    for (const MapEntry* entry = tree_.first_above(start); entry != nullptr && entry->start < end;
         entry = entry->next)
        if (entry->protection == protection_none)
            return true;
    return false;
}

SysResult<void> VmSpace::bring_in(std::uint64_t start, std::uint64_t end) {
    std::uint64_t wanted = 0;
    for (const MapEntry* entry = tree_.first_above(start); entry != nullptr && entry->start < end;
         entry = entry->next)
        if (entry->protection != protection_none) {
            std::uint64_t pages = (least(end, entry->end) - most(start, entry->start)) >> page_shift;
            wanted += entry->object == nullptr ? pages : pages - least(pages, entry->object->resident());
        }
    const PageCounts counts = page_counts();
    if (wanted > counts.free - least(counts.free, counts.reserve))
        return Failure(Errno::enomem);
    for (MapEntry* entry = tree_.first_above(start); entry != nullptr && entry->start < end;
         entry = entry->next) {
        if (entry->protection == protection_none)
            continue;
        const bool write = (entry->protection & protection_write) != 0 && !entry->shared;
        for (std::uint64_t page = most(start, entry->start); page < least(end, entry->end); page += page_size)
            if (translate(page, write) == nullptr &&
                (entry->object == nullptr ||
                 entry->object->find(entry->index_at(page)).place != Frame::Place::beyond_end))
                return Failure(Errno::enomem);
    }
    return {};
}

} // namespace bsd
