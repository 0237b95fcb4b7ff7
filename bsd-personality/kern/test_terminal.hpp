// SPDX-License-Identifier: BSD-2-Clause
// A terminal that is nothing but a line discipline, for host tests: what is typed, what is shown, what is
// read.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "bsd-personality/kern/signal.hpp"
#include "bsd-personality/kern/tty_discipline.hpp"

namespace bsd::test {

using namespace tty;
using std::string;

struct Terminal : LineDiscipline::Host {
    explicit Terminal(Dialect dialect = Dialect::freebsd) : line(*this, dialect, 9600) {}
    void send_signal(int signal) override { signals.push_back(signal); }
    void flushed(bool input, bool output) override { flushes.push_back((input ? 1 : 0) | (output ? 2 : 0)); }
    void output_stopped(bool stopped) override { stops.push_back(stopped); }
    void show_status() override { statuses++; }

    Terminal& type(const string& text) {
        for (char c : text)
            line.input(static_cast<std::uint8_t>(c));
        return *this;
    }
    /// What the terminal shows since the last question.
    string shown() {
        char bytes[8192];
        return {bytes, line.take_output(bytes, sizeof bytes)};
    }
    /// One read(2) of `size` bytes; "-" when there is nothing to read, "EOF" for the end of file.
    string read(unsigned size = 1000) {
        if (line.readable() == 0)
            return "-";
        string bytes(size, '\0');
        bool ended = false;
        unsigned count = line.read(bytes.data(), size, ended);
        if (count == size && !ended)
            line.skip_end_of_file();
        bytes.resize(count);
        return ended && count == 0 ? "EOF" : bytes;
    }
    void set(std::uint32_t Termios::*field, std::uint32_t on, std::uint32_t off = 0) {
        Termios wanted = line.termios();
        wanted.*field = (wanted.*field | on) & ~off;
        line.configure(wanted, false);
    }
    void character(ControlCharacter which, std::uint8_t c) {
        Termios wanted = line.termios();
        wanted.cc[which] = c;
        line.configure(wanted, false);
    }
    void raw() { set(&Termios::local, 0, icanon | echo | isig | iexten); }
    string written(const string& text) {
        line.write(text.data(), static_cast<unsigned>(text.size()));
        return shown();
    }

    LineDiscipline line;
    std::vector<int> signals, flushes;
    std::vector<bool> stops;
    int statuses = 0;
};

} // namespace bsd::test
