// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/elf.hpp"

namespace bsd {

namespace {

constexpr std::uint64_t page = 4096, address_end = 0x7fff'ffff'f000;

struct Header {
    std::uint8_t ident[16];
    std::uint16_t type, machine;
    std::uint32_t version;
    std::uint64_t entry, program_headers, section_headers;
    std::uint32_t flags;
    std::uint16_t header_size, program_header_size, program_header_count;
    std::uint16_t section_header_size, section_header_count, section_names;
};
static_assert(sizeof(Header) == 64);

struct ProgramHeader {
    std::uint32_t type, flags;
    std::uint64_t offset, address, physical, file_size, memory_size, alignment;
};
static_assert(sizeof(ProgramHeader) == 56);

enum Type : std::uint32_t { load = 1, interpreter = 3, note = 4, header_table = 6, gnu_stack = 0x6474'e551 };
enum OsAbi : std::uint8_t { abi_none = 0, abi_netbsd = 2, abi_linux = 3, abi_freebsd = 9, abi_openbsd = 12 };

constexpr std::uint64_t down(std::uint64_t value) {
    return value & ~(page - 1);
}
constexpr std::uint64_t up(std::uint64_t value) {
    return down(value + page - 1);
}

bool equal(const char* a, const char* b, std::size_t size) {
    return Text(a, size) == Text(b, size);
}

ElfError check_header(const Header& header, std::uint64_t file_size) {
    if (header.ident[4] != 2 || header.ident[5] != 1 || header.machine != 62)
        return ElfError::wrong_machine;
    if (header.type != 2 && header.type != 3)
        return ElfError::wrong_type;
    if (header.program_header_size != sizeof(ProgramHeader) || header.program_header_count == 0)
        return ElfError::bad_headers;
    std::uint64_t table = std::uint64_t{header.program_header_count} * sizeof(ProgramHeader);
    if (header.program_headers > page || table > page ||
        header.program_headers + table > page) // as the real systems ask
        return ElfError::bad_headers;
    return header.program_headers + table > file_size ? ElfError::truncated : ElfError::none;
}

// Notes tell the brand. A note area that is broken only ends the search.
void read_notes(const ElfSource& source, const ProgramHeader& area, ElfFile& file) {
    constexpr std::uint64_t longest_area = 4096;
    std::uint64_t end = least(area.file_size, longest_area);
    for (std::uint64_t at = 0; at + 12 <= end;) {
        std::uint32_t head[3];
        char name[12] = {};
        if (area.offset + at < at || !source.read(area.offset + at, head, sizeof head))
            return;
        std::uint64_t name_size = (std::uint64_t{head[0]} + 3) & ~std::uint64_t{3};
        std::uint64_t data_size = (std::uint64_t{head[1]} + 3) & ~std::uint64_t{3};
        if (head[0] > longest_area || head[1] > longest_area || at + 12 + name_size + data_size > end)
            return;
        if (head[0] == 0 || head[0] > sizeof name || !source.read(area.offset + at + 12, name, head[0]))
            head[0] = 0;
        std::uint32_t value = 0;
        bool has_value = head[1] >= 4 && source.read(area.offset + at + 12 + name_size, &value, sizeof value);
        constexpr std::uint32_t feature_control = 4; // note type
        if (head[2] == feature_control && has_value && head[0] == 8 && equal(name, "FreeBSD", 8))
            file.features = value;
        if (head[2] == 1 && has_value) {
            if (head[0] == 8 && equal(name, "FreeBSD", 8))
                file.brand = ElfBrand::freebsd, file.osrel = value;
            else if (head[0] == 10 && equal(name, "DragonFly", 10))
                file.brand = ElfBrand::dragonfly, file.osrel = value;
            else if (head[0] == 7 && equal(name, "NetBSD", 7))
                file.brand = ElfBrand::netbsd;
            else if (head[0] == 8 && equal(name, "OpenBSD", 8))
                file.brand = ElfBrand::openbsd;
            else if (head[0] == 4 && equal(name, "GNU", 4) && value == 0)
                file.brand = ElfBrand::gnu_linux;
        }
        at += 12 + name_size + data_size;
    }
}

ElfError add_segment(const ProgramHeader& header, std::uint64_t file_size, ElfFile& file) {
    if (header.memory_size == 0)
        return ElfError::none;
    if (file.segment_count == ElfFile::max_segments)
        return ElfError::bad_headers;
    if (header.file_size > header.memory_size || header.memory_size > address_end ||
        header.address > address_end - header.memory_size)
        return ElfError::bad_segment;
    if (header.offset > file_size || header.file_size > file_size - header.offset)
        return ElfError::truncated;
    if (header.file_size != 0 && (header.offset ^ header.address) % page != 0)
        return ElfError::bad_segment;
    // Ascending and not sharing a page, as linkers make them; so that mapping one never replaces another.
    if (file.segment_count != 0 && down(header.address) < file.high)
        return ElfError::bad_segment;
    auto protection = static_cast<std::uint8_t>((header.flags & 4 ? 1 : 0) | (header.flags & 2) |
                                                (header.flags & 1 ? 4 : 0));
    file.segments[file.segment_count] = {header.address, header.memory_size, header.offset, header.file_size,
                                         protection};
    if (file.segment_count++ == 0)
        file.low = down(header.address);
    file.high = up(header.address + header.memory_size);
    if (header.alignment > file.alignment && header.alignment <= 2 << 20 &&
        (header.alignment & (header.alignment - 1)) == 0)
        file.alignment = header.alignment;
    return ElfError::none;
}

// The brand by note was found; else by the header's OS field, else by the interpreter.
void settle_brand(const Header& header, ElfFile& file) {
    if (file.brand != ElfBrand::none)
        return;
    if (header.ident[7] == abi_freebsd ||
        equal(reinterpret_cast<const char*>(header.ident) + 8, "FreeBSD", 8))
        file.brand = ElfBrand::freebsd;
    else if (header.ident[7] == abi_netbsd)
        file.brand = ElfBrand::netbsd;
    else if (header.ident[7] == abi_openbsd)
        file.brand = ElfBrand::openbsd;
    else if (header.ident[7] == abi_linux)
        file.brand = ElfBrand::gnu_linux;
    else if (header.ident[7] != abi_none)
        file.brand = ElfBrand::other;
    else if (text(file.interpreter) == Text("/libexec/ld-elf.so.1"))
        file.brand = ElfBrand::freebsd;
    else if (text(file.interpreter) == Text("/usr/libexec/ld-elf.so.2") ||
             text(file.interpreter) == Text("/libexec/ld-elf.so.2"))
        file.brand = ElfBrand::dragonfly;
    else if (text(file.interpreter).starts_with(Text("/lib64/ld-linux")) ||
             text(file.interpreter).starts_with(Text("/lib/ld-musl")))
        file.brand = ElfBrand::gnu_linux;
}

} // namespace

const char* describe(ElfError error) {
    switch (error) {
    case ElfError::none:
        return "no error";
    case ElfError::not_elf:
        return "not an ELF file";
    case ElfError::truncated:
        return "truncated ELF file";
    case ElfError::wrong_machine:
        return "ELF file for another machine";
    case ElfError::wrong_type:
        return "ELF file that is not executable";
    case ElfError::bad_headers:
        return "ELF file with bad program headers";
    case ElfError::bad_segment:
        return "ELF file with a bad segment";
    case ElfError::bad_interpreter:
        return "ELF file with a bad interpreter path";
    case ElfError::unknown_abi:
        return "ELF file for a system that is not there";
    }
    return "unknown ELF error";
}

Result<ElfFile, ElfError> parse_elf(const ElfSource& source) {
    Header header;
    char magic[4];
    if (!source.read(0, magic, 4) || !equal(magic, "\177ELF", 4))
        return Failure(ElfError::not_elf);
    if (!source.read(0, &header, sizeof header))
        return Failure(ElfError::truncated);
    if (ElfError error = check_header(header, source.size()); error != ElfError::none)
        return Failure(error);

    ElfFile file;
    file.position_independent = header.type == 3;
    file.entry = header.entry;
    file.flags = header.flags;
    file.header_count = header.program_header_count;
    for (unsigned i = 0; i < header.program_header_count; i++) {
        ProgramHeader segment;
        if (!source.read(header.program_headers + i * sizeof segment, &segment, sizeof segment))
            return Failure(ElfError::truncated);
        switch (segment.type) {
        case load:
            if (ElfError error = add_segment(segment, source.size(), file); error != ElfError::none)
                return Failure(error);
            if (segment.offset == 0 &&
                header.program_headers + std::uint64_t{header.program_header_count} * sizeof segment <=
                    segment.file_size &&
                !file.headers)
                file.headers = segment.address + header.program_headers;
            break;
        case interpreter:
            if (segment.file_size < 2 || segment.file_size > sizeof file.interpreter ||
                !source.read(segment.offset, file.interpreter, segment.file_size) ||
                file.interpreter[segment.file_size - 1] != '\0')
                return Failure(ElfError::bad_interpreter);
            break;
        case note:
            read_notes(source, segment, file);
            break;
        case header_table:
            file.headers = segment.address;
            break;
        case gnu_stack:
            file.executable_stack = (segment.flags & 1) != 0;
            break;
        default:
            break;
        }
    }
    if (file.segment_count == 0)
        return Failure(ElfError::bad_headers);
    settle_brand(header, file);
    return file;
}

} // namespace bsd
