// SPDX-License-Identifier: BSD-2-Clause
// A controlled scheduler for LWKT: one Linux thread plays all cores, and decides at each step which core runs
// on. A schedule is a function of its seed, so a failing one is run again by its number. Ways to decide:
//  - random: another core with a fixed probability a step;
//  - priorities: the core of the highest priority runs, and a few steps take it away (probabilistic
//  concurrency
//    testing, which finds a bug that needs d ordered events with known probability);
//  - enumerated: all schedules with at most so many changes of core where none was needed, one after the
//  other.
// A violation is reported with what runs it again, and ends the process.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace explore {

struct Scenario {
    const char* name;
    const char* about;
    unsigned cpus;
    void (*body)(); // the first LWKT thread, on vCPU 0; everything it started has ended when it returns
};
extern const std::vector<Scenario> scenarios;

// In a scenario. Steps are explored between begin() and end() only.
void begin();
void end();
// Something that another core may see half done: a step.
extern "C" void explore_point();
// What must hold does not.
[[noreturn]] void violation(const char* text, const char* file = __builtin_FILE(),
                            int line = __builtin_LINE());
inline void check(bool good, const char* text, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
    if (!good)
        violation(text, file, line);
}
// The same numbers in the same schedule.
std::uint64_t random();

// Threads of LWKT that start together, and are waited for.
class Group {
public:
    void spawn(unsigned cpu, std::function<void()> body);
    void run(); // starts them, explores, returns when all have ended

private:
    struct Start {
        Group* group;
        std::function<void()> body;
        struct Thread* thread;
    };
    static void main(void* start);
    std::vector<Start*> starts_;
    int left_ = 0;
};

// For main.cpp.
struct Decision {
    std::uint32_t step;   // of the schedule
    std::uint16_t chosen; // 0: go on, else the n-th of the others
    std::uint16_t count;  // of choices
    bool forced;          // the core that ran cannot go on
};
enum class Way { random, enumerated };
struct Run {
    Way way = Way::random;
    std::uint64_t seed = 0;
    std::vector<Decision> prefix; // enumerated: what to decide first; then always the first choice
    std::vector<Decision> made;   // enumerated: what was decided
    std::uint64_t steps = 0;
};
void run(const Scenario& scenario, Run& run);

} // namespace explore
