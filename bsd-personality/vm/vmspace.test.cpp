// SPDX-License-Identifier: BSD-2-Clause
// Address spaces: single rules, and a random walk over several forking processes that is compared with a model after
// every step. The page tables (of the hosted glue) must never give more, or other pages, than the map says.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/vm/test_platform.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {
namespace {

using namespace vm;
using glue::Access;

constexpr std::uint64_t base = std::uint64_t{64} << 30;

struct Memory : testing::Test {
    Memory() {
        image.resize(64 * page_size);
        for (std::size_t i = 0; i < image.size(); i++)
            image[i] = static_cast<std::byte>(1 + i / page_size);
        test::set_up_memory(64 << 20, image);
        free_before = test::free_pages();
    }
    ~Memory() override {
        EXPECT_EQ(object_counts().objects, 0u);
        EXPECT_EQ(object_counts().pages, 0u);
        EXPECT_EQ(test::free_pages(), free_before);
    }
    static std::vector<std::byte> image;
    std::uint64_t free_before;
};
std::vector<std::byte> Memory::image;

MapRequest anonymous(std::uint64_t address, std::uint64_t pages, bool fixed = true) {
    MapRequest request;
    request.address = address;
    request.length = pages * page_size;
    request.protection = protection_read | protection_write;
    request.fixed = fixed;
    return request;
}

std::uint64_t map(VmSpace& space, const MapRequest& request) {
    auto result = space.map(request);
    EXPECT_TRUE(result.ok());
    return result.ok() ? result.value() : 0;
}

bool put(VmSpace& space, std::uint64_t address, std::uint32_t value) {
    return copyout(space, &value, UserAddress{address}, sizeof value).ok();
}
std::uint32_t get(VmSpace& space, std::uint64_t address) {
    std::uint32_t value = 0xdead;
    EXPECT_TRUE(copyin(space, UserAddress{address}, &value, sizeof value).ok());
    return value;
}

/// What user code would see or do through the page tables; faults as a processor would.
FaultResult touch(VmSpace& space, std::uint64_t address, bool write, std::uint32_t* value) {
    for (int attempt = 0; attempt < 3; attempt++) {
        auto& mappings = space.hardware().mappings();
        auto found = mappings.find(round_down(address));
        if (found != mappings.end() && (!write || glue::has(found->second.access, Access::write))) {
            const std::byte* page = found->second.source == glue::Source::image
                                        ? glue::Ram::image().data() + found->second.offset.value
                                        : glue::Ram::pointer(found->second.offset);
            if (write)
                std::memcpy(const_cast<std::byte*>(page) + (address & page_mask), value, sizeof *value);
            else
                std::memcpy(value, page + (address & page_mask), sizeof *value);
            return FaultResult::done;
        }
        FaultResult result = space.fault(address, write ? Access::write : Access::read);
        if (result != FaultResult::done)
            return result;
    }
    ADD_FAILURE() << "the fault does not make progress";
    return FaultResult::no_memory;
}

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
    EXPECT_EQ(space->protect(limited.address, limited.address + 1, protection_execute).error(), Errno::eacces);
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

TEST_F(Memory, BreakGrowsAndShrinks) {
    VmSpace* space = VmSpace::create();
    space->set_heap_start(0x500123);
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
    EXPECT_TRUE(space->discard(base, base + (std::uint64_t{1} << 32)).ok());
    EXPECT_EQ(touch(*space, base, true, &value), FaultResult::done);
    VmSpace::create()->unref(); // keeps tables, which do not help here
    glue::AddressSpace::fail_after(0);
    EXPECT_EQ(touch(*space, base + (64 << 20), true, &value), FaultResult::no_memory);
    glue::AddressSpace::fail_after(~std::uint64_t{0});
    space->unref();
}

// --- the random walk -------------------------------------------------------------------------------------------------

struct ModelPage {
    std::uint32_t value = 0;
    bool writable = true, readable = true;
};
struct Process {
    VmSpace* space;
    std::map<std::uint64_t, ModelPage> pages;
};

constexpr std::uint64_t walk_pages = 96;

void check_tables(const Process& process) {
    for (auto& [address, mapping] : process.space->hardware().mappings()) {
        auto found = process.pages.find(address);
        ASSERT_TRUE(found != process.pages.end() && found->second.readable) << std::hex << address;
        ASSERT_FALSE(glue::has(mapping.access, Access::write) && !found->second.writable);
        const MapEntry* entry = process.space->entry_at(address);
        Frame frame = entry->object->find(entry->index_at(address));
        ASSERT_EQ(frame.source, mapping.source);
        ASSERT_EQ(frame.offset, mapping.offset) << "a stale page";
        if (glue::has(mapping.access, Access::write)) {
            ASSERT_TRUE(frame.place == Frame::Place::own && !entry->needs_copy);
        }
    }
}

void random_walk(unsigned seed, int steps) {
    std::mt19937_64 random(seed);
    auto file = Object::create_image(0, 64 * page_size);
    std::vector<Process> processes{{VmSpace::create(), {}}};
    for (int step = 0; step < steps; step++) {
        std::size_t who = random() % processes.size();
        Process& process = processes[who];
        std::uint64_t first = random() % walk_pages, count = 1 + random() % least(walk_pages - first, std::uint64_t{24});
        std::uint64_t start = base + first * page_size, end = start + count * page_size;
        std::uint32_t value = static_cast<std::uint32_t>(random());
        switch (random() % 12) {
        case 0: {
            map(*process.space, anonymous(start, count));
            for (std::uint64_t at = start; at < end; at += page_size)
                process.pages[at] = {};
            break;
        }
        case 1: {
            std::uint64_t offset = random() % 40, length = least(count, 64 - offset);
            MapRequest request = anonymous(start, length);
            request.object = file.get();
            request.offset = offset * page_size;
            map(*process.space, request);
            for (std::uint64_t i = 0; i < length; i++)
                process.pages[start + i * page_size] = {0x01010101u * static_cast<std::uint32_t>(1 + offset + i), true, true};
            break;
        }
        case 2:
            ASSERT_TRUE(process.space->unmap(start, end).ok());
            process.pages.erase(process.pages.lower_bound(start), process.pages.lower_bound(end));
            break;
        case 3: {
            auto protection = static_cast<std::uint8_t>(random() % 4);
            ASSERT_TRUE(process.space->protect(start, end, protection).ok());
            for (auto at = process.pages.lower_bound(start); at != process.pages.lower_bound(end); ++at) {
                at->second.writable = (protection & protection_write) != 0;
                at->second.readable = protection != 0;
            }
            break;
        }
        case 4:
            if (processes.size() < 6) {
                Process child{process.space->fork(), process.pages};
                ASSERT_NE(child.space, nullptr);
                processes.push_back(std::move(child));
            } else {
                process.space->unref();
                processes.erase(processes.begin() + static_cast<long>(who));
            }
            break;
        default: // a walk of accesses, by the personality or by the processor
            bool write = random() % 2 == 0, kernel = random() % 3 == 0;
            for (std::uint64_t at = start; at < end; at += page_size, value++) {
                auto found = process.pages.find(at);
                bool allowed = found != process.pages.end() && (write ? found->second.writable : found->second.readable);
                std::uint32_t seen = value;
                bool ok = kernel ? (write ? copyout(*process.space, &seen, UserAddress{at}, 4).ok()
                                          : copyin(*process.space, UserAddress{at}, &seen, 4).ok())
                                 : touch(*process.space, at, write, &seen) == FaultResult::done;
                ASSERT_EQ(ok, allowed);
                if (ok && write)
                    found->second.value = value;
                if (ok) {
                    ASSERT_EQ(seen, found->second.value);
                }
            }
            break;
        }
        for (const Process& each : processes)
            ASSERT_NO_FATAL_FAILURE(check_tables(each));
    }
    for (const Process& each : processes) {
        // What entries remember of the page tables must be all there is: tables are reused.
        ASSERT_TRUE(each.space->unmap(base, base + walk_pages * page_size).ok());
        ASSERT_TRUE(each.space->hardware().mappings().empty());
        each.space->unref();
    }
}

class Walk : public Memory, public testing::WithParamInterface<unsigned> {};
TEST_P(Walk, AgreesWithTheModel) { random_walk(GetParam(), 4000); }
INSTANTIATE_TEST_SUITE_P(Seeds, Walk, testing::Range(1u, 9u));

} // namespace
} // namespace bsd
