// SPDX-License-Identifier: BSD-2-Clause
// kernel_main: from the boot loader's state to the first user instruction. Reading order of the boot: boot.S,
// boot_loader.cpp, this file, boot_root.cpp.
#include "kernel/boot.hpp"

#include <cstring>

#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/core.hpp"
#include "kernel/page_table.hpp"
#include "kernel/panic.hpp"

extern "C" const char image_start[], text_end[], rodata_end[], image_end[];
extern "C" char trampoline_start[], trampoline_end[], trampoline_cr3[], trampoline_stack[],
    trampoline_entry[];
extern "C" char boot_pml4[];
extern "C" [[noreturn]] void enter_idle();

namespace kernel {

Machine machine;
Word* kernel_root_table;

namespace {

constexpr Word trampoline = 0x8000, low_limit = Word{1} << 32;

Word root_table[512] __attribute__((aligned(4096)));
Word image_tables[3][512] __attribute__((aligned(4096))); // directory pointers, directory, devices' directory
Word image_pages[8][512] __attribute__((aligned(4096)));
Word device_pages[512] __attribute__((aligned(4096)));
Word pool_directories[2][512] __attribute__((aligned(4096)));
Word pool_pointers[512] __attribute__((aligned(4096)));
alignas(64) Pool root_pool; // capabilities keep rights in the low bits of object addresses

void enter_core(unsigned index) {
    Core& core = cores[index];
    core.self = &core;
    core.index = static_cast<std::uint8_t>(index);
    core.endpoint_head = live_head(Type::endpoint, core.index);
    core.stack_top = arch::stacks[index].main.top();
    core.programmed = abi::no_deadline;
    core.sequence = 1;
    core.descriptors.load(&core, index);
    enable_features();
    arch::write_cr3(machine.kernel_root);
    arch::initialize_apic();
    core.apic_id = arch::apic_id();
    core.accounted_at = arch::read_tsc();
}

extern "C" void core_main() {
    unsigned index = 0;
    std::uint32_t id = arch::cpuid(1).ebx >> 24;
    while (index < machine.cores && machine.apic_ids[index] != id)
        ++index;
    enter_core(index);
    __atomic_store_n(&cores[index].online, 1, __ATOMIC_RELEASE);
    enter_idle();
}

} // namespace

void Ram::exclude(Word base, Word size) {
    Word end = (base + size + arch::page - 1) & ~(arch::page - 1);
    base &= ~(arch::page - 1);
    for (unsigned i = 0, n = count; i < n; ++i) {
        RamRange& r = ranges[i];
        Word r_end = r.base + r.size;
        if (end <= r.base || base >= r_end)
            continue;
        if (end < r_end && count < 32)
            ranges[count++] = {end, r_end - end};
        r.size = base > r.base ? base - r.base : 0;
    }
}

Word Ram::take(Word size, Word alignment, Word limit) {
    Word best = 0, best_size = 0;
    for (unsigned i = 0; i < count; ++i) {
        Word end = ranges[i].base + ranges[i].size;
        end = end < limit ? end : limit;
        if (end <= ranges[i].base || end - ranges[i].base < size)
            continue;
        Word base = (end - size) & ~(alignment - 1);
        if (base >= ranges[i].base && ranges[i].size > best_size) {
            best = base;
            best_size = ranges[i].size;
        }
    }
    if (!best)
        panic("not enough memory");
    exclude(best, size);
    return best;
}

void build_kernel_space(Word pool_base, Word pool_size) {
    constexpr Word table = PageTable::present | PageTable::writable;
    kernel_root_table = root_table;
    std::memset(root_table, 0, sizeof root_table);
    root_table[511] = arch::image_physical(image_tables[0]) | table;
    root_table[256] = arch::image_physical(pool_pointers) | table;
    image_tables[0][510] = arch::image_physical(image_tables[1]) | table;
    image_tables[0][511] = arch::image_physical(image_tables[2]) | table;
    image_tables[2][0] = arch::image_physical(device_pages) | table;
    constexpr Word device =
        table | PageTable::uncached | PageTable::write_through | PageTable::no_execute | PageTable::global;
    device_pages[0] = machine.apic_base | device;
    device_pages[1] = machine.ioapic_base | device;
    // The kernel image: exactly its pages, with the rights of its parts.
    for (Word at = reinterpret_cast<Word>(image_start); at < reinterpret_cast<Word>(image_end);
         at += arch::page) {
        Word index = (at - arch::image_window) / arch::page;
        if (index / 512 >= 8)
            panic("kernel image too large");
        Word bits = PageTable::present | PageTable::global;
        if (at >= reinterpret_cast<Word>(text_end))
            bits |= PageTable::no_execute;
        if (at >= reinterpret_cast<Word>(rodata_end))
            bits |= PageTable::writable;
        image_pages[index / 512][index % 512] = (at - arch::image_window) | bits;
        image_tables[1][index / 512] = arch::image_physical(image_pages[index / 512]) | table;
    }
    arch::for_each_guard(abi::max_cores, [](Word guard) {
        Word index = (guard - arch::image_window) / arch::page;
        image_pages[index / 512][index % 512] = 0;
    });
    // The pool: 2 MiB pages; it spans at most two directories.
    for (Word at = pool_base; at < pool_base + pool_size; at += arch::large_page) {
        Word directory = (at >> 30) - (pool_base >> 30);
        if (directory >= 2)
            panic("kernel pool too large");
        pool_directories[directory][at >> 21 & 511] =
            at | table | PageTable::large | PageTable::no_execute | PageTable::global;
        pool_pointers[at >> 30] = arch::image_physical(pool_directories[directory]) | table;
    }
    machine.kernel_root = arch::image_physical(root_table);
}

void start_cores() {
    Word size = static_cast<Word>(trampoline_end - trampoline_start);
    auto* low = reinterpret_cast<char*>(trampoline);
    std::memcpy(low, trampoline_start, size);
    auto put = [&](char* symbol, Word value) {
        std::memcpy(low + (symbol - trampoline_start), &value, sizeof value);
    };
    put(trampoline_cr3, arch::image_physical(boot_pml4));
    put(trampoline_entry, reinterpret_cast<Word>(&core_main));
    for (unsigned i = 1; i < machine.cores; ++i) {
        put(trampoline_stack, arch::stacks[i].main.top());
        arch::send_startup(machine.apic_ids[i], trampoline / arch::page);
        for (Word end = arch::read_tsc() + machine.ticks_per_second;
             !__atomic_load_n(&cores[i].online, __ATOMIC_ACQUIRE);) {
            if (arch::read_tsc() > end)
                panic("a core did not start within a second");
            arch::pause();
        }
    }
    core_count = machine.cores;
}

// Runs on the boot stack with low 4 GiB mapped one to one, until start_root leaves for user mode.
extern "C" void kernel_main(std::uint32_t magic, Word information) {
    console_initialize();
    Ram ram;
    read_acpi(read_boot_loader(magic, information, ram));
    check_features();
    arch::initialize_idt();
    ram.exclude(arch::image_physical(image_start), static_cast<Word>(image_end - image_start));
    ram.exclude(ram.module.base, ram.module.size);
    Word total = 0;
    for (unsigned i = 0; i < ram.count; ++i)
        total += ram.ranges[i].size;
    // A sixteenth of memory for kernel objects, at least 16 MiB: the root task divides it among its jails.
    Word pool_size = (total / 16 + arch::large_page - 1) & ~(arch::large_page - 1);
    pool_size = pool_size < (16 << 20) ? 16 << 20 : pool_size > (512 << 20) ? 512 << 20 : pool_size;
    Word pool_base = ram.take(pool_size, arch::large_page, low_limit);
    RootImage root = load_root(ram);
    build_kernel_space(pool_base, pool_size);

    // The boot core keeps the one-to-one map (its own tables) until the others have been started through it.
    std::uint32_t self = arch::cpuid(1).ebx >> 24;
    for (unsigned i = 0; i < machine.cores; ++i)
        if (machine.apic_ids[i] == self) {
            machine.apic_ids[i] = machine.apic_ids[0];
            machine.apic_ids[0] = self;
        }
    auto* boot_root = reinterpret_cast<Word*>(boot_pml4);
    boot_root[256] = root_table[256];
    Word low_map = boot_root[0];
    root_table[0] = low_map;
    enter_core(0);
    calibrate_clock();
    arch::initialize_apic(); // the timer again as it is used
    machine.timer_multiplier = (machine.timer_per_second << 31) / machine.ticks_per_second << 1;
    machine.boot_ticks = arch::read_tsc();
    boot_root[511] = root_table[511];
    core_count = 1;
    start_cores();
    root_table[0] = 0;
    arch::write_cr3(machine.kernel_root);
    check_mappings();

    root_pool.type = Type::pool;
    initialize_root_pool(root_pool, pool_base, pool_size / arch::page);
    start_root(root_pool, root, ram);
}

} // namespace kernel
