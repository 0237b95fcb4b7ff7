// SPDX-License-Identifier: BSD-2-Clause
// Controlling terminals and background processes.
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/tty.hpp"

namespace bsd {

bool Tty::controls(const Proc& proc) const {
    return session_ && proc.pgrp && proc.pgrp->session == session_ && (proc.flags & proc_control_terminal);
}

SysResult<void> Tty::become_controlling(Proc& leader) {
    Session* session = leader.pgrp->session;
    if (session->id != leader.pid)
        return Failure(Errno::eperm);
    if (session_ == session)
        return {};
    if (session_ || session->terminal)
        return Failure(Errno::eperm);
    ref();
    session_ = session;
    session->terminal = this;
    foreground_ = leader.pgrp;
    leader.flags |= proc_control_terminal;
    return {};
}

void Tty::leave_session() {
    foreground_ = nullptr;
    if (!session_)
        return;
    session_->terminal = nullptr;
    session_ = nullptr;
    unref();
}

// A background process has to wait until its group is in the foreground; the signal normally stops it. EIO
// when that would be for ever; a process that does not want SIGTTOU writes all the same.
SysResult<void> Tty::wait_foreground(Lwp& lwp, int signal) {
    Proc& proc = lwp.proc;
    while (controls(proc) && proc.pgrp != foreground_) {
        if ((proc.flags & proc_vfork_wait) || lwp.mask.has(signal) ||
            proc.actions[signal].handler == sig_ign) {
            if (signal == sigttou)
                return {};
            return Failure(Errno::eio);
        }
        if (proc.pgrp->orphaned)
            return Failure(Errno::eio);
        post_kernel_signal(*proc.pgrp, signal);
        (void)TRY(interruptible_sleep(lwp, &background_, "ttybg"));
    }
    return {};
}

void Tty::signal_foreground(int signal) {
    send_signal(signal);
    if (signal == siginfo && !(line_.termios().local & tty::nokerninfo))
        show_status();
}

void Tty::set_window(const tty::WindowSize& size) {
    if (size == window_)
        return;
    window_ = size;
    send_signal(sigwinch);
}

} // namespace bsd
