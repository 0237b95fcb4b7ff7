// SPDX-License-Identifier: BSD-2-Clause
// Core files: names, where they may lie, what is in them.
#include "bsd-personality/kern/core.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/core_name.hpp"
#include "bsd-personality/kern/test_process.hpp"
#include "bsd-personality/vm/usermem.hpp"

#include <cstring>
#include <string>
#include <vector>

namespace bsd {
namespace {

struct CoreFiles : test::ProcessTest {
    CoreFiles() {
        std::memcpy(proc->command, "prog", 5);
        core_settings = {};
    }
    ~CoreFiles() override { core_settings = {}; }

    static SignalInfo fault() {
        SignalInfo info;
        info.signal = sigsegv;
        info.trap_number = 12;
        return info;
    }
    void pattern(const char* value) { std::strcpy(core_settings.pattern, value); }
    std::string name(const char* value) {
        pattern(value);
        CoreName out;
        return expand_core_name(*proc, sigsegv, out).ok() ? std::string(out.path.bytes, out.path.length) : "";
    }
    std::vector<std::byte> contents(const char* file) {
        auto vnode = proc->root->lookup(text(file));
        if (!vnode)
            return {};
        std::vector<std::byte> bytes(static_cast<std::size_t>(vnode.value()->size()));
        Uio uio(bytes.data(), bytes.size());
        EXPECT_TRUE(vnode.value()->read(*lwp, uio, 0, 0).ok());
        return bytes;
    }
    template <class T>
    static T at(const std::vector<std::byte>& bytes, std::size_t offset) {
        T value{};
        if (offset + sizeof value <= bytes.size())
            std::memcpy(&value, bytes.data() + offset, sizeof value);
        return value;
    }
};

TEST_F(CoreFiles, NamesStandForWhatTheySay) {
    proc->cred->uid = 7;
    EXPECT_EQ(name("%N.core"), "prog.core");
    EXPECT_EQ(name("/a/%U/%P-%S%%"), "/a/7/" + std::to_string(proc->pid) + "-11%");
    EXPECT_EQ(name("x%y%"), "x");
    EXPECT_EQ(name("%I-%I"), "4-%I");
    EXPECT_EQ(name(""), "");
    EXPECT_EQ(name(std::string(path_max - 1, 'x').c_str()), std::string(path_max - 1, 'x'));
    EXPECT_EQ(name((std::string(path_max - 4, 'x') + "%N").c_str()), ""); // too long
    core_settings.indices = 12;
    pattern("%I");
    CoreName out;
    ASSERT_TRUE(expand_core_name(*proc, 1, out).ok());
    out.set_index(3);
    EXPECT_EQ(std::string(out.path.bytes), "03");
}

TEST_F(CoreFiles, HoldRegistersAndMemory) {
    std::uint64_t page = map(3), hidden = map(2);
    ASSERT_TRUE(user_store64(*proc->vmspace, UserAddress{page + 8}, 0x1234).ok());
    ASSERT_TRUE(user_store64(*proc->vmspace, UserAddress{page + 2 * vm::page_size}, 0x5678).ok());
    ASSERT_TRUE(user_store64(*proc->vmspace, UserAddress{hidden}, 1).ok());
    ASSERT_TRUE(proc->vmspace->set_no_core(hidden, hidden + 2 * vm::page_size, true).ok());
    for (const Abi* abi : {&freebsd_abi, &dragonfly_abi}) {
        proc->abi = abi;
        lwp->frame->rbx = 0xb0b, lwp->frame->rip = 0x4000;
        ASSERT_TRUE(dump_core(*lwp, fault()));
        auto core = contents("prog.core");
        ASSERT_EQ(at<std::uint32_t>(core, 0), 0x464c457fu);
        EXPECT_EQ(at<std::uint8_t>(core, 7), abi->core_osabi);
        ASSERT_EQ(at<std::uint16_t>(core, 56), 2u); // notes and one segment
        EXPECT_EQ(at<std::uint64_t>(core, 64 + 56 + 16), page);
        auto memory = at<std::uint64_t>(core, 64 + 56 + 8);
        EXPECT_EQ(memory % vm::page_size, 0u);
        EXPECT_EQ(core.size(), memory + 3 * vm::page_size);
        EXPECT_EQ(at<std::uint64_t>(core, memory + 8), 0x1234u);
        EXPECT_EQ(at<std::uint64_t>(core, memory + vm::page_size), 0u);
        EXPECT_EQ(at<std::uint64_t>(core, memory + 2 * vm::page_size), 0x5678u);
        bool freebsd = abi->kind == AbiKind::freebsd;
        // The notes: a process's, then the status of the thread.
        std::size_t note = at<std::uint64_t>(core, 64 + 8);
        EXPECT_EQ(at<std::uint32_t>(core, note + 8), 3u);
        note += 12 + 8 + at<std::uint32_t>(core, note + 4);
        EXPECT_EQ(at<std::uint32_t>(core, note + 8), 1u);
        std::size_t registers = note + 12 + 8 + 48;
        EXPECT_EQ(at<std::uint64_t>(core, registers + (freebsd ? 88 : 56)), 0xb0bu);
        EXPECT_EQ(at<std::uint64_t>(core, registers + (freebsd ? 136 : 160)), 0x4000u);
        EXPECT_EQ(at<std::uint32_t>(core, registers + (freebsd ? 120 : 128)), 12u);
    }
}

TEST_F(CoreFiles, OnlyWhereTheyMay) {
    map(1);
    proc->limits[limit_core].current = 0;
    EXPECT_FALSE(dump_core(*lwp, fault()));
    EXPECT_FALSE(proc->root->lookup(Text("prog.core")).ok());
    proc->limits[limit_core].current = vm::page_size;
    EXPECT_FALSE(dump_core(*lwp, fault()));
    EXPECT_TRUE(contents("prog.core").empty());
    proc->limits[limit_core].current = limit_infinity;
    proc->flags |= proc_set_id;
    EXPECT_FALSE(dump_core(*lwp, fault()));
    core_settings.set_id = true;
    EXPECT_TRUE(dump_core(*lwp, fault()));
    core_settings.enabled = false;
    EXPECT_FALSE(dump_core(*lwp, fault()));
    core_settings.enabled = true;
    proc->cred->uid = 5; // the file is another's
    EXPECT_FALSE(dump_core(*lwp, fault()));
    proc->cred->uid = 0;
    pattern("/dev/null");
    EXPECT_FALSE(dump_core(*lwp, fault()));
    pattern("no/such/directory");
    EXPECT_FALSE(dump_core(*lwp, fault()));
}

TEST_F(CoreFiles, ASignalLeavesOneAndSaysSo) {
    map(1);
    proc->actions[sigabrt] = SignalAction{};
    post_kernel_signal(*proc, sigabrt);
    deliver_signals(*lwp);
    EXPECT_EQ(proc->wait_status, 0x80u | sigabrt);
    EXPECT_FALSE(contents("prog.core").empty());
}

// A reservation of terabytes of which little is there is a file of that size with holes.
TEST_F(CoreFiles, HolesCostNothing) {
    MapRequest request;
    request.length = std::uint64_t{1} << 42;
    request.protection = 3;
    std::uint64_t start = TRY_VALUE(proc->vmspace->map(request));
    for (std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{1} << 41})
        ASSERT_TRUE(user_store64(*proc->vmspace, UserAddress{start + offset}, offset + 1).ok());
    ASSERT_TRUE(dump_core(*lwp, fault()));
    auto vnode = TRY_VALUE(proc->root->lookup(Text("prog.core")));
    EXPECT_GE(vnode->size(), std::int64_t{1} << 42);
    EXPECT_LT(TRY_VALUE(vnode->object())->resident(), 64u);
    std::uint64_t word = 0;
    Uio uio(&word, sizeof word);
    ASSERT_TRUE(vnode->read(*lwp, uio, vnode->size() - (std::int64_t{1} << 41), 0).ok());
    EXPECT_EQ(word, (std::uint64_t{1} << 41) + 1);
}

} // namespace
} // namespace bsd
