// SPDX-License-Identifier: BSD-2-Clause
// What a program finds on its stack in both ABIs.
#include "bsd-personality/kern/stack_image.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "bsd-personality/abi/abi.hpp"

namespace bsd {
namespace {

struct Memory final : StackWriter {
    static constexpr std::uint64_t base = 0x7fff'ff00'0000, size = 0x100'0000;
    std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(size);
    SysResult<void> put(std::uint64_t address, const void* from, std::uint64_t length) override {
        if (address < base || length > base + size - address)
            return Failure(Errno::efault);
        std::memcpy(bytes.data() + (address - base), from, length);
        return {};
    }
    std::uint64_t word(std::uint64_t address) const {
        std::uint64_t value;
        std::memcpy(&value, bytes.data() + (address - base), 8);
        return value;
    }
    std::string string(std::uint64_t address) const {
        return reinterpret_cast<const char*>(bytes.data() + (address - base));
    }
};

ExecImage image_of(const Abi& abi, const std::string& strings, unsigned arguments, unsigned environment) {
    ExecImage image;
    image.stack_top = abi.stack_top;
    image.ps_strings = abi.ps_strings;
    image.shared_page = abi.sigcode_address;
    image.strings = strings.data();
    image.strings_size = strings.size();
    image.argument_count = arguments;
    image.environment_count = environment;
    image.path = Text("/bin/tool");
    image.entry = image.start = 0x401000;
    image.headers = 0x400040;
    image.header_count = 5;
    return image;
}

struct StackImage : testing::TestWithParam<const Abi*> {};

TEST_P(StackImage, HasVectorsStringsAndAuxiliaryEntries) {
    const Abi& abi = *GetParam();
    std::string strings("tool\0-v\0file\0HOME=/\0TERM=x\0", 27);
    ExecImage image = image_of(abi, strings, 3, 2);
    Memory memory;
    UserContext registers{};
    registers.cs = 35, registers.ss = 27, registers.r12 = 99;
    ASSERT_TRUE(abi.build_stack(image, memory, registers).ok());

    std::uint64_t block = registers.rdi;
    EXPECT_EQ(registers.rip, 0x401000u);
    EXPECT_EQ(registers.rsp % 16, 8u);
    EXPECT_LT(registers.rsp, block);
    EXPECT_EQ(registers.rsi, 0u);
    EXPECT_EQ(registers.r12, 0u);
    EXPECT_EQ(registers.cs, 35u);
    EXPECT_EQ(registers.rflags, 0x202u);
    EXPECT_EQ(memory.word(block), 3u);
    EXPECT_EQ(memory.string(memory.word(block + 8)), "tool");
    EXPECT_EQ(memory.string(memory.word(block + 24)), "file");
    EXPECT_EQ(memory.word(block + 32), 0u);
    EXPECT_EQ(memory.string(memory.word(block + 40)), "HOME=/");
    EXPECT_EQ(memory.string(memory.word(block + 48)), "TERM=x");
    EXPECT_EQ(memory.word(block + 56), 0u);
    std::map<std::uint64_t, std::uint64_t> auxiliary;
    std::uint64_t at = block + 64;
    for (; memory.word(at) != 0; at += 16)
        auxiliary[memory.word(at)] = memory.word(at + 8);
    EXPECT_LT(at, memory.word(block + 8)) << "the vector runs into the strings";
    EXPECT_EQ(auxiliary[3], 0x400040u);
    EXPECT_EQ(auxiliary[4], 56u);
    EXPECT_EQ(auxiliary[5], 5u);
    EXPECT_EQ(auxiliary[6], 4096u);
    EXPECT_EQ(auxiliary[9], 0x401000u);
    EXPECT_EQ(memory.string(auxiliary[15]), "/bin/tool");
    EXPECT_EQ(memory.word(abi.ps_strings), block + 8);
    EXPECT_EQ(memory.word(abi.ps_strings + 8), 3u);
    EXPECT_EQ(memory.word(abi.ps_strings + 16), block + 40);
    EXPECT_EQ(memory.word(abi.ps_strings + 24), 2u);
}

TEST_P(StackImage, WorksWithoutArgumentsAndEnvironment) {
    Memory memory;
    UserContext registers{};
    ExecImage image = image_of(*GetParam(), "", 0, 0);
    ASSERT_TRUE(GetParam()->build_stack(image, memory, registers).ok());
    EXPECT_EQ(memory.word(registers.rdi), 0u);
    EXPECT_EQ(memory.word(registers.rdi + 8), 0u);
    EXPECT_EQ(memory.word(registers.rdi + 16), 0u);
    EXPECT_EQ(memory.word(registers.rdi + 24), 3u); // AT_PHDR
}

TEST_P(StackImage, FailsWhenTheStackCannotBeWritten) {
    Memory memory;
    UserContext registers{};
    std::string strings(20 << 20, 'x');
    ExecImage image = image_of(*GetParam(), strings, 1, 0);
    auto built = GetParam()->build_stack(image, memory, registers);
    ASSERT_FALSE(built.ok());
    EXPECT_EQ(built.error(), Errno::efault);
}

TEST_P(StackImage, LiesBelowWhereTheLayoutSays) {
    const Abi& abi = *GetParam();
    Memory memory;
    UserContext registers{}, gap_registers{};
    const std::string strings("tool\0", 5);
    ExecImage image = image_of(abi, strings, 1, 0);
    const std::uint64_t moved = abi.kind == AbiKind::freebsd ? 0x123'458 : 0;
    image.stack_top -= moved;
    image.ps_strings -= moved;
    ASSERT_TRUE(abi.build_stack(image, memory, registers).ok());
    EXPECT_EQ(memory.word(image.ps_strings), registers.rdi + 8);
    EXPECT_LT(registers.rdi, image.ps_strings);
    EXPECT_EQ(memory.string(memory.word(registers.rdi + 8)), "tool");
    image.stack_gap = 512;
    ASSERT_TRUE(abi.build_stack(image, memory, gap_registers).ok());
    EXPECT_EQ(gap_registers.rdi, registers.rdi - (abi.kind == AbiKind::dragonfly ? 512 : 0));
}

INSTANTIATE_TEST_SUITE_P(Abis, StackImage, testing::Values(&freebsd_abi, &dragonfly_abi),
                         [](const auto& info) { return std::string(info.param->system_name); });

} // namespace
} // namespace bsd
