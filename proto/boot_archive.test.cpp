// SPDX-License-Identifier: BSD-2-Clause
#include "proto/archive_writer.hpp"

#include <cstring>
#include <gtest/gtest.h>

using namespace proto;

namespace {

std::vector<std::uint8_t> sample() {
    return write_archive({{PartKind::manifest, "manifest", {1, 2, 3}, 10},
                          {PartKind::program, "pulse", {4}, 20},
                          {PartKind::image, "pulse", {5, 6}, 4096}});
}

ArchiveError open_error(const std::vector<std::uint8_t>& bytes) {
    const auto reader = ArchiveReader::open({bytes.data(), bytes.size()});
    return reader ? ArchiveError::none : reader.error();
}

template <typename T>
void patch(std::vector<std::uint8_t>& bytes, std::size_t offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
}

constexpr std::size_t first_part = sizeof(ArchiveHeader);

} // namespace

TEST(BootArchive, FindsWhatWasWritten) {
    const auto bytes = sample();
    const auto reader = ArchiveReader::open({bytes.data(), bytes.size()});
    ASSERT_TRUE(reader);
    EXPECT_EQ(reader.value().part_count(), 3U);
    Part part;
    ASSERT_TRUE(reader.value().find(PartKind::image, "pulse", part));
    EXPECT_EQ(part.stored.size, 2U);
    EXPECT_EQ(part.stored.data[1], 6);
    EXPECT_EQ(part.inflated_size, 4096U);
    EXPECT_TRUE(part.name == Text("pulse"));
    EXPECT_FALSE(reader.value().find(PartKind::image, "puls", part));
}

TEST(BootArchive, RefusesEveryTruncation) {
    const auto bytes = sample();
    for (std::size_t size = 0; size < bytes.size(); size++) {
        const std::vector<std::uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_NE(open_error(cut), ArchiveError::none) << size;
    }
}

TEST(BootArchive, NamesEachFault) {
    auto bytes = sample();
    patch<std::uint64_t>(bytes, 0, 7);
    EXPECT_EQ(open_error(bytes), ArchiveError::bad_magic);
    bytes = sample();
    patch<std::uint32_t>(bytes, offsetof(ArchiveHeader, part_count), 0xffffffff);
    EXPECT_EQ(open_error(bytes), ArchiveError::too_many_parts);
    bytes = sample();
    patch<std::uint32_t>(bytes, offsetof(ArchiveHeader, part_count), 60);
    EXPECT_EQ(open_error(bytes), ArchiveError::too_short);
    bytes = sample();
    patch<std::uint32_t>(bytes, offsetof(ArchiveHeader, reserved), 1);
    EXPECT_EQ(open_error(bytes), ArchiveError::reserved_not_zero);
    bytes = sample();
    patch<std::uint32_t>(bytes, first_part + offsetof(ArchivePart, reserved), 1);
    EXPECT_EQ(open_error(bytes), ArchiveError::reserved_not_zero);
    bytes = sample();
    patch<std::uint64_t>(bytes, first_part + offsetof(ArchivePart, offset), ~0ULL);
    EXPECT_EQ(open_error(bytes), ArchiveError::part_outside);
    bytes = sample();
    patch<std::uint64_t>(bytes, first_part + offsetof(ArchivePart, offset), 30);
    EXPECT_EQ(open_error(bytes), ArchiveError::part_outside);
    bytes = sample();
    patch<std::uint64_t>(bytes, first_part + offsetof(ArchivePart, stored_size), ~0ULL - 100);
    EXPECT_EQ(open_error(bytes), ArchiveError::part_outside);
    bytes = sample();
    patch<std::uint64_t>(bytes, first_part + offsetof(ArchivePart, inflated_size), archive_max_inflated + 1);
    EXPECT_EQ(open_error(bytes), ArchiveError::part_too_large);
    bytes = sample();
    patch<std::uint32_t>(bytes, first_part + offsetof(ArchivePart, kind), 9);
    EXPECT_EQ(open_error(bytes), ArchiveError::bad_kind);
    bytes = sample();
    std::memset(bytes.data() + first_part + offsetof(ArchivePart, name), 'x', 32);
    EXPECT_EQ(open_error(bytes), ArchiveError::bad_name);
    bytes = sample();
    patch<std::uint32_t>(bytes, first_part + 2 * sizeof(ArchivePart) + offsetof(ArchivePart, kind),
                         static_cast<std::uint32_t>(PartKind::program));
    EXPECT_EQ(open_error(bytes), ArchiveError::duplicate_name);
}

TEST(BootArchive, SurvivesEveryFlippedByte) {
    for (std::size_t at = 0; at < sample().size(); at++) {
        auto bytes = sample();
        bytes[at] ^= 0xff;
        const auto reader = ArchiveReader::open({bytes.data(), bytes.size()});
        if (!reader)
            continue;
        for (std::uint32_t i = 0; i < reader.value().part_count(); i++) {
            const Part part = reader.value().part(i);
            for (std::size_t k = 0; k < part.stored.size; k++)
                EXPECT_LE(part.stored.data[k], 255);
        }
    }
}
