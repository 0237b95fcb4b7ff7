// SPDX-License-Identifier: BSD-2-Clause
// LWKT's side of interrupts: an event bit of a core's vCPU, signalled by an IRQ thread or another task, makes
// an LWKT interrupt thread runnable. It preempts what runs (unless in a critical section), calls its function
// until no more events have come, and gives the core back.
#pragma once

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
                               Priority priority = Priority::interrupt);
    // Detaches the bit and ends the thread; returns when the function runs no more. Blocks. Not from the
    // function.
    void detach();

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
    // Touched on the handler's core in critical sections.
    bool pending_ = false;
    bool ending_ = false;
    bool idle_ = false;        // the thread waits for an event
    bool ended_ = false;       // atomic: read by detach()
    std::uint64_t events_ = 0; // atomic, relaxed: statistics
    std::uint64_t runs_ = 0;
};

} // namespace lwkt
