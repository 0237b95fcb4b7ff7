// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/elf.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace bsd {
namespace {

struct Bytes final : ElfSource {
    std::vector<std::uint8_t> data;
    bool read(std::uint64_t offset, void* to, std::uint64_t length) const override {
        if (offset > data.size() || length > data.size() - offset)
            return false;
        std::memcpy(to, data.data() + offset, length);
        return true;
    }
    std::uint64_t size() const override { return data.size(); }
    template <class T>
    void put(std::size_t at, T value) {
        std::memcpy(data.data() + at, &value, sizeof value);
    }
};

// Two segments, text and data with bss, as a linker makes them.
Bytes good() {
    Bytes file;
    file.data.resize(0x3000);
    std::memcpy(file.data.data(), "\177ELF\2\1\1\11", 8);
    file.put<std::uint16_t>(16, 2);
    file.put<std::uint16_t>(18, 62);
    file.put<std::uint64_t>(24, 0x401000);
    file.put<std::uint64_t>(32, 64);
    file.put<std::uint16_t>(52, 64);
    file.put<std::uint16_t>(54, 56);
    file.put<std::uint16_t>(56, 2);
    auto segment = [&](unsigned i, std::uint32_t flags, std::uint64_t offset, std::uint64_t address,
                       std::uint64_t in_file, std::uint64_t in_memory) {
        std::size_t at = 64 + i * 56;
        file.put<std::uint32_t>(at, 1);
        file.put<std::uint32_t>(at + 4, flags);
        file.put<std::uint64_t>(at + 8, offset);
        file.put<std::uint64_t>(at + 16, address);
        file.put<std::uint64_t>(at + 32, in_file);
        file.put<std::uint64_t>(at + 40, in_memory);
        file.put<std::uint64_t>(at + 48, 4096);
    };
    segment(0, 5, 0, 0x400000, 0x2000, 0x2000);
    segment(1, 6, 0x2100, 0x402100, 0x100, 0x5000);
    return file;
}

ElfError error_of(const Bytes& file) {
    auto parsed = parse_elf(file);
    return parsed ? ElfError::none : parsed.error();
}

TEST(Elf, ReadsSegmentsAndBrand) {
    auto parsed = parse_elf(good());
    ASSERT_TRUE(parsed.ok());
    const ElfFile& file = parsed.value();
    EXPECT_EQ(file.brand, ElfBrand::freebsd);
    EXPECT_EQ(file.entry, 0x401000u);
    EXPECT_EQ(file.headers, 0x400040u);
    ASSERT_EQ(file.segment_count, 2u);
    EXPECT_EQ(file.segments[0].protection, 5);
    EXPECT_EQ(file.segments[1].protection, 3);
    EXPECT_EQ(file.low, 0x400000u);
    EXPECT_EQ(file.high, 0x408000u);
}

TEST(Elf, RefusesWhatIsNotForHere) {
    Bytes file = good();
    file.data[0] = 'x';
    EXPECT_EQ(error_of(file), ElfError::not_elf);
    file = good();
    file.put<std::uint16_t>(18, 183);
    EXPECT_EQ(error_of(file), ElfError::wrong_machine);
    file = good();
    file.put<std::uint16_t>(16, 1);
    EXPECT_EQ(error_of(file), ElfError::wrong_type);
    file = good();
    file.data.resize(40);
    EXPECT_EQ(error_of(file), ElfError::truncated);
    file = good();
    file.data.resize(0x2150);
    EXPECT_EQ(error_of(file), ElfError::truncated);
}

TEST(Elf, RefusesSegmentsOutsideTheAddressSpace) {
    Bytes file = good();
    file.put<std::uint64_t>(64 + 56 + 16, 0x7fff'ffff'f100);
    EXPECT_EQ(error_of(file), ElfError::bad_segment);
    file = good();
    file.put<std::uint64_t>(64 + 56 + 40, ~std::uint64_t{0});
    EXPECT_EQ(error_of(file), ElfError::bad_segment);
    file = good();
    file.put<std::uint64_t>(64 + 56 + 16, 0x400100); // below the first
    EXPECT_EQ(error_of(file), ElfError::bad_segment);
    file = good();
    file.put<std::uint64_t>(64 + 56 + 16, 0x402200); // offset and address disagree
    EXPECT_EQ(error_of(file), ElfError::bad_segment);
}

TEST(Elf, BrandByNoteWinsOverHeader) {
    Bytes file = good();
    file.put<std::uint16_t>(56, 3);
    std::size_t at = 64 + 2 * 56;
    file.put<std::uint32_t>(at, 4);
    file.put<std::uint64_t>(at + 8, 0x1000);
    file.put<std::uint64_t>(at + 32, 28);
    file.put<std::uint32_t>(0x1000, 10);
    file.put<std::uint32_t>(0x1004, 4);
    file.put<std::uint32_t>(0x1008, 1);
    std::memcpy(file.data.data() + 0x100c, "DragonFly", 10);
    file.put<std::uint32_t>(0x1018, 600400);
    auto parsed = parse_elf(file);
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed.value().brand, ElfBrand::dragonfly);
    EXPECT_EQ(parsed.value().osrel, 600400u);
}

TEST(Elf, SurvivesRandomDamage) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 20000; round++) {
        Bytes file = good();
        for (unsigned i = 0, n = 1 + random() % 8; i < n; i++)
            file.data[random() % 256] = static_cast<std::uint8_t>(random());
        file.data.resize(random() % 4 ? file.data.size() : random() % file.data.size());
        auto parsed = parse_elf(file);
        if (!parsed)
            continue;
        for (unsigned i = 0; i < parsed.value().segment_count; i++) {
            const ElfSegment& segment = parsed.value().segments[i];
            EXPECT_LE(segment.offset + segment.file_size, file.data.size());
            EXPECT_LE(segment.address + segment.memory_size, 0x7fff'ffff'f000u);
            EXPECT_LE(segment.file_size, segment.memory_size);
        }
    }
}

} // namespace
} // namespace bsd
