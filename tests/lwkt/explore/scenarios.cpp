// SPDX-License-Identifier: BSD-2-Clause
// What is explored: a few threads a scenario, each doing a few things, on 2 to 4 cores. Small is better: a
// bug of these mechanisms needs two or three cores and a handful of events, and short schedules are many.
#include "scenarios.hpp"
#include "lwkt/ipiq.hpp"
#include "lwkt/msgport.hpp"
#include "lwkt/sleepqueue.hpp"
#include "lwkt/token.hpp"

#include <cstdio>

using namespace lwkt;
using explore::check;
using explore::Group;
using explore::pick;

namespace {

Thread* nobody = nullptr;

// --- tokens
// A token and who is inside: checked at both ends of a stretch that others may come into.
struct Guarded {
    Token token{"explored"};
    Thread* owner = nullptr;
    int readers = 0;
    void write() {
        check(token.held_exclusive(), "an exclusive token is not held");
        check(owner == nobody && readers == 0, "two threads hold an exclusive token");
        owner = current();
        explore_point();
        check(owner == current(), "another thread came in");
        owner = nobody;
    }
    void read() {
        check(token.held() && owner == nobody, "a reader beside a writer");
        ++readers;
        explore_point();
        check(owner == nobody, "a writer came to a reader");
        --readers;
    }
};

// Two tokens in both orders, with a block in between: what is checked is "all or none".
void tokens() LWKT_NO_ANALYSIS {
    Guarded a, b;
    Group group;
    for (unsigned i = 0; i != cpu_count() + 1; ++i)
        group.spawn(i % cpu_count(), [&, i]() LWKT_NO_ANALYSIS {
            for (int round = 0; round != 2; ++round) {
                Guarded& first = (i + static_cast<unsigned>(round)) % 2 ? a : b;
                Guarded& second = &first == &a ? b : a;
                first.token.acquire();
                first.write();
                second.token.acquire();
                check(first.token.held_exclusive(), "a token was not reacquired");
                first.write();
                second.write();
                if (pick(2))
                    yield();
                first.write();
                second.write();
                (pick(2) ? first : second).token.release();
                (a.token.held() ? a : b).token.release();
            }
        });
    group.run();
}

void shared_tokens() LWKT_NO_ANALYSIS {
    Guarded g;
    Group group;
    for (unsigned i = 0; i != cpu_count() + 1; ++i)
        group.spawn(i % cpu_count(), [&, i]() LWKT_NO_ANALYSIS {
            for (int round = 0; round != 2; ++round) {
                if (i == 0 || pick(3) == 0) {
                    TokenGuard guard(g.token);
                    g.write();
                    if (pick(2))
                        yield();
                    g.write();
                } else {
                    SharedTokenGuard guard(g.token);
                    g.read();
                    SharedTokenGuard again(g.token); // recursion beside a waiting writer
                    if (pick(2))
                        yield();
                    g.read();
                }
            }
        });
    group.run();
}

// --- message ports
struct Echo {
    Port* port = nullptr;
    int served = 0;
    void serve(int count) {
        Port own(current());
        port = &own;
        wakeup(this);
        for (; served != count; ++served) {
            Message* message = own.wait();
            message->result[0] = message->argument[0] + 1;
            reply(*message, 7);
        }
        port = nullptr;
    }
    Port& wait_for() {
        for (;;) {
            tsleep_interlock(this, 0);
            explore_point();
            if (port)
                break;
            (void)tsleep(this, sleep_interlocked, "echo");
        }
        tsleep_remove();
        return *port;
    }
};

void ports() {
    Echo echo;
    Group group;
    unsigned clients = cpu_count();
    group.spawn(cpu_count() - 1, [&] { echo.serve(static_cast<int>(clients) * 2); });
    for (unsigned i = 0; i != clients; ++i)
        group.spawn(i, [&, i] {
            Port& port = echo.wait_for();
            for (std::uint64_t n = 0; n != 2; ++n) {
                Message message;
                message.argument[0] = i * 10 + n;
                std::int32_t error;
                if (pick(2)) {
                    error = port.domsg(message);
                } else {
                    Port replies(current());
                    message.reply_port = &replies;
                    port.send(message);
                    error = replies.wait_message(message);
                }
                check(error == 7 && message.done() && message.result[0] == i * 10 + n + 1, "a wrong answer");
            }
        });
    group.run();
    check(echo.served == static_cast<int>(clients) * 2, "a message was lost");
}

void spin_ports() {
    Port port = Port::spin();
    int served = 0;
    Group group;
    for (unsigned i = 0; i != 2; ++i)
        group.spawn(i % cpu_count(), [&] {
            for (;;) {
                Message* message = port.wait();
                bool last = message->command == 1;
                ++served;
                reply(*message, 3);
                if (last)
                    return;
            }
        });
    for (unsigned i = 0; i != 2; ++i)
        group.spawn(cpu_count() - 1 - i % cpu_count(), [&] {
            for (int n = 0; n != 2; ++n) {
                Message message;
                message.command = n; // the last one of each client ends one server
                check(port.domsg(message) == 3, "a wrong answer");
            }
        });
    group.run();
    check(served == 4 && port.poll() == nullptr, "a message was lost or came twice");
}

// A message wanders between two servers while its sender wants it back.
void aborts() {
    Port* ports[2] = {};
    Group group;
    for (unsigned i = 0; i != 2; ++i)
        group.spawn((i + 1) % cpu_count(), [&, i] {
            Port own(current());
            ports[i] = &own;
            wakeup(&ports);
            for (bool last = false; !last;) {
                Message* message = own.wait();
                last = message->command == 1;
                if (!last && message->argument[0]++ < 2)
                    forward(*message, *ports[1 - i]);
                else
                    reply(*message, 0);
            }
        });
    group.spawn(0, [&] {
        while (ports[0] == nullptr || ports[1] == nullptr) {
            tsleep_interlock(&ports, 0);
            explore_point();
            if (ports[0] == nullptr || ports[1] == nullptr)
                (void)tsleep(&ports, sleep_interlocked, "ports");
        }
        tsleep_remove();
        Port replies(current());
        for (int n = 0; n != 2; ++n) {
            Message message;
            message.reply_port = &replies;
            ports[pick(2)]->send(message);
            abort(message);
            std::int32_t error = replies.wait_message(message);
            check(error == 0 || error == message_aborted, "a wrong answer");
            check(replies.poll() == nullptr, "a message came back twice");
        }
        for (Port* port : ports) {
            Message last;
            last.command = 1;
            check(port->domsg(last) == 0, "a wrong answer");
        }
    });
    group.run();
}

// --- IPI queues
struct Arrivals {
    std::uintptr_t next[4][4] = {}; // [to][from]
    static void arrive(void* context, std::uintptr_t word) {
        auto& a = *static_cast<Arrivals*>(context);
        check(in_critical_section(), "an IPI function outside of a critical section");
        check(a.next[core().cpu][word >> 16]++ == (word & 0xffff),
              "an IPI message was lost, or is out of order");
    }
};

// group.run() ends when all is sent; the messages of other pairs may be under way still.
void settle(Arrivals& arrivals, std::uintptr_t count) {
    for (unsigned to = 0; to != cpu_count(); ++to)
        for (unsigned from = 0; from != cpu_count(); ++from)
            while (arrivals.next[to][from] != count)
                (void)tsleep(&arrivals, 0, "settle", glue::Clock::now() + Nanoseconds{1000});
}
void ipi_queues() {
    Arrivals arrivals;
    Group group;
    for (unsigned from = 0; from != cpu_count(); ++from)
        group.spawn(from, [&, from] {
            for (std::uintptr_t n = 0; n != 3; ++n)
                for (unsigned to = 0; to != cpu_count(); ++to)
                    send_ipiq(CpuId{to}, Arrivals::arrive, &arrivals, std::uintptr_t{from} << 16 | n);
        });
    group.run();
    settle(arrivals, 3);
}
// More than a queue holds, both ways.
void ipi_flood() {
    constexpr std::uintptr_t count = 70;
    Arrivals arrivals;
    Group group;
    for (unsigned from = 0; from != 2; ++from)
        group.spawn(from, [&, from] {
            for (std::uintptr_t n = 0; n != count; ++n)
                for (unsigned to = 0; to != 2; ++to)
                    send_ipiq(CpuId{to}, Arrivals::arrive, &arrivals, std::uintptr_t{from} << 16 | n);
        });
    group.run();
    settle(arrivals, count);
}
void ipi_calls() {
    int ran = 0;
    Group group;
    for (unsigned i = 0; i != cpu_count(); ++i)
        group.spawn(i, [&, i] {
            for (unsigned n = 0; n != 2; ++n) {
                int mine = 0;
                struct Call {
                    int &ran, &mine;
                } call{ran, mine};
                call_ipiq(
                    CpuId{(i + 1 + n) % cpu_count()},
                    [](void* c, std::uintptr_t) {
                        ++static_cast<Call*>(c)->ran;
                        explore_point();
                        ++static_cast<Call*>(c)->mine;
                    },
                    &call);
                check(mine == 1, "a waited IPI has not run, or twice");
            }
        });
    group.run();
    check(ran == 2 * static_cast<int>(cpu_count()), "a waited IPI was lost");
}

} // namespace

namespace explore {

const std::vector<Scenario> scenarios = {
    {"tokens-2", "two tokens in both orders", 2, tokens},
    {"tokens-3", "two tokens in both orders", 3, tokens},
    {"tokens-4", "two tokens in both orders", 4, tokens},
    {"shared-2", "a token in both modes", 2, shared_tokens},
    {"shared-3", "a token in both modes", 3, shared_tokens},
    {"ports-2", "messages to one server and back", 2, ports},
    {"ports-3", "messages to one server and back", 3, ports},
    {"ports-4", "messages to one server and back", 4, ports},
    {"spin-ports-2", "two servers at a spin port", 2, spin_ports},
    {"spin-ports-4", "two servers at a spin port", 4, spin_ports},
    {"aborts-2", "forwarded messages that are wanted back", 2, aborts},
    {"aborts-3", "forwarded messages that are wanted back", 3, aborts},
    {"ipiq-2", "messages between all cores", 2, ipi_queues},
    {"ipiq-3", "messages between all cores", 3, ipi_queues},
    {"ipiq-4", "messages between all cores", 4, ipi_queues},
    {"ipiq-flood-2", "more messages than a queue holds", 2, ipi_flood},
    {"ipiq-calls-2", "messages that are waited for", 2, ipi_calls},
    {"ipiq-calls-4", "messages that are waited for", 4, ipi_calls},
    {"sleep-2", "producers and consumers", 2, explore::sleep_wakeup},
    {"sleep-3", "producers and consumers", 3, explore::sleep_wakeup},
    {"sleep-4", "producers and consumers", 4, explore::sleep_wakeup},
    {"interlock-2", "a word handed around", 2, explore::interlock},
    {"interlock-3", "a word handed around", 3, explore::interlock},
    {"conditions-2", "a bounded buffer under a spin lock", 2, explore::conditions},
    {"conditions-3", "a bounded buffer under a spin lock", 3, explore::conditions},
    {"serializer-2", "a lock that is kept while its holder blocks", 2, explore::serializer},
    {"serializer-3", "a lock that is kept while its holder blocks", 3, explore::serializer},
    {"soft-2", "a soft interrupt, raised anywhere", 2, explore::soft_interrupt},
    {"soft-3", "a soft interrupt, raised anywhere", 3, explore::soft_interrupt},
    {"moves-2", "threads that change cores while others wake them", 2, explore::moves},
    {"moves-3", "threads that change cores while others wake them", 3, explore::moves},
    {"serializer-4", "a lock that is kept while its holder blocks", 4, explore::serializer},
};

} // namespace explore
