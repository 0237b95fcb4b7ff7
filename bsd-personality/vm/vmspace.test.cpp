// SPDX-License-Identifier: BSD-2-Clause
// Address spaces, rule by rule.
#include <gtest/gtest.h>

#include "bsd-personality/vm/test_memory.hpp"

namespace bsd {
namespace {

using namespace vm;
using namespace vm::test;
using glue::Access;

TEST_F(Memory, AnonymousMemoryIsZeroUntilWritten) {
    VmSpace* space = VmSpace::create();
    std::uint64_t at = map(*space, anonymous(0, 4, false));
    EXPECT_EQ(get(*space, at), 0u);
    EXPECT_TRUE(put(*space, at + page_size - 2, 0x11223344));
    EXPECT_EQ(get(*space, at + page_size - 2), 0x11223344u);
    space->unref();
}

TEST_F(Memory, HugeReservationsCostOnlyEntries) {
    VmSpace* space = VmSpace::create();
    auto request = anonymous(0xc000000000, (std::uint64_t{1} << 40) / page_size, false);
    request.protection = protection_none;
    EXPECT_EQ(map(*space, request), 0xc000000000u);
    std::uint32_t value = 7;
    EXPECT_EQ(touch(*space, 0xc000000000, true, &value), FaultResult::protection);
    for (int i = 0; i < 64; i++)
        map(*space, anonymous(0xc000000000 + (std::uint64_t{4} << 20) * static_cast<unsigned>(i), 1024));
    EXPECT_TRUE(put(*space, 0xc000000000 + (std::uint64_t{4} << 20) * 40, 5));
    EXPECT_LT(free_before - test::free_pages(), 16u);
    int entries = 0;
    for (auto* entry = space->first_entry(); entry != nullptr; entry = entry->next)
        entries++;
    EXPECT_EQ(entries, 2); // grown pieces join
    space->unref();
}

TEST_F(Memory, ForkCopiesLazilyBothWays) {
    VmSpace* parent = VmSpace::create();
    map(*parent, anonymous(base, 8));
    std::uint32_t value = 1;
    for (std::uint64_t i = 0; i < 8; i++, value++)
        EXPECT_EQ(touch(*parent, base + i * page_size, true, &value), FaultResult::done);
    VmSpace* child = parent->fork();
    value = 100;
    EXPECT_EQ(touch(*child, base, true, &value), FaultResult::done);
    value = 200;
    EXPECT_EQ(touch(*parent, base + page_size, true, &value), FaultResult::done);
    EXPECT_EQ(touch(*parent, base, false, &value), FaultResult::done);
    EXPECT_EQ(value, 1u);
    EXPECT_EQ(touch(*child, base + page_size, false, &value), FaultResult::done);
    EXPECT_EQ(value, 2u);
    EXPECT_EQ(get(*child, base), 100u);
    EXPECT_EQ(get(*parent, base + page_size), 200u);
    child->unref();
    EXPECT_EQ(object_counts().objects, 1u); // the chain collapsed
    EXPECT_EQ(object_counts().pages, 8u);
    parent->unref();
}

TEST_F(Memory, ForkCopiesFewPagesAtOnceWhereFaultsAreDear) {
    glue::hosted::fork_copy = 8;
    VmSpace* parent = VmSpace::create();
    map(*parent, anonymous(base, 64));
    map(*parent, anonymous(base + 128 * page_size, 64)); // will have too many pages
    std::uint32_t value = 1;
    for (std::uint64_t i : {3, 4, 5, 9, 128, 130, 132, 134, 136, 138, 140, 142, 144})
        EXPECT_EQ(touch(*parent, base + i * page_size, true, &value), FaultResult::done);
    VmSpace* child = parent->fork();
    auto writable = [](VmSpace& space, std::uint64_t page) {
        auto& mappings = space.hardware().mappings();
        auto found = mappings.find(base + page * page_size);
        return found != mappings.end() && glue::has(found->second.access, Access::write);
    };
    for (std::uint64_t i : {3, 4, 5, 9}) {
        EXPECT_TRUE(writable(*parent, i)) << i;
        EXPECT_TRUE(writable(*child, i)) << i;
    }
    EXPECT_FALSE(writable(*child, 20));
    EXPECT_FALSE(writable(*parent, 128));
    put(*parent, base + 3 * page_size, 7);
    put(*child, base + 4 * page_size, 8);
    EXPECT_EQ(get(*child, base + 3 * page_size), 1u);
    EXPECT_EQ(get(*parent, base + 4 * page_size), 1u);
    EXPECT_EQ(get(*child, base + 20 * page_size), 0u);
    EXPECT_EQ(get(*child, base + 128 * page_size), 1u);
    child->unref();
    parent->unref();
    glue::hosted::fork_copy = 0;
}

TEST_F(Memory, SharedMappingsStayCoherentWithTheFile) {
    auto file = Object::create_image(2 * page_size, 5 * page_size - 100);
    VmSpace* space = VmSpace::create();
    MapRequest request = anonymous(base, 5);
    request.object = file.get();
    request.shared = true;
    map(*space, request);
    MapRequest copy = anonymous(base + (1 << 20), 5);
    copy.object = file.get();
    map(*space, copy);
    std::uint32_t value = 0;
    EXPECT_EQ(touch(*space, base + page_size, false, &value), FaultResult::done);
    EXPECT_EQ(value, 0x04040404u);
    EXPECT_EQ(touch(*space, copy.address + page_size, false, &value), FaultResult::done);
    EXPECT_EQ(value, 0x04040404u);
    // A write by write(2) is seen by both mappings, one through the shared mapping by read(2).
    std::memset(TRY_VALUE(file->page_for_write(1)), 9, 8);
    EXPECT_EQ(touch(*space, base + page_size, false, &value), FaultResult::done);
    EXPECT_EQ(value, 0x09090909u);
    EXPECT_EQ(touch(*space, copy.address + page_size, false, &value), FaultResult::done);
    EXPECT_EQ(value, 0x09090909u);
    value = 0x0a0a0a0a;
    EXPECT_EQ(touch(*space, base + 2 * page_size, true, &value), FaultResult::done);
    EXPECT_EQ(file->page(2)[0], std::byte{10});
    EXPECT_EQ(Memory::image[4 * page_size], std::byte{5});
    // A private write is nobody else's.
    value = 0x0b0b0b0b;
    EXPECT_EQ(touch(*space, copy.address, true, &value), FaultResult::done);
    EXPECT_EQ(file->page(0)[0], std::byte{3});
    // Behind the end.
    EXPECT_TRUE(file->resize(page_size + 10).ok());
    EXPECT_EQ(touch(*space, base + 2 * page_size, false, &value), FaultResult::beyond_end);
    EXPECT_EQ(file->page(1)[9], std::byte{4});
    EXPECT_EQ(file->page(1)[10], std::byte{0});
    EXPECT_TRUE(file->resize(3 * page_size).ok());
    EXPECT_EQ(touch(*space, base + 2 * page_size, false, &value), FaultResult::done);
    EXPECT_EQ(value, 0u);
    space->unref();
}

TEST_F(Memory, UserAccessIsHostile) {
    VmSpace* space = VmSpace::create();
    map(*space, anonymous(base, 2));
    MapRequest request = anonymous(base + 2 * page_size, 1);
    request.protection = protection_read;
    map(*space, request);
    char buffer[64] = {};
    EXPECT_EQ(copyin(*space, UserAddress{0}, buffer, 8).error(), Errno::efault);
    EXPECT_EQ(copyin(*space, UserAddress{~std::uint64_t{0} - 3}, buffer, 8).error(), Errno::efault);
    EXPECT_EQ(copyin(*space, UserAddress{user_address_end - 4}, buffer, 8).error(), Errno::efault);
    EXPECT_EQ(copyin(*space, UserAddress{0xffff'8000'0000'0000}, buffer, 8).error(), Errno::efault);
    EXPECT_EQ(copyout(*space, buffer, UserAddress{base + 2 * page_size - 4}, 8).error(), Errno::efault);
    EXPECT_TRUE(copyin(*space, UserAddress{base + 2 * page_size}, buffer, 8).ok());
    EXPECT_EQ(copyout(*space, buffer, UserAddress{base + 2 * page_size}, 1).error(), Errno::efault);
    EXPECT_EQ(zero_user(*space, UserAddress{base}, ~std::uint64_t{0}).error(), Errno::efault);
    EXPECT_TRUE(copyout(*space, "hello", UserAddress{base + page_size - 3}, 6).ok());
    auto length = copyinstr(*space, UserAddress{base + page_size - 3}, buffer, sizeof buffer);
    ASSERT_TRUE(length.ok());
    EXPECT_EQ(length.value(), 5u);
    EXPECT_STREQ(buffer, "hello");
    EXPECT_EQ(copyinstr(*space, UserAddress{base + page_size - 3}, buffer, 5).error(), Errno::enametoolong);
    EXPECT_EQ(user_load32(*space, UserAddress{base + 2}).error(), Errno::einval);
    EXPECT_EQ(user_exchange32(*space, UserAddress{base + 2 * page_size}, 0, 1).error(), Errno::efault);
    auto old = user_exchange32(*space, UserAddress{base}, 0, 77);
    EXPECT_TRUE(old.ok() && old.value() == 0);
    EXPECT_EQ(get(*space, base), 77u);
    space->unref();
}

TEST_F(Memory, ProtectionAndGuards) {
    VmSpace* space = VmSpace::create();
    map(*space, anonymous(base, 4));
    std::uint32_t value = 3;
    EXPECT_EQ(touch(*space, base + page_size, true, &value), FaultResult::done);
    EXPECT_TRUE(space->protect(base + page_size, base + 2 * page_size, protection_read).ok());
    EXPECT_EQ(touch(*space, base + page_size, true, &value), FaultResult::protection);
    EXPECT_EQ(touch(*space, base + page_size, false, &value), FaultResult::done);
    EXPECT_FALSE(put(*space, base + page_size, 1));
    EXPECT_TRUE(space->protect(base + page_size, base + 2 * page_size, protection_all).ok());
    EXPECT_EQ(touch(*space, base + page_size, true, &value), FaultResult::done);
    EXPECT_EQ(space->fault(base, Access::execute), FaultResult::protection);
    EXPECT_EQ(space->fault(base + page_size, Access::execute), FaultResult::done);
    MapRequest guard = anonymous(base + 16 * page_size, 4);
    guard.guard = true;
    map(*space, guard);
    EXPECT_EQ(touch(*space, guard.address, false, &value), FaultResult::protection);
    EXPECT_EQ(touch(*space, base + 8 * page_size, false, &value), FaultResult::no_mapping);
    map(*space, anonymous(guard.address + page_size, 1));
    EXPECT_EQ(touch(*space, guard.address + page_size, true, &value), FaultResult::done);
    MapRequest limited = anonymous(base + 32 * page_size, 1);
    limited.max_protection = protection_read | protection_write;
    map(*space, limited);
    EXPECT_EQ(space->protect(limited.address, limited.address + 1, protection_execute).error(),
              Errno::eacces);
    MapRequest exclusive = anonymous(base, 1);
    exclusive.exclusive = true;
    EXPECT_EQ(space->map(exclusive).error(), Errno::enomem);
    space->unref();
}

TEST_F(Memory, StackGrowsToItsLimit) {
    VmSpace* space = VmSpace::create();
    space->limits.stack = 8 << 20;
    MapRequest stack = anonymous(0x7fff'fffd'f000 - (std::uint64_t{8} << 20), (8 << 20) / page_size);
    stack.stack = true;
    map(*space, stack);
    std::uint64_t top = 0x7fff'fffd'f000;
    std::uint32_t value = 5;
    EXPECT_EQ(touch(*space, top - 8, true, &value), FaultResult::done);
    EXPECT_EQ(touch(*space, top - (4 << 20), true, &value), FaultResult::done);
    EXPECT_EQ(touch(*space, top - (8 << 20), true, &value), FaultResult::done);
    EXPECT_EQ(touch(*space, top - (8 << 20) - 1, true, &value), FaultResult::no_mapping);
    VmSpace* child = space->fork();
    child->limits.stack = 16 << 20;
    value = 6;
    EXPECT_EQ(touch(*child, top - (9 << 20), true, &value), FaultResult::done);
    EXPECT_EQ(get(*space, top - (8 << 20)), 5u);
    child->unref();
    space->unref();
}

TEST_F(Memory, HintsAreTakenWhereTheProgramIsNot) {
    VmSpace* space = VmSpace::create();
    constexpr std::uint64_t program = 1 << 30, heap_end = std::uint64_t{4} << 30,
                            start = std::uint64_t{6} << 30;
    space->set_layout({.program = program, .heap = program + (1 << 20), .heap_end = heap_end, .base = start});
    MapRequest stack = anonymous(heap_end + (1 << 30), 0);
    stack.length = 64 << 20;
    stack.stack = true;
    map(*space, stack);
    auto at = [&](std::uint64_t hint) {
        MapRequest request = anonymous(hint, 1);
        request.fixed = false;
        return TRY_VALUE(space->map(request));
    };
    EXPECT_EQ(at(0), start);
    EXPECT_EQ(at(program + 12345), start + page_size);       // the heap's room
    EXPECT_EQ(at(heap_end - 5), heap_end);                   // rounded up it is outside
    EXPECT_EQ(at(program / 2 + 5), program / 2 + page_size); // below the program
    EXPECT_EQ(at(~std::uint64_t{0}), start + 2 * page_size);
    EXPECT_EQ(at(heap_end + (1 << 30) + page_size),
              heap_end + (1 << 30) + (64 << 20)); // where the stack grows
    VmSpace* child = space->fork();
    space->unref();
    space = child;
    EXPECT_EQ(at(program), start + 3 * page_size);
    space->unref();
}

TEST_F(Memory, BreakGrowsAndShrinks) {
    VmSpace* space = VmSpace::create();
    space->set_layout({.program = 0x40'0000, .heap = 0x501000});
    EXPECT_TRUE(space->set_break(0x511000).ok());
    EXPECT_TRUE(put(*space, 0x510ff0, 9));
    EXPECT_TRUE(space->set_break(0x502000).ok());
    EXPECT_FALSE(put(*space, 0x510ff0, 9));
    EXPECT_TRUE(space->set_break(0x511000).ok());
    EXPECT_EQ(get(*space, 0x510ff0), 0u);
    EXPECT_EQ(space->set_break(0x400000).error(), Errno::einval);
    space->unref();
}

TEST_F(Memory, ExhaustionIsAnAnswer) {
    VmSpace* space = VmSpace::create();
    map(*space, anonymous(base, std::uint64_t{1} << 20));
    std::uint32_t value = 1;
    FaultResult result = FaultResult::done;
    std::uint64_t touched = 0;
    while (result == FaultResult::done)
        result = touch(*space, base + touched++ * page_size, true, &value);
    EXPECT_EQ(result, FaultResult::no_memory);
    EXPECT_GT(touched, std::uint64_t{(48 << 20) / page_size});
    space->discard(base, base + (std::uint64_t{1} << 32));
    EXPECT_EQ(touch(*space, base, true, &value), FaultResult::done);
    VmSpace::create()->unref(); // keeps tables, which do not help here
    glue::AddressSpace::fail_after(0);
    EXPECT_EQ(touch(*space, base + (64 << 20), true, &value), FaultResult::no_memory);
    glue::AddressSpace::fail_after(~std::uint64_t{0});
    space->unref();
}

} // namespace
} // namespace bsd
