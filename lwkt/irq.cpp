// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/irq.hpp"

#include "lwkt/ipiq.hpp"
#include "lwkt/irq_sources.hpp"
#include "lwkt/ktr.hpp"
#include "lwkt/sleepqueue.hpp"

namespace lwkt {

glue::Outcome<void> InterruptHandler::attach(CpuId cpu, unsigned bit, Function function, void* argument,
                                             const char* name, Priority priority, irq::Stamp* stamp) {
    verify(thread_ == nullptr && priority >= Priority::interrupt_low);
    function_ = function;
    argument_ = argument;
    bit_ = bit;
    cpu_ = cpu;
    stamp_ = stamp;
    thread_ = create(main, this, priority, cpu, name);
    if (thread_ == nullptr)
        return Failure(glue::Error::no_memory);
    add_interrupt_source(
        name, InterruptKind::event, bit, cpu,
        [](const void* self) {
            const auto& handler = *static_cast<const InterruptHandler*>(self);
            return InterruptReading{handler.events(), 0, &handler.latency_};
        },
        this);
    set_event_handler(cpu, bit, event, this);
    schedule(thread_);
    return {};
}

// Hard context, on the handler's core.
void InterruptHandler::event(void* self) {
    auto& handler = *static_cast<InterruptHandler*>(self);
    __atomic_fetch_add(&handler.events_, 1, __ATOMIC_RELAXED);
    ktr(KtrEvent::interrupt, &handler, handler.bit_);
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
        std::uint64_t since = handler.stamp_ ? handler.stamp_->take() : 0;
        std::uint64_t latency = since ? glue::Clock::ticks().value - since : 0;
        if (since)
            handler.latency_.record(latency);
        ktr(KtrEvent::interrupt_run, &handler, latency);
        handler.function_(handler.argument_);
    }
    __atomic_store_n(&handler.ended_, true, __ATOMIC_SEQ_CST);
    wakeup(self);
}

void InterruptHandler::detach() {
    remove_interrupt_source(this);
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

// --- soft interrupts
glue::Outcome<void> SoftInterrupt::attach(CpuId cpu, Function function, void* argument, const char* name,
                                          Priority priority) {
    verify(thread_ == nullptr);
    function_ = function;
    argument_ = argument;
    thread_ = create(main, this, priority, cpu, name);
    if (thread_ == nullptr)
        return Failure(glue::Error::no_memory);
    add_interrupt_source(
        name, InterruptKind::soft, static_cast<std::uint32_t>(priority), cpu,
        [](const void* self) {
            return InterruptReading{static_cast<const SoftInterrupt*>(self)->runs(), 0, nullptr};
        },
        this);
    schedule(thread_);
    return {};
}

// The wish is there before the thread is woken. A thread that is not blocked yet, so that waking it does
// nothing, looks at the wishes once more in the critical section in which it blocks, and is woken after that
// section.
void SoftInterrupt::wish(std::uint32_t what) {
    if ((__atomic_fetch_or(&wishes_, what, __ATOMIC_SEQ_CST) & what) == 0)
        schedule(thread_);
}

void SoftInterrupt::raise() {
    ktr(KtrEvent::soft_raised, this);
    wish(wish_run);
}

void SoftInterrupt::main(void* self) {
    auto& soft = *static_cast<SoftInterrupt*>(self);
    for (;;) {
        std::uint32_t wishes;
        {
            CriticalSection critical;
            while ((wishes = __atomic_exchange_n(&soft.wishes_, 0, __ATOMIC_SEQ_CST)) == 0)
                lwkt_switch_blocked();
        }
        if (wishes & wish_run) {
            __atomic_fetch_add(&soft.runs_, 1, __ATOMIC_RELAXED);
            ktr(KtrEvent::soft_run, &soft);
            soft.function_(soft.argument_);
        }
        if (wishes & wish_end)
            break;
    }
    __atomic_store_n(&soft.ended_, true, __ATOMIC_SEQ_CST);
    wakeup(self); // only the address
}

void SoftInterrupt::detach() {
    remove_interrupt_source(this);
    wish(wish_end);
    for (;;) {
        tsleep_interlock(this, sleep_plain);
        if (__atomic_load_n(&ended_, __ATOMIC_SEQ_CST))
            break;
        (void)tsleep(this, sleep_interlocked, "swiend");
    }
    tsleep_remove();
    thread_ = nullptr;
    ended_ = false;
    wishes_ = 0;
}

} // namespace lwkt
