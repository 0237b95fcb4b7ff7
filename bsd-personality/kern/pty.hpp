// SPDX-License-Identifier: BSD-2-Clause
// Pseudo terminals. posix_openpt(2) and /dev/ptmx make a pair: the master is an open file without a name, the
// slave a terminal, /dev/pts/N, that exists as long as the master is open. Numbers are the lowest free ones;
// a number is free again when nobody refers to the terminal any more. All under the giant token.
#pragma once

#include "bsd-personality/kern/tty.hpp"

namespace bsd {

class Pty final : public Tty {
public:
    static constexpr unsigned most = 1000;
    Pty(tty::Dialect dialect, unsigned number, Text name, std::uint32_t creator);

    unsigned number() const { return number_; }
    std::uint32_t creator() const { return creator_; }
    bool has_master() const { return !gone_; }

    // --- the master's side
    SysResult<void> master_read(Lwp& lwp, Uio& uio, bool nonblocking);
    SysResult<void> master_write(Lwp& lwp, Uio& uio, bool nonblocking);
    SysResult<int> master_ioctl(Lwp& lwp, std::uint64_t command, void* argument);
    Readiness master_readiness(Direction direction) const;
    EventSource* master_events(Direction direction) {
        return direction == Direction::read ? &master_reads_ : &master_writes_;
    }

private:
    void inactive() override;
    void output_ready() override;
    void input_taken() override;
    void opened_first() override { finished_ = false; }
    void closed_last() override;
    void packet_event(std::uint8_t event) override;
    SysResult<int> freebsd_ioctl(std::uint64_t command, std::int32_t& value);
    SysResult<int> dragonfly_ioctl(std::uint64_t command, std::int32_t& value);

    const unsigned number_;
    const std::uint32_t creator_; // real user id, for RLIMIT_NPTS
    EventSource master_reads_, master_writes_;
    bool finished_ = false;       // the slave was open, and nobody has it open now
    bool packets_ = false;        // TIOCPKT
    bool flow_characters_ = true; // ^S and ^Q stop and start output, as last reported (DragonFly)
    std::uint8_t pending_ = 0;    // tty::Packet bits to report
};

/// A new pair; the file is its master. `flags`: OpenFlag. Errors: EAGAIN (all in use, or RLIMIT_NPTS),
/// ENOMEM.
SysResult<FileRef> open_pty(Lwp& lwp, std::uint32_t flags);
/// The slave with this number while its master is open; null otherwise.
Pty* find_pty(unsigned number);

} // namespace bsd
