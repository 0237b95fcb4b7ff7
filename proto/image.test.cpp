// SPDX-License-Identifier: BSD-2-Clause
#include "proto/archive_writer.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <stdexcept>

using namespace proto;

namespace {

ImageSource source(EntryType type, std::string path, std::string data) {
    ImageSource out;
    out.type = type;
    out.path = std::move(path);
    out.data.assign(data.begin(), data.end());
    return out;
}

std::vector<std::uint8_t> sample() {
    return write_image({source(EntryType::file, "usr/bin/true", std::string(5000, 'x')),
                        source(EntryType::symlink, "bin", "usr/bin"), source(EntryType::file, "usr.conf", ""),
                        source(EntryType::file, "etc/motd", "hello")});
}

ImageError open_error(const std::vector<std::uint8_t>& bytes) {
    const auto reader = ImageReader::open({bytes.data(), bytes.size()});
    return reader ? ImageError::none : reader.error().error;
}

/// Changes one field of one entry and says what open() makes of it.
template <typename T>
ImageError with(std::size_t entry, std::size_t field, T value) {
    auto bytes = sample();
    std::memcpy(bytes.data() + sizeof(ImageHeader) + entry * sizeof(ImageEntry) + field, &value,
                sizeof value);
    return open_error(bytes);
}

} // namespace

TEST(Image, WalksWhatWasWritten) {
    const auto bytes = sample();
    EXPECT_EQ(bytes.size() % image_page, 0U);
    const auto opened = ImageReader::open({bytes.data(), bytes.size()});
    ASSERT_TRUE(opened);
    const ImageReader& image = opened.value();
    ASSERT_EQ(image.entry_count(), 8U); // root, bin, etc, etc/motd, usr, usr.conf, usr/bin, usr/bin/true
    std::uint32_t index = 0;
    ASSERT_TRUE(image.find("usr/bin/true", index));
    const ImageNode node = image.entry(index);
    EXPECT_TRUE(node.name == Text("true"));
    EXPECT_EQ(node.data.size, 5000U);
    EXPECT_EQ(node.data_offset % image_page, 0U);
    EXPECT_EQ(bytes[node.data_offset + 4999], 'x');
    EXPECT_EQ(bytes[node.data_offset + 5000], 0) << "the last page ends in zeros";
    EXPECT_TRUE(image.entry(node.parent).path == Text("usr/bin"));
    ASSERT_TRUE(image.find("bin", index));
    EXPECT_EQ(image.entry(index).type, EntryType::symlink);
    EXPECT_FALSE(image.find("usr/bin/false", index));
    EXPECT_TRUE(image.find("", index));
    EXPECT_EQ(index, 0U);
}

TEST(Image, RefusesEveryTruncation) {
    const auto bytes = sample();
    for (std::size_t size = 0; size < bytes.size(); size += size < 700 ? 1 : 512) {
        const std::vector<std::uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_NE(open_error(cut), ImageError::none) << size;
    }
}

TEST(Image, NamesEachFault) {
    EXPECT_EQ(with<std::uint32_t>(0, offsetof(ImageEntry, type), 2), ImageError::no_root);
    EXPECT_EQ(with<std::uint32_t>(1, offsetof(ImageEntry, type), 9), ImageError::bad_type);
    EXPECT_EQ(with<std::uint32_t>(1, offsetof(ImageEntry, mode), 010000), ImageError::bad_mode);
    EXPECT_EQ(with<std::uint32_t>(1, offsetof(ImageEntry, reserved), 1), ImageError::reserved_not_zero);
    EXPECT_EQ(with<std::uint32_t>(1, offsetof(ImageEntry, path_offset), 0xfffffff0), ImageError::bad_path);
    EXPECT_EQ(with<std::uint32_t>(1, offsetof(ImageEntry, path_length), 0), ImageError::bad_path);
    EXPECT_EQ(with<std::uint32_t>(3, offsetof(ImageEntry, parent), 7), ImageError::bad_parent);
    EXPECT_EQ(with<std::uint32_t>(3, offsetof(ImageEntry, parent), 0), ImageError::bad_parent);
    EXPECT_EQ(with<std::uint32_t>(3, offsetof(ImageEntry, parent), 1), ImageError::bad_parent);
    EXPECT_EQ(with<std::uint64_t>(3, offsetof(ImageEntry, data_offset), 100), ImageError::bad_data);
    EXPECT_EQ(with<std::uint64_t>(3, offsetof(ImageEntry, data_offset), 0), ImageError::bad_data);
    EXPECT_EQ(with<std::uint64_t>(3, offsetof(ImageEntry, data_offset), 0ULL - 4096), ImageError::bad_data);
    EXPECT_EQ(with<std::uint64_t>(3, offsetof(ImageEntry, size), ~0ULL), ImageError::bad_data);
    EXPECT_EQ(with<std::uint64_t>(2, offsetof(ImageEntry, size), 1), ImageError::bad_data);
}

TEST(Image, WriterRefusesBadPaths) {
    for (const char* path : {"a//b", "/a", "a/", "..", "a/../b", "./a"})
        EXPECT_THROW((void)write_image({source(EntryType::file, path, "x")}), std::invalid_argument) << path;
    EXPECT_THROW((void)write_image({source(EntryType::file, "a", ""), source(EntryType::file, "a", "")}),
                 std::invalid_argument);
    EXPECT_THROW((void)write_image({source(EntryType::file, "a", "x"), source(EntryType::file, "a/b", "")}),
                 std::invalid_argument);
    EXPECT_THROW((void)write_image({source(EntryType::file, std::string(300, 'n'), "x")}),
                 std::invalid_argument);
}

TEST(Image, SurvivesRandomDamage) {
    std::mt19937 random(2);
    const auto good = sample();
    const std::size_t tables = sizeof(ImageHeader) + 8 * sizeof(ImageEntry) + 60;
    for (int round = 0; round < 20000; round++) {
        auto bytes = good;
        for (int change = 0; change < 3; change++)
            bytes[random() % tables] = static_cast<std::uint8_t>(random());
        const auto opened = ImageReader::open({bytes.data(), bytes.size()});
        if (!opened)
            continue;
        unsigned sum = 0;
        for (std::uint32_t i = 0; i < opened.value().entry_count(); i++) {
            const ImageNode node = opened.value().entry(i);
            for (std::size_t k = 0; k < node.data.size; k += 64)
                sum += node.data.data[k];
            for (std::size_t k = 0; k < node.path.size; k++)
                sum += static_cast<unsigned char>(node.path[k]);
        }
        EXPECT_LT(sum, ~0U);
    }
}
