// SPDX-License-Identifier: BSD-2-Clause
// Reads what exec needs out of an ELF file: segments, interpreter, brand. The file is hostile: after parse()
// every number that is handed out has been checked against the file and the address space. Pure: no memory,
// no globals.
#pragma once

#include "bsd-personality/kern/text.hpp"
#include "l4-glue/result.hpp"

namespace bsd {

enum class ElfError : std::uint8_t {
    none,
    not_elf,
    truncated,
    wrong_machine,   // not 64-bit little-endian x86-64
    wrong_type,      // neither an executable nor position independent
    bad_headers,     // program headers that are too many, misplaced or contradict themselves
    bad_segment,     // outside the file or the address space, overlapping, or misaligned
    bad_interpreter, // its path is missing or too long
    unknown_abi,     // branded for a system that is not here, or not branded at all
};
const char* describe(ElfError error);

enum class ElfBrand : std::uint8_t { none, freebsd, dragonfly, netbsd, openbsd, gnu_linux, other };

/// Reads `size` bytes at `offset`; false when the file does not have them.
struct ElfSource {
    virtual bool read(std::uint64_t offset, void* to, std::uint64_t size) const = 0;
    virtual std::uint64_t size() const = 0;

protected:
    ~ElfSource() = default;
};

struct ElfSegment {
    std::uint64_t address, memory_size; // before the load bias; memory_size > 0
    std::uint64_t offset, file_size;
    std::uint8_t protection; // PROT_ bits
};

struct ElfFile {
    static constexpr unsigned max_segments = 16;
    bool position_independent = false;
    bool executable_stack = true; // without PT_GNU_STACK
    ElfBrand brand = ElfBrand::none;
    std::uint32_t osrel = 0; // of a FreeBSD note
    enum Feature : std::uint32_t { no_aslr = 1, no_implied_maximum = 2 };
    std::uint32_t features = 0; // Feature and others; of a FreeBSD note
    std::uint64_t entry = 0;
    std::uint64_t headers = 0; // address of the program headers in memory, before the bias; 0: not mapped
    std::uint16_t header_count = 0;
    std::uint32_t flags = 0;
    unsigned segment_count = 0;
    ElfSegment segments[max_segments] = {};
    std::uint64_t low = 0, high = 0; // all segments lie in [low, high), page aligned
    std::uint64_t alignment = 4096;  // largest of the segments
    char interpreter[256] = {};      // empty: none
};

Result<ElfFile, ElfError> parse_elf(const ElfSource& source);

} // namespace bsd
