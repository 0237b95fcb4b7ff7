// SPDX-License-Identifier: BSD-2-Clause
// vCPUs of the native platform. Each vCPU is one L4 thread on one core; Vcpu::start_all makes them and runs
// `entry` on each. Only the vCPU's own thread may call its members, but kick() may be called from any.
//
// enter() runs the BSD thread whose registers are in context(), in `space`, until something happens. Events
// that arrive while the server's own code runs are delivered by upcall if enabled, else they set pending, so
// that the next enter() or wait() returns at once.
#pragma once

#include "glue/address_space.hpp"
#include "glue/clock.hpp"

namespace glue {

using UpcallHandler =
    void (*)(); // called on the interrupted stack, upcalls disabled; all registers are preserved
using CoreEntry = void (*)(CpuId cpu);

class Vcpu {
public:
    // Starts the vCPUs 1..n-1 and turns the calling thread into vCPU 0; `entry` never returns.
    // Errors: of the kernel's create operations (no_memory most of all).
    static Outcome<void> start_all(CoreEntry entry);
    static unsigned count() { return start().vcpus; }
    static Vcpu& of(CpuId cpu);

    // Runs the user state in context() until it traps; see abi::Trap. Deadline and events also end it.
    Trap enter(const AddressSpace& space) {
        auto reply = native::run_vcpu(space.selector());
        return reply.ok() ? static_cast<Trap>(reply.value) : failed(reply.error);
    }
    UserContext& context() { return *reinterpret_cast<UserContext*>(page_); }

    // Blocks the core until an event is pending or the deadline passes. Upcalls must be disabled around the
    // check that decides to wait: an event in between makes it return at once.
    void wait() { (void)native::invoke(abi::Operation::vcpu_wait, 0); }
    // Absolute; enter() returns Trap::deadline, wait() returns, and own code gets an upcall when it passes.
    void set_deadline(Ticks deadline) { page_->deadline = deadline.value; }
    // Takes the bits that arrived, and clears pending.
    std::uint64_t take_events() {
        page_->pending = 0;
        return __atomic_exchange_n(&page_->events, 0, __ATOMIC_ACQUIRE);
    }
    bool pending() const { return __atomic_load_n(&page_->pending, __ATOMIC_RELAXED) != 0; }

    // Upcalls: off at start. The handler runs as an ordinary call on top of the interrupted code.
    void set_upcall_handler(UpcallHandler handler);
    void enable_upcalls() { __atomic_store_n(&page_->upcall_enable, 1, __ATOMIC_SEQ_CST); }
    void disable_upcalls() { __atomic_store_n(&page_->upcall_enable, 0, __ATOMIC_SEQ_CST); }

    // Wakes or interrupts this vCPU from any core: an event with event_kick arrives there.
    void kick();
    static constexpr std::uint64_t event_kick = 1; // another vCPU's IPI queue has something
    static constexpr std::uint64_t event_doorbell =
        2; // the box or a driver rang; further bits are IRQ threads'
    static constexpr unsigned event_irq_shift = 8;

    Ticks stolen() const { return Ticks{page_->stolen}; }
    // The notification bound to this vCPU: IRQ threads and drivers signal it.
    abi::Selector notification() const { return notification_; }

private:
    friend struct VcpuStart;
    Trap failed(Error error);
    abi::VcpuPage* page_ = nullptr;
    abi::Selector notification_ = 0, kick_ = 0;
};

// Per-vCPU pointer of the layer above (LWKT's globaldata), kept in the segment base of the vCPU's thread.
inline void set_cpu_local(void* self) {
    asm volatile("wrgsbase %0" ::"r"(self));
}
template <class T>
inline T* cpu_local() { // *T must begin with a pointer to itself
    T* self;
    asm("mov %%gs:0, %0" : "=r"(self)); // not volatile: it cannot change in a thread, which stays on its core
    return self;
}

} // namespace glue
