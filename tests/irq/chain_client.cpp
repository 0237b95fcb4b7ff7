// SPDX-License-Identifier: BSD-2-Clause
// What a personality is in the chain: LWKT on a vCPU, which is interrupted in endless loops. It raises the
// devices itself, so that it is known when, and records how long each stage took.
#include "glue/address_space.hpp"
#include "lwkt/irq.hpp"
#include "tests/irq/chain.hpp"
#include "tests/lwkt/support.hpp"

using namespace lwkt;

namespace {

using chain::Kind;

std::uint64_t ticks() {
    return glue::Clock::ticks().value;
}

struct Client {
    Kind kind{};
    InterruptHandler handler;
    chain::Loop loop{};
    std::uint64_t* sent = nullptr; // when the device was raised
    std::uint64_t received = 0;    // atomic: the loop that is preempted reads it
    unsigned sample = 0;
    bool recording = false;

    static void bottom(void* self) {
        auto& c = *static_cast<Client*>(self);
        std::uint64_t now = ticks();
        chain::Event event;
        while (chain::shared().queue[c.kind].pop(event)) {
            if (c.recording) {
                const std::uint64_t stage[chain::stages] = {event.top_half - *c.sent, now - event.top_half,
                                                            now - *c.sent};
                for (unsigned n = 0; n != chain::stages; ++n) {
                    chain::shared().ticks[c.kind][c.loop][n][c.sample] = stage[n];
                    chain::shared().latency[c.kind][c.loop][n].record(stage[n]);
                }
            }
            __atomic_store_n(&c.received, c.received + 1, __ATOMIC_RELAXED);
        }
    }
    bool came(std::uint64_t before) const { return __atomic_load_n(&received, __ATOMIC_RELAXED) != before; }
    void start(Kind which) {
        kind = which;
        verify(handler
                   .attach(CpuId{0}, chain::client_bit + kind, bottom, this, chain::kind_names[kind],
                           Priority::interrupt, &chain::shared().stamp[kind])
                   .ok());
    }
};
Client clients[chain::kinds];

void map_device(abi::Selector task, std::uint64_t address, Kind kind) {
    abi::Selector binding = glue::allocate_selector();
    using glue::native::invoke;
    verify(invoke(abi::Operation::bind, task, binding, glue::start_pool, chain::device_region + kind).ok());
    verify(invoke(abi::Operation::map, binding, address, 0, 1,
                  abi::map_read | abi::map_write | abi::map_uncached)
               .ok());
}

void in_lwkt(Client& client) {
    std::uint64_t sent, before = client.received;
    client.sent = &sent;
    sent = ticks();
    chain::device(client.kind, chain::register_raise) = 1;
    while (!client.came(before)) // no call, no critical section: nothing but preemption gets in
        asm volatile("" ::: "memory");
}

// A program that reads the clock, raises the device and loops for ever.
struct User {
    static constexpr std::uint64_t text = 0x40'0000, data = 0x40'1000, registers = 0x40'2000;
    glue::AddressSpace space;
    std::uint64_t* sent = nullptr;

    void start() {
        static constexpr unsigned char program[] = {
            0x0f, 0x31,             // rdtsc
            0x48, 0xc1, 0xe2, 0x20, // shl $32, %rdx
            0x48, 0x09, 0xd0,       // or %rdx, %rax
            0x48, 0x89, 0x06,       // mov %rax, (%rsi)
            0x89, 0x0f,             // mov %ecx, (%rdi)
            0xeb, 0xfe,             // jmp .
        };
        void* page = native::Pages::provider().allocate(1);
        sent = static_cast<std::uint64_t*>(native::Pages::provider().allocate(1));
        verify(page && sent && space.create().ok());
        __builtin_memcpy(page, program, sizeof program);
        using glue::Access;
        verify(space
                   .map(glue::UserAddress{text}, glue::Source::ram, glue::Ram::offset(page), 1,
                        Access::read | Access::execute)
                   .ok());
        verify(space
                   .map(glue::UserAddress{data}, glue::Source::ram, glue::Ram::offset(sent), 1,
                        Access::read | Access::write)
                   .ok());
        for (unsigned kind = 0; kind != chain::kinds; ++kind)
            map_device(space.selector(), registers + kind * glue::page_size, static_cast<Kind>(kind));
    }
    void run(Client& client) {
        std::uint64_t before = client.received;
        client.sent = sent;
        glue::Vcpu& vcpu = glue::Vcpu::of(CpuId{0});
        vcpu.context() = {};
        vcpu.context().rip = text;
        vcpu.context().rsi = data;
        vcpu.context().rdi = registers + client.kind * glue::page_size + chain::register_raise;
        vcpu.context().rcx = 1;
        vcpu.context().rflags = 0x202;
        while (!client.came(before)) {
            glue::Trap trap = vcpu.enter(space);
            verify(trap == glue::Trap::event || trap == glue::Trap::deadline);
            (void)vcpu_event(trap);
        }
    }
};
User user;

void measure(Client& client, chain::Loop loop) {
    constexpr unsigned warm_up = 10;
    client.loop = loop;
    for (unsigned n = 0; n != warm_up + chain::samples; ++n) {
        client.recording = n >= warm_up;
        client.sample = n - warm_up;
        loop == chain::lwkt_loop ? in_lwkt(client) : user.run(client);
    }
    client.recording = false;
}

void wait_for(std::uint32_t phase) {
    while (__atomic_load_n(&chain::shared().phase, __ATOMIC_SEQ_CST) != phase)
        (void)tsleep(&user, 0, "phase", glue::Clock::now() + glue::Nanoseconds{1'000'000});
}
void enter_phase(std::uint32_t phase) {
    __atomic_store_n(&chain::shared().phase, phase, __ATOMIC_SEQ_CST);
    glue::Notification(glue::start_doorbell).signal();
}

void main(void*) {
    while (__atomic_load_n(&chain::shared().drivers, __ATOMIC_SEQ_CST) == 0)
        (void)tsleep(&user, 0, "driver", glue::Clock::now() + glue::Nanoseconds{1'000'000});
    for (unsigned kind = 0; kind != chain::kinds; ++kind) {
        map_device(glue::start_task, chain::device_address + kind * glue::page_size, static_cast<Kind>(kind));
        clients[kind].start(static_cast<Kind>(kind));
    }
    user.start();
    for (Client& client : clients)
        for (unsigned loop = 0; loop != chain::loops; ++loop)
            measure(client, static_cast<chain::Loop>(loop));
    enter_phase(chain::measured);
    // The driver dies. What the devices raise meanwhile comes when there is another one: a pause, no more.
    wait_for(chain::driver_is_dead);
    for (Client& client : clients) {
        std::uint64_t sent, before = client.received;
        client.sent = &sent;
        chain::device(client.kind, chain::register_raise) = 1;
        while (!client.came(before))
            (void)tsleep(&user, 0, "device", glue::Clock::now() + glue::Nanoseconds{1'000'000});
        for (unsigned n = 0; n != chain::events_after_restart; ++n)
            in_lwkt(client);
    }
    enter_phase(chain::over);
    for (;;)
        (void)tsleep(&user, 0, "over");
}

} // namespace

extern "C" void libelle_main() {
    (void)lwkt::start(main, nullptr, native::Pages::provider());
}
