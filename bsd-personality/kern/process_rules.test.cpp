// SPDX-License-Identifier: BSD-2-Clause
// Scripts, process descriptors, shared signal actions, sums of users, words that block signals.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/exec_script.hpp"
#include "bsd-personality/kern/procdesc.hpp"
#include "bsd-personality/kern/test_process.hpp"
#include "bsd-personality/kern/uidinfo.hpp"
#include "bsd-personality/vm/usermem.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace bsd {
namespace {

using ProcessRules = test::ProcessTest;

struct StringSource final : ElfSource {
    explicit StringSource(std::string text) : content(std::move(text)) {}
    bool read(std::uint64_t offset, void* to, std::uint64_t size) const override {
        if (offset > content.size() || size > content.size() - offset)
            return false;
        std::memcpy(to, content.data() + offset, size);
        return true;
    }
    std::uint64_t size() const override { return content.size(); }
    std::string content;
};

// What a script with one argument becomes: strings with a bar after each; or the error's number.
std::string expanded(const std::string& content, AbiKind rules) {
    ExecStrings strings;
    char interpreter[64];
    EXPECT_TRUE(strings.add(Text("argv0")).ok() && strings.add(Text("argument")).ok());
    strings.argument_count = 2;
    auto done =
        expand_script(StringSource(content), rules, Text("script"), strings, interpreter, sizeof interpreter);
    if (!done.ok())
        return std::to_string(static_cast<int>(done.error()));
    std::string all(strings.data(), strings.size());
    for (char& c : all)
        c = c == '\0' ? '|' : c;
    EXPECT_EQ(all.substr(0, std::strlen(interpreter)), interpreter);
    EXPECT_EQ(static_cast<std::uint32_t>(std::count(all.begin(), all.end(), '|')), strings.argument_count);
    return all;
}

TEST_F(ProcessRules, ScriptsOfBothSystems) {
    constexpr AbiKind freebsd = AbiKind::freebsd, dragonfly = AbiKind::dragonfly;
    EXPECT_EQ(expanded("#! /bin/sh  -a  b \t\nrest", freebsd), "/bin/sh|-a  b|script|argument|");
    EXPECT_EQ(expanded("#! /bin/sh  -a  b \t\nrest", dragonfly), "/bin/sh|-a|b|script|argument|");
    EXPECT_EQ(expanded("#!/bin/sh", freebsd), "/bin/sh|script|argument|");
    EXPECT_EQ(expanded("#!/bin/sh", dragonfly), "/bin/sh|script|argument|");
    EXPECT_EQ(expanded("#!/bin/sh a#b c", dragonfly), "/bin/sh|a|script|argument|");
    EXPECT_EQ(expanded("#!/bin/sh a#b c", freebsd), "/bin/sh|a#b c|script|argument|");
    for (AbiKind rules : {freebsd, dragonfly}) {
        EXPECT_EQ(expanded("#!", rules), "8");
        EXPECT_EQ(expanded("#! \n/bin/sh", rules), "8");
        EXPECT_EQ(expanded("#!" + std::string(100, 'x'), rules), "63");
    }
    std::string line = "#!/bin/sh " + std::string(5000, 'x');
    EXPECT_EQ(expanded(line, dragonfly), "63");
    EXPECT_EQ(expanded(line, freebsd), "/bin/sh|" + std::string(4086, 'x') + "|script|argument|");
}

TEST_F(ProcessRules, DescriptorTakesTheZombieAlong) {
    FileRef file = TRY_VALUE(ProcessDescriptor::create(false));
    auto& descriptor = static_cast<ProcessDescriptor&>(*file);
    ForkRequest request;
    request.descriptor = &descriptor;
    pid_t pid = TRY_VALUE(fork_process(*lwp, request));
    Proc* child = find_process(pid);
    EXPECT_EQ(descriptor.pid(), pid);
    exit_process(*child->lwps.first(), exit_status(7));
    leave(*child->lwps.first());
    EXPECT_FALSE(proc->pending.set().has(sigchld));
    WaitRequest any;
    any.no_hang = true;
    EXPECT_EQ(wait_for_child(*lwp, any).error(), Errno::echild);
    EXPECT_TRUE(descriptor.readiness(Direction::read).hangup);
    EXPECT_EQ(descriptor.process(), child);
    file = FileRef();
    EXPECT_EQ(find_process(pid), nullptr);
}

TEST_F(ProcessRules, ClosingADescriptorKills) {
    for (bool daemon : {false, true}) {
        FileRef file = TRY_VALUE(ProcessDescriptor::create(daemon));
        ForkRequest request;
        request.descriptor = static_cast<ProcessDescriptor*>(file.get());
        Proc* child = find_process(TRY_VALUE(fork_process(*lwp, request)));
        file = FileRef();
        EXPECT_EQ(child->parent, init_process);
        EXPECT_EQ(child->pending.set().has(sigkill), !daemon);
    }
}

TEST_F(ProcessRules, SharedActionsAreOneTable) {
    ForkRequest request;
    request.share_signals = true;
    Proc* child = find_process(TRY_VALUE(fork_process(*lwp, request)));
    child->actions[sigusr1].handler = 77;
    EXPECT_EQ(proc->actions[sigusr1].handler, 77u);
    ASSERT_TRUE(child->actions.unshare());
    child->actions[sigusr1].handler = 78;
    EXPECT_EQ(proc->actions[sigusr1].handler, 77u);
}

TEST_F(ProcessRules, SumsOfUsers) {
    EXPECT_TRUE(charge_user(40, UserResource::kqueues, 2, 3));
    EXPECT_FALSE(charge_user(40, UserResource::kqueues, 2, 3));
    EXPECT_TRUE(charge_user(40, UserResource::kqueues, 1, 3));
    EXPECT_TRUE(charge_user(72, UserResource::kqueues, 3, 3)); // the same bucket
    EXPECT_FALSE(charge_user(40, UserResource::kqueues, ~std::uint64_t{0}, ~std::uint64_t{0}));
    EXPECT_EQ(user_has(40, UserResource::kqueues), 3u);
    release_user(40, UserResource::kqueues, 3);
    release_user(72, UserResource::kqueues, 3);
    EXPECT_EQ(user_has(40, UserResource::kqueues), 0u);
}

TEST_F(ProcessRules, LimitOfProcesses) {
    auto* cred = lwkt::construct<Ucred>(*proc->cred);
    cred->references = 1;
    cred->uid = cred->ruid = 1000;
    proc->cred = UcredRef::adopt(cred);
    proc->limits[limit_nproc].current = 2;
    Proc* first = find_process(TRY_VALUE(fork_process(*lwp, {})));
    (void)TRY_VALUE(fork_process(*lwp, {}));
    EXPECT_EQ(fork_process(*lwp, {}).error(), Errno::eagain);
    recharge_process(*first, 1001);
    EXPECT_TRUE(fork_process(*lwp, {}).ok());
}

TEST_F(ProcessRules, AWordBlocksSignals) {
    std::uint64_t word = map(1);
    lwp->fast_block = word;
    EXPECT_FALSE(is_fast_blocked(*lwp));
    ASSERT_TRUE(user_store32(*proc->vmspace, UserAddress{word}, 0x10).ok());
    EXPECT_TRUE(is_fast_blocked(*lwp));
    proc->actions[sigusr1].handler = 0x1000;
    post_kernel_signal(*proc, sigusr1);
    EXPECT_FALSE(signal_pending(*lwp));
    deliver_signals(*lwp);
    EXPECT_EQ(TRY_VALUE(user_load32(*proc->vmspace, UserAddress{word})), 0x11u);
    lwp->fast_block = 8; // nothing is mapped there
    EXPECT_FALSE(is_fast_blocked(*lwp));
    EXPECT_EQ(lwp->fault.signal, sigsegv);
    EXPECT_EQ(lwp->fast_block, no_fast_block);
}

} // namespace
} // namespace bsd
