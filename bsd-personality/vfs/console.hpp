// SPDX-License-Identifier: BSD-2-Clause
// The jail's console: standard input, output and error of its first process are rings shared with the box.
// The box rings this jail's doorbell when input has come or output has been taken; a daemon thread then wakes
// who waits, so that everything but the ring itself stays under the giant token. Not a terminal: ioctl
// answers ENOTTY.
#pragma once

#include "bsd-personality/vfs/vnode.hpp"
#include "l4-glue/channel.hpp"

namespace bsd {

class Console {
public:
    Console(const glue::Ring& input, const glue::Ring& output, const glue::Ring& error, void (*ring_box)())
        : ring_{input, output, error}, ring_box_(ring_box) {}
    /// The box rang. Under the giant token; wakes sleepers.
    void doorbell();

    SysResult<void> read(Lwp& lwp, Uio& uio, bool nonblocking);
    /// `stream` 1 output, 2 error.
    SysResult<void> write(Lwp& lwp, Uio& uio, int stream, bool nonblocking);
    Readiness readiness(int stream, Direction direction) const;
    EventSource* events(Direction direction) { return direction == Direction::read ? &readers_ : &writers_; }
    std::uint32_t input_available() const { return ring_[0].available(); }

private:
    glue::Ring ring_[3];
    void (*ring_box_)();
    EventSource readers_, writers_;
};

/// Made by start_console() at boot, never freed; null before.
extern Console* console;

/// Makes the console on rings that live for good, and the daemon thread that runs doorbell() when the box has
/// rung. `ring_box` signals the box. Errors: ENOMEM.
SysResult<void> start_console(const glue::Ring& input, const glue::Ring& output, const glue::Ring& error,
                              void (*ring_box)());

} // namespace bsd
