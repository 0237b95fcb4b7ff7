// SPDX-License-Identifier: BSD-2-Clause
// Where a jail's console goes; used by the session's own files only.
#pragma once

#include "cli/session.hpp"

#include <unistd.h>

namespace cli {

/// What a jail puts out: a file of its directory in the control tree each.
struct OutputName {
    proto::JailRing ring;
    const char* name;
};
inline constexpr OutputName outputs[] = {
    {proto::ring_stdout, "stdout"}, {proto::ring_stderr, "stderr"}, {proto::ring_trace, "trace"}};

/// Opens (and empties) a file for output. Throws UserError.
[[nodiscard]] int open_output(const std::string& path);
/// Writes everything, or gives up when nobody listens any more.
void write_all(int fd, const char* data, std::size_t size);

/// One output of a jail: where it goes, and the line that is not complete yet.
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
