// SPDX-License-Identifier: BSD-2-Clause
#include "cli/image_directory.hpp"
#include "cli/error.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace cli;
namespace fs = std::filesystem;

namespace {
std::string text(std::span<const std::uint8_t> bytes) {
    return {bytes.begin(), bytes.end()};
}
} // namespace

TEST(ImageDirectory, LoadsFilesAndFollowsLinks) {
    const fs::path root = fs::path(::testing::TempDir()) / "libelle-image-test";
    fs::remove_all(root);
    fs::create_directories(root / "usr/bin");
    std::ofstream(root / "usr/bin/tool") << "tool";
    fs::create_symlink("usr/bin", root / "bin");
    fs::create_symlink("/bin/tool", root / "usr/bin/other");
    fs::create_symlink("loop", root / "loop");
    const auto image = load_image(root);
    EXPECT_EQ(text(image_file(image, "/bin/tool")), "tool");
    EXPECT_EQ(text(image_file(image, "bin/other")), "tool");
    EXPECT_EQ(text(image_file(image, "/usr/../bin/./tool")), "tool");
    EXPECT_THROW((void)image_file(image, "/bin/none"), UserError);
    EXPECT_THROW((void)image_file(image, "/loop"), UserError);
    EXPECT_THROW((void)image_file(image, "/usr"), UserError);
    const auto reader = proto::ImageReader::open({image.data(), image.size()});
    ASSERT_TRUE(reader);
    std::uint32_t index = 0;
    EXPECT_TRUE(reader.value().find("dev", index));
    ASSERT_TRUE(reader.value().find("tmp", index));
    EXPECT_EQ(reader.value().entry(index).mode, 01777U);
    std::ofstream(root / "image", std::ios::binary)
        .write(reinterpret_cast<const char*>(image.data()), static_cast<std::streamsize>(image.size()));
    EXPECT_EQ(load_image(root / "image"), image);
    EXPECT_THROW((void)load_image(root / "nowhere"), UserError);
    EXPECT_THROW((void)load_image(root / "usr/bin/tool"), UserError);
    fs::remove_all(root);
}
