// SPDX-License-Identifier: BSD-2-Clause
// vCPUs of the explored platform: stacks of one Linux thread. The explorer (explore.hpp) decides at each step
// which of them runs on. Upcalls come as on the kernel: between any two steps, where they are enabled.
#pragma once

#include "glue/clock.hpp"

namespace glue {

using UpcallHandler = void (*)();
using CoreEntry = void (*)(CpuId cpu);

class Vcpu {
public:
    static Outcome<void> start_all(CoreEntry entry);
    static unsigned count();
    static Vcpu& of(CpuId cpu);

    void wait();
    void set_deadline(Ticks deadline) {
        deadline_ = deadline;
        deadline_fired_ = false;
    }
    std::uint64_t take_events() {
        pending_ = false;
        return std::exchange(events_, 0);
    }
    bool pending() const { return pending_; }
    void set_upcall_handler(UpcallHandler handler) { handler_ = handler; }
    void enable_upcalls() { upcalls_ = true; }
    void disable_upcalls() { upcalls_ = false; }
    void kick() { signal(event_kick); }
    void signal(std::uint64_t bits) {
        events_ |= bits;
        interrupt_ = true;
    }
    static constexpr std::uint64_t event_kick = 1;
    static constexpr std::uint64_t event_doorbell = 2;
    static constexpr unsigned event_irq_shift = 8;

    // For the explorer.
    void reset() { *this = Vcpu(); }
    bool due(std::uint64_t now) const {
        return interrupt_ || (!deadline_fired_ && deadline_ != no_deadline && deadline_.value <= now);
    }
    bool can_run(std::uint64_t now) const { return !waiting_ || pending_ || due(now); }
    Ticks deadline() const { return deadline_fired_ ? no_deadline : deadline_; }
    void take_interrupt(std::uint64_t now);

private:
    Ticks deadline_ = no_deadline;
    bool deadline_fired_ = false;
    bool interrupt_ = false; // signalled, and the core has not seen it yet
    bool pending_ = false;
    bool upcalls_ = false;
    bool waiting_ = false;
    std::uint64_t events_ = 0;
    UpcallHandler handler_ = nullptr;
};

} // namespace glue
