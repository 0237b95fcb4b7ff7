// SPDX-License-Identifier: BSD-2-Clause
// What the host's signals mean, hostile ones, too.
#include "l4-glue/hosted/trap.hpp"

#include <gtest/gtest.h>

#include <linux/audit.h>

namespace glue::hosted {
namespace {

constexpr std::uint64_t vsyscall = 0xffff'ffff'ff60'0000;

UserContext running() {
    UserContext context{};
    context.rip = 0x40'1000;
    context.rsp = 0x7000'0000;
    context.rax = 20;
    return context;
}

Report refused_call(unsigned arch, std::uint64_t address) {
    Report report{};
    report.signal = SIGSYS;
    report.information.si_code = 1; // SYS_SECCOMP
    report.information.si_arch = arch;
    report.information.si_call_addr = reinterpret_cast<void*>(address);
    return report;
}

TEST(HostedTrap, SystemCall) {
    UserContext context = running();
    EXPECT_EQ(trap_of(context, refused_call(AUDIT_ARCH_X86_64, context.rip)), Trap::system_call);
    EXPECT_EQ(context.rax, 20u);
    EXPECT_EQ(context.rip, 0x40'1000u);
}

TEST(HostedTrap, ForeignCallIsAFaultOfItsInstruction) {
    UserContext context = running();
    EXPECT_EQ(trap_of(context, refused_call(AUDIT_ARCH_I386, context.rip)), Trap::exception);
    EXPECT_EQ(context.vector, 13u);
    EXPECT_EQ(context.rip, 0x40'0ffeu);
}

TEST(HostedTrap, VsyscallPageIsNotThere) {
    UserContext context = running();
    EXPECT_EQ(trap_of(context, refused_call(AUDIT_ARCH_X86_64, vsyscall + 0x400)), Trap::page_fault);
    EXPECT_EQ(context.fault_address, vsyscall + 0x400);
    EXPECT_EQ(context.rip, vsyscall + 0x400);
    EXPECT_EQ(context.rsp, 0x7000'0000u - 8);
    context.rip = vsyscall + 8;
    EXPECT_EQ(trap_of(context, {SIGSEGV, {}, 13, 0, 0}), Trap::page_fault);
    EXPECT_EQ(context.fault_address, vsyscall + 8);
}

TEST(HostedTrap, PageFault) {
    UserContext context = running();
    EXPECT_EQ(trap_of(context, {SIGSEGV, {}, 14, 6, 0x1234}), Trap::page_fault);
    EXPECT_EQ(context.vector, 14u);
    EXPECT_EQ(context.error, 6u);
    EXPECT_EQ(context.fault_address, 0x1234u);
}

TEST(HostedTrap, MemoryThatTheHostLacksEndsTheProcess) {
    UserContext context = running();
    EXPECT_EQ(trap_of(context, {SIGBUS, {}, 14, 6, 0x1234}), std::nullopt);
    EXPECT_EQ(trap_of(context, {SIGBUS, {}, 17, 0, 0x1234}), Trap::exception); // an alignment check
}

TEST(HostedTrap, UnknownVectorIsAProtectionFault) {
    UserContext context = running();
    EXPECT_EQ(trap_of(context, {SIGSEGV, {}, ~std::uint64_t{0}, 0, 0}), Trap::exception);
    EXPECT_EQ(context.vector, 13u);
}

TEST(HostedTrap, Interruption) {
    UserContext context = running();
    EXPECT_EQ(trap_of(context, {SIGUSR1, {}, 14, 6, 0x1234}), Trap::event);
    EXPECT_EQ(trap_of(context, {SIGSYS, {}, 0, 0, 0}), Trap::event); // sent by somebody
}

} // namespace
} // namespace glue::hosted
