// SPDX-License-Identifier: BSD-2-Clause
// What a core owns: its current thread, ready queue, timers and inbox. Only the core itself touches it, with
// interrupts off, except the members marked atomic.
#pragma once

#include <cstddef>

#include "kernel/arch/x86_64/descriptors.hpp"
#include "kernel/thread.hpp"

namespace kernel {

class ReadyQueue {
public:
    void push(Thread& thread);
    void push_front(Thread& thread);
    void remove(Thread& thread);
    // The first thread of the highest priority, or nullptr.
    Thread* first() const;
    int highest() const; // -1 if empty

private:
    void mark(unsigned priority) { bitmap_[priority / 64] |= Word{1} << priority % 64; }
    ThreadQueue queues_[abi::priorities];
    Word bitmap_[abi::priorities / 64] = {};
};

struct alignas(64) Core {
    // The first part is known to entry.S by offset; see the assertions below.
    Core* self;
    Registers* frame_top; // end of the registers that the next trap from user mode fills
    Word stack_top;
    Word user_rsp; // scratch of the system-call entry
    Word in_guest; // 1: the current thread's vCPU user state runs
    Word sequence; // atomic for readers: odd in the kernel, even in user mode or idle
    Word guest_rip, guest_rflags, guest_rsp; // checked copies for the way to guest mode
    Word guest_iret;                         // 1: leave by IRET
    Word scratch;

    Thread* current; // nullptr: idle
    Task* space;     // atomic for readers: whose page tables are loaded; nullptr: the kernel's own
    bool reschedule;
    bool turn_over;     // the current context used up a replenishment: others of the priority come first
    bool task_switched; // CR0.TS
    std::uint8_t index;
    std::uint32_t apic_id;
    Word accounted_at; // ticks up to which the current context has been charged
    Word programmed;   // deadline in the local APIC timer
    Thread* fpu_owner; // whose state the FPU registers hold
    ReadyQueue ready;
    TimerQueue timers;
    Thread* preempted_guests; // threads that were switched from while in guest mode: see flush.cpp
    Word statistics[8];
    arch::Descriptors descriptors;

    alignas(64) Inbox inbox;                   // atomic
    alignas(64) std::uint32_t flush_requested; // atomic: or-ed by others, see flush.cpp
    std::uint32_t flush_completed;             // atomic for readers
    std::uint32_t online;                      // atomic
};
static_assert(offsetof(Core, frame_top) == 8 && offsetof(Core, stack_top) == 16 &&
              offsetof(Core, user_rsp) == 24);
static_assert(offsetof(Core, in_guest) == 32 && offsetof(Core, sequence) == 40 &&
              offsetof(Core, guest_rip) == 48);
static_assert(offsetof(Core, guest_rflags) == 56 && offsetof(Core, guest_rsp) == 64 &&
              offsetof(Core, guest_iret) == 72);
static_assert(offsetof(Core, scratch) == 80);

extern Core cores[abi::max_cores];
extern unsigned core_count;

inline Core& this_core() {
    Core* core;
    asm("mov %%gs:0, %0" : "=r"(core)); // not volatile: a kernel path never changes its core
    return *core;
}

// Where the next trap from user mode stores its registers: in the SYSCALL path and in the processor's own
// push.
inline void set_frame(Core& core, Registers* top) {
    core.frame_top = top;
    core.descriptors.tss.rsp0 = reinterpret_cast<Word>(top);
}

} // namespace kernel
