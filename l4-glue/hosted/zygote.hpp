// SPDX-License-Identifier: BSD-2-Clause
// The process from which those of BSD address spaces are forked, seen from the personality.
#pragma once

#include "l4-glue/hosted/stub/layout.hpp"

#include <mutex>
#include <span>

#include <sys/types.h>

namespace glue::hosted {

class Zygote {
public:
    // Before there are threads. A line of text for people if it fails, else null.
    const char* start();
    // A new process; any thread. It goes on by itself until its threads need something of us. What `files`
    // and `received` are says stub/layout.hpp.
    bool create(const CreateMessage& create, std::span<const int> files, CreatedMessage& created,
                std::span<int> received);
    pid_t pid() const { return pid_; }

private:
    std::mutex mutex_; // one conversation at a time
    int socket_ = -1;  // immutable after start()
    pid_t pid_ = -1;   // likewise
};
extern Zygote zygote;

// By which numbers we know a process and its threads, which knows them by others.
bool find_threads(int pidfd, const CreatedMessage& created, pid_t& process, pid_t* threads);

} // namespace glue::hosted
