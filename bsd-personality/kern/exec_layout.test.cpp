// SPDX-License-Identifier: BSD-2-Clause
// Where programs lie, at random and not.
#include "bsd-personality/kern/exec_layout.hpp"

#include <gtest/gtest.h>

#include <set>

namespace bsd {
namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30, mib = 1 << 20, page = 4096;

ElfFile program(bool position_independent) {
    ElfFile file;
    file.position_independent = position_independent;
    file.low = position_independent ? 0 : 0x20'0000;
    file.high = file.low + 0x8'1000;
    file.alignment = page;
    return file;
}

LayoutRules all() {
    return {.randomize = true, .stack = true, .shared_page = true, .heap_room = 32 * gib};
}

TEST(ExecLayout, WithoutRandomizationIsTheAbis) {
    Random random;
    for (const Abi* abi : {&freebsd_abi, &dragonfly_abi}) {
        LayoutRules rules;
        rules.heap_room = 32 * gib;
        ExecLayout layout = choose_layout(program(false), *abi, rules, random);
        EXPECT_FALSE(layout.randomized);
        EXPECT_EQ(layout.bias, 0u);
        EXPECT_EQ(layout.heap, 0x28'1000u);
        EXPECT_EQ(layout.heap_end, 0x28'1000 + 32 * gib);
        EXPECT_EQ(layout.map_base, layout.heap_end);
        EXPECT_EQ(layout.interpreter, layout.heap_end);
        EXPECT_EQ(layout.shared_page, abi->sigcode_address);
        EXPECT_EQ(layout.ps_strings, abi->ps_strings);
        EXPECT_EQ(layout.stack_top, abi->stack_top);
        EXPECT_EQ(choose_layout(program(true), *abi, rules, random).bias,
                  (abi->position_independent_base + 4095) & ~4095ull);
    }
}

TEST(ExecLayout, RandomOnesDifferAndNothingOverlaps) {
    const Abi& abi = freebsd_abi;
    Random random;
    std::set<std::uint64_t> biases, stacks, tops, pages, bases;
    for (int i = 0; i < 1000; i++) {
        for (bool position_independent : {false, true}) {
            const ElfFile file = program(position_independent);
            ExecLayout layout = choose_layout(file, abi, all(), random);
            EXPECT_TRUE(layout.randomized);
            EXPECT_EQ(layout.bias % page, 0u);
            EXPECT_EQ(layout.bias != 0, position_independent);
            EXPECT_EQ(layout.heap, file.high + layout.bias);
            EXPECT_EQ(layout.heap_end, layout.heap + 32 * gib);
            std::uint64_t stack = layout.stack_end - abi.max_stack;
            EXPECT_EQ(layout.stack_end % page, 0u);
            EXPECT_GE(stack, layout.heap_end);
            EXPECT_LT(stack, layout.heap_end + 16 * mib);
            EXPECT_GT(layout.stack_top, layout.stack_end - page);
            EXPECT_LE(layout.stack_top, layout.stack_end);
            EXPECT_EQ(layout.stack_top % 8, 0u);
            EXPECT_EQ(layout.ps_strings, layout.stack_top - 32);
            EXPECT_GE(layout.shared_page, layout.stack_end);
            EXPECT_LT(layout.shared_page, layout.stack_end + 16 * mib);
            EXPECT_GT(layout.map_base, layout.shared_page);
            EXPECT_EQ(layout.map_base % (2 * mib), 0u);
            EXPECT_GT(layout.interpreter, layout.shared_page);
            // The stub of the hosted platform and a lot of room below it are out of reach.
            EXPECT_LT(layout.map_base, std::uint64_t{0x5000} << 32);
            EXPECT_LT(layout.interpreter, std::uint64_t{0x5000} << 32);
            (position_independent ? biases : bases)
                .insert(position_independent ? layout.bias : layout.map_base);
            stacks.insert(stack);
            tops.insert(layout.stack_top % page);
            pages.insert(layout.shared_page);
        }
    }
    EXPECT_GT(biases.size(), 990u);
    EXPECT_GT(bases.size(), 990u);
    EXPECT_GT(stacks.size(), 800u);
    EXPECT_GT(tops.size(), 400u);
    EXPECT_GT(pages.size(), 1500u);
}

TEST(ExecLayout, StackAndSharedPageStayIfTold) {
    Random random;
    LayoutRules rules = all();
    rules.stack = rules.shared_page = false;
    ExecLayout layout = choose_layout(program(true), freebsd_abi, rules, random);
    EXPECT_NE(layout.bias, freebsd_abi.position_independent_base);
    EXPECT_EQ(layout.stack_end, freebsd_abi.sigcode_address);
    EXPECT_EQ(layout.shared_page, freebsd_abi.sigcode_address);
    EXPECT_GE(layout.map_base, layout.heap_end);
}

TEST(ExecLayout, AProgramAtTheTopKeepsTheAbisPlaces) {
    Random random;
    ElfFile file = program(false);
    file.low = std::uint64_t{0x7000} << 32;
    file.high = file.low + page;
    ExecLayout layout = choose_layout(file, freebsd_abi, all(), random);
    EXPECT_EQ(layout.stack_end, freebsd_abi.sigcode_address);
    EXPECT_EQ(layout.shared_page, freebsd_abi.sigcode_address);
}

TEST(ExecLayout, WhoIsRandomized) {
    using Choice = MemoryPolicy::Choice;
    const MemorySettings before = memory_settings;
    for (bool position_independent : {false, true}) {
        ElfFile file = program(position_independent);
        bool& setting = position_independent ? memory_settings.aslr_of_pie : memory_settings.aslr;
        EXPECT_TRUE(wants_aslr(file, freebsd_abi, Choice::as_configured));
        EXPECT_FALSE(wants_aslr(file, freebsd_abi, Choice::forced_off));
        EXPECT_FALSE(wants_aslr(file, dragonfly_abi, Choice::forced_on));
        setting = false;
        EXPECT_FALSE(wants_aslr(file, freebsd_abi, Choice::as_configured));
        EXPECT_TRUE(wants_aslr(file, freebsd_abi, Choice::forced_on));
        file.features = ElfFile::no_aslr;
        EXPECT_FALSE(wants_aslr(file, freebsd_abi, Choice::forced_on));
        setting = true;
    }
    memory_settings = before;
}

} // namespace
} // namespace bsd
