// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/ktr.hpp"
#include "lwkt/test_support.hpp"

using namespace lwkt;
using lwkt::test::Group;
using lwkt::test::run;

namespace {

LWKT_ON_1_2_4(Ktr);

TEST(KtrOne, TracesWhatIsAskedForInOrder) {
    run(1, [] {
        int ident = 0;
        KtrEntry entries[ktr_entries];
        auto nap = [&] { (void)tsleep(&ident, 0, "nap", Nanoseconds{0}); };
        nap();
        EXPECT_EQ(ktr_read(CpuId{0}, entries, ktr_entries), 0u); // off at start
        ktr_enable(1u << static_cast<unsigned>(KtrEvent::sleep));
        nap();
        nap();
        ktr_enable(0);
        nap();
        ASSERT_EQ(ktr_read(CpuId{0}, entries, ktr_entries), 2u);
        for (unsigned i = 0; i < 2; ++i) {
            EXPECT_EQ(entries[i].event, KtrEvent::sleep);
            EXPECT_EQ(entries[i].sequence, i);
            EXPECT_EQ(entries[i].thread, current());
            EXPECT_EQ(entries[i].first, reinterpret_cast<std::uintptr_t>(&ident));
            EXPECT_STREQ(reinterpret_cast<const char*>(entries[i].second), "nap");
        }
        EXPECT_LE(entries[0].ticks, entries[1].ticks);
        EXPECT_STREQ(ktr_name(KtrEvent::ipi_full), "IPI queue full");
    });
}

TEST(KtrOne, KeepsTheNewest) {
    run(1, [] {
        ktr_enable(ktr_all);
        for (std::uintptr_t n = 0; n != ktr_entries + 10; ++n)
            ktr(KtrEvent::callout_run, n);
        ktr_enable(0);
        KtrEntry entries[ktr_entries];
        ASSERT_EQ(ktr_read(CpuId{0}, entries, ktr_entries), ktr_entries);
        EXPECT_EQ(entries[0].first, 10u);
        EXPECT_EQ(entries[ktr_entries - 1].first, ktr_entries + 9u);
        ASSERT_EQ(ktr_read(CpuId{0}, entries, 3), 3u);
        EXPECT_EQ(entries[2].first, ktr_entries + 9u);
    });
}

// A reader on another core never sees half an entry: both words of each are the same.
TEST_P(Ktr, ReadersSeeWholeEntries) {
    std::atomic<bool> over{false};
    std::atomic<long> wrong{0}, seen{0};
    run(GetParam(), [&] {
        ktr_enable(1u << static_cast<unsigned>(KtrEvent::slab_zone));
        Group group;
        group.spawn(GetParam() - 1, [&] {
            for (std::uintptr_t n = 0; n != 20'000; ++n)
                ktr(KtrEvent::slab_zone, n, n);
            over = true;
        });
        group.spawn(0, [&] {
            static KtrEntry entries[ktr_entries];
            for (bool last = false; !last;) {
                last = over;
                std::size_t count = ktr_read(CpuId{GetParam() - 1}, entries, ktr_entries);
                for (std::size_t i = 0; i < count; ++i)
                    wrong += entries[i].first != entries[i].second;
                seen += static_cast<long>(count);
                yield();
            }
        });
        group.wait();
        ktr_enable(0);
    });
    EXPECT_EQ(wrong, 0);
    EXPECT_GT(seen, 0);
}

} // namespace
