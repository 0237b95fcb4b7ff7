// SPDX-License-Identifier: BSD-2-Clause
#include "cli/elf_check.hpp"

#include "cli/error.hpp"

#include <algorithm>
#include <cstring>
#include <gelf.h>
#include <libelf.h>
#include <memory>
#include <string_view>

namespace cli {

namespace {

struct ElfCloser {
    void operator()(Elf* elf) const { elf_end(elf); }
};

bool inside(std::uint64_t offset, std::uint64_t size, std::uint64_t total) {
    return offset <= total && size <= total - offset;
}

/// The brand that a note segment carries, if any.
Brand note_brand(const std::uint8_t* data, std::size_t size) {
    std::size_t at = 0;
    while (size - at >= 12) {
        std::uint32_t words[3];
        std::memcpy(words, data + at, sizeof words);
        at += sizeof words;
        const std::uint64_t name_end = (std::uint64_t{words[0]} + 3) & ~3ULL;
        const std::uint64_t total = name_end + ((std::uint64_t{words[1]} + 3) & ~3ULL);
        if (total > size - at)
            break;
        const std::string_view name(reinterpret_cast<const char*>(data + at),
                                    words[0] == 0 ? 0 : words[0] - 1);
        if (name == "FreeBSD" && words[2] == 1)
            return Brand::freebsd;
        if (name == "DragonFly" && words[2] == 1)
            return Brand::dragonfly;
        if (name == "NetBSD" && words[2] == 1)
            return Brand::netbsd;
        if (name == "OpenBSD" && words[2] == 1)
            return Brand::openbsd;
        if (name == "GNU" && words[2] == 1)
            return Brand::linux_system;
        at += total;
    }
    return Brand::none;
}

/// Go leaves no brand on most systems, but writes its target into every program (`go version -m` shows it).
Brand go_brand(std::span<const std::uint8_t> bytes) {
    static constexpr std::string_view key = "build\tGOOS=";
    const auto found = std::search(bytes.begin(), bytes.end(), key.begin(), key.end());
    if (found == bytes.end())
        return Brand::none;
    const std::string_view rest(reinterpret_cast<const char*>(&*found) + key.size(),
                                static_cast<std::size_t>(bytes.end() - found) - key.size());
    const std::string_view system = rest.substr(0, rest.find('\n'));
    return system == "freebsd"     ? Brand::freebsd
           : system == "dragonfly" ? Brand::dragonfly
           : system == "linux"     ? Brand::linux_system
           : system == "netbsd"    ? Brand::netbsd
           : system == "openbsd"   ? Brand::openbsd
                                   : Brand::none;
}

Brand interpreter_brand(const std::string& interpreter) {
    if (interpreter == "/libexec/ld-elf.so.1")
        return Brand::freebsd;
    if (interpreter == "/libexec/ld-elf.so.2" || interpreter == "/usr/libexec/ld-elf.so.2")
        return Brand::dragonfly;
    if (interpreter.find("ld-linux") != std::string::npos || interpreter.find("ld-musl") != std::string::npos)
        return Brand::linux_system;
    return Brand::none;
}

} // namespace

Executable check_executable(const std::string& name, std::span<const std::uint8_t> bytes) {
    elf_version(EV_CURRENT);
    if (bytes.size() < 4 || std::memcmp(bytes.data(), "\177ELF", 4) != 0)
        throw UserError(name + ": not an ELF executable");
    if (bytes.size() < sizeof(Elf64_Ehdr))
        throw UserError(name + ": truncated ELF file");
    if (bytes[EI_CLASS] != ELFCLASS64 || bytes[EI_DATA] != ELFDATA2LSB)
        throw UserError(name + ": an ELF file for another machine (not 64-bit x86)");
    // libelf wants writable memory but does not change it.
    const std::unique_ptr<Elf, ElfCloser> elf(
        elf_memory(reinterpret_cast<char*>(const_cast<std::uint8_t*>(bytes.data())), bytes.size()));
    GElf_Ehdr header;
    if (!elf || gelf_getehdr(elf.get(), &header) == nullptr)
        throw UserError(name + ": broken ELF header: " + elf_errmsg(-1));
    if (header.e_machine != EM_X86_64)
        throw UserError(name + ": an ELF file for another machine (e_machine " +
                        std::to_string(header.e_machine) + ", wanted 62, x86-64)");
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
        throw UserError(name + ": an ELF file, but no executable");
    std::size_t count = 0;
    if (header.e_phnum == 0 ||
        !inside(header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr), bytes.size()) ||
        elf_getphdrnum(elf.get(), &count) != 0)
        throw UserError(name + ": truncated ELF file: its program headers are missing");
    Executable result;
    Brand by_note = Brand::none;
    for (std::size_t i = 0; i < count; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf.get(), static_cast<int>(i), &segment) == nullptr)
            throw UserError(name + ": broken ELF program header");
        if (!inside(segment.p_offset, segment.p_filesz, bytes.size()) &&
            (segment.p_type == PT_LOAD || segment.p_type == PT_INTERP || segment.p_type == PT_NOTE))
            throw UserError(name + ": truncated ELF file: segment " + std::to_string(i) +
                            " ends beyond the file");
        if (segment.p_type == PT_INTERP && segment.p_filesz > 1)
            result.interpreter.assign(reinterpret_cast<const char*>(bytes.data()) + segment.p_offset,
                                      segment.p_filesz - 1);
        if (segment.p_type == PT_NOTE && by_note == Brand::none)
            by_note = note_brand(bytes.data() + segment.p_offset, segment.p_filesz);
    }
    result.brand = by_note != Brand::none                ? by_note
                   : bytes[EI_OSABI] == ELFOSABI_FREEBSD ? Brand::freebsd
                   : bytes[EI_OSABI] == ELFOSABI_NETBSD  ? Brand::netbsd
                   : bytes[EI_OSABI] == ELFOSABI_OPENBSD ? Brand::openbsd
                   : bytes[EI_OSABI] == ELFOSABI_LINUX   ? Brand::linux_system
                   : interpreter_brand(result.interpreter) != Brand::none
                       ? interpreter_brand(result.interpreter)
                       : go_brand(bytes);
    return result;
}

proto::JailAbi choose_abi(const std::string& name, const Executable& executable,
                          const std::optional<std::string>& asked) {
    if (asked && *asked != "freebsd" && *asked != "dragonfly")
        throw UserError("abi " + *asked + ": no such ABI here (known: freebsd, dragonfly)");
    const auto wanted = [&](const char* brand, proto::JailAbi abi) {
        if (asked && *asked != brand)
            throw UserError(name + ": an executable for " + brand + ", but abi is " + *asked);
        return abi;
    };
    switch (executable.brand) {
    case Brand::freebsd:
        return wanted("freebsd", proto::JailAbi::freebsd);
    case Brand::dragonfly:
        return wanted("dragonfly", proto::JailAbi::dragonfly);
    case Brand::linux_system:
        throw UserError(name +
                        ": a Linux executable: the Linux ABI is not there (known: freebsd, dragonfly)");
    case Brand::netbsd:
        throw UserError(name +
                        ": a NetBSD executable: the NetBSD ABI is not there (known: freebsd, dragonfly)");
    case Brand::openbsd:
        throw UserError(name +
                        ": an OpenBSD executable: the OpenBSD ABI is not there (known: freebsd, dragonfly)");
    case Brand::none:
        break;
    }
    if (!asked)
        throw UserError(
            name + ": the executable carries no brand; say which ABI by --abi freebsd or --abi dragonfly");
    return *asked == "freebsd" ? proto::JailAbi::freebsd : proto::JailAbi::dragonfly;
}

} // namespace cli
