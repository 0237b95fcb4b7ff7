// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/tty_ioctl.hpp"

#include <string.h>

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/ioctl.hpp"
#include "bsd-personality/kern/tty.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

using namespace tty;

constexpr std::int32_t no_process_group = 100000; // NO_PID: nobody is in the foreground

// Commands that change the terminal: a background process has to wait for its turn.
bool changes(std::uint64_t command) {
    switch (command) {
    case tioccbrk:
    case tioccons:
    case tiocdrain:
    case tiocexcl:
    case tiocflush:
    case tiocnxcl:
    case tiocsbrk:
    case tiocsctty:
    case tiocseta:
    case tiocsetaf:
    case tiocsetaw:
    case tiocsetd:
    case tiocspgrp:
    case tiocstart:
    case tiocstat:
    case tiocsti:
    case tiocstop:
    case tiocswinsz:
        return true;
    default:
        return false;
    }
}

} // namespace

SysResult<void> put_device_name(Lwp& lwp, const void* argument, Text name) {
    std::uint64_t words[2];
    memcpy(words, argument, sizeof words);
    bool dragonfly = lwp.proc.abi->kind == AbiKind::dragonfly;
    std::uint64_t buffer = words[dragonfly ? 0 : 1];
    auto length = static_cast<std::int32_t>(words[dragonfly ? 1 : 0]);
    char text[32] = {};
    memcpy(text, name.data, least(name.size, sizeof text - 1));
    if (length < 0 || static_cast<std::uint32_t>(length) <= name.size)
        return Failure(Errno::einval);
    return copyout(*lwp.proc.vmspace, text, UserAddress{buffer}, name.size + 1);
}

SysResult<int> Tty::ioctl_by(Lwp& lwp, std::uint64_t command, void* argument, const File& file) {
    if (gone_ && line_.dialect() == Dialect::freebsd)
        return Failure(Errno::enxio);
    if (changes(command))
        TRY(wait_foreground(lwp, sigttou));
    if (command == fiodgname) {
        TRY(put_device_name(lwp, argument, name()));
        return 0;
    }
    if (command == tiocsti) {
        if (!lwp.proc.cred->is_superuser() && !file.readable())
            return Failure(Errno::eperm);
        if (!lwp.proc.cred->is_superuser() && !controls(lwp.proc))
            return Failure(Errno::eacces);
        line_.input(*static_cast<std::uint8_t*>(argument));
        wake_readers();
        output_ready();
        return 0;
    }
    return ioctl_common(lwp, command, argument);
}

SysResult<int> Tty::ioctl_common(Lwp& lwp, std::uint64_t command, void* argument) {
    auto& value = *static_cast<std::int32_t*>(argument);
    constexpr std::int32_t input = 1, output = 2; // FREAD, FWRITE
    constexpr std::int32_t line_enabled = 1, carrier = 0x40;
    const bool freebsd = line_.dialect() == Dialect::freebsd;
    switch (command) {
    case fionread:
        value = static_cast<std::int32_t>(line_.readable());
        return 0;
    case fiodtype:
        value = device_type_terminal;
        return 0;
    case tiocgeta:
        memcpy(argument, &line_.termios(), sizeof(Termios));
        return 0;
    case tiocseta:
    case tiocsetaw:
    case tiocsetaf: {
        Termios wanted;
        memcpy(&wanted, argument, sizeof wanted);
        return set_termios(lwp, command, wanted);
    }
    case tiocgwinsz:
        memcpy(argument, &window_, sizeof window_);
        return 0;
    case tiocswinsz: {
        WindowSize size;
        memcpy(static_cast<void*>(&size), argument, sizeof size);
        set_window(size);
        return 0;
    }
    case tiocflush: {
        std::int32_t which = value == 0 ? input | output : value & (input | output);
        line_.flush((which & input) != 0, (which & output) != 0);
        return 0;
    }
    case tiocdrain:
        TRY(drain(lwp));
        return 0;
    case tiocoutq:
        value = static_cast<std::int32_t>(line_.output_used());
        return 0;
    case tiocstop:
        line_.stop_output();
        return 0;
    case tiocstart:
        line_.start_output();
        return 0;
    case tiocstat:
        show_status();
        return 0;
    case tiocexcl:
        exclusive_ = true;
        return 0;
    case tiocnxcl:
        exclusive_ = false;
        return 0;
    case tiocgetd:
        value = 0; // TTYDISC is the only line discipline
        return 0;
    case tiocsetd:
        if (!freebsd)
            return value == 0 ? SysResult<int>(0) : Failure(Errno::enxio);
        return Failure(Errno::enotty);
    // FreeBSD's terminals have modem lines; those of ptys always show a carrier.
    case tiocmget:
        if (!freebsd)
            return Failure(Errno::enotty);
        value = line_enabled | carrier;
        return 0;
    case tiocmset:
    case tiocmbis:
    case tiocmbic:
    case tiocsdtr:
    case tioccdtr:
        return freebsd ? SysResult<int>(0) : Failure(Errno::enotty);
    default:
        return job_ioctl(lwp, command, value);
    }
}

SysResult<int> Tty::set_termios(Lwp& lwp, std::uint64_t command, Termios wanted) {
    if (wanted.input_speed == 0)
        wanted.input_speed = wanted.output_speed;
    if (command != tiocseta) {
        TRY(drain(lwp));
        if (command == tiocsetaf)
            line_.flush(true, false);
    }
    line_.configure(wanted, command == tiocsetaf);
    wake_readers(); // what counts as enough may have changed
    const Termios& now = line_.termios();
    bool stops = (now.input & ixon) && now.cc[vstop] == 'S' - '@' && now.cc[vstart] == 'Q' - '@';
    packet_event(stops ? packet_do_stop : packet_no_stop);
    return 0;
}

SysResult<int> Tty::job_ioctl(Lwp& lwp, std::uint64_t command, std::int32_t& value) {
    Proc& proc = lwp.proc;
    switch (command) {
    case tiocsctty:
        TRY(become_controlling(proc));
        return 0;
    case tiocnotty:
        if (!controls(proc))
            return Failure(Errno::enotty);
        if (proc.pgrp->session->id == proc.pid)
            return Failure(Errno::einval); // a leader keeps it
        proc.flags &= ~std::uint32_t{proc_control_terminal};
        return 0;
    case tiocgsid:
        if (!controls(proc))
            return Failure(Errno::enotty);
        value = session_->id;
        return 0;
    case tiocgpgrp:
        if (!controls(proc))
            return Failure(Errno::enotty);
        value = foreground_ ? foreground_->id : no_process_group;
        return 0;
    case tiocspgrp: {
        if (!controls(proc))
            return Failure(Errno::enotty);
        if (line_.dialect() == Dialect::dragonfly && (value < 1 || value > max_pid))
            return Failure(Errno::einval);
        Pgrp* group = find_process_group(value);
        if (!group || group->session != session_)
            return Failure(Errno::eperm);
        foreground_ = group;
        lwkt::wakeup(&background_);
        return 0;
    }
    default:
        return Failure(Errno::enotty);
    }
}

} // namespace bsd
