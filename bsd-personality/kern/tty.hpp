// SPDX-License-Identifier: BSD-2-Clause
// Terminals. A Tty is the line discipline together with what the system knows of a terminal: who has it open,
// whose controlling terminal it is, which group is in the foreground. It is its own device node (a vnode), so
// it lives as long as a name, an open file or a session refers to it. What is behind it (the other side of a
// pty, the jail's console) is a subclass. Guarded by the giant token.
//
// An open file belongs to the terminal's generation at its open: revoke() begins a new one, and files of an
// older generation read as ended and can do nothing else.
#pragma once

#include "bsd-personality/kern/tty_discipline.hpp"
#include "bsd-personality/vfs/vnode.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

struct Pgrp;
struct Session;
class TtyFile;

class Tty : public Vnode, protected tty::LineDiscipline::Host {
public:
    // --- as a device node
    SysResult<void> attributes(Attributes& out) override;
    SysResult<void> change(const AttributeChange& change) override;
    SysResult<FileRef> open(Lwp& lwp, std::uint32_t flags) override;
    /// revoke(2): all who have it open lose it, and its session the terminal.
    SysResult<void> revoke() override;
    void file_system(FileSystemInformation& out) override;
    SysResult<void> truncate(std::int64_t) override { return {}; }
    /// Name below /dev, also for devname(3).
    Text name() override { return {name_, name_length_}; }
    /// st_rdev; unique among devices.
    std::uint32_t device_number() const { return device_; }
    std::uint64_t inode() const { return 0x2000 + device_; }
    void give_to(std::uint32_t uid, std::uint32_t gid, std::uint16_t mode) {
        uid_ = uid, gid_ = gid, mode_ = mode;
    }

    // --- operations of open files
    SysResult<void> read_by(Lwp& lwp, Uio& uio, const TtyFile& file);
    SysResult<void> write_by(Lwp& lwp, Uio& uio, const TtyFile& file);
    SysResult<int> ioctl_by(Lwp& lwp, std::uint64_t command, void* argument, const File& file);
    Readiness readiness_of(Direction direction, const TtyFile& file);
    EventSource* events(Direction direction) override {
        return direction == Direction::read ? &read_events_ : &write_events_;
    }

    // --- sessions (tty_session.cpp)
    Session* session() const { return session_; }
    Pgrp* foreground() const { return foreground_; }
    bool controls(const Proc& proc) const;
    /// Makes it the controlling terminal of the caller's session. EPERM.
    SysResult<void> become_controlling(Proc& leader);
    /// The session has ended, or loses the terminal. May free this.
    void leave_session();
    void group_ends(const Pgrp& group) {
        if (foreground_ == &group)
            foreground_ = nullptr;
    }
    /// The line is gone for good: SIGHUP to the session's leader, end of file for readers.
    void hang_up();
    void set_window(const tty::WindowSize& size);
    /// TIOCSIG: as if the terminal's user had typed it.
    void signal_foreground(int signal);

protected:
    Tty(tty::Dialect dialect, std::uint32_t speed, Text name, std::uint32_t device);
    ~Tty() = default;

    // --- what is behind it
    /// There may be bytes in the discipline's output.
    virtual void output_ready() = 0;
    /// Readers took input: there may be room for more.
    virtual void input_taken() = 0;
    /// First open and last close of the terminal.
    virtual void opened_first() {}
    virtual void closed_last() {}
    /// TIOCPKT_ events for whoever is at the other side.
    virtual void packet_event(std::uint8_t) {}
    SysResult<int> ioctl_common(Lwp& lwp, std::uint64_t command, void* argument);
    void wake_readers();
    void wake_writers();
    bool is_open() const { return open_files_ != 0; }

    // Host
    void send_signal(int signal) override;
    void flushed(bool input, bool output) override;
    void output_stopped(bool stopped) override;
    void show_status() override;

    tty::LineDiscipline line_;
    bool gone_ = false; // hung up: there is no other side any more

private:
    friend class TtyFile;
    void closed();
    void last_close();
    SysResult<void> wait_foreground(Lwp& lwp, int signal);
    SysResult<bool> read_some(Uio& uio, std::uint64_t limit);
    SysResult<bool> wait_input(Lwp& lwp, std::uint64_t moved, bool nonblocking, lwkt::Nanoseconds& deadline);
    SysResult<void> drain(Lwp& lwp);
    SysResult<int> set_termios(Lwp& lwp, std::uint64_t command, tty::Termios wanted);
    SysResult<int> job_ioctl(Lwp& lwp, std::uint64_t command, std::int32_t& value);
    void describe_foreground();

    Session* session_ = nullptr; // whose `terminal` this is; keeps a reference to this
    Pgrp* foreground_ = nullptr;
    EventSource read_events_, write_events_;
    char background_ = 0; // slept on by background processes
    std::uint32_t open_files_ = 0, generation_ = 0;
    bool exclusive_ = false; // TIOCEXCL
    tty::WindowSize window_;
    const std::uint32_t device_, speed_;
    std::uint32_t uid_ = 0, gid_ = 0;
    std::uint16_t mode_ = 0600;
    std::uint64_t changed_; // wall clock
    char name_[16];
    unsigned name_length_ = 0;
};
using TtyRef = Ref<Tty>;

/// An open terminal.
class TtyFile final : public File {
public:
    TtyFile(Tty& terminal, std::uint32_t open_flags)
        : File(FileType::vnode, open_flags), terminal_(&terminal), generation_(terminal.generation_) {}
    ~TtyFile() = default;
    bool revoked() const { return generation_ != terminal_->generation_; }

    SysResult<void> read(Lwp& lwp, Uio& uio, const std::int64_t*) override {
        return terminal_->read_by(lwp, uio, *this);
    }
    SysResult<void> write(Lwp& lwp, Uio& uio, const std::int64_t*) override {
        return terminal_->write_by(lwp, uio, *this);
    }
    SysResult<int> ioctl(Lwp& lwp, std::uint64_t command, void* argument) override {
        if (revoked())
            return Failure(Errno::enotty);
        return terminal_->ioctl_by(lwp, command, argument, *this);
    }
    SysResult<void> attributes(Lwp&, Attributes& out) override { return terminal_->attributes(out); }
    Readiness readiness(Direction direction) override { return terminal_->readiness_of(direction, *this); }
    EventSource* events(Direction direction) override { return terminal_->events(direction); }
    Vnode* vnode() override { return terminal_.get(); }

private:
    void destroy() override;
    TtyRef terminal_;
    const std::uint32_t generation_;
};

/// FIODGNAME and FIODNAME: the name of an open device. Errors: EINVAL (too long for the buffer), EFAULT.
SysResult<void> put_device_name(Lwp& lwp, const void* argument, Text name);

} // namespace bsd
