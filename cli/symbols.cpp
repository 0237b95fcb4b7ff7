// SPDX-License-Identifier: BSD-2-Clause
#include "cli/symbols.hpp"

#include <cstdint>
#include <cstdlib>
#include <cxxabi.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <map>
#include <sstream>
#include <unistd.h>

namespace cli {

namespace {

struct Function {
    std::uint64_t size;
    std::string name;
};

std::string demangled(const char* name) {
    int status = 0;
    char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    std::string out = status == 0 ? text : name;
    std::free(text);
    return out;
}

std::map<std::uint64_t, Function> functions_of(const std::string& path) {
    std::map<std::uint64_t, Function> out;
    elf_version(EV_CURRENT);
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    Elf* elf = fd < 0 ? nullptr : elf_begin(fd, ELF_C_READ, nullptr);
    for (Elf_Scn* section = nullptr; elf != nullptr && (section = elf_nextscn(elf, section)) != nullptr;) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_SYMTAB ||
            header.sh_entsize == 0)
            continue;
        Elf_Data* data = elf_getdata(section, nullptr);
        for (std::uint64_t i = 0; data != nullptr && i < header.sh_size / header.sh_entsize; i++) {
            GElf_Sym symbol;
            if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr ||
                GELF_ST_TYPE(symbol.st_info) == STT_OBJECT)
                continue;
            const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
            if (name != nullptr && *name != '\0' && symbol.st_shndx != SHN_ABS)
                out[symbol.st_value] = {symbol.st_size, demangled(name)};
        }
    }
    elf_end(elf);
    if (fd >= 0)
        close(fd);
    return out;
}

} // namespace

std::string symbolized(const std::string& elf_path, const std::string& line) {
    static const std::map<std::uint64_t, Function> functions = functions_of(elf_path);
    std::string out;
    for (std::size_t at = 0; at < line.size();) {
        const std::size_t end = std::min(line.find_first_of(" ,;()[]", at), line.size());
        const std::string word = line.substr(at, end - at);
        out += word;
        char* rest = nullptr;
        const std::uint64_t address = word.size() >= 8 ? std::strtoull(word.c_str(), &rest, 16) : 0;
        auto found = functions.upper_bound(address);
        if (rest != nullptr && *rest == '\0' && found != functions.begin()) {
            --found;
            if (address - found->first < std::max<std::uint64_t>(found->second.size, 1)) {
                std::ostringstream text;
                text << " <" << found->second.name << "+0x" << std::hex << address - found->first << ">";
                out += text.str();
            }
        }
        if (end < line.size())
            out += line[end];
        at = end + 1;
    }
    return out;
}

} // namespace cli
