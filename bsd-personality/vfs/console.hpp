// SPDX-License-Identifier: BSD-2-Clause
// The jail's console: standard input, output and error of its first process are rings shared with the box.
// The box rings this jail's doorbell when input has come or output has been taken; a daemon thread then wakes
// who waits, so that everything but the ring itself stays under the giant token. As streams of bytes the
// three are no terminal (ioctl answers ENOTTY); with a terminal (proto::JailTerminal) input and output are
// its line, and /dev/console and all three descriptors are the terminal.
#pragma once

#include "bsd-personality/kern/tty.hpp"
#include "l4-glue/channel.hpp"
#include "proto/jail.hpp"

namespace bsd {

/// The console as a terminal. Lives for good.
class ConsoleTty final : public Tty {
public:
    ConsoleTty(glue::Ring& input, glue::Ring& output, void (*ring_box)(),
               const proto::JailTerminal& settings);
    /// The box rang: input, room for output, another size.
    void doorbell();

private:
    void inactive() override {}
    void type_end_of_file();
    void output_ready() override;
    void input_taken() override;
    glue::Ring &input_ring_, &output_ring_;
    void (*ring_box_)();
    const proto::JailTerminal& settings_; // shared with the box
    bool ended_ = false;
};

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
    /// Null: the console is three streams.
    ConsoleTty* terminal() const { return terminal_; }
    /// ENOMEM.
    SysResult<void> become_terminal(const proto::JailTerminal& settings);

private:
    glue::Ring ring_[3];
    void (*ring_box_)();
    EventSource readers_, writers_;
    ConsoleTty* terminal_ = nullptr; // set once at boot
};

/// Made by start_console() at boot, never freed; null before.
extern Console* console;

/// Makes the console on rings that live for good, and the daemon thread that runs doorbell() when the box has
/// rung. `ring_box` signals the box. Errors: ENOMEM.
SysResult<void> start_console(const glue::Ring& input, const glue::Ring& output, const glue::Ring& error,
                              void (*ring_box)(), const proto::JailTerminal& terminal);

} // namespace bsd
