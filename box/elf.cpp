// SPDX-License-Identifier: BSD-2-Clause
#include "box/elf.hpp"

#include <cstring>

#include "kernel/abi/layout.hpp"

namespace box {

namespace {

struct FileHeader {
    std::uint8_t ident[16];
    std::uint16_t type, machine;
    std::uint32_t version;
    std::uint64_t entry, program_offset, section_offset;
    std::uint32_t flags;
    std::uint16_t header_size, program_size, program_count, rest[3];
};
static_assert(sizeof(FileHeader) == 64);

struct ProgramHeader {
    std::uint32_t type, flags;
    std::uint64_t offset, address, physical, file_size, memory_size, alignment;
};
static_assert(sizeof(ProgramHeader) == 56);

constexpr std::uint64_t page = abi::page_size;

} // namespace

const char* load_program(proto::Bytes file, std::byte* ram, std::uint64_t ram_size, Program& out) {
    out = {};
    if (!file.holds(0, sizeof(FileHeader)))
        return "program is too short for an ELF header";
    auto header = proto::load<FileHeader>(file, 0);
    if (std::memcmp(header.ident, "\177ELF\2\1", 6) != 0 || header.type != 2 || header.machine != 62)
        return "program is not a static x86-64 ELF executable";
    if (header.program_size != sizeof(ProgramHeader) ||
        !file.holds(header.program_offset, std::uint64_t{header.program_count} * sizeof(ProgramHeader)))
        return "program's headers lie outside the file";
    out.entry = header.entry;
    for (unsigned i = 0; i < header.program_count; ++i) {
        auto p = proto::load<ProgramHeader>(file, header.program_offset + i * sizeof(ProgramHeader));
        if (p.type != 1 || p.memory_size == 0)
            continue;
        if (out.count == 8 || p.file_size > p.memory_size || !file.holds(p.offset, p.file_size) ||
            p.address > abi::user_end || p.memory_size > ram_size)
            return "program has a bad segment";
        std::uint64_t start = p.address & ~(page - 1),
                      size = (p.address + p.memory_size - start + page - 1) & ~(page - 1);
        if (size > ram_size - out.size)
            return "program does not fit into the task's memory";
        std::memset(ram + out.size, 0, size);
        std::memcpy(ram + out.size + (p.address - start), file.data + p.offset, p.file_size);
        std::uint64_t flags = abi::map_read;
        if (p.flags & 1)
            flags |= abi::map_execute;
        if (p.flags & 2)
            flags |= abi::map_write;
        out.segments[out.count++] = {start, size, out.size, flags};
        out.size += size;
    }
    return nullptr;
}

} // namespace box
