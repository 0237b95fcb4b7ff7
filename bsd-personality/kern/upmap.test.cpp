// SPDX-License-Identifier: BSD-2-Clause
// Pages that DragonFly's programs share with the kernel, over fork, vfork and the end of a thread.
#include "bsd-personality/kern/upmap.hpp"

#include "bsd-personality/kern/test_process.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {
namespace {

struct UserPages : test::ProcessTest {
    std::uint64_t map_object(vm::Object& object) {
        MapRequest request;
        request.length = vm::page_size;
        request.protection = vm::protection_read | vm::protection_write;
        request.object = &object;
        request.shared = true;
        return TRY_VALUE(proc->vmspace->map(request));
    }
    static std::uint32_t word(Proc& of, std::uint64_t page, std::uint64_t offset) {
        return TRY_VALUE(user_load32(*of.vmspace, UserAddress{page + offset}));
    }
};

TEST_F(UserPages, AChildOfForkHasItsOwn) {
    std::uint64_t of_process = map_object(*TRY_VALUE(process_page_object(*lwp)));
    std::uint64_t of_thread = map_object(*TRY_VALUE(thread_page_object(*lwp)));
    EXPECT_EQ(word(*proc, of_process, offsetof(ProcessPage, pid)), static_cast<std::uint32_t>(proc->pid));
    EXPECT_EQ(word(*proc, of_thread, offsetof(ThreadPage, tid)), static_cast<std::uint32_t>(lwp->tid));
    ASSERT_TRUE(
        user_store32(*proc->vmspace, UserAddress{of_process + offsetof(ProcessPage, title)}, 'x').ok());
    EXPECT_TRUE(process_title(*proc) == Text("x"));
    Proc& child = *find_process(TRY_VALUE(fork_process(*lwp, {})));
    EXPECT_EQ(word(child, of_process, offsetof(ProcessPage, pid)), static_cast<std::uint32_t>(child.pid));
    EXPECT_EQ(word(child, of_thread, offsetof(ThreadPage, tid)),
              static_cast<std::uint32_t>(child.lwps.first()->tid));
    EXPECT_NE(word(child, of_process, offsetof(ProcessPage, fork_id)),
              word(*proc, of_process, offsetof(ProcessPage, fork_id)));
    EXPECT_TRUE(process_title(child) == Text("x"));
    EXPECT_EQ(word(*proc, of_process, offsetof(ProcessPage, pid)), static_cast<std::uint32_t>(proc->pid));
}

TEST_F(UserPages, AChildOfVforkIsCounted) {
    std::uint64_t page = map_object(*TRY_VALUE(process_page_object(*lwp)));
    begin_shared_pages(*proc);
    EXPECT_EQ(word(*proc, page, offsetof(ProcessPage, vforks)), 1u);
    end_shared_pages(*proc);
    end_shared_pages(*proc); // the program wrote there
    EXPECT_EQ(word(*proc, page, offsetof(ProcessPage, vforks)), 0u);
    drop_process_page(*proc); // what is mapped stays
    EXPECT_EQ(word(*proc, page, offsetof(ProcessPage, pid)), static_cast<std::uint32_t>(proc->pid));
    EXPECT_TRUE(process_title(*proc) == Text());
    begin_shared_pages(*proc);
    EXPECT_EQ(word(*proc, page, offsetof(ProcessPage, vforks)), 0u);
}

TEST_F(UserPages, TitlesEndWithThePage) {
    vm::Object& object = *TRY_VALUE(process_page_object(*lwp));
    auto* page = reinterpret_cast<ProcessPage*>(TRY_VALUE(object.page_for_write(0)));
    for (char& each : page->title)
        each = 't';
    EXPECT_EQ(process_title(*proc).size, sizeof page->title - 1);
}

} // namespace
} // namespace bsd
