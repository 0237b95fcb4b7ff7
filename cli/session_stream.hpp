// SPDX-License-Identifier: BSD-2-Clause
// Where a jail's console goes; used by the session's own files only.
#pragma once

#include "cli/session.hpp"

#include <unistd.h>

namespace cli {

/// Writes everything, or gives up when nobody listens any more.
void write_all(int fd, const char* data, std::size_t size);

/// One console direction of a jail: where it goes, and the line that is not complete yet.
struct Session::Stream {
    int fd = -1;
    bool owned = false;
    std::string line;
    ~Stream() {
        if (owned)
            close(fd);
    }
};

} // namespace cli
