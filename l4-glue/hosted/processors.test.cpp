// SPDX-License-Identifier: BSD-2-Clause
// Where the thread of a vCPU runs.
#include "l4-glue/hosted/processors.hpp"

#include "glue/address_space.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include <sched.h>

namespace glue::hosted {
namespace {

int own_processors() {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
}

int own_priority() {
    sched_param parameters{};
    return sched_getparam(0, &parameters) == 0 ? parameters.sched_priority : -1;
}

// In a thread of its own: where the test itself runs stays as it is.
template <class Function>
void with_vcpus(int count, Function function) {
    set_up(4 << 20, static_cast<unsigned>(count));
    std::thread(function).join();
}

void wait_often(Seat& seat) {
    for (int i = 0; i != 100; ++i)
        seat.choose(0);
}

TEST(Seat, FollowsItsGuestWhileAllProcessorsAreBusy) {
    const int processors = own_processors();
    with_vcpus(processors, [=] {
        Seat seat;
        Busy::add(processors);
        wait_often(seat);
        EXPECT_EQ(own_processors(), 1);
        EXPECT_FALSE(seat.may_spin());
        Busy::add(-processors);
        seat.choose(0);
        EXPECT_EQ(own_processors(), 1) << "left for one idle moment";
        EXPECT_FALSE(seat.may_spin()) << "on the processor that its guest needs";
        wait_often(seat);
        EXPECT_EQ(own_processors(), processors);
        EXPECT_TRUE(seat.may_spin());
    });
}

TEST(Seat, IsAboveItsGuestsWhereTheHostGrantsThat) {
    const int processors = own_processors();
    bool granted = false;
    with_vcpus(processors, [&] {
        for (const int priority : {1, sched_get_priority_max(SCHED_RR)}) {
            const sched_param parameters{priority};
            if (sched_setscheduler(0, SCHED_RR, &parameters) != 0)
                return;
            Seat seat;
            Busy::add(processors);
            wait_often(seat);
            EXPECT_EQ(own_priority(), std::min(priority + 1, sched_get_priority_max(SCHED_RR)));
            Busy::add(-processors);
            wait_often(seat);
            EXPECT_EQ(own_priority(), priority);
        }
        granted = true;
    });
    if (!granted)
        GTEST_SKIP() << "the host grants no realtime priority";
}

TEST(Seat, HasTheChoiceOfAllWhereVcpusShareProcessors) {
    const int processors = own_processors();
    with_vcpus(processors + 1, [=] {
        Seat seat;
        Busy::add(processors);
        wait_often(seat);
        Busy::add(-processors);
        EXPECT_EQ(own_processors(), processors);
    });
}

} // namespace
} // namespace glue::hosted
