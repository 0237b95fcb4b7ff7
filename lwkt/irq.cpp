// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/irq.hpp"

#include "lwkt/ipiq.hpp"
#include "lwkt/sleepqueue.hpp"

namespace lwkt {

glue::Outcome<void> InterruptHandler::attach(CpuId cpu, unsigned bit, Function function, void* argument,
                                             const char* name, Priority priority) {
    verify(thread_ == nullptr && priority >= Priority::interrupt_low);
    function_ = function;
    argument_ = argument;
    bit_ = bit;
    cpu_ = cpu;
    thread_ = create(main, this, priority, cpu, name);
    if (thread_ == nullptr)
        return Failure(glue::Error::no_memory);
    set_event_handler(cpu, bit, event, this);
    schedule(thread_);
    return {};
}

// Hard context, on the handler's core.
void InterruptHandler::event(void* self) {
    auto& handler = *static_cast<InterruptHandler*>(self);
    __atomic_fetch_add(&handler.events_, 1, __ATOMIC_RELAXED);
    handler.pending_ = true;
    if (handler.idle_)
        schedule(handler.thread_);
}

void InterruptHandler::main(void* self) {
    auto& handler = *static_cast<InterruptHandler*>(self);
    for (;;) {
        {
            CriticalSection critical;
            while (!handler.pending_ && !handler.ending_) {
                handler.idle_ = true;
                lwkt_switch_blocked();
                handler.idle_ = false;
            }
            if (handler.ending_)
                break;
            handler.pending_ = false;
        }
        __atomic_fetch_add(&handler.runs_, 1, __ATOMIC_RELAXED);
        handler.function_(handler.argument_);
    }
    __atomic_store_n(&handler.ended_, true, __ATOMIC_SEQ_CST);
    wakeup(self);
}

void InterruptHandler::detach() {
    call_ipiq(
        cpu_,
        [](void* self, std::uintptr_t) {
            auto& handler = *static_cast<InterruptHandler*>(self);
            set_event_handler(handler.cpu_, handler.bit_, nullptr, nullptr);
            handler.ending_ = true;
            if (handler.idle_)
                schedule(handler.thread_);
        },
        this);
    for (;;) {
        tsleep_interlock(this, sleep_plain);
        if (__atomic_load_n(&ended_, __ATOMIC_SEQ_CST))
            break;
        (void)tsleep(this, sleep_interlocked, "irqend");
    }
    tsleep_remove();
    thread_ = nullptr;
    ended_ = ending_ = pending_ = false;
}

} // namespace lwkt
