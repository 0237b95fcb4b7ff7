// SPDX-License-Identifier: BSD-2-Clause
// LWKT under stress on the kernel, with real upcalls, kicks and deadlines; the host's unit tests cover the
// same ground under sanitizers. Each check prints a line; the exit status is the number of failures.
#include "tests/lwkt/stress.hpp"

using namespace lwkt;
using namespace lwkt::native;

namespace {
unsigned failures;
}

void report(const char* name, bool good) {
    print(name);
    print(good ? ": ok\n" : ": FAILED\n");
    failures += !good;
}

namespace {

glue::Nanoseconds after(std::uint64_t nanoseconds) {
    return glue::Clock::now() + glue::Nanoseconds{nanoseconds};
}

// Random sets of tokens in random order; each guards a plain word that nobody else may change while we run.
struct TokenStress {
    Token tokens[4] = {Token("0"), Token("1"), Token("2"), Token("3")};
    std::uint64_t words[4] = {};
    long wrong = 0, sum = 0;

    // Which tokens it takes is random: the analysis cannot follow.
    static void thread(void* context, unsigned number) LWKT_NO_ANALYSIS {
        auto& s = *static_cast<TokenStress*>(context);
        std::uint64_t seed = 0x9e3779b97f4a7c15u * (number + 1);
        for (int n = 0; n < 2000; ++n) {
            unsigned taken[3], count = 1 + next_random(seed) % 3;
            for (unsigned k = 0; k < count; ++k)
                s.tokens[taken[k] = next_random(seed) % 4].acquire();
            for (int pass = 0; pass < 2; ++pass) {
                for (unsigned k = 0; k < count; ++k)
                    s.words[taken[k]] = seed;
                for (unsigned spin = next_random(seed) % 64; spin != 0; --spin)
                    asm volatile("" ::: "memory");
                for (unsigned k = 0; k < count; ++k)
                    s.words[taken[k]] == s.words[taken[0]] ? 0 : ++s.wrong;
                if (next_random(seed) % 8 == 0)
                    yield();
            }
            for (unsigned k = 0; k < count; ++k)
                s.tokens[taken[k]].release();
        }
    }
};

void tokens() {
    static TokenStress stress;
    Group group;
    for (unsigned i = 0; i < 12; ++i)
        group.spawn(i % cpu_count(), TokenStress::thread, &stress, i);
    group.wait();
    report("tokens exclude each other", stress.wrong == 0);
}

// Producers and consumers under one token: a lost wake-up hangs.
struct Queue {
    Token token{"queue"};
    int available = 0, room = 0;
    long consumed = 0;
    static constexpr int items = 2000;

    static void produce(void* context, unsigned number) {
        auto& q = *static_cast<Queue*>(context);
        for (int n = 0; n < items; ++n) {
            TokenGuard guard(q.token);
            while (q.available == 3)
                (void)tsleep(&q.room, 0, "room");
            ++q.available;
            number % 2 ? wakeup_one(&q.available) : wakeup(&q.available);
        }
    }
    static void consume(void* context, unsigned) {
        auto& q = *static_cast<Queue*>(context);
        for (int n = 0; n < items; ++n) {
            TokenGuard guard(q.token);
            while (q.available == 0)
                (void)tsleep(&q.available, 0, "item", after(50'000'000));
            --q.available;
            ++q.consumed;
            wakeup(&q.room);
        }
    }
};

void sleep_queues() {
    static Queue queue;
    Group group;
    for (unsigned i = 0; i < 4; ++i) {
        group.spawn(i % cpu_count(), Queue::produce, &queue, i);
        group.spawn((i + 1) % cpu_count(), Queue::consume, &queue, i);
    }
    group.wait();
    report("no wake-up is lost", queue.consumed == 4 * Queue::items);
}

struct Ipis {
    std::uintptr_t next[abi::max_cores][abi::max_cores] = {}; // [to][from]
    long wrong = 0, calls = 0;
    static constexpr std::uintptr_t count = 2000;

    static void arrive(void* context, std::uintptr_t word) {
        auto& s = *static_cast<Ipis*>(context);
        if (s.next[core().cpu][word >> 32]++ != (word & 0xffff'ffff) || !in_critical_section())
            __atomic_fetch_add(&s.wrong, 1, __ATOMIC_RELAXED);
    }
    static void flood(void* context, unsigned number) {
        for (std::uintptr_t n = 0; n < count; ++n)
            for (unsigned to = 0; to < cpu_count(); ++to)
                send_ipiq(CpuId{to}, arrive, context, std::uintptr_t{number} << 32 | n);
    }
    static void call(void* context, unsigned number) {
        for (unsigned n = 0; n < 500; ++n)
            call_ipiq(
                CpuId{(number + n) % cpu_count()},
                [](void* c, std::uintptr_t) {
                    __atomic_fetch_add(&static_cast<Ipis*>(c)->calls, 1, __ATOMIC_RELAXED);
                },
                context);
    }
};

void ipi_queues() {
    static Ipis state;
    Group group, callers;
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
        group.spawn(cpu, Ipis::flood, &state, cpu);
    group.wait();
    for (unsigned i = 0; i < 8; ++i)
        callers.spawn(i % cpu_count(), Ipis::call, &state, i);
    callers.wait(); // what was sent before has been handled when a call on the same pair returns
    report("IPI messages arrive in order", state.wrong == 0 && state.calls == 4000);
}

struct Service {
    Port* port = nullptr;
    bool quit = false;
    long wrong = 0;

    static void serve(void* context, unsigned) {
        auto& s = *static_cast<Service*>(context);
        Port port(current());
        __atomic_store_n(&s.port, &port, __ATOMIC_SEQ_CST);
        wakeup(&s);
        for (;;) {
            Message* message = port.wait();
            bool last = message->command == -1;
            message->result[0] = message->argument[0] + 1;
            reply(*message, 0);
            if (last)
                return;
        }
    }
    static void use(void* context, unsigned number) {
        auto& s = *static_cast<Service*>(context);
        for (std::uint64_t n = 0; n < 1000; ++n) {
            Message message;
            message.argument[0] = n * 16 + number;
            if (s.port->domsg(message) != 0 || message.result[0] != n * 16 + number + 1)
                __atomic_fetch_add(&s.wrong, 1, __ATOMIC_RELAXED);
        }
    }
};

void ports() {
    static Service service;
    Group server, clients;
    server.spawn(cpu_count() - 1, Service::serve, &service, 0);
    while (__atomic_load_n(&service.port, __ATOMIC_SEQ_CST) == nullptr)
        (void)tsleep(&service, 0, "port", after(1'000'000));
    for (unsigned i = 0; i < 6; ++i)
        clients.spawn(i % cpu_count(), Service::use, &service, i);
    clients.wait();
    Message last;
    last.command = -1;
    (void)service.port->domsg(last);
    server.wait();
    report("messages are answered", service.wrong == 0);
}

// A thread that never leaves its loop by itself is interrupted by a callout, through an upcall; so is one on
// another core by a message. Registers and flags survive.
void preemption() {
    static std::uint64_t stop;
    long wrong = 0;
    for (int round = 0; round < 50; ++round) {
        stop = 0;
        Callout callout;
        callout.reset(
            after(200'000), [](void*) { __atomic_store_n(&stop, 1, __ATOMIC_RELAXED); }, nullptr);
        std::uint64_t a = 1, b = 2, c = 3, count = 0;
        do { // the carry flag and four registers live across every instruction boundary
            asm volatile("stc; mov $7, %%ecx; 1: dec %%ecx; jnz 1b; adc $0, %0; adc $0, %1; inc %2"
                         : "+r"(a), "+r"(b), "+r"(c)::"rcx", "cc");
            ++count;
        } while (__atomic_load_n(&stop, __ATOMIC_RELAXED) == 0);
        wrong += a != 1 + count || b != 2 || c != 3 + count;
        callout.drain();
    }
    report("a callout interrupts a loop", wrong == 0);
    if (cpu_count() == 1)
        return;
    stop = 0;
    Group group;
    group.spawn(
        1,
        [](void*, unsigned) {
            while (__atomic_load_n(&stop, __ATOMIC_RELAXED) == 0)
                asm volatile("pause");
        },
        nullptr, 0);
    call_ipiq(
        CpuId{1}, [](void*, std::uintptr_t) { __atomic_store_n(&stop, 1, __ATOMIC_RELAXED); }, nullptr);
    group.wait();
    report("a message interrupts a loop elsewhere", true);
}

// Sleeps and callouts in numbers, from all cores, with stops from elsewhere.
struct Timers {
    Token token{"timers"};
    Callout callouts[8];
    long armed = 0, stopped = 0, ran = 0, early = 0;

    static void thread(void* context, unsigned number) {
        auto& t = *static_cast<Timers*>(context);
        std::uint64_t seed = 0x2545f4914f6cdd1du * (number + 1);
        for (int n = 0; n < 300; ++n) {
            {
                TokenGuard guard(t.token);
                Callout& callout = t.callouts[next_random(seed) % 8];
                t.stopped += callout.stop();
                ++t.armed;
                callout.reset(
                    after(next_random(seed) % 300'000),
                    [](void* c) { __atomic_fetch_add(&static_cast<Timers*>(c)->ran, 1, __ATOMIC_RELAXED); },
                    &t);
            }
            glue::Nanoseconds until = after(next_random(seed) % 100'000);
            int ident;
            if (tsleep(&ident, 0, "nap", until) == Wake::timed_out && glue::Clock::now() < until)
                __atomic_fetch_add(&t.early, 1, __ATOMIC_RELAXED);
        }
    }
};

void timers() {
    static Timers state;
    Group group;
    for (unsigned i = 0; i < 6; ++i)
        group.spawn(i % cpu_count(), Timers::thread, &state, i);
    group.wait();
    for (Callout& callout : state.callouts) {
        state.stopped += callout.stop();
        callout.drain();
    }
    report("callouts run or stop, once", state.armed == state.stopped + state.ran);
    report("no sleep ends early", state.early == 0);
}

struct Heap {
    static constexpr unsigned slots = 64;
    void* object[slots] = {}; // atomic: exchanged between cores
    long wrong = 0;

    static void thread(void* context, unsigned number) {
        auto& h = *static_cast<Heap*>(context);
        std::uint64_t seed = 0xd1342543de82ef95u * (number + 1);
        for (int n = 0; n < 4000; ++n) {
            std::size_t size = 16 + next_random(seed) % (n % 40 ? 1000 : 8000);
            auto* words = static_cast<std::uint64_t*>(allocate(size));
            if (words == nullptr) {
                __atomic_fetch_add(&h.wrong, 1, __ATOMIC_RELAXED);
                continue;
            }
            words[0] = size;
            words[size / 8 - 1] = size;
            auto* old = static_cast<std::uint64_t*>(
                __atomic_exchange_n(&h.object[next_random(seed) % slots], words, __ATOMIC_SEQ_CST));
            if (old && old[0] != old[old[0] / 8 - 1])
                __atomic_fetch_add(&h.wrong, 1, __ATOMIC_RELAXED);
            if (old)
                release(old, old[0]);
            if (n % 32 == 0)
                yield();
        }
    }
};

void slab() {
    static Heap heap;
    Group group;
    for (unsigned i = 0; i < 4; ++i)
        group.spawn(i % cpu_count(), Heap::thread, &heap, i);
    group.wait();
    for (void* object : heap.object)
        if (object)
            release(object, *static_cast<std::uint64_t*>(object));
    std::uint64_t allocated = 0;
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
        call_ipiq(
            CpuId{cpu}, [](void*, std::uintptr_t) {}, nullptr); // an idle core drains its remote releases
    (void)tsleep(&heap, 0, "settle", after(5'000'000));
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
        allocated += slab_statistics(CpuId{cpu}).allocated;
    report("memory keeps its contents and comes back", heap.wrong == 0 && allocated == 0);
}

void main(void*) {
    print("lwkt on ");
    print(cpu_count());
    print(" vCPUs\n");
    tokens();
    sleep_queues();
    ipi_queues();
    ports();
    preemption();
    timers();
    interrupts();
    soft_interrupts();
    slab();
    end(failures);
}

} // namespace

extern "C" void libelle_main() {
    (void)lwkt::start(main, nullptr, Pages::provider());
}
