// SPDX-License-Identifier: BSD-2-Clause
// Signal frames of both ABIs: where they go, what is in them, and that sigreturn believes nothing.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/abi/dragonfly/signal.hpp"
#include "bsd-personality/abi/freebsd/signal.hpp"
#include "bsd-personality/kern/test_process.hpp"
#include "bsd-personality/vm/usermem.hpp"

#include <cstring>

namespace bsd {
namespace {

struct SignalFrames : test::ProcessTest {
    std::uint64_t stack_top = 0;
    SignalAction action;
    SignalInfo info;

    SignalFrames() {
        stack_top = map(8) + 8 * 4096;
        proc->sigcode = 0x7fff'ffff'e000;
        UserContext& c = *lwp->frame;
        c.rsp = stack_top - 256;
        c.rip = 0x401234;
        c.rflags = 0x202 | 0x400;
        c.rbx = 42, c.r15 = 43, c.rax = 44;
        c.fs_base = 0x5000;
        action.handler = 0x402000;
        action.flags = sa_siginfo;
        info.signal = sigusr1;
        info.code = si_user;
        info.pid = 77;
        info.address = 0x1234;
    }
    template <class T>
    T get(std::uint64_t address) {
        return TRY_VALUE(copyin<T>(*proc->vmspace, UserAddress{address}));
    }
};

TEST_F(SignalFrames, FreeBsdRoundTrip) {
    SignalSet mask = SignalSet::of(sigchld);
    ASSERT_TRUE(freebsd::send_signal(*lwp, action, info, mask).ok());
    UserContext& c = *lwp->frame;
    EXPECT_EQ(c.rip, proc->sigcode);
    EXPECT_EQ(c.rsp % 16, 0u);
    EXPECT_LT(c.rsp + sizeof(freebsd::SignalFrame), stack_top - 256 - 128);
    EXPECT_EQ(c.rdi, unsigned{sigusr1});
    EXPECT_EQ(c.rsi, c.rsp + 896);
    EXPECT_EQ(c.rdx, c.rsp + 16);
    EXPECT_EQ(c.rcx, 0x1234u);
    EXPECT_EQ(c.rflags & 0x400, 0u) << "the direction flag is clear in handlers";
    auto frame = get<freebsd::SignalFrame>(c.rsp);
    EXPECT_EQ(frame.handler, 0x402000u);
    EXPECT_EQ(frame.context.mask, mask);
    EXPECT_EQ(frame.context.machine.length, 800);
    EXPECT_EQ(frame.context.machine.rip, 0x401234u);
    EXPECT_EQ(frame.context.machine.registers.rbx, 42u);
    EXPECT_EQ(frame.context.machine.xfpu_state % 64, 0u);
    EXPECT_EQ(frame.info.signal, sigusr1);
    EXPECT_EQ(frame.info.code, 0x10001);
    EXPECT_EQ(frame.info.pid, 77);

    UserAddress context{c.rdx};
    c.rbx = c.r15 = c.rip = 0;
    ASSERT_TRUE(freebsd::signal_return(*lwp, context).ok());
    EXPECT_EQ(c.rip, 0x401234u);
    EXPECT_EQ(c.rsp, stack_top - 256);
    EXPECT_EQ(c.rbx, 42u);
    EXPECT_EQ(c.r15, 43u);
    EXPECT_EQ(c.rflags, 0x602u);
    EXPECT_EQ(c.fs_base, 0x5000u);
    EXPECT_EQ(lwp->mask, mask);
}

TEST_F(SignalFrames, DragonFlyRoundTrip) {
    ASSERT_TRUE(dragonfly::send_signal(*lwp, action, info, {}).ok());
    UserContext& c = *lwp->frame;
    EXPECT_EQ(c.rsi, c.rsp + 1472);
    EXPECT_EQ(c.rdx, c.rsp + 64);
    auto frame = get<dragonfly::SignalFrame>(c.rsp);
    EXPECT_EQ(frame.info.code, 0);
    EXPECT_EQ(frame.context.machine.rip, 0x401234u);
    c.rbx = 0;
    ASSERT_TRUE(dragonfly::signal_return(*lwp, UserAddress{c.rdx}).ok());
    EXPECT_EQ(c.rbx, 42u);
    EXPECT_EQ(c.rip, 0x401234u);
}

TEST_F(SignalFrames, UsesTheAlternateStackOnce) {
    std::uint64_t base = map(4);
    lwp->altstack = {base, 4 * 4096, 0};
    action.flags |= sa_onstack;
    ASSERT_TRUE(freebsd::send_signal(*lwp, action, info, {}).ok());
    std::uint64_t first = lwp->frame->rsp;
    EXPECT_GE(first, base);
    EXPECT_LT(first, base + 4 * 4096);
    ASSERT_TRUE(freebsd::send_signal(*lwp, action, info, {}).ok());
    EXPECT_LT(lwp->frame->rsp, first - 128) << "nested: below the first frame";
}

TEST_F(SignalFrames, UnusableStackIsAnError) {
    lwp->frame->rsp = 0x8000'0000'0000'0000;
    EXPECT_EQ(freebsd::send_signal(*lwp, action, info, {}).error(), Errno::efault);
    EXPECT_EQ(dragonfly::send_signal(*lwp, action, info, {}).error(), Errno::efault);
    lwp->frame->rsp = 64;
    EXPECT_EQ(freebsd::send_signal(*lwp, action, info, {}).error(), Errno::efault);
}

TEST_F(SignalFrames, SigreturnRefusesWhatAProgramMayNotSet) {
    ASSERT_TRUE(freebsd::send_signal(*lwp, action, info, {}).ok());
    std::uint64_t address = lwp->frame->rdx;
    const auto good = get<freebsd::UserContextRecord>(address);
    auto attempt = [&](auto change) {
        auto context = good;
        change(context.machine);
        EXPECT_TRUE(copyout(*proc->vmspace, UserAddress{address}, context).ok());
        UserContext before = *lwp->frame;
        auto result = freebsd::signal_return(*lwp, UserAddress{address});
        if (!result) {
            EXPECT_EQ(before.rip, lwp->frame->rip);
        }
        return result.ok() ? Errno{} : result.error();
    };
    EXPECT_EQ(attempt([](auto& m) { m.rflags |= 0x3000; }), Errno::einval);    // IOPL
    EXPECT_EQ(attempt([](auto& m) { m.rflags &= ~0x200ull; }), Errno::einval); // interrupts off
    EXPECT_EQ(attempt([](auto& m) { m.cs = 8; }), Errno::einval);
    EXPECT_EQ(attempt([](auto& m) { m.length = 799; }), Errno::einval);
    EXPECT_EQ(attempt([](auto& m) { m.flags = ~0u; }), Errno::einval);
    EXPECT_EQ(attempt([](auto& m) { m.fs_base = 0x8000'0000'0000; }), Errno::einval);
    EXPECT_EQ(attempt([](auto& m) { m.fp_format = 7; }), Errno::einval);
    EXPECT_EQ(attempt([](auto& m) {
                  m.xfpu_state = 3;
                  m.xfpu_state_length = 64;
              }),
              Errno::efault);
    EXPECT_EQ(attempt([](auto& m) { m.xfpu_state_length = ~0ull; }), Errno::einval);
    test::accept_fpu = false;
    EXPECT_EQ(attempt([](auto&) {}), Errno::einval);
    test::accept_fpu = true;
    EXPECT_EQ(attempt([](auto&) {}), Errno{});
}

} // namespace
} // namespace bsd
