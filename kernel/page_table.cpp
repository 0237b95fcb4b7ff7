// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/page_table.hpp"

#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/arch/x86_64/pcid.hpp"
#include "kernel/pool.hpp"

namespace kernel {

using arch::pool_physical;
using arch::pool_pointer;

namespace {
constexpr Word table_bits = PageTable::present | PageTable::writable | PageTable::user;
constexpr unsigned entries = 512;
constexpr unsigned index_of(Word address, unsigned level) {
    return address >> (12 + 9 * level) & (entries - 1);
}
Word* table_of(Word entry) {
    return pool_pointer<Word>(entry & PageTable::address_mask);
}
constexpr Word span_pages(unsigned level) {
    return Word{1} << 9 * level;
}
constexpr Word smaller(Word a, Word b) {
    return a < b ? a : b;
}
} // namespace

Error PageTable::create(Pool& pool) {
    auto* table = static_cast<Word*>(pool.allocate_page_uncleared());
    if (!table)
        return Error::no_memory;
    clear(table, 256 * sizeof(Word));
    copy(table + 256, kernel_root_table + 256, 256 * sizeof(Word));
    root_ = pool_physical(table);
    cr3_ = arch::tag_space(root_);
    next_ = 0;
    return Error::ok;
}

void PageTable::discard(Pool& pool) {
    if (!root_)
        return;
    arch::release_tag(cr3_);
    pool.release_page(pool_pointer<Word>(root_));
    root_ = 0;
}

// In the order of addresses, a table when what it holds is done. Pages need no visit: they are not the
// space's.
bool PageTable::destroy(Pool& pool, Budget& budget) {
    constexpr unsigned end = 256 * entries * entries;
    if (!root_)
        return true;
    Word* top = pool_pointer<Word>(root_);
    while (next_ < end) {
        Word& top_entry = top[next_ >> 18];
        if (!top_entry) {
            if (!budget.take(Budget::look))
                return false;
            next_ = ((next_ >> 18) + 1) << 18;
            continue;
        }
        Word* second = table_of(top_entry);
        Word& second_entry = second[next_ >> 9 & 511];
        if (second_entry) {
            Word* third = table_of(second_entry);
            Word third_entry = third[next_ & 511];
            bool table = third_entry & present && !(third_entry & large);
            if (!budget.take(table ? Budget::free_block : Budget::look))
                return false;
            if (table)
                pool.release_page(table_of(third_entry));
            if (++next_ & 511)
                continue;
            pool.release_page(third);
            second_entry = 0;
        } else {
            if (!budget.take(Budget::look))
                return false;
            next_ = ((next_ >> 9) + 1) << 9;
        }
        if (!(next_ & ((1 << 18) - 1))) {
            pool.release_page(second);
            top_entry = 0;
        }
    }
    discard(pool);
    return true;
}

// The entry for an address at a level (0: page, 1: 2 MiB); tables on the way are made, large pages split.
// nullptr on an error, and, with `error` ok, when the budget does not reach for a table.
Word* PageTable::entry(Pool& pool, Word address, unsigned level, Budget& budget, Error& error) {
    Word* table = pool_pointer<Word>(root_);
    unsigned shift = 12 + 9 * 3;
    for (const unsigned end = 12 + 9 * level; shift > end; shift -= 9) {
        Word* slot = &table[address >> shift & (entries - 1)];
        if ((*slot & (present | large)) == present) [[likely]] {
            table = table_of(*slot);
            continue;
        }
        if (!(*slot & present)) {
            if (!budget.take(Budget::clear_page, Budget::entry))
                return nullptr;
            void* fresh = pool.allocate_page();
            if (!fresh) {
                error = Error::no_memory;
                return nullptr;
            }
            *slot = pool_physical(fresh) | table_bits;
        } else {
            if (!budget.take(Budget::copy_table, Budget::entry))
                return nullptr;
            error = split(pool, slot);
            if (error != Error::ok)
                return nullptr;
        }
        table = table_of(*slot);
    }
    return &table[address >> shift & (entries - 1)];
}

// The lowest entry that there is for an address, and its level.
Word* PageTable::find(Word address, unsigned& level) const {
    level = 3;
    Word* slot = &pool_pointer<Word>(root_)[index_of(address, 3)];
    while (level > 0 && *slot & present && !(*slot & large)) {
        --level;
        slot = &table_of(*slot)[index_of(address, level)];
    }
    return slot;
}

Error PageTable::split(Pool& pool, Word* slot) {
    auto* table = static_cast<Word*>(pool.allocate_page_uncleared());
    if (!table)
        return Error::no_memory;
    const Word seen = __atomic_load_n(slot, __ATOMIC_RELAXED);
    Word next = seen & ~(large | large_write_combining);
    if (seen & large_write_combining)
        next |= write_combining;
    for (Word *at = table, *end = table + entries; at < end; at += 4, next += 4 * arch::page) {
        at[0] = next;
        at[1] = next + arch::page;
        at[2] = next + 2 * arch::page;
        at[3] = next + 3 * arch::page;
    }
    // The processor may have set accessed or dirty meanwhile.
    Word late = __atomic_exchange_n(slot, pool_physical(table) | table_bits, __ATOMIC_RELAXED) ^ seen;
    for (unsigned i = 0; late && i < entries; ++i)
        __atomic_fetch_or(&table[i], late, __ATOMIC_RELAXED);
    return Error::ok;
}

// The entry of a 4 KiB page whose tables are all there.
[[gnu::always_inline]] inline Word* PageTable::leaf(Word address) const {
    Word* table = pool_pointer<Word>(root_);
#pragma GCC unroll 3
    for (unsigned level = 3; level > 0; --level) {
        Word slot = table[index_of(address, level)];
        if ((slot & (present | large)) != present) [[unlikely]]
            return nullptr;
        table = table_of(slot);
    }
    return &table[index_of(address, 0)];
}

Error PageTable::map(Pool& pool, Word address, Word physical, Word pages, Word bits, bool replace,
                     Budget& budget, Word& done, bool& flush) {
    Error error = Error::ok;
    bits |= present | user | accessed;
    done = 0;
    while (done < pages) {
        Word at = address + done * arch::page, from = physical + done * arch::page;
        if (pages - done >= entries && (at | from) % arch::large_page == 0) {
            Word* slot = entry(pool, at, 1, budget, error);
            if (!slot || !budget.take(Budget::entry))
                return error;
            if (!(*slot & present) || *slot & large) {
                if (*slot & present) {
                    if (!replace)
                        return Error::occupied;
                    flush = true;
                }
                *slot = from | (bits & ~write_combining) | large |
                        (bits & write_combining ? large_write_combining : 0);
                done += entries;
                continue;
            }
        }
        Word* slot = leaf(at);
        if (!slot) [[unlikely]]
            slot = entry(pool, at, 0, budget, error);
        if (!slot)
            return error;
        auto wanted = static_cast<unsigned>(smaller(entries - index_of(at, 0), pages - done));
        unsigned run = budget.afford(Budget::entry, wanted);
        for (Word* end = slot + run; slot < end; ++slot, from += arch::page, ++done) {
            if (*slot & present) {
                if (!replace || *slot & kernel_owned)
                    return Error::occupied;
                flush = true;
            }
            *slot = from | bits;
        }
        if (run < wanted)
            return Error::ok;
    }
    return Error::ok;
}

// Calls change(entry), which may refuse, for each mapped page of a range, skipping what has no tables; large
// pages that lie wholly in the range are visited whole, others are split.
template <class Change>
Error PageTable::visit(Pool& pool, Word address, Word pages, Budget& budget, Word& done, Change change) {
    done = 0;
    while (done < pages) {
        if (!budget.take(2 * Budget::look))
            return Error::ok;
        Word at = address + done * arch::page;
        unsigned level;
        Word* slot = find(at, level);
        if (level == 0) {
            auto wanted = static_cast<unsigned>(smaller(entries - index_of(at, 0), pages - done));
            unsigned run = budget.afford(Budget::entry, wanted);
            for (Word* end = slot + run; slot < end; ++slot, ++done)
                if (*slot & present && !(*slot & kernel_owned) && !change(*slot))
                    return Error::no_right;
            if (run < wanted)
                return Error::ok;
            continue;
        }
        Word offset = (at / arch::page) & (span_pages(level) - 1), span = span_pages(level) - offset;
        if (*slot & present) {
            if (offset != 0 || pages - done < span) {
                if (!budget.take(Budget::copy_table, 2 * Budget::look + Budget::entry))
                    return Error::ok;
                if (Error error = split(pool, slot); error != Error::ok)
                    return error;
                continue;
            }
            if (!change(*slot))
                return Error::no_right;
        }
        done += smaller(span, pages - done);
    }
    return Error::ok;
}

Error PageTable::unmap(Pool& pool, Word address, Word pages, Budget& budget, Word& done, Word& seen,
                       bool& flush) {
    return visit(pool, address, pages, budget, done, [&](Word& slot) {
        seen |= __atomic_exchange_n(&slot, 0, __ATOMIC_RELAXED) & (accessed | dirty);
        flush = true;
        return true;
    });
}

Error PageTable::protect(Pool& pool, Word address, Word pages, Word bits, Budget& budget, Word& done,
                         Word& seen, bool& flush) {
    return visit(pool, address, pages, budget, done, [&](Word& slot) {
        if ((bits & writable && !(slot & may_write)) || (!(bits & no_execute) && !(slot & may_execute)))
            return false;
        Word base = slot & ~(writable | no_execute | accessed | dirty);
        seen |= __atomic_exchange_n(&slot, base | bits | accessed, __ATOMIC_RELAXED) & (accessed | dirty);
        flush = true;
        return true;
    });
}

bool PageTable::revoke(Word tag, Word& cursor, Budget& budget, bool& flush) {
    auto clear_if = [&](Word& slot) {
        if (slot & present && (slot & tag_mask) == tag) {
            __atomic_store_n(&slot, 0, __ATOMIC_RELAXED);
            flush = true;
        }
    };
    while (cursor < abi::user_end) {
        if (!budget.take(2 * Budget::look))
            return false;
        unsigned level;
        Word* slot = find(cursor, level);
        if (level == 0) {
            unsigned wanted = entries - index_of(cursor, 0), run = budget.afford(Budget::entry, wanted);
            cursor += run * arch::page;
            for (Word* end = slot + run; slot < end; ++slot)
                clear_if(*slot);
            if (run < wanted)
                return false;
            continue;
        }
        clear_if(*slot);
        Word span = span_pages(level) * arch::page;
        cursor = (cursor & ~(span - 1)) + span;
    }
    return true;
}

Error PageTable::prepare(Pool& pool, Word address, Budget& budget) {
    Error error = Error::ok;
    if (!entry(pool, address, 0, budget, error) && error == Error::ok)
        return Error::would_block;
    return error;
}

Error PageTable::map_kernel_page(Pool& pool, Word address, Word physical, Word bits, Budget& budget) {
    Error error = Error::ok;
    Word* slot = entry(pool, address, 0, budget, error);
    if (!slot)
        return error == Error::ok ? Error::would_block : error;
    if (*slot & present)
        return Error::occupied;
    *slot = physical | bits | present | user | accessed | no_execute | kernel_owned;
    return Error::ok;
}

void PageTable::remove_kernel_page(Word address) {
    unsigned level;
    Word* slot = find(address, level);
    if (level == 0 && *slot & kernel_owned)
        *slot = 0;
}

} // namespace kernel
