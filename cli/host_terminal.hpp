// SPDX-License-Identifier: BSD-2-Clause
// The terminal of this host that a jail's terminal is shown on: raw while the jail runs, so that each key and
// each signal character is the jail's, and as it was afterwards.
#pragma once

#include <cstdint>
#include <optional>
#include <termios.h>

namespace cli {

struct WindowSize {
    std::uint16_t rows = 0, columns = 0; ///< 0: unknown
};

class HostTerminal {
public:
    HostTerminal() = default;
    ~HostTerminal() { leave(); }
    HostTerminal(const HostTerminal&) = delete;
    HostTerminal& operator=(const HostTerminal&) = delete;

    /// Raw mode, if standard input is a terminal.
    void enter();
    /// As it was.
    void leave();
    /// Of standard output's terminal; zeros without one.
    [[nodiscard]] static WindowSize window();
    /// The new size, once after each change.
    [[nodiscard]] std::optional<WindowSize> changed_window();

private:
    bool raw_ = false;
    termios before_{};
};

} // namespace cli
