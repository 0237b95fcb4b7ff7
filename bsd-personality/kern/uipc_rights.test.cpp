// SPDX-License-Identifier: BSD-2-Clause
// Descriptors in flight, and sockets that only hold each other.
#include "bsd-personality/kern/uipc_rights.hpp"

#include "bsd-personality/kern/uipc_test.hpp"

namespace bsd {
namespace {

using namespace test;

TEST_F(SocketTest, RightsTravelAndArrive) {
    auto [a, b] = pair(stream);
    PipePair pipe = TRY_VALUE(create_pipe(0));
    int reader = add(pipe.first);
    send(*a, "before");
    ASSERT_EQ(send(*a, "with", rights({reader, reader})), Errno{});
    send(*a, " after");
    ASSERT_EQ(send(*a, "again", rights({reader})), Errno{});
    ASSERT_TRUE(files.close(reader).ok());
    EXPECT_EQ(rights_in_flight(), 3u);
    EXPECT_EQ(receive(*b, 100, msg_peek).bytes, "before");
    EXPECT_EQ(receive(*b, 100, msg_wait_all).bytes, "before") << "stops where control messages lie";
    Received got = receive(*b, 100);
    EXPECT_EQ(got.bytes, "with after");
    ASSERT_EQ(got.controls.rights(), 2u);
    EXPECT_EQ(got.controls.first()->files()[0], pipe.first.get());
    got.controls.discard();
    EXPECT_EQ(receive(*b, 100, 0, false).bytes, "again");
    EXPECT_EQ(pipe.first->references(), 1u) << "nobody wanted it";
}

TEST_F(SocketTest, RightsThatCannotBeSentOrTaken) {
    auto [a, b] = pair(datagram);
    Errno error;
    rights({77}, &error);
    EXPECT_EQ(error, Errno::ebadf);
    int queue = add(TRY_VALUE(Kqueue::create(files)));
    rights({queue}, &error);
    EXPECT_EQ(error, Errno::eopnotsupp);
    int fd = add(a);
    rights(std::vector<int>(255, fd), &error);
    EXPECT_EQ(error, Errno::e2big);
    send(*a, "many", rights(std::vector<int>(254, fd)));
    files.set_limit(100);
    EXPECT_EQ(receive(*b, 10).error, Errno::emsgsize);
    EXPECT_EQ(rights_in_flight(), 0u);
    EXPECT_EQ(receive(*b, 10).bytes, "many");
    std::byte raw[20] = {};
    Controls out;
    EXPECT_EQ(internalize_controls(lwp, raw, 20, out).error(), Errno::einval);
    EXPECT_EQ(internalize_controls(lwp, raw, 8, out).error(), Errno::einval);
    ControlRecord header{~0u, sol_socket, scm_rights};
    memcpy(raw, &header, sizeof header);
    EXPECT_EQ(internalize_controls(lwp, raw, 20, out).error(), Errno::einval);
}

TEST_F(SocketTest, SocketsThatOnlyHoldEachOtherGo) {
    std::uint64_t before = vm::test::free_pages();
    for (int round = 0; round < 200; round++) {
        auto [a, b] = pair(stream);
        int fa = add(a), fb = add(b);
        send(*b, "a in itself", rights({fa}));
        send(*a, "b in itself", rights({fb}));
        a = {}, b = {};
        ASSERT_TRUE(files.close(fa).ok());
        ASSERT_TRUE(files.close(fb).ok());
        ASSERT_EQ(rights_in_flight(), 0u);
    }
    EXPECT_LE(before, vm::test::free_pages() + 64);
}

TEST_F(SocketTest, SocketsInFlightThatSomebodyCanReachStay) {
    auto [a, b] = pair(datagram);
    auto [c, d] = pair(datagram);
    int fb = add(b), fd = add(d);
    send(*a, "b in itself", rights({fb})); // b holds b
    send(*c, "b in d", rights({fb}));      // d holds b
    send(*a, "d in b", rights({fd}));      // b holds d: a ring
    b = {}, d = {};
    ASSERT_TRUE(files.close(fb).ok());
    EXPECT_EQ(rights_in_flight(), 3u) << "d has a descriptor";
    int again = -1;
    {
        Received got = receive(*files.get(fd)->socket(), 10);
        again = add(FileRef(got.controls.first()->files()[0]));
    }
    ASSERT_TRUE(files.close(fd).ok());
    EXPECT_EQ(rights_in_flight(), 2u);
    EXPECT_EQ(receive(*files.get(again)->socket(), 20).bytes, "b in itself");
    ASSERT_TRUE(files.close(again).ok());
    EXPECT_EQ(rights_in_flight(), 0u);
}

TEST_F(SocketTest, ListenersInFlightHoldWhatWaitsForThem) {
    SocketRef server = make(stream), client = make(stream);
    ASSERT_EQ(bind(*server, "/s"), Errno{});
    ASSERT_TRUE(server->listen(lwp, 5).ok());
    ASSERT_EQ(connect(*client, "/s"), Errno{});
    int fd = add(server);
    send(*client, "the listener, to a connection that waits at it", rights({fd}));
    server = {};
    EXPECT_EQ(rights_in_flight(), 1u);
    ASSERT_TRUE(files.close(fd).ok());
    EXPECT_EQ(rights_in_flight(), 0u);
    EXPECT_EQ(send(*client, "x"), Errno::epipe);
}

TEST_F(SocketTest, LongChainsOfSocketsEndWithoutRecursion) {
    int next = -1;
    for (int i = 0; i < 3000; i++) {
        auto [a, b] = pair(datagram);
        if (next >= 0) {
            ASSERT_EQ(send(*a, "x", rights({next})), Errno{});
        }
        int fd = add(b);
        if (next >= 0) {
            ASSERT_TRUE(files.close(next).ok());
        }
        next = fd;
    }
    EXPECT_EQ(rights_in_flight(), 2999u);
    ASSERT_TRUE(files.close(next).ok());
    EXPECT_EQ(rights_in_flight(), 0u);
}

} // namespace
} // namespace bsd
