// SPDX-License-Identifier: BSD-2-Clause
// Processes from fork to wait, signals, exec and umtx, without running anything.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/exec.hpp"
#include "bsd-personality/kern/reaper.hpp"
#include "bsd-personality/kern/test_process.hpp"
#include "bsd-personality/kern/umtx.hpp"
#include "bsd-personality/vm/usermem.hpp"

#include <cstring>
#include <vector>

namespace bsd {
namespace {

using ProcessLife = test::ProcessTest;

TEST_F(ProcessLife, ForkCopiesRegistersAndMemory) {
    std::uint64_t page = map(1);
    ASSERT_TRUE(user_store32(*proc->vmspace, UserAddress{page}, 5).ok());
    lwp->frame->rip = 0x1000, lwp->frame->rax = 2, lwp->frame->rbx = 9;
    pid_t pid = TRY_VALUE(fork_process(*lwp, {}));
    Proc* child = find_process(pid);
    ASSERT_NE(child, nullptr);
    EXPECT_EQ(child->parent, proc);
    EXPECT_EQ(child->pgrp, proc->pgrp);
    const UserContext& c = *child->lwps.first()->frame;
    EXPECT_EQ(c.rip, 0x1000u);
    EXPECT_EQ(c.rax, 0u);
    EXPECT_EQ(c.rdx, 1u);
    EXPECT_EQ(c.rbx, 9u);
    ASSERT_TRUE(user_store32(*child->vmspace, UserAddress{page}, 6).ok());
    EXPECT_EQ(TRY_VALUE(user_load32(*proc->vmspace, UserAddress{page})), 5u);
}

TEST_F(ProcessLife, WaitTakesAZombieOnce) {
    pid_t pid = TRY_VALUE(fork_process(*lwp, {}));
    Proc* child = find_process(pid);
    WaitRequest request;
    request.no_hang = true;
    EXPECT_EQ(TRY_VALUE(wait_for_child(*lwp, request)).pid, 0);
    exit_process(*child->lwps.first(), exit_status(7));
    leave(*child->lwps.first());
    EXPECT_TRUE(proc->pending.set().has(sigchld) || !lwp->mask.has(sigchld));
    request.keep = true;
    EXPECT_EQ(TRY_VALUE(wait_for_child(*lwp, request)).status, 7u << 8);
    request.keep = false;
    EXPECT_EQ(TRY_VALUE(wait_for_child(*lwp, request)).pid, pid);
    EXPECT_EQ(wait_for_child(*lwp, request).error(), Errno::echild);
    EXPECT_EQ(find_process(pid), nullptr);
}

TEST_F(ProcessLife, AThreadMadeWhileItsProcessEndsOrStopsDoesSoToo) {
    Proc* child = find_process(TRY_VALUE(fork_process(*lwp, {})));
    Lwp* made[3];
    const std::uint32_t states[3] = {0, proc_stopped, proc_single};
    for (int i = 0; i < 3; i++) {
        child->flags = states[i];
        made[i] = TRY_VALUE(create_lwp(*child));
        start_lwp(*made[i]);
    }
    EXPECT_EQ(made[0]->ast, 0u);
    EXPECT_EQ(made[1]->ast, std::uint32_t{ast_stop});
    EXPECT_EQ(made[2]->ast, std::uint32_t{ast_exit});
    child->flags = 0;
    exit_process(*child->lwps.first(), exit_status(5));
    Lwp* late = TRY_VALUE(create_lwp(*child));
    start_lwp(*late);
    EXPECT_TRUE(late->ast & ast_exit);
    while (child->state == ProcState::alive)
        leave(*child->lwps.first());
    EXPECT_EQ(TRY_VALUE(wait_for_child(*lwp, {})).status, 5u << 8);
}

TEST_F(ProcessLife, IgnoredSigchldLeavesNoZombie) {
    proc->actions[sigchld].handler = sig_ign;
    pid_t pid = TRY_VALUE(fork_process(*lwp, {}));
    Lwp* thread = find_process(pid)->lwps.first();
    exit_process(*thread, 0);
    leave(*thread);
    EXPECT_EQ(find_process(pid), nullptr);
}

TEST_F(ProcessLife, OrphansGoToInit) {
    pid_t pid = TRY_VALUE(fork_process(*lwp, {}));
    Proc* child = find_process(pid);
    Proc* grandchild = find_process(TRY_VALUE(fork_process(*child->lwps.first(), {})));
    Lwp* thread = child->lwps.first();
    exit_process(*thread, 0);
    leave(*thread);
    EXPECT_EQ(grandchild->parent, init_process);
}

TEST_F(ProcessLife, OrphansGoToTheirReaperWithTheirDeathSignal) {
    Proc* child = find_process(TRY_VALUE(fork_process(*lwp, {})));
    Lwp* thread = child->lwps.first();
    Proc* before = find_process(TRY_VALUE(fork_process(*thread, {}))); // forked before there was a reaper
    become_reaper(*proc);
    Proc* middle = find_process(TRY_VALUE(fork_process(*lwp, {})));
    Proc* orphan = find_process(TRY_VALUE(fork_process(*middle->lwps.first(), {})));
    Proc* dead = find_process(TRY_VALUE(fork_process(*middle->lwps.first(), {})));
    exit_process(*dead->lwps.first(), exit_status(3));
    leave(*dead->lwps.first());
    orphan->parent_death_signal = sigusr1;
    orphan->actions[sigusr1].handler = 0x1000;
    for (Lwp* each : {thread, middle->lwps.first()}) {
        exit_process(*each, 0);
        leave(*each);
    }
    EXPECT_EQ(before->parent, init_process);
    EXPECT_EQ(orphan->parent, proc);
    EXPECT_EQ(dead->parent, proc);
    EXPECT_TRUE(orphan->pending.set().has(sigusr1));
    EXPECT_FALSE(before->pending.set().has(sigusr1));
    release_reaper(*proc);
    EXPECT_EQ(&reaper_of(*orphan), init_process);
}

TEST_F(ProcessLife, VforkSharesMemoryUntilExit) {
    ForkRequest request;
    request.share_memory = request.wait_for_exec = true;
    set_ast(*lwp, ast_exit); // do not wait in the test
    pid_t pid = TRY_VALUE(fork_process(*lwp, request));
    Proc* child = find_process(pid);
    EXPECT_EQ(child->vmspace, proc->vmspace);
    Lwp* thread = child->lwps.first();
    exit_process(*thread, 0);
    leave(*thread);
    EXPECT_EQ(proc->vmspace->references(), 1u);
    lwp->ast = 0;
}

TEST_F(ProcessLife, DefaultActionsKillStopAndIgnore) {
    post_kernel_signal(*proc, sigwinch);
    deliver_signals(*lwp);
    EXPECT_FALSE(lwp->ast & ast_exit);
    post_kernel_signal(*proc, sigstop);
    deliver_signals(*lwp);
    EXPECT_TRUE(proc->flags & proc_stopped);
    post_kernel_signal(*proc, sigcont);
    EXPECT_FALSE(proc->flags & proc_stopped);
    post_kernel_signal(*proc, sigterm);
    deliver_signals(*lwp);
    EXPECT_TRUE(lwp->ast & ast_exit);
    EXPECT_EQ(proc->wait_status, unsigned{sigterm});
}

TEST_F(ProcessLife, BlockedSignalsWaitAndRealtimeOnesQueue) {
    proc->actions[sigusr1].handler = proc->actions[70].handler = 0x1000;
    set_signal_mask(*lwp, SignalSet::of(sigusr1) | SignalSet::of(70) | unmaskable);
    EXPECT_FALSE(lwp->mask.has(sigkill));
    SignalInfo info;
    for (int i = 0; i < 3; i++) {
        info.value = static_cast<std::uint64_t>(i);
        info.signal = sigusr1;
        post_signal(*proc, info);
        info.signal = 70;
        post_signal(*proc, info);
    }
    EXPECT_FALSE(signal_pending(*lwp));
    EXPECT_EQ(proc->pending.take(sigusr1).value, 0u);
    EXPECT_FALSE(proc->pending.set().has(sigusr1));
    for (unsigned i = 0; i < 3; i++)
        EXPECT_EQ(proc->pending.take(70).value, i);
    EXPECT_FALSE(proc->pending.set().has(70));
}

TEST_F(ProcessLife, HandlerWithoutRestartMakesEintr) {
    lwp->frame->rsp = map(4) + 4 * 4096;
    proc->sigcode = 0x7000;
    proc->actions[sigusr1] = {0x1000, 0, {}};
    lwp->frame->rip = 0x2002, lwp->frame->rax = 3, lwp->frame->rflags = 0x202;
    lwp->restart = true;
    post_kernel_signal(*proc, sigusr1);
    deliver_signals(*lwp);
    EXPECT_EQ(lwp->frame->rip, 0x7000u);
    ASSERT_TRUE(freebsd_abi.signal_return(*lwp, UserAddress{lwp->frame->rdx}).ok());
    EXPECT_EQ(lwp->frame->rip, 0x2002u);
    EXPECT_EQ(lwp->frame->rax, 4u);
    EXPECT_TRUE(lwp->frame->rflags & 1);
    lwp->restart = true;
    lwp->frame->rax = 3;
    deliver_signals(*lwp); // nothing to deliver: the call is issued again
    EXPECT_EQ(lwp->frame->rip, 0x2000u);
    EXPECT_EQ(lwp->frame->rax, 3u);
}

TEST_F(ProcessLife, FaultsCannotBeIgnored) {
    proc->actions[sigsegv].handler = sig_ign;
    SignalInfo info;
    info.signal = sigsegv;
    post_fault(*lwp, info);
    deliver_signals(*lwp);
    EXPECT_EQ(proc->wait_status, signal_status(sigsegv, true)); // with a core file
}

TEST_F(ProcessLife, UmtxKeysFollowTheObjectWhenShared) {
    MapRequest request;
    request.length = 4096, request.protection = 3, request.shared = true;
    std::uint64_t shared = TRY_VALUE(proc->vmspace->map(request)), own = map(1);
    Proc* child = find_process(TRY_VALUE(fork_process(*lwp, {})));
    auto key = [&](Proc& p, std::uint64_t at, bool local) {
        return TRY_VALUE(umtx_key(*p.vmspace, UserAddress{at}, local));
    };
    EXPECT_TRUE(key(*proc, shared + 8, false) == key(*child, shared + 8, false));
    EXPECT_FALSE(key(*proc, shared + 8, true) == key(*child, shared + 8, true));
    EXPECT_FALSE(key(*proc, own, false) == key(*child, own, false));
    EXPECT_FALSE(umtx_key(*proc->vmspace, UserAddress{~0ull}, true).ok());
}

TEST_F(ProcessLife, UmtxWakesInOrderAndOnlyTheQueueAsked) {
    UmtxKey key{proc->vmspace, 0x1000}, other{proc->vmspace, 0x1004};
    UmtxWaiter waiters[4];
    umtx_enqueue(waiters[0], key);
    umtx_enqueue(waiters[1], other);
    umtx_enqueue(waiters[2], key);
    umtx_enqueue(waiters[3], key, UmtxQueue::writers);
    EXPECT_EQ(umtx_count(key), 2u);
    EXPECT_EQ(umtx_wake(key, 1), 1u);
    EXPECT_TRUE(waiters[0].woken);
    EXPECT_FALSE(waiters[2].woken);
    EXPECT_EQ(umtx_wake(key, ~0u), 1u);
    EXPECT_FALSE(waiters[1].woken);
    EXPECT_FALSE(waiters[3].woken);
    for (UmtxWaiter& waiter : waiters)
        umtx_dequeue(waiter);
    EXPECT_EQ(umtx_count(other), 0u);
}

// A static executable of one page.
std::vector<std::uint8_t> tiny_program(std::uint8_t os_abi) {
    std::vector<std::uint8_t> file(0x1000);
    auto put = [&](std::size_t at, auto value) { std::memcpy(file.data() + at, &value, sizeof value); };
    std::memcpy(file.data(), "\177ELF\2\1\1", 7);
    file[7] = os_abi;
    put(16, std::uint16_t{2}), put(18, std::uint16_t{62}), put(24, std::uint64_t{0x400100}),
        put(32, std::uint64_t{64});
    put(54, std::uint16_t{56}), put(56, std::uint16_t{1});
    put(64, std::uint32_t{1}), put(68, std::uint32_t{5}), put(80, std::uint64_t{0x400000});
    put(96, std::uint64_t{0x1000}), put(104, std::uint64_t{0x3000});
    return file;
}

struct Exec : ProcessLife {
    Errno run(const char* path, ExecFailure* failure = nullptr) {
        ExecStrings strings;
        EXPECT_TRUE(strings.add(text(path)).ok());
        strings.argument_count = 1;
        auto result = exec_program(*lwp, text(path), strings, failure);
        return result.ok() ? Errno{} : result.error();
    }
};

TEST_F(Exec, ReplacesTheProgram) {
    auto program = tiny_program(9);
    add_file("tool", program.data(), program.size());
    std::uint64_t old = map(1);
    proc->actions[sigusr1].handler = 0x1000;
    proc->actions[sigusr2].handler = sig_ign;
    ASSERT_EQ(run("/tool"), Errno{});
    EXPECT_EQ(lwp->frame->rip, 0x400100u);
    EXPECT_EQ(proc->abi, &freebsd_abi);
    EXPECT_STREQ(proc->command, "tool");
    EXPECT_EQ(proc->vmspace->entry_at(old), nullptr);
    EXPECT_EQ(proc->actions[sigusr1].handler, sig_dfl);
    EXPECT_EQ(proc->actions[sigusr2].handler, sig_ign);
    EXPECT_EQ(TRY_VALUE(copyin<std::uint64_t>(*proc->vmspace, UserAddress{lwp->frame->rdi})), 1u);
    EXPECT_EQ(TRY_VALUE(copyin<std::uint32_t>(*proc->vmspace, UserAddress{0x402ffc})), 0u) << "bss";
    std::uint8_t code[3];
    ASSERT_TRUE(copyin(*proc->vmspace, UserAddress{proc->sigcode}, code, 3).ok());
    EXPECT_EQ(code[0], 0xff);
    EXPECT_FALSE(copyout(*proc->vmspace, code, UserAddress{proc->sigcode}, 3).ok())
        << "the trampoline is read-only";
}

TEST_F(Exec, SaysWhatIsWrongAndKeepsTheOldProgram) {
    auto program = tiny_program(0);
    add_file("unbranded", program.data(), program.size());
    add_file("text", "hello", 5);
    add_file("plain", program.data(), program.size(), 0644);
    add_file("loop", "#!/loop\n", 8);
    VmSpace* space = proc->vmspace;
    ExecFailure failure;
    EXPECT_EQ(run("/unbranded", &failure), Errno::enoexec);
    EXPECT_EQ(failure.elf, ElfError::unknown_abi);
    EXPECT_EQ(run("/text", &failure), Errno::enoexec);
    EXPECT_EQ(failure.elf, ElfError::not_elf);
    EXPECT_EQ(run("/plain"), Errno::eacces);
    EXPECT_EQ(run("/missing"), Errno::enoent);
    EXPECT_EQ(run("/loop"), Errno::eloop); // a script for a script
    EXPECT_EQ(proc->vmspace, space);
    default_abi = &dragonfly_abi;
    EXPECT_EQ(run("/unbranded"), Errno{});
    EXPECT_EQ(proc->abi, &dragonfly_abi);
}

TEST_F(Exec, ScriptsGetTheirInterpreter) {
    auto program = tiny_program(9);
    add_file("sh", program.data(), program.size());
    add_file("script", "#! /sh -e  x \nbody", 18);
    ASSERT_EQ(run("/script"), Errno{});
    EXPECT_EQ(proc->arguments_size, sizeof "/sh\0-e  x\0/script");
    EXPECT_EQ(std::memcmp(proc->arguments, "/sh\0-e  x\0/script", 18), 0);
}

} // namespace
} // namespace bsd
