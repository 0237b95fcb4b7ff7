// SPDX-License-Identifier: BSD-2-Clause
// Page tables of a user address space: four levels, pages of 4 KiB and 2 MiB, tables from a pool. The upper
// half is the kernel's and shared. Callers hold structure_lock and flush translations after the batch. What
// walks a range stops when its budget is spent; `done` (pages) or a cursor (an address) says how far it came,
// and tables made on the way stay, so that the next step comes further.
#pragma once

#include "kernel/budget.hpp"
#include "kernel/object.hpp"

namespace kernel {

class PageTable {
public:
    static constexpr Word // bits of an entry
        present = 1,
        writable = 2, user = 4, write_through = 8, uncached = 16, accessed = 32, dirty = 64, large = 128,
        global = 256,
        kernel_owned = 512, // a page of kernel memory (message buffer): user calls leave it alone
        may_write = 1024, may_execute = 2048, // rights of the binding, which protect never exceeds
        no_execute = Word{1} << 63, address_mask = 0x000f'ffff'ffff'f000;
    // Bits that the processor ignores say through which binding a page was mapped; 0: the kernel's own doing.
    static constexpr unsigned tag_shift = 52, tags = 2048;
    static constexpr Word tag_mask = Word{tags - 1} << tag_shift;
    // Entry 4 of the page attribute table, write-combining, is chosen by bit 7 of a 4 KiB entry, and by bit
    // 12 of a 2 MiB entry, where bit 7 is `large`. Callers always pass the former.
    static constexpr Word write_combining = 128, large_write_combining = 4096;
    static constexpr Word large_address_mask = address_mask & ~((Word{1} << 21) - 1);

    Error create(Pool& pool);
    Word root() const { return root_; } // physical
    Word cr3() const { return cr3_; }   // to load it
    // Frees tables; true when all are gone.
    bool destroy(Pool& pool, Budget& budget);
    // Frees a space into which nothing was mapped.
    void discard(Pool& pool);

    // Maps up to `pages` pages of contiguous physical memory, as 2 MiB pages where both addresses are aligned
    // and no table is in the way; `done` also counts on an error. occupied without replace; no_memory when
    // the pool has no page for a table. `flush` is set if a translation that may be cached was changed.
    Error map(Pool& pool, Word address, Word physical, Word pages, Word bits, bool replace, Budget& budget,
              Word& done, bool& flush);
    // Visit the mapped pages of a range; done counts all pages that were passed.
    Error unmap(Pool& pool, Word address, Word pages, Budget& budget, Word& done, Word& seen, bool& flush);
    Error protect(Pool& pool, Word address, Word pages, Word bits, Budget& budget, Word& done, Word& seen,
                  bool& flush);
    // Removes every page with this tag from `cursor` up to the end of the user's addresses; true when it came
    // there.
    bool revoke(Word tag, Word& cursor, Budget& budget, bool& flush);
    // Makes the tables for a page; would_block when the budget is spent before they are complete.
    Error prepare(Pool& pool, Word address, Budget& budget);
    // Kernel pages that a task sees: message buffers, vCPU pages, the information page. As prepare, then the
    // page; occupied if there is one.
    Error map_kernel_page(Pool& pool, Word address, Word physical, Word bits, Budget& budget);
    void remove_kernel_page(Word address);

private:
    Word* leaf(Word address) const;
    Word* entry(Pool& pool, Word address, unsigned level, Budget& budget, Error& error);
    Word* find(Word address, unsigned& level) const;
    Error split(Pool& pool, Word* entry);
    template <class Change>
    Error visit(Pool& pool, Word address, Word pages, Budget& budget, Word& done, Change change);

    Word root_ = 0;     // physical
    Word cr3_ = 0;      // the same, with the tag of its translations
    unsigned next_ = 0; // destroy: next 2 MiB of addresses
};

// The top-level table whose upper half every space copies.
extern Word* kernel_root_table;

} // namespace kernel
