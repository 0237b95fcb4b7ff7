// SPDX-License-Identifier: BSD-2-Clause
#include "cli/plan.hpp"

#include "cli/error.hpp"
#include "proto/manifest.hpp"

#include <algorithm>

namespace cli {

namespace {

struct Unit {
    const char* name;
    std::uint64_t factor;
};

/// Digits, then one of the units.
template <std::size_t N>
bool parse_with_unit(const std::string& text, const Unit (&units)[N], std::uint64_t& out) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || digits > 18)
        return false;
    const std::string unit = text.substr(digits);
    const auto* found =
        std::find_if(units, units + N, [&](const Unit& candidate) { return unit == candidate.name; });
    return found != units + N &&
           !__builtin_mul_overflow(std::stoull(text.substr(0, digits)), found->factor, &out);
}

} // namespace

std::uint64_t parse_size(const std::string& key, const std::string& text) {
    static const Unit units[] = {{"", 1},           {"K", 1ULL << 10}, {"k", 1ULL << 10}, {"M", 1ULL << 20},
                                 {"m", 1ULL << 20}, {"G", 1ULL << 30}, {"g", 1ULL << 30}, {"T", 1ULL << 40}};
    std::uint64_t bytes = 0;
    if (!parse_with_unit(text, units, bytes))
        throw UserError(key + " " + text + ": not a size (such as 256M)");
    return bytes;
}

std::uint64_t parse_duration(const std::string& key, const std::string& text) {
    static const Unit units[] = {{"", 1}, {"ns", 1}, {"us", 1000}, {"ms", 1000'000}, {"s", 1000'000'000}};
    std::uint64_t nanoseconds = 0;
    if (!parse_with_unit(text, units, nanoseconds))
        throw UserError(key + " " + text + ": not a duration (such as 1ms)");
    return nanoseconds;
}

std::uint64_t parse_count(const std::string& key, const std::string& text, std::uint64_t low,
                          std::uint64_t high) {
    static const Unit units[] = {{"", 1}};
    std::uint64_t value = 0;
    if (!parse_with_unit(text, units, value) || value < low || value > high)
        throw UserError(key + " " + text + ": not a number from " + std::to_string(low) + " to " +
                        std::to_string(high));
    return value;
}

void check_plan(const BoxPlan& plan) {
    if (plan.jails.empty())
        throw UserError("no jail to start");
    for (const JailPlan& jail : plan.jails) {
        if (jail.memory < proto::manifest_min_memory)
            throw UserError("jail " + jail.name + ": memory " + std::to_string(jail.memory) +
                            " is too small: a jail needs at least " +
                            std::to_string(proto::manifest_min_memory) + " bytes (8M)");
        if (jail.memory > (64ULL << 30))
            throw UserError("jail " + jail.name + ": memory " + std::to_string(jail.memory) +
                            " is above the limit of 64G");
        if (jail.command.empty())
            throw UserError("jail " + jail.name + ": command is missing");
        if (jail.image.empty())
            throw UserError("jail " + jail.name + ": path (the image) is missing");
        // The limits of proto::JailParameters.
        std::size_t strings = 0;
        for (const auto& text : jail.command)
            strings += text.size() + 1;
        for (const auto& text : jail.environment)
            strings += text.size() + 1;
        if (strings > sizeof(proto::JailParameters::strings))
            throw UserError("jail " + jail.name +
                            ": arguments and environment are longer than the limit of " +
                            std::to_string(sizeof(proto::JailParameters::strings)) + " bytes");
        if (jail.command[0].size() >= sizeof(proto::JailParameters::command))
            throw UserError("jail " + jail.name + ": the command's path is longer than 255 bytes");
        if (jail.directory.size() >= sizeof(proto::JailParameters::directory))
            throw UserError("jail " + jail.name + ": directory is longer than 255 bytes");
    }
}

} // namespace cli
