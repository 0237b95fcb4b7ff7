// SPDX-License-Identifier: BSD-2-Clause
// What the boot loader left: PVH start information (QEMU's -kernel) or Multiboot2 tags (GRUB). Read once,
// while the low 4 GiB are mapped one to one and nothing has been written but the kernel's own image; only
// what is copied here is used later. The loader is trusted as far as the firmware is, its lengths are not.
#include <cstring>

#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/boot.hpp"
#include "kernel/panic.hpp"

namespace kernel {

namespace {

constexpr std::uint32_t usable_memory = 1;   // in both protocols the numbers of ACPI's address map
constexpr std::uint32_t reserved_memory = 2; // mostly no memory: what firmware says of its devices
constexpr unsigned ranges_taken = 16;        // leaves the rest of Ram::ranges for what exclude() splits
constexpr Word low_end = 1 << 20;            // below: firmware data and the start of other cores
char command_line[1024];

// The PVH start information (Xen's public/arch-x86/hvm/start_info.h).
struct StartInfo {
    std::uint32_t magic, version, flags, modules;
    Word modlist, cmdline, rsdp, memmap;
    std::uint32_t memmap_entries, reserved;
};
struct StartModule {
    Word address, size, cmdline, reserved;
};
struct StartMemory {
    Word address, size;
    std::uint32_t type, reserved;
};
constexpr std::uint32_t start_magic = 0x336ec578;

// Multiboot2: a total size, then tags, each at a multiple of eight.
struct Tag {
    std::uint32_t type, size; // size: without the padding
};
enum TagType : std::uint32_t {
    tag_end = 0,
    tag_command_line = 1,
    tag_module = 3,
    tag_memory_map = 6,
    tag_rsdp_old = 14,
    tag_rsdp_new = 15,
};
struct TagModule : Tag {
    std::uint32_t start, end; // physical; a string follows
};
struct TagMemoryMap : Tag {
    std::uint32_t entry_size, entry_version;
};
struct TagMemory {
    Word address, size;
    std::uint32_t type, reserved;
};
static_assert(sizeof(TagModule) == 16 && sizeof(TagMemoryMap) == 16 && sizeof(TagMemory) == 24);

void add_memory(Ram& ram, Word address, Word size, std::uint32_t type) {
    if (address + size < address)
        return;
    if (type != reserved_memory && address + size <= Word{1} << 32 && address + size > ram.devices)
        ram.devices = address + size;
    if (type != usable_memory || ram.count == ranges_taken)
        return;
    Word base = (address + arch::page - 1) & ~(arch::page - 1), end = (address + size) & ~(arch::page - 1);
    base = base < low_end ? low_end : base;
    if (end > base)
        ram.ranges[ram.count++] = {base, end - base};
}

Word read_pvh(const StartInfo& info, Ram& ram) {
    if (info.magic != start_magic)
        panic("started neither by PVH nor by Multiboot2");
    const auto* memory = reinterpret_cast<const StartMemory*>(info.memmap);
    for (unsigned i = 0; i < info.memmap_entries; ++i)
        add_memory(ram, memory[i].address, memory[i].size, memory[i].type);
    if (info.modules > 0) {
        const auto* module = reinterpret_cast<const StartModule*>(info.modlist);
        ram.module = {module->address, module->size};
    }
    if (info.cmdline)
        std::strncpy(command_line, reinterpret_cast<const char*>(info.cmdline), sizeof command_line - 1);
    return info.rsdp;
}

Word read_multiboot2(Word information, Ram& ram) {
    Word end = information + *reinterpret_cast<const std::uint32_t*>(information), rsdp = 0;
    for (Word at = information + 8; at + sizeof(Tag) <= end;) {
        const auto& tag = *reinterpret_cast<const Tag*>(at);
        if (tag.type == tag_end || tag.size < sizeof(Tag) || tag.size > end - at)
            break;
        const auto* text = reinterpret_cast<const char*>(&tag + 1);
        Word payload = tag.size - sizeof(Tag);
        switch (tag.type) {
        case tag_command_line:
            std::strncpy(command_line, text,
                         payload < sizeof command_line ? payload : sizeof command_line - 1);
            break;
        case tag_module: { // the first; others are left alone, as with PVH
            const auto& module = static_cast<const TagModule&>(tag);
            if (tag.size >= sizeof(TagModule) && module.end > module.start && ram.module.size == 0)
                ram.module = {module.start, module.end - module.start};
            break;
        }
        case tag_memory_map: {
            const auto& map = static_cast<const TagMemoryMap&>(tag);
            if (tag.size < sizeof(TagMemoryMap) || map.entry_size < sizeof(TagMemory))
                break;
            for (Word entry = at + sizeof(TagMemoryMap); entry + sizeof(TagMemory) <= at + tag.size;
                 entry += map.entry_size) {
                const auto& memory = *reinterpret_cast<const TagMemory*>(entry);
                add_memory(ram, memory.address, memory.size, memory.type);
            }
            break;
        }
        case tag_rsdp_old: // a copy of the table itself
        case tag_rsdp_new:
            rsdp = at + sizeof(Tag);
            break;
        }
        at += (Word{tag.size} + 7) & ~Word{7};
    }
    return rsdp;
}

} // namespace

bool boot_option(const char* word) {
    auto starts = [word](const char* at) {
        const char* wanted = word;
        for (; *wanted && *at == *wanted; ++at)
            ++wanted;
        return *wanted == 0 && (*at == 0 || *at == ' ');
    };
    for (const char* at = command_line; *at; ++at)
        if ((at == command_line || at[-1] == ' ') && starts(at))
            return true;
    return false;
}

Word read_boot_loader(std::uint32_t magic, Word information, Ram& ram) {
    Word rsdp = magic == multiboot2_magic ? read_multiboot2(information, ram)
                                          : read_pvh(*reinterpret_cast<const StartInfo*>(information), ram);
    machine.command_line = command_line;
    if (ram.module.base % arch::page != 0)
        panic("the boot loader put the boot module at an address that is no page's");
    return rsdp;
}

} // namespace kernel
