// SPDX-License-Identifier: BSD-2-Clause
// A vCPU that waits for a traced thread learns of its deadline by a timer of its own, whose signal's handler
// interrupts that thread: whenever the signal comes, the wait ends.
#pragma once

#include "glue/clock.hpp"

#include <sys/types.h>

namespace glue::hosted {

// Of the calling thread.
class DeadlineSignal {
public:
    // From now on `thread` of `process` is interrupted at the deadline. False: the host grants no timer.
    static bool set(Ticks deadline, pid_t process, pid_t thread);
    // No thread is to be interrupted any more.
    static void forget();
};

} // namespace glue::hosted
