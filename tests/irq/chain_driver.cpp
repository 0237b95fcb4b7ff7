// SPDX-License-Identifier: BSD-2-Clause
// A driver in a task of its own: it can touch its devices' registers and wait for its interrupts, and neither
// make interrupts nor write messages. Its top halves queue to the client and ring its bell.
#include "glue/address_space.hpp"
#include "irq-threads/irq_thread.hpp"
#include "tests/irq/chain.hpp"

namespace {

struct Device {
    chain::Kind kind{};
    irq::IrqThread thread;
    alignas(16) std::byte stack[8192];

    static bool top(void* self) {
        auto& driver = *static_cast<Device*>(self);
        std::uint64_t now = glue::Clock::ticks().value;
        if (chain::device(driver.kind, chain::register_status) == 0)
            return false;
        chain::device(driver.kind, chain::register_lower) = 1;
        return chain::shared().queue[driver.kind].push({now});
    }
    glue::Outcome<void> start(chain::Kind which) {
        using glue::native::check;
        using glue::native::invoke;
        kind = which;
        abi::Selector binding = glue::allocate_selector();
        TRY(check(invoke(abi::Operation::bind, glue::start_task, binding, glue::start_pool,
                         chain::device_region + kind)));
        TRY(check(invoke(abi::Operation::map, binding, chain::device_address + kind * glue::page_size, 0, 1,
                         abi::map_read | abi::map_write | abi::map_uncached)));
        irq::IrqThread::Parameters p;
        p.pool = glue::start_pool;
        p.core = glue::start().core[0];
        p.priority = glue::start().priority + 1;
        p.scheduling = chain::interrupt_scheduling + kind;
        p.buffer = glue::buffer_address + (1 + kind) * glue::page_size;
        p.stack = stack;
        p.stack_size = sizeof stack;
        p.top_half = top;
        p.argument = this;
        p.target = glue::Notification(chain::client_bell + kind);
        p.stamp = &chain::shared().stamp[kind];
        // The device's own registers cannot mask; what is raised meanwhile is one message more.
        irq::MessageDevice vector;
        vector.mask = [](void*, unsigned, bool) {};
        return thread.start_given(p, glue::Notification(chain::interrupt_notification + kind),
                                  glue::Irq(chain::interrupt + kind),
                                  kind == chain::message ? &vector : nullptr);
    }
};
Device devices[chain::kinds];

} // namespace

extern "C" void libelle_main() {
    glue::Notification event(glue::start_event);
    (void)event.wait(); // all is given
    for (unsigned kind = 0; kind != chain::kinds; ++kind)
        if (!devices[kind].start(static_cast<chain::Kind>(kind)).ok())
            asm volatile("ud2");
    __atomic_fetch_add(&chain::shared().drivers, 1, __ATOMIC_SEQ_CST);
    glue::Notification(glue::start_doorbell).signal();
    for (;;)
        (void)event.wait();
}
