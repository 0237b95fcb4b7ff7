// SPDX-License-Identifier: BSD-2-Clause
// Path lengths of LWKT: mean of a batch of rounds after a warm-up, the loop around included, printed as
// "name value". On the kernel in ticks, which are instructions under -icount; as a Linux process in
// nanoseconds.
#include "bench/lwkt/bench.hpp"

#include "lwkt/callout.hpp"
#include "lwkt/ipiq.hpp"
#include "lwkt/msgport.hpp"
#include "lwkt/slab.hpp"
#include "lwkt/token.hpp"
#include "tests/lwkt/group.hpp"

using namespace lwkt;
using bench::print;
using bench::rounds;

namespace {

std::uint64_t now() {
    return glue::Clock::ticks().value;
}

void report(const char* name, std::uint64_t ticks, unsigned operations, bool nanoseconds) {
    print(name);
    print(" ");
    if (nanoseconds)
        ticks = ticks * 1'000'000 / (glue::Clock::ticks_per_second() / 1000);
    print(ticks / operations);
    print(".");
    print(ticks * 10 / operations % 10);
    print("\n");
}

// The best of many batches: the box runs on the same core now and then.
template <class Round>
void measure(const char* name, unsigned operations, Round round, bool nanoseconds = false) {
    const unsigned count = rounds; // in a register
    for (unsigned i = 0; i < 100; ++i)
        round();
    std::uint64_t best = ~std::uint64_t{0};
    for (unsigned batch = 0; batch < 20; ++batch) {
        std::uint64_t start = now();
        for (unsigned i = 0; i < count; ++i)
            round();
        std::uint64_t ticks = now() - start;
        best = ticks < best ? ticks : best;
    }
    report(name, best, rounds * operations, nanoseconds);
}

constexpr bool in_nanoseconds = true;
bool stop;

void token() {
    static Token token("bench");
    measure("token_uncontended", 8, [] { // unrolled, or the loop weighs too much
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) {
            token.acquire();
            token.release();
        }
    });
    measure("token_shared", 1, [] {
        token.acquire_shared();
        token.release();
    });
}

// Two threads of one priority give each other the core: two switches a round.
void thread_switch() {
    stop = false;
    Group group;
    group.spawn(
        0,
        [](void*, unsigned) {
            while (!stop)
#pragma GCC unroll 4
                for (int i = 0; i < 4; ++i)
                    yield();
        },
        nullptr, 0, Priority::kernel_daemon);
    measure("lwkt_switch", 8, [] {
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i)
            yield();
    });
    stop = true;
    group.wait();
}

Port* server_port;

void message() {
    Group group;
    group.spawn(
        0,
        [](void*, unsigned) {
            Port port(current());
            server_port = &port;
            for (;;) {
                Message* message = port.wait();
                bool last = message->command == -1;
                reply(*message, 0);
                if (last)
                    return;
            }
        },
        nullptr, 0, Priority::kernel_daemon);
    yield();
    static Message message;
    measure("msg_roundtrip", 1, [] { (void)server_port->domsg(message); });
    message.command = -1;
    (void)server_port->domsg(message);
    group.wait();
}

void sleeping() {
    static int idle;
    measure("wakeup_nobody", 1, [] { wakeup(&idle); });
    stop = false;
    Group group;
    static int ping, pong;
    group.spawn(
        0,
        [](void*, unsigned) {
            while (!stop) {
                wakeup(&pong);
                (void)tsleep(&ping, 0, "ping");
            }
            wakeup(&pong);
        },
        nullptr, 0, Priority::kernel_daemon);
    yield();
    measure("tsleep_wakeup", 2, [] {
        wakeup(&ping);
        (void)tsleep(&pong, 0, "pong");
    });
    stop = true;
    wakeup(&ping);
    group.wait();
}

// From a wakeup() to the first instruction of who slept, on its core, which is idle. The least of many: it
// says nothing of how the emulator places its threads.
void wakeup_to_run(const char* name, unsigned cpu, bool nanoseconds) {
    stop = false;
    static int ping, pong;
    static std::uint64_t sent; // atomic
    static std::uint64_t best; // atomic
    sent = 0, best = ~std::uint64_t{0};
    Group group;
    group.spawn(
        cpu,
        [](void*, unsigned) {
            for (;;) {
                tsleep_interlock(&ping, 0);
                if (__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
                    break;
                std::uint64_t before = __atomic_exchange_n(&sent, 0, __ATOMIC_SEQ_CST);
                if (before == 0) {
                    (void)tsleep(&ping, sleep_interlocked, "ping");
                    std::uint64_t woken = now();
                    if ((before = __atomic_exchange_n(&sent, 0, __ATOMIC_SEQ_CST)) != 0 &&
                        woken - before < best)
                        __atomic_store_n(&best, woken - before, __ATOMIC_SEQ_CST);
                }
                wakeup(&pong);
            }
            tsleep_remove();
        },
        nullptr, 0, Priority::kernel_daemon);
    for (unsigned i = 0; i != 20 * rounds; ++i) {
        (void)tsleep(&stop, 0, "settle", glue::Clock::now() + glue::Nanoseconds{20'000}); // it sleeps by now
        tsleep_interlock(&pong, 0);
        __atomic_store_n(&sent, now(), __ATOMIC_SEQ_CST);
        wakeup(&ping);
        (void)tsleep(&pong, sleep_interlocked, "pong");
    }
    __atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
    wakeup(&ping);
    group.wait();
    report(name, __atomic_load_n(&best, __ATOMIC_SEQ_CST), 1, nanoseconds);
}

void memory() {
    measure("slab_64", 1, [] { release(allocate(64), 64); });
    static Callout callout;
    measure("callout_reset_stop", 1, [] {
        callout.reset(
            glue::Nanoseconds{~std::uint64_t{0} >> 2}, [](void*) {}, nullptr);
        (void)callout.stop();
    });
    measure("critical_section", 1, [] { CriticalSection critical; });
}

// In nanoseconds: under -icount cores run in turns and this means nothing.
void across_cores() {
    measure(
        "ipiq_call", 1,
        [] {
            call_ipiq(
                CpuId{1}, [](void*, std::uintptr_t) {}, nullptr);
        },
        in_nanoseconds);
    stop = false;
    Group group;
    static int ping, pong;
    static std::uint32_t round; // atomic
    round = 0;
    group.spawn(
        1,
        [](void*, unsigned) {
            for (std::uint32_t seen = 0; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST);) {
                tsleep_interlock(&ping, 0);
                if (__atomic_load_n(&round, __ATOMIC_SEQ_CST) == seen)
                    (void)tsleep(&ping, sleep_interlocked, "ping");
                else
                    tsleep_remove();
                seen = __atomic_load_n(&round, __ATOMIC_SEQ_CST);
                tsleep_interlock(&ping, 0); // the other side may go on at once
                wakeup(&pong);
            }
            tsleep_remove();
        },
        nullptr, 0);
    measure(
        "wakeup_other_core", 2,
        [] {
            tsleep_interlock(&pong, 0);
            __atomic_fetch_add(&round, 1, __ATOMIC_SEQ_CST);
            wakeup(&ping);
            (void)tsleep(&pong, sleep_interlocked, "pong");
        },
        in_nanoseconds);
    __atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&round, 1, __ATOMIC_SEQ_CST);
    wakeup(&ping);
    group.wait();
}

} // namespace

void bench::main(void*) {
    token();
    thread_switch();
    message();
    sleeping();
    memory();
    wakeup_to_run("wakeup_to_run", 0, false);
    if (cpu_count() > 1) {
        across_cores();
        wakeup_to_run("wakeup_to_run_other_core", 1, in_nanoseconds);
    }
    bench::end();
}
