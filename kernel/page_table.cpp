// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/page_table.hpp"

#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/pool.hpp"

namespace kernel {

using arch::pool_physical;
using arch::pool_pointer;

namespace {
constexpr Word table_bits = PageTable::present | PageTable::writable | PageTable::user;
constexpr unsigned index_of(Word address, unsigned level) {
    return address >> (12 + 9 * level) & 511;
}
Word* table_of(Word entry) {
    return pool_pointer<Word>(entry & PageTable::address_mask);
}
constexpr Word span_pages(unsigned level) {
    return Word{1} << 9 * level;
}
} // namespace

Error PageTable::create(Pool& pool) {
    auto* table = static_cast<Word*>(pool.allocate_page());
    if (!table)
        return Error::no_memory;
    for (unsigned i = 256; i < 512; ++i)
        table[i] = kernel_root_table[i];
    root_ = pool_physical(table);
    return Error::ok;
}

bool PageTable::destroy(Pool& pool, unsigned steps) {
    if (!root_)
        return true;
    Word* top = pool_pointer<Word>(root_);
    // Depth first with the tables themselves as the stack: a freed entry is zeroed, so a restart skips it.
    for (; next_ < 256; ++next_) {
        if (!top[next_])
            continue;
        Word* second = table_of(top[next_]);
        for (unsigned i = 0; i < 512; ++i) {
            if (!second[i])
                continue;
            Word* third = table_of(second[i]);
            for (unsigned j = 0; j < 512; ++j) {
                if (!(third[j] & present) || third[j] & large)
                    continue;
                if (steps-- == 0)
                    return false;
                pool.release_page(table_of(third[j]));
                third[j] = 0;
            }
            pool.release_page(third);
            second[i] = 0;
            if (steps == 0)
                return false;
        }
        pool.release_page(second);
        top[next_] = 0;
    }
    pool.release_page(top);
    root_ = 0;
    return true;
}

// The entry for an address at a level (0: page, 1: 2 MiB); tables on the way are made if asked, large pages
// split.
Word* PageTable::entry(Pool& pool, Word address, unsigned level, bool make, Error& error) {
    Word* table = pool_pointer<Word>(root_);
    for (unsigned at = 3; at > level; --at) {
        Word* slot = &table[index_of(address, at)];
        if (!(*slot & present)) {
            if (!make)
                return nullptr;
            void* fresh = pool.allocate_page();
            if (!fresh) {
                error = Error::no_memory;
                return nullptr;
            }
            *slot = pool_physical(fresh) | table_bits;
        } else if (*slot & large) {
            if (Error e = split(pool, slot); e != Error::ok) {
                error = e;
                return nullptr;
            }
        }
        table = table_of(*slot);
    }
    return &table[index_of(address, level)];
}

Error PageTable::split(Pool& pool, Word* slot) {
    auto* table = static_cast<Word*>(pool.allocate_page());
    if (!table)
        return Error::no_memory;
    Word bits = *slot & ~(address_mask | large), base = *slot & address_mask;
    for (unsigned i = 0; i < 512; ++i)
        table[i] = (base + i * arch::page) | bits;
    *slot = pool_physical(table) | table_bits;
    return Error::ok;
}

Error PageTable::map(Pool& pool, Word address, Word physical, Word pages, Word bits, bool replace, Word& done,
                     bool& flush) {
    Error error = Error::ok;
    bits |= present | user | accessed;
    unsigned steps = 0;
    done = 0;
    while (done < pages && steps++ < batch) {
        Word at = address + done * arch::page, from = physical + done * arch::page;
        bool as_large = pages - done >= 512 && at % arch::large_page == 0 && from % arch::large_page == 0;
        Word* slot = entry(pool, at, as_large ? 1 : 0, true, error);
        if (!slot)
            return error;
        if (*slot & present) {
            if (!replace || *slot & kernel_owned || (as_large && !(*slot & large)))
                return Error::occupied;
            flush = true;
        }
        *slot = from | bits | (as_large ? large : 0);
        done += as_large ? 512 : 1;
    }
    return Error::ok;
}

// Calls change(entry), which may refuse, for each mapped page of a range, skipping what has no tables; large
// pages that lie wholly in the range are visited whole, others are split.
template <class Change>
void PageTable::visit(Pool& pool, Word address, Word pages, Word& done, Error& error, Change change) {
    unsigned steps = 0;
    done = 0;
    while (done < pages && steps++ < batch) {
        Word at = address + done * arch::page;
        Word* table = pool_pointer<Word>(root_);
        unsigned level = 3;
        Word* slot = &table[index_of(at, 3)];
        while (level > 0 && *slot & present && !(*slot & large)) {
            --level;
            slot = &table_of(*slot)[index_of(at, level)];
        }
        Word offset = (at / arch::page) & (span_pages(level) - 1), span = span_pages(level) - offset;
        if (!(*slot & present)) {
            done += span < pages - done ? span : pages - done;
            continue;
        }
        if (level > 0 && (offset != 0 || pages - done < span)) {
            error = split(pool, slot);
            if (error != Error::ok)
                return;
            continue;
        }
        if (!(*slot & kernel_owned) && !change(*slot)) {
            error = Error::no_right;
            return;
        }
        done += span;
    }
}

void PageTable::unmap(Pool& pool, Word address, Word pages, Word& done, Word& seen, bool& flush,
                      Error& error) {
    visit(pool, address, pages, done, error, [&](Word& slot) {
        seen |= __atomic_exchange_n(&slot, 0, __ATOMIC_RELAXED) & (accessed | dirty);
        flush = true;
        return true;
    });
}

void PageTable::protect(Pool& pool, Word address, Word pages, Word bits, Word& done, Word& seen, bool& flush,
                        Error& error) {
    visit(pool, address, pages, done, error, [&](Word& slot) {
        if ((bits & writable && !(slot & may_write)) || (!(bits & no_execute) && !(slot & may_execute)))
            return false;
        Word base = slot & ~(writable | no_execute | accessed | dirty);
        seen |= __atomic_exchange_n(&slot, base | bits | accessed, __ATOMIC_RELAXED) & (accessed | dirty);
        flush = true;
        return true;
    });
}

Error PageTable::map_kernel_page(Pool& pool, Word address, Word physical, Word bits) {
    Error error = Error::ok;
    Word* slot = entry(pool, address, 0, true, error);
    if (!slot)
        return error;
    if (*slot & present)
        return Error::occupied;
    *slot = physical | bits | present | user | accessed | no_execute | kernel_owned;
    return Error::ok;
}

void PageTable::remove_kernel_page(Word address) {
    Word* table = pool_pointer<Word>(root_);
    for (unsigned level = 3; level > 0; --level) {
        Word slot = table[index_of(address, level)];
        if (!(slot & present) || slot & large)
            return;
        table = table_of(slot);
    }
    Word& slot = table[index_of(address, 0)];
    if (slot & kernel_owned)
        slot = 0;
}

Word PageTable::lookup(Word address) const {
    Word* table = pool_pointer<Word>(root_);
    for (unsigned level = 3;; --level) {
        Word slot = table[index_of(address, level)];
        if (!(slot & present))
            return 0;
        if (level == 0)
            return slot;
        if (slot & large)
            return (slot & ~(address_mask | large)) |
                   ((slot & address_mask) + (address & (arch::large_page - 1) & ~(arch::page - 1)));
        table = table_of(slot);
    }
}

} // namespace kernel
