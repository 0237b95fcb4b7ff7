// SPDX-License-Identifier: BSD-2-Clause
// Which of the host's processors a jail's threads run on, and when one of them may be spent on waiting. A
// trap goes from a BSD thread to its vCPU's own and back. On two processors that is quickest by spinning;
// where all are busy, both do best on one, where the wake-up of one by the other is a switch and interrupts
// nobody.
#pragma once

#include <sys/types.h>

namespace glue::hosted {

// Where a jail has as many vCPUs as there are processors for it, the threads of each vCPU keep to one in BSD
// processes. Any thread.
void settle(pid_t thread, unsigned cpu);

// Who has work for processors now: vCPUs that run a BSD thread, and the nursery. Any thread.
class Busy {
public:
    static void add(int count);
    // Each of them needs one for its work, and one for who waits for it: whether all have them.
    static bool leaves_processors();
};

// Of a vCPU's own thread, which alone calls this: follows its BSD threads to their processor after many waits
// while all were busy, and leaves it after as many while not.
class Seat {
public:
    // When a turn begins.
    void choose(unsigned cpu);
    // Whether both sides may spin in this turn.
    bool may_spin() const { return may_spin_; }

private:
    static constexpr int most = 32;
    int crowded_ = 0; // up with each wait while all were busy, else down
    bool shared_ = false, may_spin_ = false;
    bool raised_ = false; // its priority, while it shares
};

} // namespace glue::hosted
