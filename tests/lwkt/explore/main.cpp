// SPDX-License-Identifier: BSD-2-Clause
// lwkt_explore [--scenario NAME] [--schedules N] [--seed S] [--enumerate CHANGES] [--seconds N]
//   N random schedules (seeds S, S + 1, …) of each scenario whose name begins with NAME; or, enumerated, all
//   with at most CHANGES changes of core where none was needed, up to N; each scenario for at most so many
//   seconds.
// lwkt_explore --scenario NAME --replay SEED | --decisions I:C,…
//   one schedule again.
// Prints a line a scenario; exit status 1 after the first violation.
#include "explore.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using explore::Decision;
using explore::Run;
using explore::Scenario;

// The next prefix after `made`: the last decision that can be another one within the bound. False at the end.
bool advance(std::vector<Decision>& prefix, const std::vector<Decision>& made, unsigned bound) {
    std::vector<unsigned> changes(made.size() + 1, 0); // before each decision
    for (std::size_t i = 0; i != made.size(); ++i)
        changes[i + 1] = changes[i] + (!made[i].forced && made[i].chosen != 0);
    for (std::size_t i = made.size(); i-- != 0;) {
        unsigned next = made[i].chosen + 1u;
        if (next == made[i].count || (!made[i].forced && changes[i] == bound))
            continue;
        prefix.assign(made.begin(), made.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        prefix.back().chosen = static_cast<std::uint16_t>(next);
        return true;
    }
    return false;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

int main(int argc, char** argv) {
    std::string name, decisions;
    std::uint64_t schedules = 1000, seed = 1;
    double seconds = 1e9;
    bool enumerate = false, replay = false;
    unsigned bound = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        std::string option = argv[i];
        const char* value = argv[i + 1];
        if (option == "--scenario")
            name = value;
        else if (option == "--schedules")
            schedules = std::strtoull(value, nullptr, 10);
        else if (option == "--seed")
            seed = std::strtoull(value, nullptr, 10);
        else if (option == "--seconds")
            seconds = std::strtod(value, nullptr);
        else if (option == "--enumerate")
            enumerate = true, bound = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
        else if (option == "--replay")
            replay = true, schedules = 1, seed = std::strtoull(value, nullptr, 10);
        else if (option == "--decisions")
            replay = enumerate = true, decisions = value;
        else
            argc = 0;
    }
    if (argc % 2 == 0) {
        std::fprintf(stderr, "lwkt_explore: see the head of tests/lwkt/explore/main.cpp for its options\n");
        return 2;
    }
    unsigned matched = 0;
    for (const Scenario& scenario : explore::scenarios) {
        if (std::strncmp(scenario.name, name.c_str(), name.size()) != 0)
            continue;
        ++matched;
        Run run;
        run.way = enumerate ? explore::Way::enumerated : explore::Way::random;
        for (const char* at = decisions.c_str(); *at;) {
            char* end;
            std::size_t index = std::strtoul(at, &end, 10);
            unsigned long chosen = std::strtoul(end + 1, &end, 10);
            if (run.prefix.size() <= index)
                run.prefix.resize(index + 1);
            if (chosen != 0)
                run.prefix[index].chosen = static_cast<std::uint16_t>(chosen);
            at = *end ? end + 1 : end;
        }
        auto start = std::chrono::steady_clock::now();
        std::uint64_t done = 0, steps = 0;
        bool all = false;
        while (done != schedules && !all && (done % 64 != 0 || seconds_since(start) < seconds)) {
            run.seed = enumerate ? seed : seed + done;
            explore::run(scenario, run);
            ++done;
            steps += run.steps;
            if (enumerate)
                all = replay || !advance(run.prefix, run.made, bound);
        }
        std::printf("%s: %lu %s schedules%s, %lu steps each, from seed %lu, %.1f s, no violation\n",
                    scenario.name, static_cast<unsigned long>(done), enumerate ? "enumerated" : "random",
                    all && !replay ? " (all of them)" : "", static_cast<unsigned long>(steps / done),
                    static_cast<unsigned long>(seed), seconds_since(start));
        std::fflush(stdout);
    }
    return matched == 0 ? 2 : 0;
}
