// SPDX-License-Identifier: BSD-2-Clause
// The root task: its ELF is loaded from the boot module while low memory is mapped one to one; then its task,
// thread and first capabilities are made, and the kernel leaves for its entry.
#include <cstring>

#include "kernel/abi/boot_module.hpp"
#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/boot.hpp"
#include "kernel/panic.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/task.hpp"

extern "C" [[noreturn]] void jump_to_user();

namespace kernel {

namespace {

struct ElfHeader {
    std::uint8_t ident[16];
    std::uint16_t type, machine;
    std::uint32_t version;
    Word entry, program_offset, section_offset;
    std::uint32_t flags;
    std::uint16_t header_size, program_size, program_count;
};
struct ProgramHeader {
    std::uint32_t type, flags;
    Word offset, address, physical, file_size, memory_size, alignment;
};

constexpr Word root_stack_size = 64 << 10;
constexpr std::uint32_t load_segment = 1, flag_execute = 1, flag_write = 2;

void* must(void* p) {
    if (!p)
        panic("kernel pool too small for the root task");
    return p;
}
void must(Error error) {
    if (error != Error::ok)
        panic("cannot make the root task");
}

} // namespace

RootImage load_root(Ram& ram) {
    const auto& header = *reinterpret_cast<const abi::BootModuleHeader*>(ram.module.base);
    Word size = ram.module.size;
    if (size < arch::page || header.magic != abi::boot_module_magic)
        panic("no boot module: start with -initrd MODULE");
    if (header.root_offset > size || header.root_size > size - header.root_offset ||
        header.payload_offset > size || header.payload_size > size - header.payload_offset ||
        header.root_size < sizeof(ElfHeader))
        panic("boot module is truncated");
    Word elf = ram.module.base + header.root_offset;
    const auto& e = *reinterpret_cast<const ElfHeader*>(elf);
    if (std::memcmp(e.ident, "\177ELF\2\1", 6) != 0 || e.type != 2 || e.machine != 62 ||
        e.program_size != sizeof(ProgramHeader) || e.program_offset > header.root_size ||
        e.program_count * sizeof(ProgramHeader) > header.root_size - e.program_offset)
        panic("the root task is not a static x86-64 ELF executable");
    const auto* programs = reinterpret_cast<const ProgramHeader*>(elf + e.program_offset);
    RootImage image{};
    image.entry = e.entry;
    image.payload_offset = header.payload_offset;
    image.payload_size = header.payload_size;
    for (unsigned i = 0; i < e.program_count; ++i) {
        const ProgramHeader& p = programs[i];
        if (p.type != load_segment || p.memory_size == 0)
            continue;
        if (p.offset > header.root_size || p.file_size > header.root_size - p.offset ||
            p.file_size > p.memory_size || p.memory_size > (64 << 20) ||
            p.address % arch::page != p.offset % arch::page || p.address > (Word{1} << 40) ||
            image.segments_count == 8)
            panic("the root task has a bad segment");
        Word start = p.address & ~(arch::page - 1),
             end = (p.address + p.memory_size + arch::page - 1) & ~(arch::page - 1);
        Word bits = (p.flags & flag_write ? PageTable::writable : 0) |
                    (p.flags & flag_execute ? 0 : Word{PageTable::no_execute});
        image.segments[image.segments_count++] = {start, image.size, (end - start) / arch::page, bits};
        image.size += end - start;
    }
    image.size += root_stack_size;
    image.base = ram.take(image.size, arch::page, Word{1} << 32);
    std::memset(reinterpret_cast<void*>(image.base), 0, image.size);
    for (unsigned i = 0, segment = 0; i < e.program_count; ++i) {
        const ProgramHeader& p = programs[i];
        if (p.type == load_segment && p.memory_size > 0)
            std::memcpy(reinterpret_cast<void*>(image.base + image.segments[segment++].offset +
                                                p.address % arch::page),
                        reinterpret_cast<const void*>(elf + p.offset), p.file_size);
    }
    return image;
}

void start_root(Pool& pool, const RootImage& image, const Ram& ram) {
    Core& core = cores[0];
    auto* information = static_cast<abi::InformationPage*>(must(pool.allocate_page()));
    information->magic = abi::information_magic;
    information->version = abi::version;
    information->cores = core_count;
    information->ticks_per_second = machine.ticks_per_second;
    information->nanoseconds_multiplier = (Word{1'000'000'000} << 32) / machine.ticks_per_second;
    information->boot_ticks = machine.boot_ticks;
    information->xsave_size = machine.xsave_size;
    information->xsave_mask = machine.xsave_mask;
    machine.information_page = arch::pool_physical(information);
    void* clean = must(pool.allocate_page());
    initialize_fpu(clean);
    machine.clean_fpu = clean;

    Task& task = *static_cast<Task*>(must(make<Task>(pool)));
    must(task.space.create(pool));
    must(task.table.create(pool, abi::root_table_slots));
    bool flush = false;
    Word done;
    Budget budget(1 << 30); // boot is in no hurry
    for (unsigned i = 0; i < image.segments_count; ++i) {
        const auto& segment = image.segments[i];
        for (Word from = 0; from < segment.pages; from += done)
            must(task.space.map(pool, segment.address + from * arch::page,
                                image.base + segment.offset + from * arch::page, segment.pages - from,
                                segment.bits, false, budget, done, flush));
    }
    must(task.space.map(pool, abi::root_stack_top - root_stack_size,
                        image.base + image.size - root_stack_size, root_stack_size / arch::page,
                        PageTable::writable | PageTable::no_execute, false, budget, done, flush));
    auto* boot = static_cast<abi::BootInformation*>(must(pool.allocate_page()));

    Thread& thread = *static_cast<Thread*>(must(make<Thread>(pool)));
    thread.task = &task;
    thread.home = &core;
    thread.base_priority = thread.priority = 100;
    thread.buffer = static_cast<abi::MessageBuffer*>(must(pool.allocate_page()));
    thread.buffer_address = abi::root_buffer_address;
    thread.fpu = must(pool.allocate_page());
    initialize_fpu(thread.fpu);
    thread.task_link = &task.threads;
    task.threads = &thread;
    auto& context = *static_cast<SchedulingContext*>(must(make<SchedulingContext>(pool)));
    context.priority_limit = abi::priorities - 1;
    context.owner = &thread;
    thread.own_context = thread.context = &context;
    must(
        task.space.map_kernel_page(pool, abi::root_information_address, machine.information_page, 0, budget));
    must(task.space.map_kernel_page(pool, abi::root_boot_address, arch::pool_physical(boot), 0, budget));
    must(task.space.map_kernel_page(pool, abi::root_buffer_address, arch::pool_physical(thread.buffer),
                                    PageTable::writable, budget));

    auto grant = [&](Selector selector, Object* object, std::uint32_t rights) {
        must(object);
        must(task.table.reserve(pool, selector, nullptr, budget));
        task.table.put(selector, *object, rights, 0, nullptr);
    };
    auto region = [&](Selector selector, Word base, Word size, std::uint32_t rights) {
        auto* made = static_cast<Region*>(must(make<Region>(pool)));
        made->base = base;
        made->size = size;
        grant(selector, made, rights);
    };
    grant(abi::root_task, &task, abi::task_right::all);
    grant(abi::root_thread, &thread, abi::thread_right::all);
    grant(abi::root_pool, &pool, abi::pool_right::create | abi::pool_right::schedule);
    grant(abi::root_scheduling, &context, abi::scheduling_right::all);
    grant(abi::root_irqs, make<Irqs>(pool), abi::irqs_right::all);
    grant(abi::root_ports, make<Ports>(pool), abi::port_right::all);
    grant(abi::root_observer, make<Observer>(pool), abi::observer_right::all);
    grant(abi::root_console, make<Console>(pool), abi::console_right::all);
    const auto& header_base = ram.module.base;
    region(abi::root_module, header_base & ~(arch::page - 1),
           (ram.module.size + arch::page - 1) & ~(arch::page - 1),
           abi::region_right::read | abi::region_right::carve);
    boot->module_size = ram.module.size;
    boot->payload_offset = image.payload_offset;
    boot->payload_size = image.payload_size;
    constexpr Word controllers = 0xfec0'0000; // I/O APICs, HPET and local APICs lie from here on
    Word first = (ram.devices + arch::large_page - 1) & ~(arch::large_page - 1);
    Word last = machine.ioapic_base < machine.apic_base ? machine.ioapic_base : machine.apic_base;
    last = last < controllers ? last & ~(arch::large_page - 1) : controllers;
    if (first < last) {
        region(abi::root_devices, first, last - first, abi::region_right::all);
        boot->devices_base = first;
        boot->devices_size = last - first;
    }
    for (unsigned i = 0; i < ram.count && boot->ram_regions < 16; ++i) {
        Word base = (ram.ranges[i].base + arch::large_page - 1) & ~(arch::large_page - 1);
        Word end = (ram.ranges[i].base + ram.ranges[i].size) & ~(arch::large_page - 1);
        if (end <= base)
            continue;
        region(abi::root_ram + boot->ram_regions, base, end - base, abi::region_right::all);
        boot->ram_size[boot->ram_regions++] = end - base;
    }
    std::strncpy(boot->command_line, machine.command_line, sizeof boot->command_line - 1);

    thread.registers.rip = image.entry;
    thread.registers.rsp = abi::root_stack_top;
    thread.registers.rflags = arch::rflags_fixed | arch::rflags_interrupts;
    thread.registers.cs = arch::user_code;
    thread.registers.ss = arch::user_data;
    console_write("libelle: ");
    console_decimal(core_count);
    console_write(" cores, ");
    console_decimal(pool.free_pages / 256);
    console_write(" MiB kernel memory, clock ");
    console_decimal(machine.ticks_per_second / 1'000'000);
    console_write(" MHz by ");
    console_write(machine.clock_source);
    console_write(machine.tsc_deadline ? ", TSC deadline" : ", APIC timer");
    console_write(machine.x2apic ? ", x2APIC" : ", xAPIC");
    console_write(machine.pcid ? ", PCID, " : ", ");
    console_decimal(machine.xsave_size);
    console_write(" bytes of extended state\n");
    switch_to(core, thread);
    jump_to_user();
}

} // namespace kernel
