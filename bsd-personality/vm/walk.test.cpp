// SPDX-License-Identifier: BSD-2-Clause
// A random walk over several forking processes, compared with a model after every step. The page tables (of
// the hosted glue) must never give more, or other pages, than the map says.
#include <map>
#include <random>

#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/vm/test_memory.hpp"

namespace bsd {
namespace {

using namespace vm;
using namespace vm::test;
using glue::Access;

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
        std::uint64_t first = random() % walk_pages,
                      count = 1 + random() % least(walk_pages - first, std::uint64_t{24});
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
                process.pages[start + i * page_size] = {
                    0x01010101u * static_cast<std::uint32_t>(1 + offset + i), true, true};
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
                bool allowed =
                    found != process.pages.end() && (write ? found->second.writable : found->second.readable);
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
TEST_P(Walk, AgreesWithTheModel) {
    random_walk(GetParam(), 4000);
}
TEST_P(Walk, AgreesWithTheModelWhereForksCopy) {
    glue::hosted::fork_copy = GetParam() * 4;
    random_walk(GetParam() + 100, 4000);
    glue::hosted::fork_copy = 0;
}
INSTANTIATE_TEST_SUITE_P(Seeds, Walk, testing::Range(1u, 9u));

// The same where faults bring in blocks, as in a jail of the hosted platform.
struct Blocks {
    Blocks() { glue::hosted::fault_block = 8; }
    ~Blocks() { glue::hosted::fault_block = 1; }
};
class WalkInBlocks : public Blocks, public Memory, public testing::WithParamInterface<unsigned> {};
TEST_P(WalkInBlocks, AgreesWithTheModel) {
    random_walk(GetParam(), 4000);
}
INSTANTIATE_TEST_SUITE_P(Seeds, WalkInBlocks, testing::Range(1u, 9u));

} // namespace
} // namespace bsd
