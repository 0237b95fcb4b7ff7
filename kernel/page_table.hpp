// SPDX-License-Identifier: BSD-2-Clause
// Page tables of a user address space: four levels, pages of 4 KiB and 2 MiB, tables from a pool. The upper
// half is the kernel's and shared. Callers hold structure_lock and flush translations after the batch.
#pragma once

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
    static constexpr unsigned batch =
        512; // pages or entries a call handles at most between two looks at interrupts

    Error create(Pool& pool);
    Word root() const { return root_; } // physical, for CR3
    // Frees up to `steps` tables; true when all are gone.
    bool destroy(Pool& pool, unsigned steps);

    // Maps up to `pages` pages of contiguous physical memory; `done` says how far it came, also on an error.
    // occupied without replace; no_memory when the pool has no page for a table. `flush` is set if a
    // translation that may be cached was changed.
    Error map(Pool& pool, Word address, Word physical, Word pages, Word bits, bool replace, Word& done,
              bool& flush);
    // Visits up to `batch` mapped pages of a range; done says how many pages of the range were passed.
    void unmap(Pool& pool, Word address, Word pages, Word& done, Word& seen, bool& flush, Error& error);
    void protect(Pool& pool, Word address, Word pages, Word bits, Word& done, Word& seen, bool& flush,
                 Error& error);
    // Kernel pages that a task sees: message buffers, vCPU pages, the information page.
    Error map_kernel_page(Pool& pool, Word address, Word physical, Word bits);
    void remove_kernel_page(Word address);
    // The entry of a mapped 4 KiB page, or 0.
    Word lookup(Word address) const;

private:
    Word* entry(Pool& pool, Word address, unsigned level, bool make, Error& error);
    Error split(Pool& pool, Word* entry);
    template <class Change>
    void visit(Pool& pool, Word address, Word pages, Word& done, Error& error, Change change);

    Word root_ = 0;
    unsigned next_ = 0; // destroy: next entry of the root to free
};

// The top-level table whose upper half every space copies.
extern Word* kernel_root_table;

} // namespace kernel
