// SPDX-License-Identifier: BSD-2-Clause
// What the kernel's own page tables map, checked before the first user instruction: nothing is writable and
// executable, nothing is open to user mode. With kernel.mappings on the command line each range is printed.
#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/boot.hpp"
#include "kernel/page_table.hpp"
#include "kernel/panic.hpp"

namespace kernel {

namespace {

constexpr unsigned entries = 512;

class Walk {
public:
    explicit Walk(bool print) : print_(print) {}

    // Rights are those of all levels together: writable and user if each says so, executable unless one
    // forbids.
    void visit(const Word* table, Word address, unsigned level, Word rights) {
        for (unsigned i = level == 3 ? entries / 2 : 0; i < entries; ++i) {
            Word entry = table[i], at = address + (Word{i} << (12 + 9 * level));
            if (!(entry & PageTable::present))
                continue;
            Word both = (rights & entry & (PageTable::writable | PageTable::user)) |
                        ((rights | entry) & PageTable::no_execute);
            if (level > 0 && !(entry & PageTable::large))
                visit(reinterpret_cast<const Word*>((entry & PageTable::address_mask) + arch::image_window),
                      at, level - 1, both);
            else
                add(at, Word{arch::page} << 9 * level, both);
        }
    }
    void finish() {
        if (print_ && end_ != start_)
            write();
        start_ = end_;
    }

private:
    void add(Word address, Word size, Word rights) {
        if (rights & PageTable::user)
            panic("a kernel page is open to user mode");
        if (rights & PageTable::writable && !(rights & PageTable::no_execute))
            panic("a kernel page is writable and executable");
        if (address != end_ || rights != rights_) {
            finish();
            start_ = address;
            rights_ = rights;
        }
        end_ = address + size;
    }
    void write() const {
        console_write("mapping ");
        console_hex(start_);
        console_write(" ");
        console_hex(end_);
        console_write(rights_ & PageTable::writable ? " rw" : " r-");
        console_write(rights_ & PageTable::no_execute ? "-\n" : "x\n");
    }

    bool print_;
    Word start_ = 0, end_ = 0, rights_ = 0;
};

} // namespace

void check_mappings() {
    Walk walk(boot_option("kernel.mappings"));
    // The tables lie in the kernel's image; the upper half is what every space copies.
    Word canonical = ~Word{0} << 48;
    walk.visit(kernel_root_table, canonical, 3, PageTable::writable | PageTable::user);
    walk.finish();
    for (unsigned i = 0; i < entries / 2; ++i)
        if (kernel_root_table[i])
            panic("the kernel's tables map something in the user's half");
}

} // namespace kernel
