// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/tty.hpp"

#include <string.h>

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/tty_ioctl.hpp"
#include "bsd-personality/vfs/devfs.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

namespace {
constexpr std::uint64_t tenth_of_a_second = nanoseconds_per_second / 10; // VTIME's unit
constexpr unsigned chunk_size = 256;
} // namespace

Tty::Tty(tty::Dialect dialect, std::uint32_t speed, Text name, std::uint32_t device)
    : Vnode(VnodeType::character), line_(*this, dialect, speed), device_(device), speed_(speed),
      changed_(wall_clock()) {
    name_length_ = static_cast<unsigned>(least(name.size, sizeof name_));
    memcpy(name_, name.data, name_length_);
}

// --- the device node -------------------------------------------------------------------------------------
SysResult<void> Tty::attributes(Attributes& out) {
    out = {};
    out.device = devfs_device;
    out.inode = inode();
    out.type = type;
    out.mode = mode_;
    out.uid = uid_;
    out.gid = gid_;
    out.special = device_;
    TimeSpec changed = to_timespec(changed_);
    out.access = out.modify = out.change = out.birth = {changed.seconds, changed.nanoseconds};
    return {};
}

SysResult<void> Tty::change(const AttributeChange& change) {
    if (change.fields & AttributeChange::mode_field)
        mode_ = change.mode & 07777;
    if (change.fields & AttributeChange::owner_field)
        uid_ = change.uid;
    if (change.fields & AttributeChange::group_field)
        gid_ = change.gid;
    changed_ = wall_clock();
    return {};
}

SysResult<FileRef> Tty::open(Lwp& lwp, std::uint32_t flags) {
    if (gone_)
        return Failure(Errno::enxio);
    if (exclusive_ && is_open() && !lwp.proc.cred->is_superuser())
        return Failure(Errno::ebusy);
    auto* file = lwkt::construct<TtyFile>(*this, flags);
    if (!file)
        return Failure(Errno::enomem);
    if (open_files_++ == 0)
        opened_first();
    return FileRef::adopt(file);
}

void TtyFile::destroy() {
    if (!revoked())
        terminal_->closed();
    lwkt::destroy(this);
}

void Tty::closed() {
    if (--open_files_ == 0)
        last_close();
}

// What was written stays: the other side may still read it.
void Tty::last_close() {
    open_files_ = 0;
    exclusive_ = false;
    line_.start_output();
    line_.flush(true, false);
    line_.configure(tty::default_termios(speed_), true);
    closed_last();
}

SysResult<void> Tty::revoke() {
    TtyRef keep(this);
    leave_session();
    generation_++;
    if (is_open())
        last_close();
    wake_readers();
    wake_writers();
    lwkt::wakeup(&background_);
    return {};
}

void Tty::hang_up() {
    gone_ = true;
    // CLOCAL: the line's state is nobody's business.
    if (is_open() && !(line_.termios().control & tty::clocal) && session_)
        if (Proc* leader = find_process(session_->id); leader && leader->pgrp->session == session_)
            post_kernel_signal(*leader, sighup);
    line_.flush(true, true);
    wake_readers();
    wake_writers();
    lwkt::wakeup(&background_);
}

void Tty::file_system(FileSystemInformation& out) {
    devfs_root().file_system(out);
}

// --- reading ---------------------------------------------------------------------------------------------
// Moves what is there, at most `limit` bytes. True: a canonical line ended.
SysResult<bool> Tty::read_some(Uio& uio, std::uint64_t limit) {
    bool ended = false;
    while (limit != 0 && !ended && line_.readable() != 0) {
        char chunk[chunk_size];
        unsigned count =
            line_.read(chunk, static_cast<unsigned>(least<std::uint64_t>(limit, sizeof chunk)), ended);
        TRY(uio.copy_out(chunk, count));
        limit -= count;
    }
    if (limit == 0 && !ended)
        line_.skip_end_of_file();
    line_.unthrottle();
    input_taken();
    return ended;
}

// Sleeps until input may have come. False: VTIME has passed.
SysResult<bool> Tty::wait_input(Lwp& lwp, std::uint64_t moved, bool nonblocking,
                                lwkt::Nanoseconds& deadline) {
    if (nonblocking)
        return Failure(Errno::eagain);
    const tty::Termios& now = line_.termios();
    bool timed = !line_.canonical() && now.cc[tty::vtime] != 0 && (now.cc[tty::vmin] == 0 || moved != 0);
    if (!timed)
        deadline = lwkt::no_timeout;
    else if (deadline.value == lwkt::no_timeout.value)
        deadline = lwkt::Nanoseconds{glue::Clock::now().value + now.cc[tty::vtime] * tenth_of_a_second};
    return interruptible_sleep(lwp, &read_events_, "ttyin", deadline);
}

SysResult<void> Tty::read_by(Lwp& lwp, Uio& uio, const TtyFile& file) {
    const std::uint64_t total = uio.residual();
    lwkt::Nanoseconds deadline = lwkt::no_timeout;
    if (total == 0)
        return {};
    for (;;) {
        if (file.revoked() || gone_)
            return {}; // end of file
        TRY(wait_foreground(lwp, sigttin));
        if (file.revoked() || gone_)
            return {};
        std::uint64_t before = uio.residual();
        bool readable = line_.readable() != 0;
        bool ended = readable && TRY(read_some(uio, before));
        if (uio.residual() == 0 || (line_.canonical() && (ended || (readable && before != uio.residual()))))
            return {};
        std::uint64_t moved = total - uio.residual();
        if (!line_.canonical()) {
            unsigned wanted = line_.termios().cc[tty::vmin], time = line_.termios().cc[tty::vtime];
            if (moved >= wanted && (moved != 0 || time == 0))
                return {};
            if (before != uio.residual())
                deadline = lwkt::no_timeout; // the time between characters begins anew
        }
        if (!TRY(wait_input(lwp, moved, file.nonblocking(), deadline)))
            return {};
    }
}

// --- writing ---------------------------------------------------------------------------------------------
SysResult<void> Tty::write_by(Lwp& lwp, Uio& uio, const TtyFile& file) {
    while (uio.residual() != 0) {
        if (file.revoked())
            return Failure(Errno::eio);
        if (gone_)
            return Failure(line_.dialect() == tty::Dialect::freebsd ? Errno::enxio : Errno::eio);
        if (line_.termios().local & tty::tostop)
            TRY(wait_foreground(lwp, sigttou));
        char chunk[chunk_size];
        auto count = static_cast<unsigned>(
            least<std::uint64_t>(least<std::uint64_t>(uio.residual(), sizeof chunk), line_.write_room()));
        if (count != 0) {
            if (signal_pending(lwp))
                return Failure(Errno::erestart);
            TRY(uio.copy_in(chunk, count));
            line_.write(chunk, count);
            continue;
        }
        output_ready();
        if (line_.write_room() != 0)
            continue;
        if (file.nonblocking())
            return Failure(Errno::eagain);
        (void)TRY(interruptible_sleep(lwp, &write_events_, "ttyout"));
    }
    output_ready();
    return {};
}

// Until the other side has taken all output. EIO when it never will.
SysResult<void> Tty::drain(Lwp& lwp) {
    std::uint32_t generation = generation_;
    while (line_.output_used() != 0) {
        output_ready();
        if (line_.output_used() == 0)
            break;
        if (gone_ || generation != generation_)
            return Failure(Errno::eio);
        (void)TRY(interruptible_sleep(lwp, &write_events_, "ttydrain"));
    }
    return {};
}

// --- readiness -------------------------------------------------------------------------------------------
Readiness Tty::readiness_of(Direction direction, const TtyFile& file) {
    bool over = gone_ || file.revoked();
    if (direction == Direction::read) {
        unsigned waiting = over ? 0 : line_.readable();
        return {waiting != 0 || over, over, waiting, 0, over};
    }
    unsigned room = over ? 0 : line_.write_room();
    return {room != 0 || over, over, room, 0, over};
}

void Tty::wake_readers() {
    lwkt::wakeup(&read_events_);
    read_events_.notify();
}

void Tty::wake_writers() {
    lwkt::wakeup(&write_events_);
    write_events_.notify();
}

// --- what the discipline reports --------------------------------------------------------------------------
void Tty::send_signal(int signal) {
    // In FreeBSD a signal lets the terminal speak again.
    if (line_.dialect() == tty::Dialect::freebsd)
        line_.start_output();
    if (foreground_)
        post_kernel_signal(*foreground_, signal);
}

void Tty::flushed(bool input, bool output) {
    if (input) {
        packet_event(tty::packet_flush_read);
        input_taken();
    }
    if (output) {
        packet_event(tty::packet_flush_write);
        wake_writers();
    }
}

void Tty::output_stopped(bool stopped) {
    packet_event(stopped ? tty::packet_stop : tty::packet_start);
    if (!stopped)
        output_ready();
}

void Tty::show_status() {
    describe_foreground();
    output_ready();
}

} // namespace bsd
