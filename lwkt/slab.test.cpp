// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/test_support.hpp"

#include <cstring>
#include <map>

using namespace lwkt;
using lwkt::test::Group;
using lwkt::test::next_random;
using lwkt::test::run;

namespace {

LWKT_ON_1_2_4(Slab);

TEST(SlabOne, SizesAndAlignment) {
    run(1, [] {
        std::vector<std::pair<void*, std::size_t>> all;
        for (std::size_t size = 1; size <= 65536; size += size < 4096 ? 13 : 4001) {
            void* memory = allocate(size);
            ASSERT_NE(memory, nullptr);
            std::memset(memory, 0xa5, size);
            auto address = reinterpret_cast<std::uintptr_t>(memory);
            EXPECT_EQ(address % 16, 0u);
            if ((size & (size - 1)) == 0 && size <= 64) {
                EXPECT_EQ(address % size, 0u);
            }
            if (size >= 4096) {
                EXPECT_EQ(address % 4096, 0u);
            }
            all.emplace_back(memory, size);
        }
        for (auto [memory, size] : all)
            release(memory, size);
        EXPECT_EQ(slab_statistics(CpuId{0}).allocated, 0u);
        EXPECT_EQ(allocate(65537), nullptr);
        release(nullptr, 5);
    });
}

TEST(SlabOne, ExhaustionIsNull) {
    run(1, [] {
        lwkt::test::pages_left = 2;
        std::vector<void*> all;
        while (void* memory = allocate(100))
            all.push_back(memory);
        EXPECT_EQ(all.size(), 2 * (4032 / 128u));
        EXPECT_EQ(allocate(5000), nullptr);
        EXPECT_EQ(slab_statistics(CpuId{0}).failures, 2u);
        for (void* memory : all)
            release(memory, 100);
        EXPECT_EQ(slab_statistics(CpuId{0}).pages, 1u); // one empty zone is kept
        lwkt::test::pages_left = 1'000'000'000;
    });
}

TEST(SlabOne, ConstructAndDestroy) {
    run(1, [] {
        struct alignas(64) Line {
            int value;
            explicit Line(int v) : value(v) {}
        };
        Line* line = construct<Line>(7);
        ASSERT_NE(line, nullptr);
        EXPECT_EQ(line->value, 7);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(line) % 64, 0u);
        destroy(line);
        destroy(static_cast<Line*>(nullptr));
    });
}

// Random sizes allocated on one core and released on another; contents stay what they were, everything comes
// back.
TEST_P(Slab, RemoteReleases) {
    std::atomic<long> wrong{0};
    run(GetParam(), [&] {
        struct Box {
            std::mutex mutex; // of the host: never held across a switch
            std::vector<std::pair<unsigned char*, std::size_t>> objects;
        };
        Box boxes[4];
        Group group;
        for (unsigned i = 0; i < 4; ++i)
            group.spawn(i % GetParam(), [&, i] {
                std::uint64_t seed = 0x9e3779b97f4a7c15u * (i + 1);
                for (int n = 0; n < 3000; ++n) {
                    std::size_t size = 1 + next_random(seed) % (n % 50 ? 700 : 9000);
                    auto* memory = static_cast<unsigned char*>(allocate(size));
                    std::memset(memory, static_cast<int>(size & 0xff), size);
                    std::pair<unsigned char*, std::size_t> out{nullptr, 0};
                    {
                        CriticalSection critical; // no other thread of this core meets the mutex locked
                        Box& box = boxes[next_random(seed) % 4];
                        std::lock_guard<std::mutex> lock(box.mutex);
                        box.objects.emplace_back(memory, size);
                        if (box.objects.size() > 40) {
                            std::size_t pick = next_random(seed) % box.objects.size();
                            out = box.objects[pick];
                            box.objects[pick] = box.objects.back();
                            box.objects.pop_back();
                        }
                    }
                    if (out.first) {
                        wrong += out.first[0] != (out.second & 0xff) ||
                                 out.first[out.second - 1] != (out.second & 0xff);
                        release(out.first, out.second);
                    }
                    if (n % 64 == 0)
                        yield();
                }
            });
        group.wait();
        for (Box& box : boxes)
            for (auto [memory, size] : box.objects)
                release(memory, size);
    }); // run() checks that all pages came back
    EXPECT_EQ(wrong, 0);
}

} // namespace
