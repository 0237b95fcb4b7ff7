// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vfs/tmpfs.hpp"

#include <string>
#include <vector>

#include "bsd-personality/abi/file_records.hpp"
#include "bsd-personality/vfs/namei.hpp"
#include "bsd-personality/vfs/test_platform.hpp"

namespace bsd {
namespace {

using test::view;

struct TmpfsTest : testing::Test, test::Process {
    Tmpfs* mount = Tmpfs::create("/mnt", 4);
    Vnode& root = mount->root();
    ~TmpfsTest() { Tmpfs::destroy(mount); }
    VnodeRef make(Vnode& directory, const char* name, VnodeType type = VnodeType::regular) {
        auto made = directory.create(view(name), type, 0644, *proc.cred);
        EXPECT_TRUE(made.ok()) << name;
        return made.ok() ? made.take() : VnodeRef();
    }
    std::vector<std::string> names(Vnode& directory, std::size_t chunk = 4096) {
        std::vector<std::string> result;
        std::vector<std::byte> buffer(chunk);
        std::int64_t at = 0;
        for (;;) {
            DirentPacker packer(DirentLayout::freebsd, buffer.data(), buffer.size());
            EXPECT_TRUE(directory.read_directory(at, packer).ok());
            if (packer.used() == 0)
                return result;
            for (std::size_t i = 0; i < packer.used();) {
                std::uint16_t length, name_length;
                memcpy(&length, &buffer[i + 16], 2);
                memcpy(&name_length, &buffer[i + 20], 2);
                result.emplace_back(reinterpret_cast<char*>(&buffer[i + 24]), name_length);
                i += length;
            }
            at = packer.next();
        }
    }
    SysResult<void> write(Vnode& file, std::int64_t offset, std::string bytes) {
        Uio uio(bytes.data(), bytes.size());
        return file.write(lwp, uio, offset, 0);
    }
    std::string read(Vnode& file, std::int64_t offset, std::size_t length) {
        std::string bytes(length, '?');
        Uio uio(bytes.data(), length);
        EXPECT_TRUE(file.read(lwp, uio, offset, 0).ok());
        bytes.resize(length - uio.residual());
        return bytes;
    }
};

TEST_F(TmpfsTest, ListsInAnyChunkSize) {
    VnodeRef directory = make(root, "d", VnodeType::directory);
    std::vector<std::string> expected = {".", ".."};
    for (int i = 0; i < 300; i++) {
        expected.push_back("entry" + std::to_string(i));
        make(*directory, expected.back().c_str());
    }
    EXPECT_EQ(names(*directory), expected);
    EXPECT_EQ(names(*directory, 48), expected);
    EXPECT_EQ(names(*directory, 16384), expected);
}

TEST_F(TmpfsTest, ListingSurvivesRemovals) {
    VnodeRef directory = make(root, "d", VnodeType::directory);
    for (int i = 0; i < 20; i++)
        make(*directory, std::to_string(i).c_str());
    std::byte buffer[32 * 8];
    DirentPacker packer(DirentLayout::freebsd, buffer, sizeof buffer);
    ASSERT_TRUE(directory->read_directory(0, packer).ok());
    for (int i = 0; i < 19; i++)
        ASSERT_TRUE(directory->remove(view(std::to_string(i).c_str()), false).ok());
    DirentPacker rest(DirentLayout::freebsd, buffer, sizeof buffer);
    ASSERT_TRUE(directory->read_directory(packer.next(), rest).ok());
    EXPECT_EQ(rest.used(), 32u);
    EXPECT_EQ(directory->remove(view("19"), false).ok(), true);
    EXPECT_EQ(names(*directory).size(), 2u);
}

TEST_F(TmpfsTest, ReadsWhatWasWrittenAcrossPagesAndHoles) {
    VnodeRef file = make(root, "f");
    ASSERT_TRUE(write(*file, 4090, "0123456789abcdef").ok());
    EXPECT_EQ(file->size(), 4106);
    EXPECT_EQ(read(*file, 4088, 100), std::string("\0\0", 2) + "0123456789abcdef");
    ASSERT_TRUE(write(*file, 100000, "x").ok());
    EXPECT_EQ(read(*file, 50000, 3), std::string(3, '\0'));
    ASSERT_TRUE(file->truncate(4093).ok());
    ASSERT_TRUE(file->truncate(4100).ok());
    EXPECT_EQ(read(*file, 4090, 100), std::string("012\0\0\0\0\0\0\0", 10));
    EXPECT_EQ(read(*file, 5000, 10), "");
}

TEST_F(TmpfsTest, RemovedFileLivesWhileOpen) {
    auto before = mount->nodes;
    VnodeRef file = make(root, "f");
    ASSERT_TRUE(write(*file, 0, "still here").ok());
    ASSERT_TRUE(root.remove(view("f"), false).ok());
    EXPECT_EQ(root.lookup(view("f")).error(), Errno::enoent);
    EXPECT_EQ(read(*file, 0, 100), "still here");
    EXPECT_EQ(mount->nodes, before + 1);
    file = {};
    EXPECT_EQ(mount->nodes, before);
}

TEST_F(TmpfsTest, LinksAndUnlinks) {
    VnodeRef file = make(root, "f"), directory = make(root, "d", VnodeType::directory);
    ASSERT_TRUE(directory->link(view("again"), *file).ok());
    Attributes attributes;
    ASSERT_TRUE(file->attributes(attributes).ok());
    EXPECT_EQ(attributes.links, 2u);
    EXPECT_EQ(root.link(view("d2"), *directory).error(), Errno::eperm);
    EXPECT_EQ(root.remove(view("d"), true).error(), Errno::enotempty);
    EXPECT_EQ(root.remove(view("d"), false).error(), Errno::eperm);
    EXPECT_EQ(root.remove(view("f"), true).error(), Errno::enotdir);
    ASSERT_TRUE(directory->remove(view("again"), false).ok());
    ASSERT_TRUE(root.remove(view("d"), true).ok());
    EXPECT_EQ(directory->create(view("x"), VnodeType::regular, 0644, *proc.cred).error(), Errno::enoent);
}

TEST_F(TmpfsTest, Renames) {
    VnodeRef a = make(root, "a", VnodeType::directory), b = make(*a, "b", VnodeType::directory);
    VnodeRef file = make(root, "f"), other = make(root, "g");
    EXPECT_EQ(root.rename(view("a"), *b, view("x")).error(), Errno::einval);
    EXPECT_EQ(root.rename(view("f"), root, view("a")).error(), Errno::eisdir);
    EXPECT_EQ(root.rename(view("a"), root, view("f")).error(), Errno::enotdir);
    EXPECT_EQ(root.rename(view("none"), root, view("f")).error(), Errno::enoent);
    ASSERT_TRUE(root.rename(view("f"), root, view("g")).ok());
    EXPECT_EQ(TRY_VALUE(root.lookup(view("g"))).get(), file.get());
    EXPECT_EQ(root.lookup(view("f")).error(), Errno::enoent);
    ASSERT_TRUE(a->rename(view("b"), root, view("b2")).ok());
    EXPECT_EQ(b->parent().get(), &root);
    EXPECT_EQ(b->name(), view("b2"));
    Attributes attributes;
    ASSERT_TRUE(a->attributes(attributes).ok());
    EXPECT_EQ(attributes.links, 2u);
    VnodeRef empty = make(root, "empty", VnodeType::directory);
    ASSERT_TRUE(root.rename(view("b2"), root, view("empty")).ok());
    EXPECT_EQ(b->name(), view("empty"));
}

TEST_F(TmpfsTest, PacksEntriesOfBothSystems) {
    std::byte buffer[64];
    DirectoryEntry entry{0x1122334455667788, VnodeType::regular, view("name"), 42};
    DirentPacker dragonfly(DirentLayout::dragonfly, buffer, sizeof buffer);
    ASSERT_TRUE(dragonfly.take(entry));
    EXPECT_EQ(dragonfly.used(), 24u);
    EXPECT_EQ(static_cast<int>(buffer[8]), 4);
    EXPECT_EQ(static_cast<int>(buffer[10]), 8);
    EXPECT_STREQ(reinterpret_cast<char*>(buffer + 16), "name");
    DirentPacker old(DirentLayout::freebsd11, buffer, sizeof buffer);
    ASSERT_TRUE(old.take(entry));
    EXPECT_EQ(old.used(), 16u);
    DirentPacker modern(DirentLayout::freebsd, buffer, sizeof buffer);
    ASSERT_TRUE(modern.take(entry));
    EXPECT_EQ(modern.used(), 32u);
    ASSERT_TRUE(modern.take(entry));
    EXPECT_FALSE(modern.take(entry));
    EXPECT_TRUE(modern.refused());
}

} // namespace
} // namespace bsd
