// SPDX-License-Identifier: BSD-2-Clause
// What a core owns: its current thread, ready queue, timers and inbox. Only the core itself touches it, with
// interrupts off, except the members marked atomic.
#pragma once

#include <cstddef>

#include "kernel/arch/x86_64/descriptors.hpp"
#include "kernel/thread.hpp"

namespace kernel {

// FIFO lists by priority, and before them one slot for a thread that comes first of all: who is woken to run
// at once, and who is interrupted by that, need no list.
class ReadyQueue {
public:
    void push(Thread& thread) {
        if (thread.priority > highest())
            return push_first(thread);
        append(thread);
    }
    void push_front(Thread& thread) {
        if (thread.priority >= highest())
            return push_first(thread);
        prepend(thread);
    }
    void remove(Thread& thread) {
        thread.ready_queued = false;
        if (first_ == &thread)
            first_ = nullptr;
        else
            unlink(thread);
    }
    // Takes the first thread out; `last` takes its place before all of its priority and below. There is one,
    // of no lower priority than `last`.
    Thread& exchange_first(Thread& last) {
        Thread* next = first_;
        if (next) [[likely]] {
            next->ready_queued = false;
            first_ = nullptr;
        } else {
            next = queues_[listed_].first;
            remove(*next);
        }
        push_front(last);
        return *next;
    }
    // The first thread of the highest priority, or nullptr.
    Thread* first() const { return first_ || listed_ < 0 ? first_ : queues_[listed_].first; }
    int highest() const { return first_ ? first_->priority : listed_; } // -1 if empty

private:
    void push_first(Thread& thread) {
        if (first_) [[unlikely]]
            prepend(*first_);
        first_ = &thread;
        thread.ready_queued = true;
    }
    void append(Thread& thread);
    void prepend(Thread& thread);
    void unlink(Thread& thread);
    void mark(unsigned priority);

    Thread* first_ = nullptr; // not in a list; above or before all that are
    int listed_ = -1;         // highest priority of the lists
    ThreadQueue queues_[abi::priorities];
    Word bitmap_[abi::priorities / 64] = {};
};

struct Trace;

struct alignas(64) Core {
    // The first part is known to entry.S by offset; see the assertions below.
    Core* self;
    Registers* frame; // where the next trap from user mode stores its registers
    Word stack_top;
    Word user_rsp; // scratch of the system-call entry
    Word sequence; // atomic for readers: odd in the kernel, even in user mode or idle
    // Looked at together on the way out of a system call: all zero, the same thread goes on where it was.
    alignas(4) bool in_guest; // the current thread's vCPU user state runs
    bool traced;              // every way in and out is the long one, and recorded: see trace.hpp
    bool switched;            // leave with all registers of core.frame
    bool reschedule;          // schedule() has something to do
    Word guest_rip, guest_rflags, guest_rsp; // checked copies for the way to guest mode
    Word guest_iret;                         // 1: leave by IRET
    Word scratch;

    Thread* current;    // nullptr: idle
    Task* space;        // atomic for readers: whose page tables are loaded; nullptr: the kernel's own
    bool turn_over;     // the current context used up a replenishment: others of the priority come first
    bool plain;         // CR0.TS is on and no interrupt held back: plain threads need no switch of either
    bool task_switched; // CR0.TS
    std::uint8_t held;  // task priority: interrupt vectors of this class (bits 4-7) and below wait
    std::uint8_t index;
    std::uint32_t apic_id;
    Word accounted_at;           // ticks up to which the current context has been charged
    Word programmed;             // deadline in the local APIC timer
    std::uint32_t endpoint_head; // what a live endpoint of this core begins with: see is_live
    Thread* fpu_owner;           // whose state the FPU registers hold
    ReadyQueue ready;
    TimerQueue timers;
    Thread* preempted_guests; // threads that were switched from while in guest mode: see flush.cpp
    Word counters[abi::counter_count];
    Trace* trace;
    arch::Descriptors descriptors;

    alignas(64) Inbox inbox;                   // atomic
    alignas(64) std::uint32_t flush_requested; // atomic: or-ed by others, see flush.cpp
    std::uint32_t flush_completed;             // atomic for readers
    std::uint32_t online;                      // atomic
};
static_assert(offsetof(Core, frame) == 8 && offsetof(Core, stack_top) == 16 &&
              offsetof(Core, user_rsp) == 24);
static_assert(offsetof(Core, sequence) == 32 && offsetof(Core, in_guest) == 40 &&
              offsetof(Core, switched) == 42 && offsetof(Core, guest_rip) == 48);
static_assert(offsetof(Core, guest_rflags) == 56 && offsetof(Core, guest_rsp) == 64 &&
              offsetof(Core, guest_iret) == 72);
static_assert(offsetof(Core, traced) == 41);
static_assert(offsetof(Core, scratch) == 80 && offsetof(Core, current) == 88);
static_assert(static_cast<Word>(abi::Operation::vcpu_run) == 25 &&
              static_cast<Word>(abi::Operation::call) == 36 &&
              static_cast<Word>(abi::Operation::reply_wait) == 38);
static_assert(static_cast<Word>(abi::Trap::system_call) == 1 && static_cast<Word>(Error::bad_operation) == 1);

extern Core cores[abi::max_cores];
extern unsigned core_count;

inline Core& this_core() {
    Core* core;
    asm("mov %%gs:0, %0" : "=r"(core)); // not volatile: a kernel path never changes its core
    return *core;
}

// Where the next trap from user mode stores its registers: the system-call entry, and the processor's own
// push.
inline void set_frame(Core& core, Registers& registers) {
    core.frame = &registers;
    core.descriptors.tss.rsp0 = reinterpret_cast<Word>(&registers + 1);
}

} // namespace kernel
