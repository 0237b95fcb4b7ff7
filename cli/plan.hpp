// SPDX-License-Identifier: BSD-2-Clause
// What the user wants started, in the host's terms; boot_module.hpp turns it into a boot module.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cli {

struct JailPlan {
    std::string name;
    std::optional<std::string> abi; ///< else the executable's brand decides
    std::string image;              ///< host path of a directory or an image file
    std::vector<std::string> command;
    std::vector<std::string> environment;
    std::string directory = "/";
    std::uint64_t memory = 256ULL << 20; ///< bytes
    unsigned cpus = 1;
    std::vector<unsigned> cores; ///< empty: the box chooses
    unsigned share = 0;          ///< percent of a core, 0: no limit
    bool trace = false;          ///< its system calls, from the first on
    bool terminal = false;       ///< the console is a terminal
    std::uint16_t rows = 0, columns = 0;
};

struct RealtimePlan {
    std::string name;
    std::string program = "pulse";
    std::uint64_t period_ns = 1'000'000;
    std::uint64_t budget_ns = 100'000;
    unsigned priority = 255;
    unsigned core = 0;
};

struct BoxPlan {
    std::vector<JailPlan> jails;
    std::vector<RealtimePlan> tasks;
    bool icount = false;
    unsigned cpus = 0; ///< cores of the box; 0: as many as the largest jail has vCPUs
};

/// "64M", "1G", "4096": bytes. Throws UserError naming `key`.
[[nodiscard]] std::uint64_t parse_size(const std::string& key, const std::string& text);
/// "1ms", "100us", "1000000ns", "2s": nanoseconds. Throws UserError naming `key`.
[[nodiscard]] std::uint64_t parse_duration(const std::string& key, const std::string& text);
/// A number between low and high. Throws UserError naming `key`.
[[nodiscard]] std::uint64_t parse_count(const std::string& key, const std::string& text, std::uint64_t low,
                                        std::uint64_t high);
/// Refuses what no box can do: memory below the minimum, no command and so on. Throws UserError.
void check_plan(const BoxPlan& plan);

} // namespace cli
