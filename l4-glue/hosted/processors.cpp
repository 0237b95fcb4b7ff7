// SPDX-License-Identifier: BSD-2-Clause
#include "l4-glue/hosted/processors.hpp"

#include "glue/address_space.hpp"

#include <algorithm>

#include <sched.h>

namespace glue::hosted {

namespace {

int busy; // atomic

// The first call is by a thread that has not settled yet.
const cpu_set_t& allowed() {
    static const cpu_set_t set = [] {
        cpu_set_t found;
        CPU_ZERO(&found);
        (void)sched_getaffinity(0, sizeof found, &found);
        return found;
    }();
    return set;
}

// Where the host runs us with a realtime priority, a wake-up takes the processor from an equal only when that
// one sleeps: who shares one with its guests must be above them. Without one it gets it at once anyway.
bool change_priority(int by) {
    sched_param parameters{};
    const int policy = sched_getscheduler(0);
    if ((policy != SCHED_RR && policy != SCHED_FIFO) || sched_getparam(0, &parameters) != 0)
        return false;
    parameters.sched_priority += by;
    return sched_setscheduler(0, policy, &parameters) == 0;
}

bool each_has_one() {
    return static_cast<unsigned>(CPU_COUNT(&allowed())) == glue::start().vcpus;
}

} // namespace

// What cannot be had is only slower.
void settle(pid_t thread, unsigned cpu) {
    if (!each_has_one())
        return;
    for (unsigned processor = 0; processor != CPU_SETSIZE; ++processor)
        if (CPU_ISSET(processor, &allowed()) && cpu-- == 0) {
            cpu_set_t only;
            CPU_ZERO(&only);
            CPU_SET(processor, &only);
            (void)sched_setaffinity(thread, sizeof only, &only);
            return;
        }
}

void Busy::add(int count) {
    __atomic_fetch_add(&busy, count, __ATOMIC_RELAXED);
}

bool Busy::leaves_processors() {
    static const int processors = CPU_COUNT(&allowed());
    return 2 * __atomic_load_n(&busy, __ATOMIC_RELAXED) <= processors;
}

void Seat::choose(unsigned cpu) {
    const bool spare = Busy::leaves_processors();
    crowded_ = std::clamp(crowded_ + (spare ? -1 : 1), 0, most);
    if (!shared_ && crowded_ == most && each_has_one()) {
        shared_ = true;
        settle(0, cpu);
        raised_ = change_priority(1);
    } else if (shared_ && crowded_ == 0) {
        shared_ = false;
        if (raised_)
            (void)change_priority(-1);
        (void)sched_setaffinity(0, sizeof(cpu_set_t), &allowed());
    }
    may_spin_ = spare && !shared_;
}

} // namespace glue::hosted
