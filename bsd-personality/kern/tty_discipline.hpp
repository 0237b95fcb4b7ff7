// SPDX-License-Identifier: BSD-2-Clause
// The termios line discipline: what happens to characters between a terminal's device and its programs. It
// knows nothing of processes or sleeping: signals, flushes and stops go to its Host, and what does not fit is
// refused. Guarded by whoever owns it (the giant token).
//
// One set of rules for both systems. Where they differ in what a program or a user sees, `dialect` decides;
// such places say so.
#pragma once

#include "bsd-personality/kern/termios.hpp"
#include "bsd-personality/kern/tty_queue.hpp"

namespace bsd::tty {

/// What the line did beside, or instead of, delivering a character.
enum class Condition : std::uint8_t { none, line_break, parity_error, framing_error };

class LineDiscipline {
public:
    /// Told synchronously; must not call back.
    struct Host {
        /// To the foreground group.
        virtual void send_signal(int signal) = 0;
        /// Queues were emptied.
        virtual void flushed(bool input, bool output) = 0;
        /// Output was stopped, or goes on.
        virtual void output_stopped(bool stopped) = 0;
        /// VSTATUS: a line about the foreground group is wanted.
        virtual void show_status() = 0;

    protected:
        ~Host() = default;
    };

    LineDiscipline(Host& host, Dialect dialect, std::uint32_t speed)
        : termios_(default_termios(speed)), host_(host), dialect_(dialect) {}

    const Termios& termios() const { return termios_; }
    Dialect dialect() const { return dialect_; }
    /// tcsetattr's effect; `flushes`: TCSAFLUSH, unread input has been dropped already.
    void configure(const Termios& wanted, bool flushes);
    /// TIOCEXT (DragonFly): a remote editor does what the discipline would.
    void set_external(bool on);

    // --- from the device
    /// How many characters may be given to input() now without one being lost.
    unsigned input_room() const;
    /// One character received. Without room it is lost, with a bell if IMAXBEL says so.
    void input(std::uint8_t character, Condition condition = Condition::none);
    /// Bytes for the device; none while output is stopped.
    unsigned take_output(char* to, unsigned limit) { return stopped_ ? 0 : output_.take(to, limit); }
    /// Bytes that take_output() would give.
    unsigned output_ready() const { return stopped_ ? 0 : output_.used(); }
    unsigned output_used() const { return output_.used(); }

    // --- to and from programs
    bool canonical() const { return (termios_.local & icanon) != 0; }
    /// Characters that a reader can have; brings pending input up to date.
    unsigned readable();
    /// Up to `limit` of them, in canonical mode at most one line. `ended`: the line, or with count 0 the
    /// file, ends here.
    unsigned read(char* to, unsigned limit, bool& ended);
    /// Canonical input waits whose next character is the end of file: a reader that got all it asked for
    /// takes it along (FreeBSD 14.1).
    void skip_end_of_file();
    /// After reading: lets the other side send again if it was stopped (IXOFF).
    void unthrottle();
    /// How many bytes write() takes for sure.
    unsigned write_room() const;
    /// Program output with output processing; at most write_room() bytes.
    void write(const char* bytes, unsigned count);
    /// A message of the kernel on the terminal; what does not fit is dropped.
    void message(const char* text, unsigned size);

    void flush(bool input, bool output);
    void stop_output();
    void start_output();
    bool stopped() const { return stopped_; }
    unsigned column() const { return column_; }

private:
    bool is(ControlCharacter which, std::uint8_t c) const {
        return termios_.cc[which] == c && c != cc_disabled;
    }
    bool in_flag(std::uint32_t f) const { return (termios_.input & f) != 0; }
    bool out_flag(std::uint32_t f) const { return (termios_.output & f) != 0; }
    bool flag(std::uint32_t f) const { return (termios_.local & f) != 0; }
    bool dragonfly() const { return dialect_ == Dialect::dragonfly; }

    void edit_pending();
    bool take_condition(std::uint8_t c, Condition condition);
    bool take_extension(std::uint8_t c);
    bool take_signal(std::uint8_t c);
    bool take_flow_control(std::uint8_t c);
    bool take_editing(std::uint8_t c);
    void store(std::uint8_t c, bool quoted);
    void store_marked(std::uint8_t c);
    void overflow();
    bool is_delimiter(std::uint8_t c) const;

    bool rub();
    void rub_out(Cell cell);
    void rub_cells(unsigned count);
    void rub_word();
    void kill_line();
    void reprint();
    bool is_word(std::uint8_t c) const;
    unsigned width(Cell cell, unsigned column) const;

    void echo_character(std::uint8_t c, bool quoted);
    bool put(std::uint8_t c);
    void put_plain(const char* bytes, unsigned count);
    void throttle();

    Termios termios_;
    Host& host_;
    const Dialect dialect_;
    InputQueue input_;
    OutputQueue output_;
    bool stopped_ = false;     // by VSTOP or TIOCSTOP
    bool literal_ = false;     // the next character follows a VLNEXT
    bool erasing_ = false;     // between \ and / of ECHOPRT
    bool throttled_ = false;   // the other side was sent VSTOP (IXOFF)
    unsigned column_ = 0;      // of the cursor
    unsigned echoed_ = 0;      // characters of the line shown since a program wrote last
    unsigned echo_column_ = 0; // where the first of them stands
};

} // namespace bsd::tty
