// SPDX-License-Identifier: BSD-2-Clause
// Debugging without running anything: who may, memory, extended state, parents.
#include "bsd-personality/kern/debug.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/debug_access.hpp"
#include "bsd-personality/kern/test_process.hpp"
#include "bsd-personality/vm/usermem.hpp"
#include "glue/fpu.hpp"

#include <cstring>

namespace bsd {
namespace {

struct Debugging : test::ProcessTest {
    Proc& fork() { return *find_process(TRY_VALUE(fork_process(*lwp, {}))); }
    static UcredRef ids(std::uint32_t uid, std::uint32_t gid) {
        auto* cred = lwkt::construct<Ucred>();
        cred->uid = cred->ruid = cred->svuid = uid;
        cred->gid = cred->rgid = cred->svgid = gid;
        return UcredRef::adopt(cred);
    }
};

TEST_F(Debugging, WhoMay) {
    Proc& child = fork();
    EXPECT_TRUE(may_debug(*proc, child).ok());
    child.cred = ids(7, 7);
    EXPECT_EQ(may_debug(child, *proc).error(), Errno::eperm);
    EXPECT_TRUE(may_debug(*proc, child).ok());
    Proc& other = fork();
    other.cred = ids(7, 7);
    EXPECT_TRUE(may_debug(other, child).ok());
    child.flags |= proc_set_id;
    EXPECT_EQ(may_debug(other, child).error(), Errno::eperm);
    EXPECT_TRUE(may_debug(*proc, child).ok());
    child.flags &= ~proc_set_id;
    auto more = ids(7, 7);
    more->groups[more->group_count++] = 8; // a group that the other has not
    child.cred = more;
    EXPECT_EQ(may_debug(other, child).error(), Errno::eperm);
    other.abi = &dragonfly_abi; // looks at the user alone
    EXPECT_TRUE(may_debug(other, child).ok());
}

TEST_F(Debugging, WritesToTextAreTheProcessesOwn) {
    std::uint64_t page = map(2, 3);
    ASSERT_TRUE(user_store32(*proc->vmspace, UserAddress{page}, 1).ok());
    ASSERT_TRUE(proc->vmspace->protect(page, page + vm::page_size, 5).ok());
    Proc& child = fork();
    std::uint32_t value = 2, got = 0;
    ASSERT_TRUE(write_debugged(child, page, &value, sizeof value).ok());
    ASSERT_TRUE(read_debugged(child, page, &got, sizeof got).ok());
    EXPECT_EQ(got, 2u);
    EXPECT_EQ(TRY_VALUE(user_load32(*proc->vmspace, UserAddress{page})), 1u);
    EXPECT_EQ(user_store32(*child.vmspace, UserAddress{page}, 3).error(), Errno::efault); // not for itself
    ASSERT_TRUE(child.vmspace->protect(page, page + vm::page_size, 0).ok());
    EXPECT_EQ(read_debugged(child, page, &got, sizeof got).error(), Errno::efault);
    EXPECT_EQ(write_debugged(child, page + 2 * vm::page_size - 2, &value, sizeof value).error(),
              Errno::efault);
    EXPECT_EQ(read_debugged(child, ~std::uint64_t{0} - 1, &got, sizeof got).error(), Errno::efault);
    ASSERT_TRUE(child.vmspace->protect(page, page + vm::page_size, 1, 5).ok());
    ASSERT_TRUE(child.vmspace->protect(page, page + vm::page_size, 5).ok());
    EXPECT_EQ(write_debugged(child, page, &value, sizeof value).error(), Errno::efault);
}

TEST_F(Debugging, ExtendedStateIsWhatTheProcessorTakes) {
    std::vector<std::byte> state(glue::Fpu::size(), std::byte{0xff});
    set_extended_state(*lwp, state.data(), state.size());
    std::uint32_t mxcsr;
    std::uint64_t header[8];
    std::memcpy(&mxcsr, lwp->fpu + 24, sizeof mxcsr);
    std::memcpy(header, lwp->fpu + 512, sizeof header);
    EXPECT_EQ(mxcsr, 0xffffu);
    EXPECT_EQ(header[0], glue::Fpu::mask());
    for (int i = 1; i < 8; i++)
        EXPECT_EQ(header[i], 0u);
}

TEST_F(Debugging, TheOriginalParentHearsOfTheEnd) {
    Proc& child = fork();
    Proc& debugger = fork();
    ASSERT_TRUE(begin_debugging(child, debugger).ok());
    EXPECT_EQ(child.parent, &debugger);
    EXPECT_TRUE(has_debugged_child(*proc));
    pid_t pid = child.pid;
    exit_process(*child.lwps.first(), exit_status(3));
    leave(*child.lwps.first());
    WaitRequest request;
    request.no_hang = true;
    EXPECT_EQ(TRY_VALUE(wait_for_child(*lwp, request)).pid, 0);
    EXPECT_EQ(TRY_VALUE(wait_for_child(*debugger.lwps.first(), request)).pid, pid);
    EXPECT_FALSE(has_debugged_child(*proc));
    EXPECT_EQ(TRY_VALUE(wait_for_child(*lwp, request)).pid, pid);
}

TEST_F(Debugging, ADebuggersEndKillsWhatItDebugs) {
    Proc& child = fork();
    Proc& debugger = fork();
    ASSERT_TRUE(begin_debugging(child, debugger).ok());
    exit_process(*debugger.lwps.first(), 0);
    leave(*debugger.lwps.first());
    EXPECT_EQ(child.debug, nullptr);
    EXPECT_EQ(child.parent, proc);
    EXPECT_TRUE(child.pending.set().has(sigkill));
}

// What a debugger never waited for, and nobody else will, goes with it.
TEST_F(Debugging, AZombieOfADebuggerThatEndsIsInitsAndGone) {
    Proc& middle = fork();
    Proc& child = *find_process(TRY_VALUE(fork_process(*middle.lwps.first(), {})));
    Proc& debugger = fork();
    ASSERT_TRUE(begin_debugging(child, debugger).ok());
    exit_process(*middle.lwps.first(), 0);
    leave(*middle.lwps.first());
    pid_t pid = child.pid;
    exit_process(*child.lwps.first(), 0);
    leave(*child.lwps.first());
    EXPECT_NE(find_process(pid), nullptr);
    exit_process(*debugger.lwps.first(), 0);
    leave(*debugger.lwps.first());
    EXPECT_EQ(find_process(pid), nullptr);
}

} // namespace
} // namespace bsd
