// SPDX-License-Identifier: BSD-2-Clause
// vCPUs of the hosted platform: Linux threads. What is different from the native one:
//  - enter() lets the thread of this vCPU in the BSD process run (l4-glue/hosted/enter.cpp). In unit tests it
//  returns
//    what a hook of the test says (Trap::event when there is none).
//  - Upcalls are signals (l4-glue/hosted/upcall.cpp), and come at LWKT's safe points, too, when
//    glue::upcall_due() says so; in unit tests only there.
//  - start_all() returns when `entry` has returned on every vCPU, so that a test can end.
#pragma once

#include "glue/address_space.hpp"
#include "glue/clock.hpp"

#include <condition_variable>
#include <ctime>
#include <mutex>

#include <sys/types.h>

namespace glue {

namespace hosted {
class HostCall;
extern bool upcalls_by_signals; // set before start_all()
} // namespace hosted

using UpcallHandler = void (*)();
using CoreEntry = void (*)(CpuId cpu);

class Vcpu {
public:
    static Outcome<void> start_all(CoreEntry entry);
    static unsigned count() { return start().vcpus; }
    static Vcpu& of(CpuId cpu);

    Trap enter(const AddressSpace& space) {
        if (hosted::Space* process = space.process())
            return run(*process);
        return enter_hook ? enter_hook(*this, space) : Trap::event;
    }
    UserContext& context() { return context_; }

    void wait();
    void set_deadline(Ticks deadline) {
        __atomic_store_n(&deadline_.value, deadline.value, __ATOMIC_RELAXED);
    }
    std::uint64_t take_events() {
        __atomic_store_n(&pending_, false, __ATOMIC_SEQ_CST);
        return __atomic_exchange_n(&events_, 0, __ATOMIC_SEQ_CST);
    }
    bool pending() const { return __atomic_load_n(&pending_, __ATOMIC_RELAXED); }

    void set_upcall_handler(UpcallHandler handler) { handler_ = handler; }
    void enable_upcalls() { __atomic_store_n(&upcalls_, true, __ATOMIC_SEQ_CST); }
    void disable_upcalls() { __atomic_store_n(&upcalls_, false, __ATOMIC_SEQ_CST); }

    void kick() { signal(event_kick); }
    static constexpr std::uint64_t event_kick = 1;
    static constexpr std::uint64_t event_doorbell = 2;
    static constexpr unsigned event_irq_shift = 8;

    Ticks stolen() const { return Ticks{0}; }

    // A name for glue::Notification: what is signalled there arrives here as events.
    abi::Selector notification() const;

    // Hosted only. Event bits from any thread, as an IRQ thread or another task would signal them.
    void signal(std::uint64_t bits);
    bool upcall_due() const {
        return __atomic_load_n(&upcalls_, __ATOMIC_RELAXED) &&
               (pending() || (deadline_ != no_deadline && Clock::ticks() >= deadline_));
    }
    void upcall_if_due();
    // Hosted only. Stands for running a BSD thread; set before start_all().
    using EnterHook = Trap (*)(Vcpu& vcpu, const AddressSpace& space);
    static EnterHook enter_hook;

private:
    friend class Fpu;
    friend class AddressSpace;
    friend class hosted::HostCall;
    void accept_upcalls();
    void refuse_upcalls();
    void interrupt_own_code();
    Trap run(hosted::Space& space);
    void make_live(hosted::Space& space, unsigned cpu);

    UserContext context_ = {};
    Ticks deadline_ = no_deadline;    // own thread only
    bool upcalls_ = false;            // atomic: written by its own thread
    UpcallHandler handler_ = nullptr; // own thread only
    std::uint64_t events_ = 0;        // atomic: signalled by any thread
    bool pending_ = false;            // atomic: set with events_
    int host_calls_ = 0;              // own thread only: HostCalls that it is in
    pid_t thread_ = 0;                // atomic: to be interrupted by signals; 0: not
    timer_t tick_timer_{};            // own thread only
    std::mutex mutex_;                // for sleeping, and guards guest_
    std::condition_variable changed_;
    hosted::Space* guest_ = nullptr; // where a BSD thread runs now, to be interrupted by events
    // Extended state; own thread only, but live_ is cleared when the space goes.
    hosted::Space* live_ = nullptr;         // atomic: in whose slot that of the last BSD thread lies
    const std::byte* next_state_ = nullptr; // or: what the next one begins with
};

namespace hosted {
extern thread_local void* cpu_local;
extern thread_local Vcpu* this_vcpu;
unsigned index_of(const Vcpu& vcpu);

// No upcall comes while one lives: the host's library is used, whose locks are not LWKT's.
class HostCall {
public:
    HostCall() : vcpu_(this_vcpu) { add(1); }
    ~HostCall() { add(-1); }
    HostCall(const HostCall&) = delete;
    HostCall& operator=(const HostCall&) = delete;

private:
    void add(int count) {
        if (vcpu_) // one instruction's worth: an upcall in between would leave it as it was
            __atomic_store_n(&vcpu_->host_calls_, vcpu_->host_calls_ + count, __ATOMIC_SEQ_CST);
    }
    Vcpu* vcpu_;
};
} // namespace hosted
inline void set_cpu_local(void* self) {
    hosted::cpu_local = self;
}
template <class T>
inline T* cpu_local() {
    return static_cast<T*>(hosted::cpu_local);
}

} // namespace glue
