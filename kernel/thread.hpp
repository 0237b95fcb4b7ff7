// SPDX-License-Identifier: BSD-2-Clause
// Threads, and the objects whose queues hold them. Everything here is owned by the thread's home core and
// touched with interrupts off, without locks; other cores go through the inbox.
#pragma once

#include "kernel/invariant.hpp"
#include "kernel/scheduling_context.hpp"
#include "kernel/timer.hpp"

namespace kernel {

using abi::Registers;
using abi::ThreadState;

struct Core;
struct Task;
struct Endpoint;
struct Notification;
struct Vcpu;

// FIFO of threads linked through queue_next/queue_previous; a thread is in at most one.
struct ThreadQueue {
    Thread *first = nullptr, *last = nullptr;
    void push(Thread& thread);
    void push_front(Thread& thread);
    void remove(Thread& thread);
    void pop_first(); // there is one
    Thread* pop() {
        Thread* thread = first;
        if (thread)
            pop_first();
        return thread;
    }
};

// Where a thread is asked to move, and what it has there.
struct Move {
    std::uint8_t core = 0;
    SchedulingContext* context = nullptr;
    Endpoint* endpoint = nullptr;
    Word badge = 0;
};

// What other cores ask of a thread besides request bits. Each is taken back when it has been looked at, so
// that a request that comes late finds nothing; the contexts live at least as long as the thread.
struct Asked {
    SchedulingContext* bind = nullptr;
    SchedulingContext* unbind = nullptr;
    bool moves = false;
    Move move;
};

struct Thread : CoreObject {
    static constexpr Type kind = Type::thread;

    alignas(16) Registers registers = {}; // user state while not in guest mode; entry.S pushes into it
    Word fs_base = 0, gs_base = 0;        // valid while the thread is not current, or while in guest mode
    Task* task = nullptr;                 // immutable
    Core* home = nullptr;                 // changes with `core`
    std::uint8_t base_priority = 0;
    std::uint8_t priority = 0; // base, or a caller's if that is higher
    bool uses_fpu = true;      // immutable; next to `priority`: see is_plain
    bool in_guest = false;     // its vCPU's user state runs instead of its own
    bool ready_queued = false;
    ThreadState state = ThreadState::inactive;
    Thread *queue_next = nullptr, *queue_previous = nullptr;
    ThreadQueue* queue = nullptr; // the queue it is in, if any

    SchedulingContext* context = nullptr; // what it runs on now: its own or a caller's; none: it cannot run
    SchedulingContext* own_context = nullptr;
    TimerNode timer{TimerNode::What::replenish}; // replenishment, or the deadline of what it waits for
    Word ticks = 0;                              // consumed
    Word ready_since = 0;

    Word starts = 0; // structure_lock for writing: how often it was started
    // request_start is under way: set by who starts it elsewhere (structure_lock) or moves it, taken back
    // here. The state stays what it was, because this core may not have left the thread yet.
    bool start_pending = false;
    Word start_rip = 0, start_rsp = 0, start_argument = 0; // of a pending start
    Word stop_for = 0; // the start that request_stop is meant for; an older request has nothing to stop

    Thread* caller = nullptr;      // who waits for this thread's reply
    Thread* callee = nullptr;      // whose reply this thread waits for
    Word badge = 0;                // of the capability it sends with, while sending
    std::uint32_t sent_rights = 0; // of that, until the reply
    bool one_way = false;          // what it sends awaits no reply
    Endpoint* service = nullptr;   // that it last received from; it is in that endpoint's list of servers
    Thread* service_next = nullptr;
    Thread** service_link = nullptr;
    bool orphan = false;        // passive, and its client went away in the middle: see ipc_abort.cpp
    std::uint8_t depth = 0;     // of the chain of calls above it
    bool fault_pending = false; // what it sends is a fault message, its registers are its user state
    Registers* fault_registers = nullptr; // never null while fault_pending
    Word fault_message[4] = {};
    std::uint32_t fault_label = 0;

    Endpoint* fault_endpoint = nullptr;
    Word fault_badge = 0;
    Notification* notification = nullptr; // bound: arrives as a message while receiving
    Vcpu* vcpu = nullptr;
    Task* guest_task = nullptr;                              // space of the guest state
    Thread *guest_next = nullptr, *guest_previous = nullptr; // the core's preempted_guests
    abi::MessageBuffer* buffer = nullptr;                    // kernel page, also mapped in the task
    Word buffer_address = 0;
    void* fpu = nullptr;         // XSAVE area (a page); none if not uses_fpu
    Asked asked;                 // structure_lock
    bool pages_gone = false;     // structure_lock: destroying: its task does not see its pages any more
    Thread* task_next = nullptr; // structure_lock: the task's threads
    Thread** task_link = nullptr;
};
static_assert(sizeof(Thread) <= 1024);

// Neither uses the FPU nor holds interrupts back while it runs: one comparison, for the paths that count
// instructions.
inline bool is_plain(const Thread& thread) {
    std::uint16_t both;
    __builtin_memcpy(&both, &thread.priority, sizeof both);
    return both < abi::realtime_priority;
}
static_assert(offsetof(Thread, uses_fpu) == offsetof(Thread, priority) + 1);

// Whether it can be started. Without the core's leave, as another core may ask: the state before the start.
inline bool is_inactive(const Thread& thread) {
    if (__atomic_load_n(&thread.start_pending, __ATOMIC_ACQUIRE))
        return false;
    ThreadState state;
    __atomic_load(&thread.state, &state, __ATOMIC_ACQUIRE);
    return state == ThreadState::inactive || state == ThreadState::faulted;
}

inline void ThreadQueue::push(Thread& thread) {
    invariant(!thread.queue && !thread.ready_queued, "queue: in two");
    thread.queue = this;
    thread.queue_next = nullptr;
    thread.queue_previous = last;
    (last ? last->queue_next : first) = &thread;
    last = &thread;
}

inline void ThreadQueue::pop_first() {
    first->queue = nullptr;
    first = first->queue_next;
    (first ? first->queue_previous : last) = nullptr;
}

struct Endpoint : CoreObject {
    static constexpr Type kind = Type::endpoint;
    ThreadQueue senders, receivers;
    ThreadQueue posts;         // one-way senders: apart, since a receiver may have to leave them there
    bool post_is_next = false; // calls and one-way messages take turns
    Thread* servers = nullptr; // threads whose `service` this is
};

struct Notification : CoreObject {
    static constexpr Type kind = Type::notification;
    Word bits = 0;
    ThreadQueue waiters;
    Thread* bound = nullptr;          // a thread that may also wait for an endpoint
    Vcpu* vcpu = nullptr;             // bits go to this vCPU's page
    alignas(64) Word remote_bits = 0; // atomic: or-ed by other cores
};

struct Vcpu : CoreObject {
    static constexpr Type kind = Type::vcpu;
    Thread* thread = nullptr;
    Notification* notification = nullptr;
    abi::VcpuPage* page = nullptr; // kernel page, also mapped in the thread's task
    Word page_address = 0;
    Word delivered_deadline =
        0; // the value in the page that has had its effect: it counts no more until changed
};

} // namespace kernel
