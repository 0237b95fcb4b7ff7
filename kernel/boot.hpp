// SPDX-License-Identifier: BSD-2-Clause
// Steps of the boot, in the order in which kernel_main takes them.
#pragma once

#include "kernel/machine.hpp"
#include "kernel/pool.hpp"

namespace kernel {

struct Ram {
    RamRange ranges[32]; // free memory above 1 MiB, page aligned, disjoint
    unsigned count = 0;
    RamRange module = {}; // the boot module
    Word devices = 0;     // below 4 GiB no memory lies from here on, only devices and firmware
    void exclude(Word base, Word size);
    // Takes `size` bytes, aligned, below `limit`, from the end of the largest range that has them; panics if
    // none does.
    Word take(Word size, Word alignment, Word limit);
};

// EAX of a Multiboot2 loader; boot.S passes 0 for PVH.
inline constexpr std::uint32_t multiboot2_magic = 0x36d76289;
// Fills `ram`, its module, and the command line; returns the physical address of the RSDP or of a copy, or 0.
Word read_boot_loader(std::uint32_t magic, Word information, Ram& ram);

// The machine's own page tables: kernel image W^X, pool window, devices. Returns nothing that user mode can
// reach.
void build_kernel_space(Word pool_base, Word pool_size);

// Panics if a kernel mapping is writable and executable, or open to user mode.
void check_mappings();

// What is loaded for the root task before the kernel leaves the one-to-one map.
struct RootImage {
    Word base, size; // physical memory of all segments, in the order of the program headers
    Word entry;
    Word payload_offset, payload_size; // of the boot module, for the root task
    struct Segment {
        Word address, offset, pages, bits;
    } segments[8];
    unsigned segments_count = 0;
};
RootImage load_root(Ram& ram);
[[noreturn]] void start_root(Pool& pool, const RootImage& image, const Ram& ram);
void start_cores();

} // namespace kernel
