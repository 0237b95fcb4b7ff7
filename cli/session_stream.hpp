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
class OutputStream {
public:
    /// To `descriptor`, or into the file `path` if that is not empty. Lines to a descriptor begin with
    /// `prefix`. Throws UserError.
    OutputStream(int descriptor, const std::string& path, std::string prefix)
        : descriptor_(path.empty() ? descriptor : open_output(path)), owned_(!path.empty()),
          prefix_(path.empty() ? std::move(prefix) : "") {}
    ~OutputStream() {
        if (owned_)
            close(descriptor_);
    }
    OutputStream(const OutputStream&) = delete;
    OutputStream& operator=(const OutputStream&) = delete;

    void put(const char* data, std::size_t size);
    /// Nothing more comes: completes the last line.
    void end();

private:
    const int descriptor_;
    const bool owned_;
    const std::string prefix_;
    std::string line_;
};

/// Where an output of a jail goes by these options.
[[nodiscard]] std::unique_ptr<OutputStream> open_stream(const JailPlan& jail, const OutputName& output,
                                                        const SessionOptions& options);

} // namespace cli
