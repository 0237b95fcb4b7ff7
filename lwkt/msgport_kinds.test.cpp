// SPDX-License-Identifier: BSD-2-Clause
// Ports that are not a thread's, and messages that do not simply go there and back.
#include "lwkt/test_support.hpp"

using namespace lwkt;
using lwkt::test::Group;
using lwkt::test::next_random;
using lwkt::test::run;

namespace {

LWKT_ON_1_2_4(PortKinds);

constexpr std::int32_t quit = -77;

TEST_P(PortKinds, SpinPortServesSeveralReceivers) {
    constexpr unsigned clients = 6, servers = 3;
    constexpr std::uint64_t rounds = 200;
    std::atomic<long> served{0};
    run(GetParam(), [&] {
        Port port = Port::spin();
        Group server_threads;
        for (unsigned i = 0; i < servers; ++i)
            server_threads.spawn(i % GetParam(), [&] {
                for (;;) {
                    Message* message = port.wait();
                    bool last = message->command == quit;
                    message->result[0] = message->argument[0] * 2;
                    served += !last;
                    reply(*message, 5);
                    if (last)
                        return;
                }
            });
        {
            Group client_threads;
            for (unsigned i = 0; i < clients; ++i)
                client_threads.spawn(i % GetParam(), [&, i] {
                    for (std::uint64_t n = 0; n < rounds; ++n) {
                        Message message;
                        message.argument[0] = n * 8 + i;
                        EXPECT_EQ(port.domsg(message), 5);
                        EXPECT_EQ(message.result[0], (n * 8 + i) * 2);
                    }
                });
        }
        for (unsigned i = 0; i < servers; ++i) {
            Message last;
            last.command = quit;
            EXPECT_EQ(port.domsg(last), 5);
        }
        server_threads.wait();
        EXPECT_EQ(port.poll(), nullptr);
    });
    EXPECT_EQ(served, clients * rounds);
}

// A spin port as reply port: whoever is there takes the replies.
TEST_P(PortKinds, RepliesAtASpinPort) {
    run(GetParam(), [&] {
        Port replies = Port::spin();
        std::atomic<Port*> server{nullptr};
        Group group;
        group.spawn(GetParam() - 1, [&] {
            Port own(current());
            server = &own;
            wakeup(&server);
            for (bool last = false; !last;) {
                Message* message = own.wait();
                last = message->command == quit;
                reply(*message, message->command);
            }
        });
        while (server == nullptr) {
            tsleep_interlock(&server, 0);
            if (server == nullptr)
                (void)tsleep(&server, sleep_interlocked, "server");
        }
        tsleep_remove();
        Message messages[4];
        for (unsigned round = 0; round < 100; ++round) {
            for (Message& message : messages) {
                message.reply_port = &replies;
                message.command = 3;
                server.load()->send(message);
            }
            EXPECT_EQ(replies.wait_message(messages[2]), 3);
            EXPECT_EQ(replies.wait(), &messages[0]);
            EXPECT_EQ(replies.wait(glue::Clock::now() + Nanoseconds{1'000'000'000'000}), &messages[1]);
            EXPECT_EQ(replies.wait(), &messages[3]);
            EXPECT_EQ(replies.wait(Nanoseconds{1}), nullptr);
        }
        Message last;
        last.command = quit;
        EXPECT_EQ(server.load()->domsg(last), quit);
    });
}

TEST(PortKindsOne, PutOnlyAndReplyOnlyCallTheirFunctions) {
    run(1, [] {
        std::vector<Message*> put, replied;
        auto note = [](Port& port, Message& message) {
            static_cast<std::vector<Message*>*>(port.argument())->push_back(&message);
        };
        Port target = Port::put_only(note, &put);
        Port replies = Port::reply_only(note, &replied);
        Message a, b;
        a.reply_port = b.reply_port = &replies;
        target.send(a);
        target.send(b);
        EXPECT_EQ(put, (std::vector<Message*>{&a, &b}));
        EXPECT_TRUE(replied.empty());
        reply(b, 9);
        EXPECT_EQ(replied, (std::vector<Message*>{&b}));
        EXPECT_EQ(b.error, 9);
        reply(a, 0);
        EXPECT_EQ(replied.size(), 2u);
    });
}

TEST(PortKindsOne, ANullPortForgetsTheReply) {
    run(1, [] {
        Port target(current());
        Port nobody = Port::null();
        Message message;
        message.reply_port = &nobody;
        target.send(message);
        EXPECT_EQ(target.wait(), &message);
        EXPECT_FALSE(message.done());
        reply(message, 4);
        EXPECT_TRUE(message.done());
        EXPECT_EQ(message.error, 4);
    });
}

TEST(PortKindsDeathTest, NullPortsTakeNoMessages) {
    EXPECT_DEATH(run(1,
                     [] {
                         Port nobody = Port::null();
                         Message message;
                         nobody.send(message);
                     }),
                 "panic: is_reply");
}

TEST(PortKindsDeathTest, OnlyTheOwnerReceives) {
    EXPECT_DEATH(run(1,
                     [] {
                         Port port(current());
                         Group group;
                         group.spawn(0, [&] { (void)port.wait(); });
                         group.wait();
                     }),
                 "panic: current\\(\\) == owner_");
}

// Three servers in a row; the last one replies straight to the sender.
TEST_P(PortKinds, ForwardedAlongAChain) {
    run(GetParam(), [&] {
        std::atomic<Port*> ports[3] = {};
        std::atomic<int> ready{0};
        Group group;
        for (unsigned i = 0; i < 3; ++i)
            group.spawn(i % GetParam(), [&, i] {
                Port own(current());
                ports[i] = &own;
                ready++;
                wakeup(&ready);
                for (bool last = false; !last;) {
                    Message* message = own.wait();
                    last = message->command == quit;
                    message->argument[0] = message->argument[0] * 10 + i + 1;
                    message->result[0] = message->argument[0];
                    if (i < 2)
                        forward(*message, *ports[i + 1]);
                    else
                        reply(*message, 1);
                }
            });
        for (;;) {
            tsleep_interlock(&ready, 0);
            if (ready == 3)
                break;
            (void)tsleep(&ready, sleep_interlocked, "ready");
        }
        tsleep_remove();
        for (int n = 0; n < 200; ++n) {
            Message message;
            EXPECT_EQ(ports[0].load()->domsg(message), 1);
            EXPECT_EQ(message.result[0], 123u);
        }
        Message last;
        last.command = quit;
        EXPECT_EQ(ports[0].load()->domsg(last), 1);
    });
}

TEST(PortKindsOne, AbortTakesAQueuedMessageBack) {
    run(1, [] {
        Port target(current()), replies(current());
        Port spin = Port::spin();
        for (Port* port : {&target, &spin}) {
            Message first, second;
            first.reply_port = second.reply_port = &replies;
            port->send(first);
            port->send(second);
            abort(first);
            EXPECT_EQ(replies.wait_message(first), message_aborted);
            EXPECT_EQ(port->poll(), &second);
            EXPECT_FALSE(second.aborted());
            abort(second); // the receiver has it, and may still serve it
            EXPECT_TRUE(second.aborted());
            EXPECT_FALSE(second.done());
            reply(second, 3);
            EXPECT_EQ(replies.wait_message(second), 3);
            abort(second); // too late
            EXPECT_EQ(second.error, 3);
        }
    });
}

TEST(PortKindsOne, AbortCallsTheReceiversFunction) {
    run(1, [] {
        Port target(current()), replies(current());
        Message message;
        message.reply_port = &replies;
        target.send(message);
        ASSERT_EQ(target.poll(), &message);
        message.abort_function = [](Message& m) { reply(m, 8); };
        abort(message);
        EXPECT_EQ(replies.wait_message(message), 8);
    });
}

TEST(PortKindsOne, DropTakesOutOfTurn) {
    run(1, [] {
        Port target(current());
        Message a, b, c;
        for (Message* message : {&a, &b, &c})
            target.send(*message);
        EXPECT_TRUE(target.drop(b));
        EXPECT_FALSE(target.drop(b));
        EXPECT_EQ(target.poll(), &a);
        EXPECT_TRUE(target.drop(c));
        target.send(b);
        EXPECT_EQ(target.poll(), &b);
        EXPECT_EQ(target.poll(), nullptr);
    });
}

// The receiver never answers by itself; a signal makes the sender give the message up.
TEST_P(PortKinds, InterruptAbortsASynchronousMessage) {
    run(GetParam(), [&] {
        Group group;
        std::atomic<Port*> port{nullptr};
        std::atomic<bool> has{false};
        group.spawn(
            GetParam() - 1,
            [&] {
                Port own(current());
                port = &own;
                wakeup(&port);
                Message* message = own.wait();
                {
                    CriticalSection critical;
                    message->abort_function = [](Message& m) { reply(m, 12); };
                    has = true;
                }
                while (!message->aborted())
                    yield();
            },
            Priority::kernel_daemon); // as main(), which yields to it
        while (port == nullptr) {
            tsleep_interlock(&port, 0);
            if (port == nullptr)
                (void)tsleep(&port, sleep_interlocked, "port");
        }
        tsleep_remove();
        Message message; // it outlives the receiver's look at it
        std::atomic<bool> over{false};
        Thread* sender = group.spawn(
            0,
            [&] {
                EXPECT_EQ(port.load()->domsg(message, sleep_interruptible), 12);
                over = true;
            },
            Priority::kernel_daemon);
        while (!has)
            yield();
        while (!over) {
            CriticalSection critical; // the sender is alive as long as it is not over
            if (!over)
                interrupt(sender);
            critical_exit();
            yield();
            critical_enter();
        }
        group.wait();
    });
}

// Messages wander between servers on all cores while their senders give up at random: each comes back exactly
// once, served or aborted.
TEST_P(PortKinds, AbortsRaceWithForwardsAndReplies) {
    constexpr unsigned server_count = 4, rounds = 300;
    std::atomic<long> aborted{0}, served{0};
    run(GetParam(), [&] {
        std::atomic<Port*> ports[server_count] = {};
        std::atomic<unsigned> ready{0};
        Port shared = Port::spin();
        Group group;
        for (unsigned i = 0; i < server_count; ++i)
            group.spawn(i % GetParam(), [&, i] {
                Port own(current());
                ports[i] = &own;
                if (++ready == server_count)
                    wakeup(&ready);
                std::uint64_t seed = 0x9e3779b97f4a7c15u * (i + 1);
                for (bool last = false; !last;) {
                    Message* message = i == 3 ? shared.wait() : own.wait();
                    last = message->command == quit;
                    std::uint64_t to = next_random(seed) % 8;
                    if (!last && to < 4 && message->argument[0]++ < 6)
                        forward(*message, to == 3 ? shared : *ports[to]);
                    else
                        reply(*message, 0);
                }
            });
        for (;;) {
            tsleep_interlock(&ready, 0);
            if (ready == server_count)
                break;
            (void)tsleep(&ready, sleep_interlocked, "ready");
        }
        tsleep_remove();
        {
            Group senders;
            for (unsigned i = 0; i < 6; ++i)
                senders.spawn(i % GetParam(), [&, i] {
                    Port replies(current());
                    std::uint64_t seed = 0xd1342543de82ef95u * (i + 1);
                    for (unsigned n = 0; n < rounds; ++n) {
                        Message message;
                        message.reply_port = &replies;
                        ports[next_random(seed) % 3].load()->send(message);
                        if (next_random(seed) % 2)
                            yield();
                        abort(message);
                        std::int32_t error = replies.wait_message(message);
                        EXPECT_TRUE(error == 0 || error == message_aborted);
                        (error ? aborted : served)++;
                    }
                    EXPECT_EQ(replies.poll(), nullptr);
                });
        }
        for (unsigned i = 0; i < server_count; ++i) {
            Message last;
            last.command = quit;
            EXPECT_EQ((i == 3 ? &shared : ports[i].load())->domsg(last), 0);
        }
    });
    EXPECT_EQ(aborted + served, 6 * rounds);
}

} // namespace
