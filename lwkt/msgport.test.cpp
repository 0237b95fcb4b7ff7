// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/test_support.hpp"

using namespace lwkt;
using lwkt::test::Group;
using lwkt::test::run;

namespace {

LWKT_ON_1_2_4(Ports);

constexpr std::int32_t quit = -1;

// A server that answers argument + 1 until told to quit.
struct Server {
    Port* port = nullptr;
    std::atomic<bool> ready{false};

    void main() {
        Port own(current());
        port = &own;
        ready = true;
        wakeup(this);
        for (;;) {
            Message* message = own.wait();
            bool last = message->command == quit;
            message->result[0] = message->argument[0] + 1;
            reply(*message, 0);
            if (last)
                return;
        }
    }
    void wait_ready() {
        while (!ready) {
            tsleep_interlock(this, 0);
            if (!ready)
                (void)tsleep(this, sleep_interlocked, "server");
            else
                tsleep_remove();
        }
    }
    void stop() {
        Message message;
        message.command = quit;
        EXPECT_EQ(port->domsg(message), 0);
    }
};

TEST_P(Ports, SynchronousFromAllCores) {
    run(GetParam(), [&] {
        Group group;
        Server server;
        group.spawn(GetParam() - 1, [&] { server.main(); });
        server.wait_ready();
        {
            Group clients;
            for (unsigned i = 0; i < 6; ++i)
                clients.spawn(i % GetParam(), [&, i] {
                    for (std::uint64_t n = 0; n < 300; ++n) {
                        Message message;
                        message.argument[0] = n * 100 + i;
                        EXPECT_EQ(server.port->domsg(message), 0);
                        EXPECT_EQ(message.result[0], n * 100 + i + 1);
                    }
                });
        }
        server.stop();
    });
}

// Several messages under way at once; replies come back in order, because one server answers them in order.
TEST_P(Ports, AsynchronousInOrder) {
    run(GetParam(), [&] {
        Group group;
        Server server;
        group.spawn(GetParam() - 1, [&] { server.main(); });
        server.wait_ready();
        Port replies(current());
        constexpr unsigned window = 8;
        Message messages[window];
        for (std::uint64_t n = 0; n < 400; ++n) {
            Message* message = &messages[n % window];
            if (n >= window) {
                Message* done = replies.wait();
                EXPECT_EQ(done, message);
                EXPECT_TRUE(done->done());
                EXPECT_EQ(done->result[0], n - window + 1);
            }
            message->reply_port = &replies;
            message->argument[0] = n;
            server.port->send(*message);
        }
        EXPECT_EQ(replies.wait_message(messages[window - 1]), 0); // out of order, by name
        for (unsigned n = 0; n + 1 < window; ++n)
            EXPECT_EQ(replies.wait(), &messages[n]);
        EXPECT_EQ(replies.poll(), nullptr);
        server.stop();
    });
}

TEST(PortOne, BeginFunctionMayCompleteAtOnce) {
    run(1, [] {
        Port port(current(), [](Port& p, Message& message) -> std::int32_t {
            if (message.command == 1)
                return 42;
            p.put(message);
            return message_asynchronous;
        });
        Port replies(current());
        Message now, later;
        now.command = 1;
        EXPECT_EQ(port.domsg(now), 42);
        now.reply_port = later.reply_port = &replies;
        port.send(now);
        EXPECT_EQ(replies.poll(), &now);
        EXPECT_EQ(now.error, 42);
        port.send(later);
        EXPECT_FALSE(later.done());
        EXPECT_EQ(replies.poll(), nullptr);
        EXPECT_EQ(port.poll(), &later);
        reply(later, 7);
        EXPECT_EQ(replies.wait_message(later), 7);
    });
}

TEST(PortOne, WaitEndsAtTheDeadline) {
    run(1, [] {
        Port port(current());
        EXPECT_EQ(port.wait(Nanoseconds{0}), nullptr);
        EXPECT_EQ(port.wait(glue::Clock::now() + Nanoseconds{1'000'000}), nullptr);
        Message message;
        port.put(message);
        EXPECT_EQ(port.wait(Nanoseconds{0}), &message);
    });
}

} // namespace
