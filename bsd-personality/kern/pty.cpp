// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/pty.hpp"

#include <string.h>

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/ioctl.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/tty_ioctl.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

namespace {

using namespace tty;

constexpr std::uint32_t first_device = 0x100; // device numbers of slaves
constexpr std::uint32_t group_tty = 4;
constexpr unsigned chunk_size = 256;

Pty* ptys[Pty::most]; // guarded by giant

// The open master. The pair lives as long as somebody has either side.
class PtyMaster final : public File {
public:
    PtyMaster(Pty& pty, std::uint32_t open_flags) : File(FileType::device, open_flags), pty_(&pty) {}
    ~PtyMaster() = default;
    SysResult<void> read(Lwp& lwp, Uio& uio, const std::int64_t*) override {
        return pty_->master_read(lwp, uio, nonblocking());
    }
    SysResult<void> write(Lwp& lwp, Uio& uio, const std::int64_t*) override {
        return pty_->master_write(lwp, uio, nonblocking());
    }
    SysResult<int> ioctl(Lwp& lwp, std::uint64_t command, void* argument) override {
        return pty_->master_ioctl(lwp, command, argument);
    }
    SysResult<void> attributes(Lwp&, Attributes& out) override { return pty_->attributes(out); }
    Readiness readiness(Direction direction) override { return pty_->master_readiness(direction); }
    EventSource* events(Direction direction) override { return pty_->master_events(direction); }

private:
    void destroy() override {
        pty_->hang_up();
        lwkt::destroy(this);
    }
    Ref<Pty> pty_;
};

unsigned write_name(char (&to)[16], unsigned number) {
    char digits[8];
    unsigned count = 0, length = 4;
    memcpy(to, "pts/", length);
    do
        digits[count++] = static_cast<char>('0' + number % 10);
    while ((number /= 10) != 0);
    while (count != 0)
        to[length++] = digits[--count];
    return length;
}

} // namespace

Pty::Pty(Dialect dialect, unsigned number, Text name, std::uint32_t creator)
    : Tty(dialect, dialect == Dialect::freebsd ? 38400 : 115200, name, first_device + number),
      number_(number), creator_(creator) {}

void Pty::inactive() {
    ptys[number_] = nullptr;
    lwkt::destroy(this);
}

Pty* find_pty(unsigned number) {
    Pty* pty = number < Pty::most ? ptys[number] : nullptr;
    return pty && pty->has_master() ? pty : nullptr;
}

SysResult<FileRef> open_pty(Lwp& lwp, std::uint32_t flags) {
    const Proc& proc = lwp.proc;
    std::uint32_t creator = proc.cred->ruid;
    std::uint64_t have = 0;
    unsigned number = Pty::most;
    for (unsigned i = 0; i < Pty::most; i++) {
        if (!ptys[i])
            number = least(number, i);
        else
            have += ptys[i]->creator() == creator;
    }
    if (number == Pty::most || have >= proc.limits[limit_npts].current)
        return Failure(Errno::eagain);
    char name[16];
    unsigned length = write_name(name, number);
    auto dialect = proc.abi->kind == AbiKind::freebsd ? Dialect::freebsd : Dialect::dragonfly;
    auto* pty = lwkt::construct<Pty>(dialect, number, Text(name, length), creator);
    if (!pty)
        return Failure(Errno::enomem);
    ptys[number] = pty;
    if (dialect == Dialect::freebsd)
        pty->give_to(creator, group_tty, 0620);
    else
        pty->give_to(proc.cred->uid, proc.cred->uid ? group_tty : 0, 0600);
    auto* master = lwkt::construct<PtyMaster>(*pty, flags);
    pty->unref(); // the master has a reference of its own
    if (!master)
        return Failure(Errno::enomem);
    return FileRef::adopt(master);
}

// --- what the terminal's side does -------------------------------------------------------------------------
void Pty::output_ready() {
    if (line_.output_ready() == 0 && pending_ == 0 && !finished_)
        return;
    lwkt::wakeup(&master_reads_);
    master_reads_.notify();
}

void Pty::input_taken() {
    lwkt::wakeup(&master_writes_);
    master_writes_.notify();
}

void Pty::closed_last() {
    finished_ = true;
    output_ready();
    input_taken();
}

void Pty::packet_event(std::uint8_t event) {
    bool dragonfly = line_.dialect() == Dialect::dragonfly;
    if (event & (packet_do_stop | packet_no_stop)) {
        bool stops = event == packet_do_stop;
        // DragonFly tells of a change only, and of new settings where an external editor wants them.
        if (dragonfly && (line_.termios().local & extproc))
            pending_ |= packet_ioctl;
        bool changed = stops != flow_characters_;
        flow_characters_ = stops;
        if (dragonfly && !changed)
            event = 0;
    }
    constexpr std::uint8_t opposites[][2] = {{packet_stop, packet_start}, {packet_do_stop, packet_no_stop}};
    for (const auto& pair : opposites)
        for (unsigned i = 0; i < 2; i++)
            if (event & pair[i])
                pending_ &= static_cast<std::uint8_t>(~pair[1 - i]);
    pending_ |= event;
    if (!packets_)
        pending_ = 0;
    output_ready();
}

// --- the master --------------------------------------------------------------------------------------------
SysResult<void> Pty::master_read(Lwp& lwp, Uio& uio, bool nonblocking) {
    if (uio.residual() == 0)
        return {};
    while (pending_ == 0 && line_.output_ready() == 0) {
        if (finished_)
            return {}; // end of file
        if (nonblocking)
            return Failure(Errno::eagain);
        (void)TRY(interruptible_sleep(lwp, &master_reads_, "ptcin"));
    }
    if (packets_) {
        std::uint8_t event = pending_;
        pending_ = 0;
        TRY(uio.copy_out(&event, sizeof event));
        if (event != 0) {
            if (event & packet_ioctl)
                TRY(uio.copy_out(&line_.termios(), sizeof(Termios)));
            return {};
        }
    }
    while (uio.residual() != 0) {
        char chunk[chunk_size];
        unsigned count = line_.take_output(
            chunk, static_cast<unsigned>(least<std::uint64_t>(uio.residual(), sizeof chunk)));
        if (count == 0)
            break;
        TRY(uio.copy_out(chunk, count));
    }
    wake_writers();
    return {};
}

SysResult<void> Pty::master_write(Lwp& lwp, Uio& uio, bool nonblocking) {
    while (uio.residual() != 0) {
        if (finished_)
            return Failure(Errno::eio);
        char chunk[chunk_size];
        auto count = static_cast<unsigned>(
            least<std::uint64_t>(least<std::uint64_t>(uio.residual(), sizeof chunk), line_.input_room()));
        if (count == 0) {
            if (nonblocking)
                return Failure(Errno::eagain);
            (void)TRY(interruptible_sleep(lwp, &master_writes_, "ptcout"));
            continue;
        }
        if (signal_pending(lwp)) // what nobody reads is lost, however much it is
            return Failure(Errno::erestart);
        TRY(uio.copy_in(chunk, count));
        for (unsigned i = 0; i < count; i++)
            line_.input(static_cast<std::uint8_t>(chunk[i]));
        if (line_.readable() != 0)
            wake_readers();
        output_ready();
    }
    return {};
}

Readiness Pty::master_readiness(Direction direction) const {
    if (direction == Direction::read) {
        unsigned waiting = line_.output_ready();
        bool ended = finished_ && waiting == 0;
        return {waiting != 0 || pending_ != 0 || finished_, ended, waiting, 0, ended};
    }
    unsigned room = finished_ ? 0 : line_.input_room();
    return {room != 0 || finished_, finished_, room, 0, finished_};
}

SysResult<int> Pty::master_ioctl(Lwp& lwp, std::uint64_t command, void* argument) {
    auto& value = *static_cast<std::int32_t*>(argument);
    switch (command) {
    case fionread:
        value = static_cast<std::int32_t>(line_.output_ready());
        return 0;
    case tiocgpgrp: // for the master it need not be the controlling terminal
        value = foreground() ? foreground()->id : line_.dialect() == Dialect::freebsd ? 100000 : 0;
        return 0;
    case tiocpkt:
        packets_ = value != 0;
        pending_ = 0;
        return 0;
    case tiocsetaw: // it cannot wait for itself to read
    case tiocsetaf:
        command = tiocseta;
        break;
    case fiodgname: {
        char name[16];
        unsigned length = write_name(name, number_);
        if (line_.dialect() == Dialect::dragonfly)
            name[2] = 'm'; // the master's device is ptm/N
        TRY(put_device_name(lwp, argument, Text(name, length)));
        return 0;
    }
    default:
        break;
    }
    auto own =
        line_.dialect() == Dialect::freebsd ? freebsd_ioctl(command, value) : dragonfly_ioctl(command, value);
    if (own.ok() || own.error() != Errno::enotty)
        return own;
    return ioctl_common(lwp, command, argument);
}

SysResult<int> Pty::freebsd_ioctl(std::uint64_t command, std::int32_t& value) {
    switch (command) {
    case tiocptmaster:
        return 0;
    case tiocgptn:
        value = static_cast<std::int32_t>(number_);
        return 0;
    case tiocgsid:
        if (!session())
            return Failure(Errno::enotty);
        value = session()->id;
        return 0;
    case tiocsig_freebsd:
        if (!SignalSet::valid(value))
            return Failure(Errno::einval);
        signal_foreground(value);
        return 0;
    default:
        return Failure(Errno::enotty);
    }
}

SysResult<int> Pty::dragonfly_ioctl(std::uint64_t command, std::int32_t& value) {
    switch (command) {
    case tiocisptmaster:
        return 0;
    case tiocext:
        if (packets_ && (value != 0 || (line_.termios().local & extproc)))
            pending_ |= packet_ioctl;
        line_.set_external(value != 0);
        output_ready();
        return 0;
    case tiocsig:
        if (value < 1 || value >= signal_count)
            return Failure(Errno::einval);
        if (!(line_.termios().local & noflsh))
            line_.flush(true, true);
        signal_foreground(value);
        return 0;
    default:
        return Failure(Errno::enotty);
    }
}

} // namespace bsd
