// SPDX-License-Identifier: BSD-2-Clause
// LWKT's side of interrupts: an event bit of a core's vCPU, signalled by an IRQ thread or another task, makes
// an LWKT interrupt thread runnable. It preempts what runs (unless in a critical section), calls its function
// until no more events have come, and gives the core back.
#pragma once

#include "irq-threads/histogram.hpp"
#include "lwkt/thread.hpp"

namespace lwkt {

class InterruptHandler {
public:
    // Takes what a top half queued. In the interrupt thread: may take tokens and block shortly.
    using Function = void (*)(void* argument);

    InterruptHandler() = default;
    InterruptHandler(const InterruptHandler&) = delete;
    InterruptHandler& operator=(const InterruptHandler&) = delete;

    // Creates the thread on `cpu` and attaches it to `bit` (glue::Vcpu::event_irq_shift and up). Once. Thread
    // context. Error: no_memory. The handler lives as long as LWKT does, or until detach().
    glue::Outcome<void> attach(CpuId cpu, unsigned bit, Function function, void* argument, const char* name,
                               Priority priority = Priority::interrupt, irq::Stamp* stamp = nullptr);
    // Detaches the bit and ends the thread; returns when the function runs no more. Blocks. Not from the
    // function.
    void detach();

    // Ticks from a top half's signal to the function; empty without a stamp.
    const irq::Histogram& latency() const { return latency_; }
    std::uint64_t events() const { return __atomic_load_n(&events_, __ATOMIC_RELAXED); } // times the bit came
    std::uint64_t runs() const { return __atomic_load_n(&runs_, __ATOMIC_RELAXED); } // calls of the function

private:
    static void event(void* self);
    static void main(void* self);

    Function function_ = nullptr; // immutable, like all up to the thread
    void* argument_ = nullptr;
    unsigned bit_ = 0;
    CpuId cpu_;
    Thread* thread_ = nullptr;
    irq::Stamp* stamp_ = nullptr;
    // Touched on the handler's core in critical sections.
    bool pending_ = false;
    bool ending_ = false;
    bool idle_ = false;        // the thread waits for an event
    bool ended_ = false;       // atomic: read by detach()
    std::uint64_t events_ = 0; // atomic, relaxed: statistics
    std::uint64_t runs_ = 0;
    irq::Histogram latency_; // written by the thread
};

// A soft interrupt: work that hard contexts put off, in a thread that preempts BSD threads and daemons only
// when they block or yield (Priority::soft), or, above, like an interrupt thread. raise() may come from any
// core and any context; raises that come before the function begins are one.
class SoftInterrupt {
public:
    using Function = void (*)(void* argument);

    SoftInterrupt() = default;
    SoftInterrupt(const SoftInterrupt&) = delete;
    SoftInterrupt& operator=(const SoftInterrupt&) = delete;

    // Creates the thread on `cpu`. Once. Thread context. Error: no_memory.
    glue::Outcome<void> attach(CpuId cpu, Function function, void* argument, const char* name,
                               Priority priority = Priority::soft);
    void raise();
    // Ends the thread; returns when the function runs no more. Nobody raises it any more. Blocks. Not from
    // the function.
    void detach() LWKT_BLOCKS;
    std::uint64_t runs() const { return __atomic_load_n(&runs_, __ATOMIC_RELAXED); } // calls of the function

private:
    enum Wish : std::uint32_t { wish_run = 1, wish_end = 2 };
    void wish(std::uint32_t what);
    static void main(void* self);

    Function function_ = nullptr; // immutable, like all up to the thread
    void* argument_ = nullptr;
    Thread* thread_ = nullptr;
    std::uint32_t wishes_ = 0; // atomic: any core
    bool ended_ = false;       // atomic: read by detach()
    std::uint64_t runs_ = 0;   // atomic, relaxed: statistics
};

} // namespace lwkt
