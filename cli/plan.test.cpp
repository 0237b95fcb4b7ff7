// SPDX-License-Identifier: BSD-2-Clause
#include "cli/boot_module.hpp"
#include "cli/error.hpp"
#include "proto/manifest.hpp"

#include <gtest/gtest.h>
#include <memory>

using namespace cli;

TEST(Plan, RefusesWhatNoBoxCanDo) {
    BoxPlan plan;
    EXPECT_THROW(check_plan(plan), UserError);
    plan.jails.resize(1);
    plan.jails[0].name = "a";
    plan.jails[0].image = "x";
    plan.jails[0].command = {"/bin/x"};
    EXPECT_NO_THROW(check_plan(plan));
    plan.jails[0].memory = 4 << 20;
    try {
        check_plan(plan);
        FAIL();
    } catch (const UserError& error) {
        EXPECT_NE(std::string(error.what()).find("at least 8388608"), std::string::npos);
    }
    plan.jails[0].memory = 64 << 20;
    plan.jails[0].command = {"x", std::string(9000, 'y')};
    EXPECT_THROW(check_plan(plan), UserError);
}

TEST(Plan, ManifestTextIsWhatTheBoxParses) {
    BoxPlan plan;
    plan.icount = true;
    plan.jails.resize(2);
    for (JailPlan& jail : plan.jails) {
        jail.name = &jail == &plan.jails[0] ? "a" : "b";
        jail.command = {"/bin/x", "quote\" \\ \n tab\t \xc3\xa4", ""};
        jail.environment = {"A=b c"};
        jail.cores = {0};
    }
    plan.tasks.resize(1);
    plan.tasks[0].name = "pulse";
    std::string text =
        manifest_text(plan, {proto::JailAbi::freebsd, proto::JailAbi::dragonfly}, {"i0", "i1"});
    const auto manifest = std::make_unique<proto::Manifest>();
    const auto error = proto::parse_manifest(text.data(), text.size(), *manifest);
    ASSERT_EQ(error.reason, nullptr) << error.line << ": " << error.reason;
    EXPECT_EQ(manifest->jails[1].abi, proto::JailAbi::dragonfly);
    const proto::Text argument = manifest->arguments[1];
    EXPECT_EQ(std::string(argument.data, argument.size), plan.jails[0].command[1]);
    EXPECT_EQ(manifest->arguments[2].size, 0U);
    EXPECT_EQ(manifest->seed_size, 64U);
    EXPECT_TRUE(manifest->has_epoch);
    // Counted instructions are to be the same ones each time; else each run has a seed of its own.
    auto seed_line = [&] {
        const std::string all =
            manifest_text(plan, {proto::JailAbi::freebsd, proto::JailAbi::dragonfly}, {"i0", "i1"});
        return all.substr(0, all.find("epoch"));
    };
    EXPECT_EQ(seed_line(), seed_line());
    plan.icount = false;
    EXPECT_NE(seed_line(), seed_line());
}
