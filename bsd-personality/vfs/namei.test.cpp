// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vfs/namei.hpp"

#include "bsd-personality/vfs/test_platform.hpp"

namespace bsd {
namespace {

using test::view;

struct NameiTest : testing::Test, test::Process {
    VnodeRef make(Vnode& directory, const char* name, VnodeType type, const char* target = "") {
        auto made = directory.create(view(name), type, 0755, *proc.cred, view(target));
        EXPECT_TRUE(made.ok()) << name;
        return made.ok() ? made.take() : VnodeRef();
    }
    Errno error_of(const char* path, unsigned flags = lookup_follow, int fd = at_fdcwd) {
        LookupResult result;
        auto found = namei(lwp, fd, view(path), flags, result);
        return found.ok() ? Errno{} : found.error();
    }
    Vnode* find(const char* path, unsigned flags = lookup_follow) {
        LookupResult result;
        auto found = namei(lwp, at_fdcwd, view(path), flags, result);
        EXPECT_TRUE(found.ok()) << path;
        return found.ok() ? result.vnode.get() : nullptr;
    }
};

TEST_F(NameiTest, WalksDirectoriesDotsAndSlashes) {
    VnodeRef a = make(*proc.root, "a", VnodeType::directory), b = make(*a, "b", VnodeType::directory);
    VnodeRef file = make(*b, "file", VnodeType::regular);
    EXPECT_EQ(find("/a/b/file"), file.get());
    EXPECT_EQ(find("a//b/./file"), file.get());
    EXPECT_EQ(find("/a/b/../b/file"), file.get());
    EXPECT_EQ(find("/../../a"), a.get());
    EXPECT_EQ(find("/a/b/"), b.get());
    EXPECT_EQ(find("/"), proc.root.get());
    EXPECT_EQ(error_of("/a/b/file/"), Errno::enotdir);
    EXPECT_EQ(error_of("/a/b/file/x"), Errno::enotdir);
    EXPECT_EQ(error_of("/a/nothing/x"), Errno::enoent);
    EXPECT_EQ(error_of(""), Errno::enoent);
    EXPECT_EQ(error_of("/a", lookup_follow, 77), Errno{});
    EXPECT_EQ(error_of("a", lookup_follow, 77), Errno::ebadf);
    std::string longest(name_max + 1, 'x');
    EXPECT_EQ(error_of(longest.c_str()), Errno::enametoolong);
}

TEST_F(NameiTest, FollowsSymbolicLinks) {
    VnodeRef a = make(*proc.root, "a", VnodeType::directory);
    VnodeRef file = make(*a, "file", VnodeType::regular);
    VnodeRef link = make(*a, "link", VnodeType::symlink, "file");
    make(*proc.root, "up", VnodeType::symlink, "a/../a");
    make(*a, "absolute", VnodeType::symlink, "/a/link");
    make(*a, "loop", VnodeType::symlink, "loop");
    make(*a, "dangling", VnodeType::symlink, "nothing");
    EXPECT_EQ(find("/a/link"), file.get());
    EXPECT_EQ(find("/a/link", 0), link.get());
    EXPECT_EQ(find("/up/absolute"), file.get());
    EXPECT_EQ(error_of("/a/loop"), Errno::eloop);
    EXPECT_EQ(error_of("/a/dangling"), Errno::enoent);
    EXPECT_EQ(error_of("/a/link/"), Errno::enotdir);
}

TEST_F(NameiTest, FindsWhereANewNameGoes) {
    VnodeRef a = make(*proc.root, "a", VnodeType::directory);
    make(*a, "dangling", VnodeType::symlink, "../new");
    LookupResult result;
    ASSERT_TRUE(namei(lwp, at_fdcwd, view("/a/fresh/"), lookup_parent, result).ok());
    EXPECT_FALSE(result.vnode);
    EXPECT_EQ(result.directory.get(), a.get());
    EXPECT_EQ(result.name_view(), view("fresh"));
    EXPECT_TRUE(result.wants_directory);
    LookupResult through;
    ASSERT_TRUE(namei(lwp, at_fdcwd, view("/a/dangling"), lookup_parent | lookup_follow, through).ok());
    EXPECT_EQ(through.directory.get(), proc.root.get());
    EXPECT_EQ(through.name_view(), view("new"));
    EXPECT_EQ(error_of("/b/fresh", lookup_parent), Errno::enoent);
}

TEST_F(NameiTest, CrossesMountsBothWays) {
    Vnode* null = find("/dev/null");
    ASSERT_NE(null, nullptr);
    EXPECT_EQ(null->type, VnodeType::character);
    EXPECT_EQ(find("/dev/.."), proc.root.get());
    EXPECT_EQ(find("/dev/fd/../null"), null);
    char path[path_max];
    VnodeRef fd(find("/dev/fd"));
    auto length = directory_path(*proc.root, *fd, path, sizeof path);
    ASSERT_TRUE(length.ok());
    EXPECT_EQ(Text(path, length.value()), view("/dev/fd"));
    EXPECT_EQ(directory_path(*proc.root, *fd, path, 7).error(), Errno::erange);
    EXPECT_TRUE(directory_path(*proc.root, *fd, path, 8).ok());
}

TEST_F(NameiTest, StaysInTheRootAndBeneath) {
    VnodeRef jailed = make(*proc.root, "jail", VnodeType::directory),
             inner = make(*jailed, "in", VnodeType::directory);
    make(*inner, "out", VnodeType::symlink, "../../..");
    make(*inner, "abs", VnodeType::symlink, "/in");
    EXPECT_EQ(error_of("jail/..", lookup_beneath), Errno{});
    EXPECT_EQ(error_of("..", lookup_beneath), Errno::enotcapable);
    EXPECT_EQ(error_of("/jail", lookup_beneath), Errno::enotcapable);
    proc.root = jailed;
    proc.cwd = inner;
    EXPECT_EQ(find("out"), jailed.get());
    EXPECT_EQ(find("abs"), inner.get());
    EXPECT_EQ(find("/.."), jailed.get());
}

TEST_F(NameiTest, ChecksPermissions) {
    VnodeRef a = make(*proc.root, "a", VnodeType::directory), b = make(*a, "b", VnodeType::directory);
    AttributeChange change;
    change.fields = AttributeChange::mode_field;
    change.mode = 0700;
    ASSERT_TRUE(a->change(change).ok());
    EXPECT_EQ(find("/a/b"), b.get());
    proc.cred->uid = 7;
    EXPECT_EQ(error_of("/a/b"), Errno::eacces);
    EXPECT_EQ(open_path(lwp, at_fdcwd, view("/new"), open_write_only | open_create, 0644).error(),
              Errno::eacces);
    auto made = open_path(lwp, at_fdcwd, view("/tmp/new"), open_write_only | open_create, 0666);
    ASSERT_TRUE(made.ok());
    Attributes attributes;
    ASSERT_TRUE(made.value()->attributes(lwp, attributes).ok());
    EXPECT_EQ(attributes.mode, 0644);
    EXPECT_EQ(attributes.uid, 7u);
}

TEST_F(NameiTest, OpenRefuses) {
    make(*proc.root, "dir", VnodeType::directory);
    make(*proc.root, "file", VnodeType::regular);
    make(*proc.root, "link", VnodeType::symlink, "file");
    auto error = [&](const char* path, std::uint32_t flags) {
        return open_path(lwp, at_fdcwd, view(path), flags, 0644).error();
    };
    EXPECT_EQ(error("/dir", open_write_only), Errno::eisdir);
    EXPECT_EQ(error("/file", open_directory), Errno::enotdir);
    EXPECT_EQ(error("/file", open_create | open_exclusive | open_read_write), Errno::eexist);
    EXPECT_EQ(error("/link", open_no_follow), Errno::emlink);
    EXPECT_EQ(error("/file", 3), Errno::einval);
    EXPECT_EQ(error("/nothing", open_read_only), Errno::enoent);
    EXPECT_EQ(error("/dev/new", open_write_only | open_create), Errno::erofs);
}

// /dev/fd/N has the attributes of what N has open: of another such node, or of itself, it would ask for ever.
TEST_F(NameiTest, DescriptorsOfDescriptorsHaveAnEnd) {
    ASSERT_NE(lwkt::current(), nullptr);
    lwkt::current()->owner = &lwp;
    for (const char* path : {"/dev/fd/0", "/dev/fd/1", "/dev/fd/0"}) { // 0 is itself, 1 is itself, 2 is 0
        auto file = open_path(lwp, at_fdcwd, view(path), open_read_only | open_path_only, 0);
        ASSERT_TRUE(file.ok());
        ASSERT_TRUE(proc.files->install(file.take(), false).ok());
    }
    for (int fd = 0; fd < 3; fd++) {
        Attributes attributes;
        EXPECT_TRUE(proc.files->find(fd).value()->attributes(lwp, attributes).ok());
        EXPECT_EQ(attributes.type, VnodeType::character);
    }
    lwkt::current()->owner = nullptr;
}

} // namespace
} // namespace bsd
