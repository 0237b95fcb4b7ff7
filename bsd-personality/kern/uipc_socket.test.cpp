// SPDX-License-Identifier: BSD-2-Clause
// Local sockets: connections, transfers, options, events.
#include "bsd-personality/kern/uipc_test.hpp"

namespace bsd {
namespace {

using namespace test;

TEST_F(SocketTest, OtherDomainsAreRefusedAsBothSystemsDo) {
    EXPECT_EQ(Socket::create(lwp, 2, stream, 6).error(), Errno::eafnosupport);
    EXPECT_EQ(Socket::create(lwp, af_local, 3, 0).error(), Errno::eprototype);
    EXPECT_EQ(Socket::create(lwp, af_local, stream, 6).error(), Errno::eprotonosupport);
    EXPECT_TRUE(Socket::create(lwp, af_local, stream, 1).ok());
}

TEST_F(SocketTest, StreamsHaveNoBoundaries) {
    auto [a, b] = pair(stream);
    EXPECT_EQ(receive(*b, 10).error, Errno::eagain);
    EXPECT_EQ(send(*a, "hello "), Errno{});
    EXPECT_EQ(send(*a, "world"), Errno{});
    EXPECT_EQ(receive(*b, 3, msg_peek).bytes, "hel");
    EXPECT_EQ(receive(*b, 100).bytes, "hello world");
    EXPECT_EQ(send(*b, "back"), Errno{});
    EXPECT_EQ(receive(*a, 2).bytes, "ba");
    EXPECT_EQ(receive(*a, 9, msg_wait_all).bytes, "ck");
    EXPECT_EQ(send(*a, "x", {}, nullptr, msg_end_of_record), Errno::einval);
    EXPECT_EQ(send(*a, "x", {}, nullptr, msg_oob), Errno::eopnotsupp);
}

TEST_F(SocketTest, StreamTakesAsMuchAsTheSendersLimit) {
    auto [a, b] = pair(stream);
    std::size_t moved = 0;
    EXPECT_EQ(send(*a, std::string(200000, 'x'), {}, nullptr, 0, &moved), Errno::eagain);
    EXPECT_EQ(moved, 65536u);
    EXPECT_FALSE(a->readiness(Direction::write).ready);
    EXPECT_EQ(receive(*b, 1000).bytes.size(), 1000u);
    EXPECT_EQ(send(*a, std::string(3000, 'x'), {}, nullptr, 0, &moved), Errno::eagain)
        << "below the low-water mark";
    EXPECT_EQ(receive(*b, 64000).bytes.size(), 64000u);
    EXPECT_TRUE(a->readiness(Direction::write).ready);
    EXPECT_EQ(receive(*b, 64000).bytes.size(), 536u);
    OptionValue value;
    value.set(std::int32_t{300000});
    ASSERT_TRUE(a->set(lwp, sol_socket, 0x1001, value).ok());
    EXPECT_EQ(send(*a, std::string(300000, 'y')), Errno{});
    EXPECT_EQ(receive(*b, 400000).bytes, std::string(300000, 'y'));
    value.set(std::int32_t{3000000});
    EXPECT_EQ(a->set(lwp, sol_socket, 0x1001, value).error(), Errno::enobufs);
}

TEST_F(SocketTest, WhatBlocksCanBeInterrupted) {
    auto [a, b] = pair(stream, false);
    EXPECT_EQ(receive(*b, 1).error, Errno::erestart);
    EXPECT_EQ(receive(*b, 1, msg_dont_wait).error, Errno::eagain);
    std::size_t moved = 0;
    EXPECT_EQ(send(*a, std::string(70000, 'x'), {}, nullptr, 0, &moved), Errno::erestart);
    EXPECT_EQ(moved, 65536u);
    EXPECT_EQ(receive(*b, 70000, msg_wait_all).error, Errno::erestart);
    EXPECT_EQ(receive(*b, 70000, msg_wait_all | msg_dont_wait).error, Errno::eagain);
}

TEST_F(SocketTest, OneTransferAtATime) {
    TransferLock lock;
    ASSERT_TRUE(lock.acquire(lwp, true).ok());
    EXPECT_EQ(lock.acquire(lwp, false).error(), Errno::eagain);
    EXPECT_EQ(lock.acquire(lwp, true).error(), Errno::erestart);
    lock.release(); // and nobody who gave up gets it
    EXPECT_FALSE(lock.taken());
}

TEST_F(SocketTest, EndsOfAConnection) {
    auto [a, b] = pair(stream);
    send(*a, "last");
    ASSERT_TRUE(a->shutdown(1).ok());
    EXPECT_EQ(send(*a, "more"), Errno::epipe);
    Readiness now = b->readiness(Direction::read);
    EXPECT_TRUE(now.ready && now.eof && !now.hangup);
    EXPECT_EQ(now.amount, 4);
    EXPECT_EQ(receive(*b, 10).bytes, "last");
    EXPECT_EQ(receive(*b, 10).error, Errno{});
    EXPECT_EQ(send(*b, "other way"), Errno{});
    EXPECT_EQ(b->shutdown(3).error(), Errno::einval);
    a = {};
    EXPECT_TRUE(b->readiness(Direction::read).hangup);
    EXPECT_EQ(send(*b, "x"), Errno::epipe);
    EXPECT_EQ(b->shutdown(2).error(), Errno::enotconn);
    auto [c, d] = pair(stream);
    send(*c, "unread");
    ASSERT_TRUE(d->shutdown(0).ok());
    EXPECT_EQ(receive(*d, 10).bytes, "");
    EXPECT_EQ(send(*c, "x"), Errno::epipe);
}

TEST_F(SocketTest, MessagesKeepTheirBoundaries) {
    for (std::uint32_t type : {datagram, sequenced}) {
        auto [a, b] = pair(type);
        EXPECT_EQ(send(*a, "one"), Errno{});
        EXPECT_EQ(send(*a, "", {}), Errno{});
        EXPECT_EQ(send(*a, "three", {}, nullptr, msg_end_of_record), Errno{});
        EXPECT_EQ(receive(*b, 2, msg_peek).flags & msg_truncated, std::uint32_t{msg_truncated});
        Received got = receive(*b, 10);
        EXPECT_EQ(got.bytes, "one");
        EXPECT_EQ(got.from.length, 16);
        EXPECT_FALSE(got.flags & msg_truncated);
        got = receive(*b, 10);
        EXPECT_EQ(got.error, Errno{});
        EXPECT_EQ(got.bytes, "");
        got = receive(*b, 10);
        EXPECT_EQ(got.bytes, "three");
        EXPECT_TRUE(got.flags & msg_end_of_record);
        send(*a, "a long one");
        send(*a, "next");
        got = receive(*b, 6);
        EXPECT_EQ(got.bytes, "a long");
        EXPECT_TRUE(got.flags & msg_truncated);
        EXPECT_EQ(receive(*b, 6).bytes, "next");
        EXPECT_EQ(send(*a, std::string(8193, 'x')), Errno::emsgsize);
        EXPECT_EQ(send(*a, std::string(8192, 'x')), Errno{});
        EXPECT_EQ(receive(*b, 8192).bytes.size(), 8192u);
    }
}

TEST_F(SocketTest, EmptyMessagesAreNotFree) {
    for (std::uint32_t type : {datagram, sequenced}) {
        auto [a, b] = pair(type);
        unsigned count = 0;
        while (send(*a, "") == Errno{})
            ASSERT_LT(++count, 5000u);
        EXPECT_GT(count, 100u);
        EXPECT_EQ(send(*a, ""), Errno::eagain);
        a->flags &= ~std::uint32_t{open_nonblock};
        EXPECT_EQ(send(*a, ""), type == datagram ? Errno::enobufs : Errno::erestart);
    }
}

TEST_F(SocketTest, DatagramsFindTheirReceiver) {
    SocketRef server = make(datagram), client = make(datagram);
    EXPECT_EQ(send(*client, "x"), Errno::enotconn);
    EXPECT_EQ(send(*client, "x", {}, "/s"), Errno::enoent);
    ASSERT_EQ(bind(*server, "/s"), Errno{});
    EXPECT_EQ(bind(*server, "/s2"), Errno::einval);
    EXPECT_EQ(bind(*client, "/s"), Errno::eaddrinuse);
    EXPECT_EQ(send(*client, "anonymous", {}, "/s"), Errno{});
    ASSERT_EQ(bind(*client, "/c"), Errno{});
    EXPECT_EQ(path_in(client->local_name()), "/c");
    EXPECT_EQ(send(*client, "named", {}, "/s"), Errno{});
    EXPECT_EQ(receive(*server, 20).from.length, 16);
    Received got = receive(*server, 20);
    EXPECT_EQ(path_in(got.from), "/c");
    ASSERT_EQ(connect(*client, "/s"), Errno{});
    EXPECT_EQ(send(*client, "x", {}, "/s"), Errno::eisconn);
    EXPECT_EQ(send(*client, "connected"), Errno{});
    EXPECT_EQ(path_in(client->peer_name()), "/s");
    EXPECT_EQ(receive(*server, 20).bytes, "connected");
    EXPECT_EQ(server->listen(lwp, 1).error(), Errno::eopnotsupp);
    server = {};
    EXPECT_EQ(send(*client, "x"), Errno::econnreset);
    EXPECT_EQ(send(*client, "x"), Errno::enotconn);
    EXPECT_EQ(connect(*client, "/s"), Errno::econnrefused) << "the name outlives the socket";
    SocketRef other = make(stream);
    EXPECT_EQ(connect(*other, "/c"), Errno::eprototype);
}

TEST_F(SocketTest, ConnectionsWaitToBeAccepted) {
    SocketRef server = make(stream), client = make(stream);
    EXPECT_EQ(server->listen(lwp, 2).error(), Errno::edestaddrreq);
    ASSERT_EQ(bind(*server, "/s"), Errno{});
    EXPECT_EQ(connect(*client, "/s"), Errno::econnrefused);
    EXPECT_EQ(server->accept(lwp, false).error(), Errno::einval);
    ASSERT_TRUE(server->listen(lwp, 2).ok());
    EXPECT_EQ(server->accept(lwp, false).error(), Errno::eagain);
    EXPECT_EQ(server->accept(lwp, true).error(), Errno::erestart);
    EXPECT_FALSE(server->readiness(Direction::read).ready);
    ASSERT_EQ(connect(*client, "/s"), Errno{});
    EXPECT_EQ(connect(*client, "/s"), Errno::eisconn);
    EXPECT_EQ(connect(*server, "/s"), Errno::eopnotsupp);
    EXPECT_EQ(server->readiness(Direction::read).amount, 1);
    EXPECT_EQ(send(*client, "early"), Errno{});
    SocketRef end = TRY_VALUE(server->accept(lwp, false));
    EXPECT_EQ(receive(*end, 10).bytes, "early");
    EXPECT_EQ(path_in(end->local_name()), "/s");
    EXPECT_EQ(path_in(client->peer_name()), "/s");
    EXPECT_EQ(end->peer_name().length, 16);
    // Half as many again as the backlog, and one, as in both systems.
    std::vector<SocketRef> more;
    for (int i = 0; i < 4; i++) {
        more.push_back(make(stream));
        EXPECT_EQ(connect(*more.back(), "/s"), Errno{});
    }
    SocketRef late = make(stream);
    EXPECT_EQ(connect(*late, "/s"), Errno::econnrefused);
    server->accept_later(TRY_VALUE(server->accept(lwp, false)));
    EXPECT_EQ(server->readiness(Direction::read).amount, 4);
    EXPECT_EQ(receive(*server, 1).error, Errno::enotconn);
    server = {};
    EXPECT_EQ(receive(*more[0], 1).error, Errno::econnreset);
    EXPECT_EQ(receive(*more[0], 1).bytes, "");
    EXPECT_EQ(send(*client, "still there"), Errno{});
    EXPECT_EQ(receive(*end, 20).bytes, "still there");
}

TEST_F(SocketTest, NamesNeedPermission) {
    SocketRef server = make(stream), client = make(stream);
    proc.umask = 077;
    ASSERT_EQ(bind(*server, "/s"), Errno{});
    ASSERT_TRUE(server->listen(lwp, 2).ok());
    proc.cred->uid = 5;
    EXPECT_EQ(connect(*client, "/s"), Errno::eacces);
    EXPECT_EQ(bind(*client, "/c"), Errno::eacces);
    proc.cred->uid = 0;
    EXPECT_EQ(connect(*client, "/"), Errno::enotsock);
    EXPECT_EQ(bind(*client, ""), Errno::einval);
    EXPECT_EQ(bind(*client, "/no/where"), Errno::enoent);
    SocketName internet;
    internet.length = 16;
    internet.family = 2;
    EXPECT_EQ(client->connect(lwp, at_fdcwd, internet, true).error(), Errno::eafnosupport);
}

TEST_F(SocketTest, OptionsAnswer) {
    auto [a, b] = pair(stream);
    OptionValue value;
    ASSERT_TRUE(a->get(lwp, sol_socket, 0x1008, value).ok());
    EXPECT_EQ(TRY_VALUE(value.get<std::int32_t>()), 1);
    EXPECT_EQ(a->get(lwp, sol_socket, 0x7777, value).error(), Errno::enoprotoopt);
    EXPECT_EQ(a->get(lwp, sol_socket, 0x1011, value).error(), Errno::einval);
    value.length = 3;
    EXPECT_EQ(a->set(lwp, sol_socket, 0x1001, value).error(), Errno::einval);
    value.set(std::int32_t{0});
    EXPECT_EQ(a->set(lwp, sol_socket, 0x1001, value).error(), Errno::einval);
    EXPECT_EQ(a->set(lwp, sol_socket, 2, value).error(), Errno::enoprotoopt);
    value.set(std::int32_t{1});
    ASSERT_TRUE(a->set(lwp, sol_socket, so_no_signal, value).ok());
    EXPECT_TRUE(a->flags & open_no_sigpipe);
    struct {
        std::int64_t seconds, microseconds;
    } time{1, 1000000};
    value.set(time);
    EXPECT_EQ(a->set(lwp, sol_socket, 0x1006, value).error(), Errno::edom);
    ASSERT_TRUE(a->get(lwp, 0, local_peer_credentials, value).ok());
    EXPECT_EQ(value.length, 88u);
    EXPECT_EQ(a->get(lwp, 5, local_peer_credentials, value).error(), Errno::einval);
    SocketRef alone = make(stream);
    EXPECT_EQ(alone->get(lwp, 0, local_peer_credentials, value).error(), Errno::enotconn);
}

TEST_F(SocketTest, ReceiversHearWhoSends) {
    auto [a, b] = pair(stream);
    OptionValue on;
    on.set(std::int32_t{1});
    ASSERT_TRUE(b->set(lwp, 0, local_credentials, on).ok());
    EXPECT_EQ(b->set(lwp, 0, local_credentials_persistent, on).error(), Errno::einval);
    proc.cred->ruid = 7;
    send(*a, "x");
    send(*a, "y");
    Received got = receive(*b, 10);
    ASSERT_FALSE(got.controls.empty());
    EXPECT_EQ(got.controls.first()->type, scm_creds);
    EXPECT_EQ(got.controls.first()->length, 24u);
    std::uint32_t uid;
    memcpy(&uid, got.controls.first()->bytes(), 4);
    EXPECT_EQ(uid, 7u);
    EXPECT_EQ(got.bytes, "xy") << "once a connection";
    ASSERT_TRUE(b->set(lwp, 0, local_credentials_persistent, on).ok());
    send(*a, "x");
    send(*a, "y");
    got = receive(*b, 10);
    EXPECT_EQ(got.bytes, "x");
    EXPECT_EQ(got.controls.first()->type, scm_creds2);
    EXPECT_EQ(got.controls.first()->length, 32u);
}

TEST_F(SocketTest, EventsTellOfChanges) {
    auto [a, b] = pair(stream);
    FileRef file = TRY_VALUE(Kqueue::create(files));
    auto& queue = static_cast<Kqueue&>(*file);
    auto fd = static_cast<std::uint64_t>(add(b));
    auto watch = [&](std::int16_t filter) {
        KernelEvent change;
        change.ident = fd, change.filter = filter, change.flags = event_add | event_clear;
        EXPECT_TRUE(queue.change(lwp, change).ok());
    };
    watch(filter_read);
    watch(filter_write);
    KernelEvent out[4];
    ASSERT_EQ(queue.collect(out, 4), 1u);
    EXPECT_EQ(out[0].filter, filter_write);
    EXPECT_EQ(out[0].data, 65536);
    send(*a, "abc");
    ASSERT_EQ(queue.collect(out, 4), 1u);
    EXPECT_EQ(out[0].data, 3);
    a = {};
    ASSERT_EQ(queue.collect(out, 4), 2u);
    EXPECT_TRUE((out[0].flags & event_eof) && (out[1].flags & event_eof));
    ASSERT_TRUE(files.close(static_cast<int>(fd)).ok());
}

} // namespace
} // namespace bsd
