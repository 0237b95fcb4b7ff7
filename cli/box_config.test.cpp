// SPDX-License-Identifier: BSD-2-Clause
#include "cli/box_config.hpp"
#include "cli/error.hpp"

#include <gtest/gtest.h>

using namespace cli;

namespace {
std::string error_of(const std::string& text) {
    try {
        (void)parse_box_config("dir/BOX.conf", text);
    } catch (const UserError& error) {
        return error.what();
    }
    return "";
}
} // namespace

TEST(BoxConfig, ParsesDefaultsListsAndTasks) {
    const BoxPlan plan = parse_box_config("dir/BOX.conf", R"(
        # a box
        icount; cores = 2;
        memory = 64M; environment = "A=1"; /* for
        all */
        alpha { path = img; command = /bin/x, "two words", '-r'; environment += "B=2"; cpus = 2; cpuset = 0, 1; }
        beta { abi = dragonfly; path = /abs; command = y; memory = 1G; share = 50; } // the second
        realtime pulse { program = pulse; period = 1ms; budget = 50us; priority = 254; core = 1; }
    )");
    EXPECT_TRUE(plan.icount);
    EXPECT_EQ(plan.cpus, 2U);
    ASSERT_EQ(plan.jails.size(), 2U);
    EXPECT_EQ(plan.jails[0].image, "dir/img");
    EXPECT_EQ(plan.jails[0].command, (std::vector<std::string>{"/bin/x", "two words", "-r"}));
    EXPECT_EQ(plan.jails[0].environment, (std::vector<std::string>{"A=1", "B=2"}));
    EXPECT_EQ(plan.jails[0].memory, 64U << 20);
    EXPECT_EQ(plan.jails[0].cores, (std::vector<unsigned>{0, 1}));
    EXPECT_EQ(plan.jails[1].image, "/abs");
    EXPECT_EQ(plan.jails[1].memory, 1U << 30);
    EXPECT_EQ(plan.jails[1].abi, "dragonfly");
    ASSERT_EQ(plan.tasks.size(), 1U);
    EXPECT_EQ(plan.tasks[0].budget_ns, 50'000U);
}

TEST(BoxConfig, NamesFileLineAndKey) {
    EXPECT_NE(error_of("a {\n colour = red;\n}").find("dir/BOX.conf:2: colour: unknown key"),
              std::string::npos);
    EXPECT_NE(error_of("colour = red;").find("dir/BOX.conf:1: colour: unknown key"), std::string::npos);
    EXPECT_NE(error_of("a { memory = lots; }").find("memory lots: not a size"), std::string::npos);
    EXPECT_NE(error_of("a { cpus = 99; }").find("cpus 99"), std::string::npos);
    EXPECT_NE(error_of("a { path = x, y; }").find("exactly one value"), std::string::npos);
    EXPECT_NE(error_of("a { path = x }").find("expected ';'"), std::string::npos);
    EXPECT_NE(error_of("a { path \"x").find("not closed"), std::string::npos);
    EXPECT_NE(error_of("a {").find("not closed"), std::string::npos);
    EXPECT_NE(error_of("a { } a { }").find("second jail"), std::string::npos);
    EXPECT_NE(error_of("realtime p { period = 1h; }").find("not a duration"), std::string::npos);
    EXPECT_NE(error_of("/* x").find("not closed"), std::string::npos);
    EXPECT_NE(error_of("} ").find("unexpected }"), std::string::npos);
}
