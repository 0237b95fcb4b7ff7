// SPDX-License-Identifier: BSD-2-Clause
#include "proto/manifest.hpp"
#include "proto/text.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <string>

using namespace proto;

namespace {

struct Parsed {
    std::string text; ///< the result points into it
    std::unique_ptr<Manifest> manifest = std::make_unique<Manifest>();
    ManifestError error;
};

std::unique_ptr<Parsed> parse(std::string text) {
    auto out = std::make_unique<Parsed>();
    out->text = std::move(text);
    out->error = parse_manifest(out->text.data(), out->text.size(), *out->manifest);
    return out;
}

std::string str(Text text) {
    return {text.data, text.size};
}

const std::string jail = "[jail alpha]\nabi = freebsd\nimage = base\nargument = /bin/x\nmemory = 16777216\n";

void expect_error(const std::string& text, unsigned line, const std::string& key, const std::string& reason) {
    const auto parsed = parse(text);
    ASSERT_NE(parsed->error.reason, nullptr) << text;
    EXPECT_EQ(parsed->error.line, line) << text;
    EXPECT_EQ(str(parsed->error.key), key) << text;
    EXPECT_NE(std::string(parsed->error.reason).find(reason), std::string::npos) << parsed->error.reason;
}

} // namespace

TEST(Manifest, ParsesEverything) {
    const auto parsed =
        parse("# a box\n[box]\nseed = " + std::string(64, 'a') + "\nepoch = 123\nicount = yes\n\n" + jail +
              "argument = \"two words\\n\\x41\\\"\"\n environment = A=b=c \ncpus = 2\ncores = 0, 1\n"
              "share=150\nterminal = 24x80\nrestart = never\ndirectory = /tmp\n"
              "[jail beta]\nabi = dragonfly\nimage = b\nargument = y\nenvironment=Q=\nmemory = 9000000\n"
              "[realtime pulse]\nprogram = pulse\nperiod_ns = 1000000\nbudget_ns = 100000\n"
              "priority = 254\ncore = 1\n");
    ASSERT_EQ(parsed->error.reason, nullptr) << parsed->error.line << parsed->error.reason;
    const Manifest& m = *parsed->manifest;
    EXPECT_EQ(m.seed_size, 32U);
    EXPECT_EQ(m.seed[31], 0xaa);
    EXPECT_EQ(m.epoch_ns, 123U);
    EXPECT_TRUE(m.icount);
    ASSERT_EQ(m.jail_count, 2U);
    EXPECT_EQ(m.jails[0].argument_count, 2U);
    EXPECT_EQ(str(m.arguments[1]), "two words\nA\"");
    EXPECT_EQ(str(m.environment[0]), "A=b=c");
    EXPECT_EQ(m.jails[0].cpus, 2U);
    EXPECT_EQ(m.jails[0].cores[1], 1);
    EXPECT_EQ(m.jails[0].share, 150U);
    EXPECT_TRUE(m.jails[0].terminal && !m.jails[1].terminal);
    EXPECT_EQ(m.jails[0].rows * 1000 + m.jails[0].columns, 24080);
    EXPECT_EQ(str(m.jails[0].directory), "/tmp");
    EXPECT_EQ(m.jails[1].abi, Abi::dragonfly);
    EXPECT_EQ(m.jails[1].first_argument, 2U);
    EXPECT_EQ(str(m.environment[m.jails[1].first_environment]), "Q=");
    EXPECT_EQ(str(m.jails[1].directory), "/");
    ASSERT_EQ(m.task_count, 1U);
    EXPECT_EQ(m.tasks[0].period_ns, 1000000U);
    EXPECT_EQ(m.tasks[0].core, 1U);
}

TEST(Manifest, NamesLineAndKeyOfEachFault) {
    expect_error(jail + "colour = red\n", 6, "colour", "unknown key");
    expect_error(jail + "memory = 16777216\n", 6, "memory", "twice");
    expect_error("[jail a]\nmemory = 4096\n", 2, "memory", "too small");
    expect_error("[jail a]\nmemory = 99999999999999999999999\n", 2, "memory", "bytes");
    expect_error("[jail a]\nmemory = 16M\n", 2, "memory", "bytes");
    expect_error("[jail a]\nabi = linux\n", 2, "abi", "unknown ABI");
    expect_error("[jail a]\nabi = freebsd\n", 2, "image", "missing");
    expect_error("[jail a]\nabi = freebsd\n[jail b]\n", 3, "image", "missing");
    expect_error("[jail ..]\n", 1, "[jail ..]", "name");
    expect_error("[jail a/b]\n", 1, "[jail a/b]", "name");
    expect_error("[jail a\n", 1, "[jail a", "ends with ]");
    expect_error("[pod a]\n", 1, "[pod a]", "unknown section");
    expect_error("[]\n", 1, "[]", "unknown section");
    expect_error("abi = freebsd\n", 1, "abi", "before the first section");
    expect_error(jail + jail, 6, "[jail alpha]", "same name");
    expect_error(jail + "environment\n", 6, "environment", "key = value");
    expect_error(jail + "argument = \"open\n", 6, "argument", "closing quote");
    expect_error(jail + "argument = \"a\" b\n", 6, "argument", "after the closing");
    expect_error(jail + "argument = \"\\q\"\n", 6, "argument", "escape");
    expect_error(jail + "argument = \"\\x4\"\n", 6, "argument", "hexadecimal");
    expect_error(jail + "argument = \"\\x00\"\n", 6, "argument", "NUL");
    expect_error(jail + "cores = 0,1\n", 6, "cores", "differs");
    expect_error(jail + "cores = 16\n", 6, "cores", "core numbers");
    expect_error(jail + "cpus = 0\n", 6, "cpus", "1 to 16");
    expect_error(jail + "restart = always\n", 6, "restart", "never");
    expect_error("[box]\nseed = abcd\n", 2, "seed", "hexadecimal");
    expect_error("[box]\nicount = perhaps\n", 2, "icount", "yes or no");
    expect_error("[box]\n[box]\n", 2, "[box]", "second");
    expect_error("[realtime p]\nprogram = p\nperiod_ns = 10000\nbudget_ns = 20000\n", 4, "budget_ns",
                 "larger");
    expect_error("[realtime p]\nprogram = p\nperiod_ns = 1\n", 3, "period_ns", "nanoseconds");
    expect_error("", 0, "jail", "no jail");
    for (const char* size : {"24", "24x", "x80", "24x80x1", "65536x1", "-1x1", "", "24 x 80"})
        expect_error(jail + "terminal = " + size + "\n", 6, "terminal", "ROWSxCOLUMNS");
    expect_error("[box]\nicount = no\n", 0, "jail", "no jail");
}

TEST(Manifest, RefusesTooMany) {
    std::string many;
    for (int i = 0; i < 17; i++)
        many += "[jail j" + std::to_string(i) + "]\nabi=freebsd\nimage=i\nargument=x\nmemory=8388608\n";
    const auto jails = parse(many);
    ASSERT_NE(jails->error.reason, nullptr);
    EXPECT_EQ(std::string(jails->error.reason), "too many jails");
    std::string arguments = jail;
    for (unsigned i = 0; i < manifest_max_texts; i++)
        arguments += "argument = x\n";
    EXPECT_EQ(std::string(parse(arguments)->error.reason), "too many arguments");
}

TEST(Manifest, SurvivesDamage) {
    const std::string good = jail + "argument = \"a\\x41b\"\n[realtime p]\nprogram = p\n";
    for (std::size_t at = 0; at < good.size(); at++)
        for (const char c : {'\0', '"', '\\', '[', ']', '=', '\n', '\xff'}) {
            std::string bad = good;
            bad[at] = c;
            (void)parse(bad);
            (void)parse(bad.substr(0, at));
        }
}
