// SPDX-License-Identifier: BSD-2-Clause
// Pairs, their numbers and limits; sessions and orphaned groups. What needs sleeping is in
// tests/programs/terminal.
#include "bsd-personality/kern/pty.hpp"

#include "bsd-personality/kern/ioctl.hpp"
#include "bsd-personality/kern/job_control.hpp"
#include "bsd-personality/kern/test_process.hpp"
#include "bsd-personality/kern/tty_ioctl.hpp"

#include <string>
#include <vector>

namespace bsd {
namespace {

class Ptys : public test::ProcessTest {
protected:
    FileRef master() { return TRY_VALUE(open_pty(*lwp, open_read_write | open_nonblock)); }
    static unsigned number_of(File& file, Lwp& lwp) {
        std::int32_t number = -1;
        EXPECT_TRUE(file.ioctl(lwp, tty::tiocgptn, &number).ok());
        return static_cast<unsigned>(number);
    }
    FileRef slave_of(File& file) {
        return TRY_VALUE(find_pty(number_of(file, *lwp))->open(*lwp, open_read_write | open_nonblock));
    }
    std::string read(File& file, unsigned size = 100) {
        std::string bytes(size, '\0');
        Uio uio(bytes.data(), size);
        auto done = file.read(*lwp, uio, nullptr);
        if (!done.ok())
            return done.error() == Errno::eagain ? "waits" : "error";
        bytes.resize(size - uio.residual());
        return bytes;
    }
    SysResult<void> write(File& file, const std::string& bytes) {
        Uio uio(const_cast<char*>(bytes.data()), bytes.size());
        return file.write(*lwp, uio, nullptr);
    }
    Proc& child() { return *find_process(TRY_VALUE(fork_process(*lwp, {}))); }
    std::uint64_t none_[16] = {}; // of commands without an argument
    void end(Proc& proc) {
        Lwp& thread = *proc.lwps.first();
        exit_process(thread, 0);
        leave(thread);
    }
};

TEST_F(Ptys, NumbersAreTheLowestFree) {
    FileRef first = master(), second = master();
    EXPECT_EQ(number_of(*first, *lwp), 0u);
    EXPECT_EQ(number_of(*second, *lwp), 1u);
    FileRef slave = slave_of(*first);
    first = {};
    EXPECT_EQ(find_pty(0), nullptr); // hung up: it has no name any more
    FileRef third = master();
    EXPECT_EQ(number_of(*third, *lwp), 2u); // but its number is taken while it is open
    slave = {};
    FileRef again = master();
    EXPECT_EQ(number_of(*again, *lwp), 0u);
}

TEST_F(Ptys, AreLimited) {
    std::vector<FileRef> all;
    for (unsigned i = 0; i < Pty::most; i++)
        all.push_back(master());
    EXPECT_EQ(open_pty(*lwp, open_read_write).error(), Errno::eagain);
    all.resize(3);
    proc->limits[limit_npts].current = 3;
    EXPECT_EQ(open_pty(*lwp, open_read_write).error(), Errno::eagain);
    all.pop_back();
    EXPECT_TRUE(open_pty(*lwp, open_read_write).ok());
}

TEST_F(Ptys, CarryBytesBothWays) {
    FileRef one = master(), slave = slave_of(*one);
    EXPECT_TRUE(write(*one, "typed\r").ok());
    EXPECT_EQ(read(*slave), "typed\n");
    EXPECT_EQ(read(*slave), "waits");
    EXPECT_EQ(read(*one), "typed\r\n");
    EXPECT_EQ(read(*one), "waits");
}

TEST_F(Ptys, AWriterWaitsForRoom) {
    FileRef one = master(), slave = slave_of(*one);
    auto full = write(*slave, std::string(10000, 'x'));
    EXPECT_EQ(full.error(), Errno::eagain);
    EXPECT_FALSE(slave->readiness(Direction::write).ready);
    EXPECT_GT(read(*one, 10000).size(), 4000u);
    EXPECT_TRUE(slave->readiness(Direction::write).ready);
    EXPECT_EQ(write(*one, std::string(10000, '\n')).error(), Errno::eagain);
    EXPECT_FALSE(one->readiness(Direction::write).ready);
}

TEST_F(Ptys, DeviceNamesFitOrAreRefused) {
    FileRef one = master();
    std::uint64_t page = map(1);
    struct {
        std::int32_t length;
        std::uint64_t buffer;
    } request{6, page};
    EXPECT_TRUE(one->ioctl(*lwp, tty::fiodgname, &request).ok());
    request.length = 5;
    EXPECT_EQ(one->ioctl(*lwp, tty::fiodgname, &request).error(), Errno::einval);
    request.length = -1;
    EXPECT_EQ(one->ioctl(*lwp, tty::fiodgname, &request).error(), Errno::einval);
    request = {100, 8};
    EXPECT_EQ(one->ioctl(*lwp, tty::fiodgname, &request).error(), Errno::efault);
}

TEST_F(Ptys, ASessionHasOneTerminalAndGivesItBack) {
    FileRef one = master(), other = master(), slave = slave_of(*one), second = slave_of(*other);
    EXPECT_EQ(slave->ioctl(*lwp, tty::tiocsctty, none_).error(), Errno::eperm); // not a leader
    Proc& leader = child();
    ASSERT_TRUE(enter_process_group(leader, leader.pid, true).ok());
    Lwp& thread = *leader.lwps.first();
    EXPECT_TRUE(slave->ioctl(thread, tty::tiocsctty, none_).ok());
    EXPECT_TRUE(slave->ioctl(thread, tty::tiocsctty, none_).ok()); // again
    EXPECT_EQ(second->ioctl(thread, tty::tiocsctty, none_).error(), Errno::eperm);
    std::int32_t value = 0;
    EXPECT_TRUE(slave->ioctl(thread, tty::tiocgpgrp, &value).ok());
    EXPECT_EQ(value, leader.pid);
    EXPECT_EQ(slave->ioctl(*lwp, tty::tiocgpgrp, &value).error(), Errno::enotty); // of another session
    value = 1;
    EXPECT_EQ(slave->ioctl(thread, tty::tiocspgrp, &value).error(), Errno::eperm);
    value = -1;
    EXPECT_EQ(slave->ioctl(thread, tty::tiocspgrp, &value).error(), Errno::eperm);
    EXPECT_EQ(slave->ioctl(thread, tty::tiocnotty, none_).error(), Errno::einval);
    Pty* pty = find_pty(number_of(*one, *lwp));
    EXPECT_EQ(pty->session(), leader.pgrp->session);
    end(leader);
    EXPECT_EQ(pty->session(), nullptr);
    EXPECT_EQ(read(*slave), ""); // revoked
    EXPECT_EQ(write(*slave, "x").error(), Errno::eio);
    EXPECT_EQ(read(*one), ""); // and closed for the master
}

TEST_F(Ptys, OrphanedGroupsAreTold) {
    Proc& guardian = child();
    ASSERT_TRUE(enter_process_group(guardian, guardian.pid, true).ok());
    Lwp* caller = lwp;
    lwp = guardian.lwps.first();
    Proc& member = child();
    lwp = caller;
    ASSERT_TRUE(enter_process_group(member, member.pid, false).ok());
    EXPECT_TRUE(guardian.pgrp->orphaned);
    EXPECT_FALSE(member.pgrp->orphaned);
    post_kernel_signal(member, sigtstp);
    deliver_signals(*member.lwps.first());
    EXPECT_TRUE(member.flags & proc_stopped);
    end(guardian);
    EXPECT_TRUE(member.pgrp->orphaned);
    EXPECT_FALSE(member.flags & proc_stopped);
    EXPECT_TRUE(member.pending.set().has(sighup));
    member.pending.discard(~SignalSet{});
    post_kernel_signal(member, sigtstp); // nobody would continue it
    deliver_signals(*member.lwps.first());
    EXPECT_FALSE(member.flags & proc_stopped);
    post_kernel_signal(member, sigstop);
    deliver_signals(*member.lwps.first());
    EXPECT_TRUE(member.flags & proc_stopped);
}

TEST_F(Ptys, OnlyTheOwnerChangesAndOthersAreKeptOut) {
    FileRef one = master(), slave = slave_of(*one);
    EXPECT_TRUE(slave->ioctl(*lwp, tty::tiocexcl, none_).ok());
    Proc& other = child();
    auto* cred = lwkt::construct<Ucred>();
    cred->uid = cred->ruid = cred->svuid = 5;
    other.cred = UcredRef::adopt(cred);
    EXPECT_EQ(find_pty(0)->open(*other.lwps.first(), open_read_write).error(), Errno::ebusy);
    EXPECT_TRUE(find_pty(0)->open(*lwp, open_read_write).ok()); // the superuser
    char simulated = 'x';
    EXPECT_EQ(slave->ioctl(*other.lwps.first(), tty::tiocsti, &simulated).error(), Errno::eacces);
}

} // namespace
} // namespace bsd
