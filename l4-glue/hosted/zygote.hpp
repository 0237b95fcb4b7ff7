// SPDX-License-Identifier: BSD-2-Clause
// The process from which those of BSD address spaces are forked, seen from the personality.
#pragma once

#include "l4-glue/hosted/stub/layout.hpp"

#include <mutex>

#include <sys/types.h>

namespace glue::hosted {

class Zygote {
public:
    // Before there are threads. A line of text for people if it fails, else null.
    const char* start();
    // A new process that has `memory` mapped; any thread. It goes on by itself up to its threads' first
    // calls.
    bool create(unsigned vcpus, int memory, int& pidfd, int& listener);

private:
    std::mutex mutex_; // one conversation at a time
    int socket_ = -1;  // immutable after start()
};
extern Zygote zygote;

// Where a jail has as many vCPUs as there are processors for it, the threads of each keep to one: all can be
// busy then, and a trap goes to the personality and back without looking for another processor. Any thread.
void settle(pid_t thread, unsigned cpu);

// What the host lacks for this platform, or null.
const char* missing_on_host();

} // namespace glue::hosted
