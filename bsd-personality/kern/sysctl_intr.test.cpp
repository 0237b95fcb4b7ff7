// SPDX-License-Identifier: BSD-2-Clause
// hw.intrnames and hw.intrcnt as the readers of both systems take them apart.
#include "bsd-personality/kern/sysctl.hpp"
#include "bsd-personality/kern/test_process.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace bsd {
namespace {

using lwkt::InterruptKind;

struct InterruptSysctls : test::ProcessTest {
    InterruptSysctls() {
        test::interrupt_rows = {
            {"uart0", InterruptKind::line, 4, 0, 1000, 3, 100, 200, 300},
            {"box", InterruptKind::event, 1, 0, 7, 0, 0, 0, 0},
            {"tty", InterruptKind::soft, 20, 0, 9, 0, 0, 0, 0},
            {"other", InterruptKind::event, 1, 0, 5, 0, 0, 0, 0},
            {"timer", InterruptKind::timer, 0, 0, 11, 0, 0, 0, 0},
            {"a_name_of_19_lettrs", InterruptKind::ipi, 0, 0, 2, 0, 0, 0, 0},
        };
    }
    ~InterruptSysctls() override { test::interrupt_rows.clear(); }

    // What a process gets that asks with room for so many bytes.
    std::string ask(const char* name, std::uint64_t room, bool* too_short = nullptr) {
        UserAddress buffer{map(4)};
        SysctlRequest request(*lwp, buffer, room, UserAddress{0}, 0);
        const SysctlNode* node = find_sysctl(proc->abi->kind, text(name));
        EXPECT_NE(node, nullptr);
        EXPECT_TRUE(ask_sysctl(*node, node->number, node->depth, request).ok());
        std::string value(request.length(), 0);
        EXPECT_TRUE(copyin(*proc->vmspace, buffer, value.data(), value.size()).ok());
        if (too_short)
            *too_short = request.too_short();
        return value;
    }
    std::vector<std::string> names() {
        std::vector<std::string> found;
        std::string all = ask("hw.intrnames", 16384);
        for (std::size_t at = 0; at < all.size(); at += found.back().size() + 1)
            found.push_back(all.c_str() + at);
        return found;
    }
    std::vector<std::uint64_t> counts(const char* name = "hw.intrcnt") {
        std::string all = ask(name, 16384);
        std::vector<std::uint64_t> found(all.size() / 8);
        std::memcpy(found.data(), all.data(), all.size());
        return found;
    }
};

TEST_F(InterruptSysctls, FreebsdHasARowASourceAndItsStrays) {
    EXPECT_EQ(names(),
              (std::vector<std::string>{"irq4: uart0        ", "stray irq4         ", "irq1: box          ",
                                        "swi20: tty         ", "irq1: other        ", "cpu0:timer         ",
                                        "cpu0:a_name_of_19_l"}));
    EXPECT_EQ(counts(), (std::vector<std::uint64_t>{1000, 3, 7, 9, 5, 11, 2}));
    EXPECT_EQ(find_sysctl(AbiKind::freebsd, text("hw.intrcnt_all")), nullptr);
}

TEST_F(InterruptSysctls, DragonflyHasATableACpu) {
    proc->abi = &dragonfly_abi;
    std::vector<std::string> found = names();
    std::vector<std::uint64_t> count = counts();
    ASSERT_EQ(found.size(), 200u);
    ASSERT_EQ(count.size(), 200u);
    EXPECT_EQ(found[0], "irq0");
    EXPECT_EQ(found[1], "box/other");
    EXPECT_EQ(count[1], 12u);
    EXPECT_EQ(found[4], "uart0");
    EXPECT_EQ(count[4], 1000u);
    EXPECT_EQ(found[190], "timer");
    EXPECT_EQ(count[190], 11u);
    EXPECT_EQ(count[191], 2u);
    EXPECT_EQ(found[192 + 4], "tty");
    EXPECT_EQ(count[192 + 4], 9u);
    EXPECT_EQ(counts("hw.intrcnt_all"), count);
    proc->abi = &freebsd_abi;
}

// vmstat asks with more room each time until it is enough.
TEST_F(InterruptSysctls, ShortRoomIsSaid) {
    bool too_short = false;
    EXPECT_EQ(ask("hw.intrcnt", 17, &too_short).size(), 17u);
    EXPECT_TRUE(too_short);
    EXPECT_EQ(ask("hw.intrcnt", 56, &too_short).size(), 56u);
    EXPECT_FALSE(too_short);
}

TEST_F(InterruptSysctls, LatenciesAreText) {
    std::string all = ask("hw.intrlatency", 4096);
    EXPECT_EQ(all.find("irq4: uart0 cpu0 count 1000 median "), 0u) << all;
    EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 1);
    EXPECT_EQ(all.back(), '\0');
}

} // namespace
} // namespace bsd
