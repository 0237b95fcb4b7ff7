// SPDX-License-Identifier: BSD-2-Clause
// Descriptor tables, pipes and kqueues without threads.
#include "bsd-personality/kern/file.hpp"

#include <string>

#include "bsd-personality/kern/kqueue.hpp"
#include "bsd-personality/kern/pipe.hpp"
#include "bsd-personality/kern/random.hpp"
#include "bsd-personality/kern/sysctl.hpp"
#include "bsd-personality/vfs/test_platform.hpp"

namespace bsd {
namespace {

struct FileTest : testing::Test, test::Process {
    FileTable& files = *proc.files;
    int add(FileRef file, bool close_on_exec = false) {
        auto fd = files.install(std::move(file), close_on_exec);
        return fd.ok() ? fd.take() : -1;
    }
    PipePair make_pipe(std::uint32_t flags = 0) { return TRY_VALUE(create_pipe(flags)); }
    Errno write(File& file, std::string bytes, std::size_t* moved = nullptr) {
        Uio uio(bytes.data(), bytes.size());
        auto result = file.write(lwp, uio, nullptr);
        if (moved)
            *moved = bytes.size() - uio.residual();
        return result.ok() ? Errno{} : result.error();
    }
    std::string read(File& file, std::size_t length, Errno* error = nullptr) {
        std::string bytes(length, '?');
        Uio uio(bytes.data(), length);
        auto result = file.read(lwp, uio, nullptr);
        if (error)
            *error = result.ok() ? Errno{} : result.error();
        bytes.resize(length - uio.residual());
        return bytes;
    }
    KernelEvent event(std::uint64_t ident, std::int16_t filter, std::uint16_t flags, std::uint32_t fflags = 0,
                      std::int64_t data = 0) {
        KernelEvent made;
        made.ident = ident, made.filter = filter, made.flags = flags, made.fflags = fflags, made.data = data;
        return made;
    }
};

TEST_F(FileTest, GivesTheLowestDescriptor) {
    PipePair pair = make_pipe();
    EXPECT_EQ(add(pair.first), 0);
    EXPECT_EQ(add(pair.second), 1);
    EXPECT_EQ(add(pair.first), 2);
    ASSERT_TRUE(files.close(1).ok());
    EXPECT_EQ(files.close(1).error(), Errno::ebadf);
    EXPECT_EQ(TRY_VALUE(files.install(pair.first, false, 100)), 100);
    EXPECT_EQ(add(pair.first), 1);
    EXPECT_EQ(add(pair.first), 3);
    EXPECT_EQ(TRY_VALUE(files.duplicate(0, 50, true)), 50);
    EXPECT_TRUE(files.slot(50)->close_on_exec);
    EXPECT_EQ(files.duplicate(49, 2, false).error(), Errno::ebadf);
    EXPECT_EQ(files.duplicate(0, FileTable::limit, false).error(), Errno::ebadf);
    files.close_on_exec();
    EXPECT_EQ(files.get(50), nullptr);
    EXPECT_EQ(files.end(), 101);
    files.close_range(2, ~0u);
    EXPECT_EQ(files.end(), 2);
    EXPECT_EQ(files.get(-1), nullptr);
    files.set_limit(3);
    EXPECT_EQ(add(pair.first), 2);
    EXPECT_EQ(files.install(pair.first, false).error(), Errno::emfile);
}

TEST_F(FileTest, ForkCopiesAllButKqueues) {
    PipePair pair = make_pipe();
    int a = add(pair.first), queue = add(TRY_VALUE(Kqueue::create(files))), b = add(pair.second, true);
    FileTable* child = files.copy();
    ASSERT_NE(child, nullptr);
    EXPECT_EQ(child->get(a), pair.first.get());
    EXPECT_EQ(child->get(queue), nullptr);
    EXPECT_TRUE(child->slot(b)->close_on_exec);
    EXPECT_EQ(TRY_VALUE(child->install(pair.first, false)), queue);
    EXPECT_EQ(pair.first->references(), 4u);
    child->unref();
    EXPECT_EQ(pair.first->references(), 2u);
}

TEST_F(FileTest, PipeMovesBytesAndEnds) {
    PipePair pair = make_pipe(open_nonblock);
    Errno error;
    EXPECT_EQ(read(*pair.first, 10, &error), "");
    EXPECT_EQ(error, Errno::eagain);
    EXPECT_EQ(write(*pair.second, "hello"), Errno{});
    EXPECT_EQ(read(*pair.first, 3), "hel");
    EXPECT_EQ(write(*pair.second, " world"), Errno{});
    EXPECT_EQ(read(*pair.first, 100), "lo world");
    std::size_t moved = 0;
    EXPECT_EQ(write(*pair.second, std::string(200000, 'x'), &moved), Errno::eagain);
    EXPECT_EQ(moved, Channel::large_size);
    EXPECT_EQ(write(*pair.second, "y", &moved), Errno::eagain);
    EXPECT_EQ(read(*pair.first, 100).size(), 100u);
    EXPECT_EQ(write(*pair.second, std::string(pipe_atomic, 'z'), &moved), Errno::eagain)
        << "writes of PIPE_BUF are not split";
    EXPECT_EQ(moved, 0u);
    EXPECT_EQ(read(*pair.first, 70000).size(), Channel::large_size - 100);
    EXPECT_EQ(write(*pair.first, "back"), Errno{});
    EXPECT_EQ(read(*pair.second, 9), "back") << "pipes go both ways";
    pair.second = {};
    EXPECT_EQ(read(*pair.first, 10, &error), "");
    EXPECT_EQ(error, Errno{});
    EXPECT_EQ(write(*pair.first, "x"), Errno::epipe);
}

TEST_F(FileTest, BlockingPipeWouldSleep) {
    PipePair pair = make_pipe();
    Errno error;
    read(*pair.first, 1, &error);
    EXPECT_EQ(error, Errno::erestart);
    std::size_t moved;
    EXPECT_EQ(write(*pair.second, std::string(70000, 'x'), &moved), Errno::erestart);
    EXPECT_EQ(moved, Channel::large_size);
}

TEST_F(FileTest, KqueueEdgesAndLevels) {
    FileRef file = TRY_VALUE(Kqueue::create(files));
    auto& queue = static_cast<Kqueue&>(*file);
    PipePair pair = make_pipe(open_nonblock);
    auto fd = static_cast<std::uint64_t>(add(pair.first));
    KernelEvent out[4];
    ASSERT_TRUE(queue.change(lwp, event(fd, filter_read, event_add | event_clear)).ok());
    EXPECT_EQ(queue.collect(out, 4), 0u);
    write(*pair.second, "abc");
    ASSERT_EQ(queue.collect(out, 4), 1u);
    EXPECT_EQ(out[0].data, 3);
    EXPECT_EQ(queue.collect(out, 4), 0u) << "an edge is told once";
    write(*pair.second, "d");
    EXPECT_EQ(queue.collect(out, 4), 1u);
    ASSERT_TRUE(queue.change(lwp, event(fd, filter_read, event_delete)).ok());
    EXPECT_EQ(queue.change(lwp, event(fd, filter_read, event_delete)).error(), Errno::enoent);
    ASSERT_TRUE(queue.change(lwp, event(fd, filter_read, event_add)).ok());
    EXPECT_EQ(queue.collect(out, 4), 1u);
    EXPECT_EQ(queue.collect(out, 4), 1u) << "a level is told as long as it holds";
    read(*pair.first, 10);
    EXPECT_EQ(queue.collect(out, 4), 0u);
    pair.second = {};
    ASSERT_EQ(queue.collect(out, 4), 1u);
    EXPECT_TRUE(out[0].flags & event_eof);
    ASSERT_TRUE(files.close(static_cast<int>(fd)).ok());
    EXPECT_EQ(queue.collect(out, 4), 0u) << "closing a descriptor drops its events";
    EXPECT_EQ(queue.change(lwp, event(99, filter_read, event_add)).error(), Errno::ebadf);
    EXPECT_EQ(queue.change(lwp, event(0, -99, event_add)).error(), Errno::einval);
}

TEST_F(FileTest, KqueueUserEvents) {
    FileRef file = TRY_VALUE(Kqueue::create(files));
    auto& queue = static_cast<Kqueue&>(*file);
    KernelEvent out[2];
    // As Go's network poller does to wake itself.
    ASSERT_TRUE(queue.change(lwp, event(1, filter_user, event_add)).ok());
    EXPECT_EQ(queue.collect(out, 2), 0u);
    ASSERT_TRUE(queue.change(lwp, event(1, filter_user, event_enable, note_trigger)).ok());
    ASSERT_EQ(queue.collect(out, 2), 1u);
    EXPECT_EQ(out[0].filter, filter_user);
    EXPECT_EQ(queue.collect(out, 2), 1u) << "stays triggered without EV_CLEAR";
    ASSERT_TRUE(queue.change(lwp, event(1, filter_user, event_disable)).ok());
    EXPECT_EQ(queue.collect(out, 2), 0u);
    ASSERT_TRUE(queue.change(lwp, event(2, filter_user, event_add | event_clear, note_ff_copy | 5)).ok());
    ASSERT_TRUE(queue.change(lwp, event(2, filter_user, 0, note_trigger | note_ff_or | 8)).ok());
    ASSERT_EQ(queue.collect(out, 2), 1u);
    EXPECT_EQ(out[0].fflags, 13u);
    EXPECT_EQ(queue.collect(out, 2), 0u);
}

TEST_F(FileTest, PollersAreWokenOnce) {
    PipePair pair = make_pipe(open_nonblock);
    bool fired = false;
    Poller poller;
    pair.first->events(Direction::read)->attach(poller, fired);
    write(*pair.second, "x");
    write(*pair.second, "x");
    EXPECT_TRUE(fired);
    EXPECT_EQ(test::wakeups(&fired), 1u);
    EventSource::detach(poller);
}

TEST(Random, ChaChaBlockOfZeroKeyIsTheKnownOne) {
    Random zero;
    unsigned char bytes[8];
    zero.fill(bytes, sizeof bytes);
    const unsigned char known[8] = {0x76, 0xb8, 0xe0, 0xad,
                                    0xa0, 0xf1, 0x3d, 0x90}; // RFC 8439, appendix A.1, vector 1
    EXPECT_EQ(memcmp(bytes, known, sizeof known), 0);
    unsigned char next[8];
    zero.fill(next, sizeof next);
    EXPECT_NE(memcmp(bytes, next, sizeof next), 0);
}

TEST(Sysctl, FindsNodesByNameAndNumber) {
    EXPECT_EQ(find_sysctl(AbiKind::freebsd, test::view("kern.tls_extra")), nullptr);
    const SysctlNode* node = find_sysctl(AbiKind::dragonfly, test::view("kern.tls_extra"));
    ASSERT_NE(node, nullptr);
    std::int32_t mib[4] = {1, 37};
    EXPECT_EQ(find_sysctl(AbiKind::dragonfly, mib, 2), node);
    EXPECT_STREQ(find_sysctl(AbiKind::freebsd, mib, 2)->name, "kern.arandom");
    std::int32_t path[4] = {1, 14, 12, -1};
    EXPECT_STREQ(find_sysctl(AbiKind::freebsd, path, 4)->name, "kern.proc");
    std::int32_t deep[3] = {6, 3, 1};
    EXPECT_EQ(find_sysctl(AbiKind::freebsd, deep, 3), nullptr);
    unsigned count = 0;
    std::int32_t at[4] = {0};
    unsigned depth = 1;
    while (const SysctlNode* next = next_sysctl(AbiKind::freebsd, at, depth)) {
        memcpy(at, next->number, sizeof at);
        depth = next->depth;
        ASSERT_LT(++count, 500u);
    }
    EXPECT_GT(count, 80u);
}

} // namespace
} // namespace bsd
