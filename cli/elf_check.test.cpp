// SPDX-License-Identifier: BSD-2-Clause
#include "cli/elf_check.hpp"
#include "cli/error.hpp"

#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>

using namespace cli;

namespace {

/// A minimal static executable with one loadable segment that holds the whole file.
std::vector<std::uint8_t> sample(std::uint8_t os = 0, const std::string& extra = "") {
    std::vector<std::uint8_t> bytes(sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) + 64);
    bytes.insert(bytes.end(), extra.begin(), extra.end());
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_ident[EI_OSABI] = os;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    Elf64_Phdr segment{};
    segment.p_type = PT_LOAD;
    segment.p_filesz = segment.p_memsz = bytes.size();
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, &segment, sizeof segment);
    return bytes;
}

std::string error_of(const std::vector<std::uint8_t>& bytes) {
    try {
        (void)check_executable("prog", bytes);
    } catch (const UserError& error) {
        return error.what();
    }
    return "";
}

} // namespace

TEST(ElfCheck, KnowsBrands) {
    EXPECT_EQ(check_executable("p", sample(9)).brand, Brand::freebsd);
    EXPECT_EQ(check_executable("p", sample()).brand, Brand::none);
    EXPECT_EQ(check_executable("p", sample(0, "x build\tGOOS=dragonfly\nbuild")).brand, Brand::dragonfly);
    EXPECT_EQ(check_executable("p", sample(0, "build\tGOOS=linux\n")).brand, Brand::linux_system);
    EXPECT_EQ(choose_abi("p", check_executable("p", sample(9)), std::nullopt), proto::JailAbi::freebsd);
    EXPECT_EQ(choose_abi("p", check_executable("p", sample()), "dragonfly"), proto::JailAbi::dragonfly);
    EXPECT_THROW((void)choose_abi("p", check_executable("p", sample()), std::nullopt), UserError);
    EXPECT_THROW((void)choose_abi("p", check_executable("p", sample()), "solaris"), UserError);
    EXPECT_THROW((void)choose_abi("p", check_executable("p", sample(9)), "dragonfly"), UserError);
    EXPECT_THROW((void)choose_abi("p", check_executable("p", sample(0, "build\tGOOS=linux\n")), std::nullopt),
                 UserError);
}

TEST(ElfCheck, NamesWhatIsWrong) {
    EXPECT_EQ(error_of({'#', '!', '/', 'b'}), "prog: not an ELF executable");
    EXPECT_EQ(error_of({}), "prog: not an ELF executable");
    auto bytes = sample(9);
    bytes[18] = EM_AARCH64;
    EXPECT_NE(error_of(bytes).find("another machine"), std::string::npos);
    bytes = sample(9);
    bytes[4] = ELFCLASS32;
    EXPECT_NE(error_of(bytes).find("another machine"), std::string::npos);
    bytes = sample(9);
    bytes[16] = ET_REL;
    EXPECT_NE(error_of(bytes).find("no executable"), std::string::npos);
    for (std::size_t size = 4; size < sample(9).size(); size++) {
        bytes = sample(9);
        bytes.resize(size);
        EXPECT_NE(error_of(bytes).find("truncated"), std::string::npos) << size << error_of(bytes);
    }
}

TEST(ElfCheck, SurvivesDamage) {
    for (std::size_t at = 4; at < sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr); at++)
        for (const int value : {0, 1, 0x7f, 0xff}) {
            auto bytes = sample(9);
            bytes[at] = static_cast<std::uint8_t>(value);
            (void)error_of(bytes);
        }
}
