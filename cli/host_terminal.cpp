// SPDX-License-Identifier: BSD-2-Clause
#include "cli/host_terminal.hpp"

#include <csignal>
#include <sys/ioctl.h>
#include <unistd.h>

namespace cli {

namespace {

volatile std::sig_atomic_t window_changed = 0;

extern "C" void on_window_change(int) {
    window_changed = 1;
}

} // namespace

void HostTerminal::enter() {
    std::signal(SIGWINCH, on_window_change);
    if (tcgetattr(STDIN_FILENO, &before_) != 0)
        return;
    termios settings = before_;
    cfmakeraw(&settings);
    raw_ = tcsetattr(STDIN_FILENO, TCSADRAIN, &settings) == 0;
}

void HostTerminal::leave() {
    if (raw_)
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
    raw_ = false;
}

WindowSize HostTerminal::window() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return {};
    return {size.ws_row, size.ws_col};
}

std::optional<WindowSize> HostTerminal::changed_window() {
    if (window_changed == 0)
        return std::nullopt;
    window_changed = 0;
    return window();
}

} // namespace cli
