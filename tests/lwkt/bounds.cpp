// SPDX-License-Identifier: BSD-2-Clause
// What lwkt/README.md bounds, measured under -icount, where a tick is an instruction: how late an interrupt
// thread comes to an endless loop, in an LWKT thread and in a BSD thread's user code; and, with two vCPUs on
// one core, how much of its budget one spends waiting for the other. Prints "name value"; bounds.py judges.
#include "glue/address_space.hpp"
#include "irq-threads/irq_thread.hpp"
#include "irq-threads/queue.hpp"
#include "lwkt/irq.hpp"
#include "tests/lwkt/support.hpp"

using namespace lwkt;
using namespace lwkt::native;

namespace {

std::uint64_t ticks() {
    return glue::Clock::ticks().value;
}
void print_line(const char* name, std::uint64_t value) {
    print(name);
    print(" ");
    print(value);
    print("\n");
}

// --- preemption
constexpr unsigned bit = glue::Vcpu::event_irq_shift + 1;
constexpr glue::Nanoseconds period{500'000};
constexpr unsigned samples = 200;

// An IRQ thread's periodic timer, and the interrupt thread that it wakes.
struct Chain {
    struct Event {
        std::uint64_t due, top_half;
    };
    irq::Queue<Event, 256> queue;
    irq::IrqThread thread;
    InterruptHandler handler;
    glue::Nanoseconds first;
    std::uint64_t received = 0; // atomic: the loop that is preempted reads it
    std::uint64_t due_to_top_half[samples], top_half_to_thread[samples], due_to_thread[samples];
    alignas(16) std::byte stack[8192];

    static bool top(void* self) {
        auto& c = *static_cast<Chain*>(self);
        std::uint64_t now = ticks(), late = (glue::Clock::now() - c.first).value % period.value;
        return c.queue.push({now - late, now});
    }
    static void bottom(void* self) {
        auto& c = *static_cast<Chain*>(self);
        Event event;
        std::uint64_t now = ticks();
        while (c.queue.pop(event)) {
            std::uint64_t number = c.received;
            if (number < samples) {
                c.due_to_top_half[number] = event.top_half - event.due;
                c.top_half_to_thread[number] = now - event.top_half;
                c.due_to_thread[number] = now - event.due;
            }
            __atomic_store_n(&c.received, number + 1, __ATOMIC_RELAXED);
        }
    }
    bool over() const { return __atomic_load_n(&received, __ATOMIC_RELAXED) >= samples; }
    void start() {
        auto target = glue::Notification(glue::Vcpu::of(CpuId{0}).notification()).badged(1u << bit);
        verify(target.ok() && handler.attach(CpuId{0}, bit, bottom, this, "timer").ok());
        irq::IrqThread::Parameters p;
        p.pool = glue::start_pool;
        p.core = glue::start().core[0];
        p.priority = glue::start().priority + 1;
        p.scheduling = glue::start_irq_scheduling;
        p.buffer = glue::buffer_address + 0x8000;
        p.stack = stack;
        p.stack_size = sizeof stack;
        p.top_half = top;
        p.argument = this;
        p.target = target.value();
        first = glue::Clock::now() + period;
        verify(thread.start_periodic(p, first, period).ok());
    }
    // Of 19 in 20 samples: the box, which is above all jails, runs in between now and then.
    static std::uint64_t most(std::uint64_t (&values)[samples]) {
        for (unsigned i = 1; i < samples; ++i)
            for (unsigned k = i; k != 0 && values[k] < values[k - 1]; --k) {
                std::uint64_t swap = values[k];
                values[k] = values[k - 1];
                values[k - 1] = swap;
            }
        return values[samples - samples / 20 - 1];
    }
    void begin() {
        CriticalSection section; // the interrupt thread does not run meanwhile
        __atomic_store_n(&received, 0, __ATOMIC_RELAXED);
    }
    void report(const char* name) {
        CriticalSection section;
        print(name);
        print_line("_due_to_top_half", most(due_to_top_half));
        print(name);
        print_line("_top_half_to_thread", most(top_half_to_thread));
        print(name);
        print_line("_due_to_thread", most(due_to_thread));
    }
};
Chain chain;

void kernel_loop() {
    chain.begin();
    while (!chain.over()) // no call, no critical section: nothing but preemption gets in
        asm volatile("");
    chain.report("lwkt_loop");
}

void user_loop() {
    static glue::AddressSpace space;
    void* page = Pages::provider().allocate(1);
    verify(page != nullptr && space.create().ok());
    static constexpr unsigned char endless[] = {0xeb, 0xfe}; // jmp .
    __builtin_memcpy(page, endless, sizeof endless);
    constexpr std::uint64_t address = 0x40'0000;
    verify(space
               .map(glue::UserAddress{address}, glue::Source::ram, glue::Ram::offset(page), 1,
                    glue::Access::read | glue::Access::execute)
               .ok());
    glue::Vcpu& vcpu = glue::Vcpu::of(CpuId{0});
    vcpu.context() = {};
    vcpu.context().rip = address;
    vcpu.context().rsp = address + 0x800;
    vcpu.context().rflags = 0x202;
    chain.begin();
    while (!chain.over()) {
        glue::Trap trap = vcpu.enter(space);
        verify(trap == glue::Trap::event || trap == glue::Trap::deadline);
        (void)vcpu_event(trap);
    }
    chain.report("user_loop");
}

// --- waiting for a vCPU that does not come, on the same core
struct Hog {
    static constexpr std::uint64_t duration = 40'000'000; // ten time slices
    Token token{"hog"};
    bool critical = false;
    std::uint32_t started = 0, ended = 0; // atomic
    std::uint64_t turns = 0;

    // Runs on vCPU 1, and counts how far it gets.
    [[gnu::noinline]] void run() { // one loop for all
        __atomic_store_n(&started, 1, __ATOMIC_SEQ_CST);
        std::uint64_t begin = ticks();
        for (turns = 0; ticks() - begin < duration; ++turns)
            asm volatile("");
        __atomic_store_n(&ended, 1, __ATOMIC_SEQ_CST);
    }
    static void thread(void* context, unsigned) {
        auto& hog = *static_cast<Hog*>(context);
        if (hog.critical) {
            CriticalSection section;
            hog.run();
        } else {
            TokenGuard guard(hog.token);
            hog.run();
        }
    }
};

// How many turns it gets while we do `wait`; without one, we only sleep.
std::uint64_t turns(bool critical, void (*wait)(Hog&)) {
    static Hog hogs[32];
    static unsigned used = 0;
    Hog& hog = hogs[used++];
    hog.critical = critical;
    Group group;
    group.spawn(1, Hog::thread, &hog, 0);
    int nap = 0;
    while (__atomic_load_n(&hog.started, __ATOMIC_SEQ_CST) == 0)
        (void)tsleep(&nap, 0, "start", glue::Clock::now() + glue::Nanoseconds{1'000'000});
    if (wait)
        wait(hog);
    group.wait();
    return hog.turns;
}

// The most turns of several tries: the box, which is above all jails, takes some now and then.
std::uint64_t undisturbed_turns(bool critical, void (*wait)(Hog&)) {
    std::uint64_t most = 0;
    for (int n = 0; n < 5; ++n) {
        std::uint64_t with = turns(critical, wait);
        most = with > most ? with : most;
    }
    return most;
}

void waiting() {
    std::uint64_t alone = undisturbed_turns(false, nullptr);
    auto report = [alone](const char* name, std::uint64_t with) {
        print_line(name, with < alone ? (alone - with) * (Hog::duration / 1000) / (alone / 1000) : 0);
    };
    report("wait_token", undisturbed_turns(false, [](Hog& hog) { TokenGuard guard(hog.token); }));
    report("wait_ipi_call", undisturbed_turns(true, [](Hog&) {
               call_ipiq(
                   CpuId{1}, [](void*, std::uintptr_t) {}, nullptr);
           }));
    report("wait_full_queue", undisturbed_turns(true, [](Hog&) {
               for (int n = 0; n < 80; ++n) // more than it holds
                   send_ipiq(
                       CpuId{1}, [](void*, std::uintptr_t) {}, nullptr);
           }));
}

void main(void*) {
    if (cpu_count() == 1) {
        (void)tsleep(&chain, 0, "settle",
                     glue::Clock::now() + glue::Nanoseconds{50'000'000}); // the box is busy at first
        chain.start();
        kernel_loop();
        user_loop();
        chain.thread.stop();
        chain.handler.detach();
    } else {
        waiting();
    }
    end(0);
}

} // namespace

extern "C" void libelle_main() {
    (void)lwkt::start(main, nullptr, Pages::provider());
}
