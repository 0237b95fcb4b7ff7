// SPDX-License-Identifier: BSD-2-Clause
// Generated from kernel/abi/kernel.abi by scripts/gen-kernel-abi; do not edit.
#pragma once

#include <cstdint>

// clang-format off
namespace abi {

inline constexpr std::uint32_t version = 2;

enum class Error : std::uint64_t {
    ok = 0,
    bad_operation = 1, // the operation number does not exist
    bad_capability = 2, // the selector is outside the caller's table, its slot is empty, or it names an object of another type
    no_right = 3, // the capability lacks the right that the operation needs
    bad_argument = 4, // an argument is out of its range, misaligned, or a reserved bit is set
    bad_address = 5, // a user address is outside 0 .. 0x7fffffffefff, or misaligned
    bad_range = 6, // offset and size leave the RAM region, pool or table they apply to
    no_memory = 7, // the pool that pays for the operation is exhausted
    occupied = 8, // the destination slot or page is in use
    not_mapped = 9, // the page is not mapped
    wrong_core = 10, // the object belongs to another core and the operation does not cross cores
    wrong_state = 11, // the object is not in a state that allows the operation
    dead = 12, // the object is being destroyed
    aborted = 13, // the partner of the operation was destroyed or suspended before it completed
    would_block = 14, // the operation is a poll, or its deadline has passed before, and there was nothing to do
    limit = 15, // a fixed limit of the kernel is reached: derivations 127 deep, pools 15 deep, calls 32 deep, 2047 bindings a space, 64 vCPUs a core
    overcommitted = 16, // the core cannot guarantee that beside what it has guaranteed already
    timed_out = 17, // the deadline passed while the operation waited
};

inline constexpr const char* error_names[] = {
    "ok",
    "bad_operation",
    "bad_capability",
    "no_right",
    "bad_argument",
    "bad_address",
    "bad_range",
    "no_memory",
    "occupied",
    "not_mapped",
    "wrong_core",
    "wrong_state",
    "dead",
    "aborted",
    "would_block",
    "limit",
    "overcommitted",
    "timed_out",
};

enum class Operation : std::uint64_t {
    null = 0, // enters and leaves the kernel
    console_write = 1, // writes up to 8 bytes of word, low byte first, to the kernel's serial console
    pool_create = 2, // moves pages of 4 KiB from this pool into a new pool; its capability has destroy and this one's rights
    pool_info = 3, // reads the pool's fill
    pool_destroy = 4, // destroys every object made from the pool, then gives its pages back
    region_carve = 5, // makes a capability to part of the region
    region_info = 6, // size in bytes
    task_create = 7, // a task with an empty space and a capability table
    capability_copy = 8, // copies a capability between two tasks, with no more rights; badge sets the badge of an unbadged endpoint or notification capability
    capability_delete = 9, // empties a slot, after everything that was derived from it; a region, binding, timer or interrupt ends with its first capability
    bind = 10, // binds a RAM region to the task's space; the binding carries the region capability's rights
    map = 11, // maps pages of the bound region, one step's worth; done says how far it came
    unmap = 12, // unmaps; bits or-ed from accessed and dirty
    protect = 13, // changes rights of mapped pages, never beyond the binding's
    thread_create = 14, // a thread that is not started; its message buffer appears at buffer_address in its task
    thread_configure = 15, // selectors may be 0 to leave as it is; context and endpoint must come from the thread's pool or one above it
    thread_start = 16, // starts an inactive thread; argument arrives in rdi
    thread_stop = 17, // takes a thread off its core; a blocked operation ends with aborted
    thread_info = 18, // state and consumed ticks
    thread_destroy = 19, // destroys the thread
    task_destroy = 20, // destroys the task and its threads
    endpoint_create = 21, // an endpoint for threads of one core
    notification_create = 22, // a notification whose waiters are on core
    scheduling_create = 23, // a scheduling context, in ticks; period 0 is without limit; priority_limit may have abi::SchedulingFlags. Time is nobody's to make but who holds this right
    vcpu_create = 24, // a vCPU of a thread; its page appears at page_address in the thread's task
    vcpu_run = 25, // resumes the user state of the calling thread's vCPU page in the task's space until it traps
    vcpu_wait = 26, // blocks until an event is pending in the calling thread's vCPU page or its deadline passes
    timer_create = 27, // a one-shot timer
    timer_set = 28, // absolute ticks; 0 cancels
    irq_create = 29, // binds an interrupt line to a notification; line as of abi::interrupt_line
    irq_acknowledge = 30, // unmasks the line after its interrupt was handled
    port_in = 31, // reads an I/O port, width 1, 2 or 4
    port_out = 32, // writes an I/O port
    signal = 33, // sets the badge's bits in the notification
    wait = 34, // waits for bits and takes them
    poll = 35, // takes bits without waiting
    call = 36, // sends a message and waits for its reply
    receive = 37, // waits for a message, or for the thread's bound notification
    reply_wait = 38, // replies to the thread's caller, then receives
    yield = 39, // lets threads of the same priority run
    msi_create = 40, // an edge interrupt whose message the caller programs into a device
    counter_read = 41, // reads what a core has counted since boot
    capability_move = 42, // moves a capability between two tasks; what was derived from it stays derived
    capability_revoke = 43, // takes away everything that was derived from the slot; the slot stays
    task_grow = 44, // enlarges the task's capability table, up to 65536 slots
    scheduling_bind = 45, // binds the context to a thread that has none of its own, whatever the thread does
    scheduling_unbind = 46, // takes the context from its thread, which runs no further until it is given one, or is called
    scheduling_configure = 47, // whom to tell when the budget is used up; 0 is nobody
    scheduling_info = 48, // parameters, promise, budget or use, by abi::SchedulingInfo
    thread_migrate = 49, // moves a thread to another core, with a context and a fault endpoint of that core (or none); a blocked operation ends with aborted
    core_info = 50, // utilization of the core's contexts, 2^32 is the whole core
    send = 51, // sends a message that awaits no reply to a receiver with time of its own
    reply = 52, // replies to the thread's caller and goes on, on time of its own
    thread_cancel = 53, // what a blocked thread waits for ends with aborted
    irq_route = 54, // binds an interrupt to another notification, and delivers it to that one's core from now on; a message has to be programmed anew
    trace_create = 55, // a ring of the last events of a core, which records nothing yet; it ends with its first capability
    trace_control = 56, // records the events whose bits are set, from the core's next entry into the kernel on; 0 ends it. A core that is traced takes longer ways
    trace_read = 57, // copies events in their order into the caller's message buffer, as abi::TraceEvent, up to 16
    object_number = 58, // by which events show a thread or task
};
inline constexpr std::uint64_t operation_count = 59;

inline constexpr const char* operation_names[] = {
    "null",
    "console_write",
    "pool_create",
    "pool_info",
    "pool_destroy",
    "region_carve",
    "region_info",
    "task_create",
    "capability_copy",
    "capability_delete",
    "bind",
    "map",
    "unmap",
    "protect",
    "thread_create",
    "thread_configure",
    "thread_start",
    "thread_stop",
    "thread_info",
    "thread_destroy",
    "task_destroy",
    "endpoint_create",
    "notification_create",
    "scheduling_create",
    "vcpu_create",
    "vcpu_run",
    "vcpu_wait",
    "timer_create",
    "timer_set",
    "irq_create",
    "irq_acknowledge",
    "port_in",
    "port_out",
    "signal",
    "wait",
    "poll",
    "call",
    "receive",
    "reply_wait",
    "yield",
    "msi_create",
    "counter_read",
    "capability_move",
    "capability_revoke",
    "task_grow",
    "scheduling_bind",
    "scheduling_unbind",
    "scheduling_configure",
    "scheduling_info",
    "thread_migrate",
    "core_info",
    "send",
    "reply",
    "thread_cancel",
    "irq_route",
    "trace_create",
    "trace_control",
    "trace_read",
    "object_number",
};

namespace pool_right {
inline constexpr std::uint32_t create = 1;
inline constexpr std::uint32_t destroy = 2;
inline constexpr std::uint32_t schedule = 4;
inline constexpr std::uint32_t all = 7;
}
namespace region_right {
inline constexpr std::uint32_t read = 1;
inline constexpr std::uint32_t write = 2;
inline constexpr std::uint32_t execute = 4;
inline constexpr std::uint32_t carve = 8;
inline constexpr std::uint32_t all = 15;
}
namespace task_right {
inline constexpr std::uint32_t control = 1;
inline constexpr std::uint32_t map = 2;
inline constexpr std::uint32_t enter = 4;
inline constexpr std::uint32_t destroy = 8;
inline constexpr std::uint32_t all = 15;
}
namespace thread_right {
inline constexpr std::uint32_t control = 1;
inline constexpr std::uint32_t destroy = 2;
inline constexpr std::uint32_t all = 3;
}
namespace endpoint_right {
inline constexpr std::uint32_t send = 1;
inline constexpr std::uint32_t receive = 2;
inline constexpr std::uint32_t grant = 4;
inline constexpr std::uint32_t all = 7;
}
namespace notification_right {
inline constexpr std::uint32_t signal = 1;
inline constexpr std::uint32_t receive = 2;
inline constexpr std::uint32_t all = 3;
}
namespace irq_right {
inline constexpr std::uint32_t control = 1;
inline constexpr std::uint32_t all = 1;
}
namespace scheduling_right {
inline constexpr std::uint32_t bind = 1;
inline constexpr std::uint32_t control = 2;
inline constexpr std::uint32_t all = 3;
}
namespace vcpu_right {
inline constexpr std::uint32_t control = 1;
inline constexpr std::uint32_t all = 1;
}
namespace timer_right {
inline constexpr std::uint32_t set = 1;
inline constexpr std::uint32_t all = 1;
}
namespace port_right {
inline constexpr std::uint32_t access = 1;
inline constexpr std::uint32_t all = 1;
}
namespace irqs_right {
inline constexpr std::uint32_t create = 1;
inline constexpr std::uint32_t all = 1;
}
namespace console_right {
inline constexpr std::uint32_t write = 1;
inline constexpr std::uint32_t all = 1;
}
namespace binding_right {
inline constexpr std::uint32_t map = 1;
inline constexpr std::uint32_t all = 1;
}
namespace observer_right {
inline constexpr std::uint32_t count = 1;
inline constexpr std::uint32_t trace = 2;
inline constexpr std::uint32_t all = 3;
}
namespace trace_right {
inline constexpr std::uint32_t read = 1;
inline constexpr std::uint32_t control = 2;
inline constexpr std::uint32_t all = 3;
}

enum class Counter : std::uint64_t {
    context_switches = 0, // threads that the core was switched to
    traps = 1, // exceptions of user mode
    irqs = 2, // interrupts of devices
    shootdowns = 3, // interrupts that it sent to have translations dropped
    idle_ticks = 4, // ticks in which it was halted
    ticks = 5, // its time-stamp counter
};
inline constexpr std::uint64_t counter_count = 6;
inline constexpr const char* counter_names[] = {
    "context_switches",
    "traps",
    "irqs",
    "shootdowns",
    "idle_ticks",
    "ticks",
};

enum class Event : std::uint32_t {
    system_call = 0, // the thread invokes an operation: operation, selector
    system_return = 1, // it goes on after one: error, value
    thread_switch = 2, // the core goes from thread `from` to it; 0 is idle: from, priority
    message = 3, // it sends a message, which thread `to` receives now: tag, to
    reply = 4, // it replies to thread `to`: tag, to
    fault = 5, // an exception of it, or of its vCPU's user: vector, address
    interrupt = 6, // while it runs; 0 is idle: vector, 0
    vcpu_run = 7, // its vCPU's user goes on in that task: task, rip
    vcpu_trap = 8, // it goes on because its vCPU's user trapped: trap, rip
};
inline constexpr std::uint64_t event_count = 9;
inline constexpr const char* event_names[] = {
    "system_call",
    "system_return",
    "thread_switch",
    "message",
    "reply",
    "fault",
    "interrupt",
    "vcpu_run",
    "vcpu_trap",
};

// What the selector of each operation has to name, and with which right.
enum class Invoked : std::uint8_t {
    none,
    pool,
    region,
    task,
    thread,
    endpoint,
    notification,
    irq,
    scheduling,
    vcpu,
    timer,
    port,
    irqs,
    console,
    binding,
    observer,
    trace,
};
struct OperationObject {
    Invoked object;
    std::uint32_t right;
};
inline constexpr OperationObject operation_objects[] = {
    {Invoked::none, 0},
    {Invoked::console, console_right::write},
    {Invoked::pool, pool_right::create},
    {Invoked::pool, pool_right::create},
    {Invoked::pool, pool_right::destroy},
    {Invoked::region, region_right::carve},
    {Invoked::region, region_right::read},
    {Invoked::pool, pool_right::create},
    {Invoked::task, task_right::control},
    {Invoked::task, task_right::control},
    {Invoked::task, task_right::map},
    {Invoked::binding, binding_right::map},
    {Invoked::task, task_right::map},
    {Invoked::task, task_right::map},
    {Invoked::pool, pool_right::create},
    {Invoked::thread, thread_right::control},
    {Invoked::thread, thread_right::control},
    {Invoked::thread, thread_right::control},
    {Invoked::thread, thread_right::control},
    {Invoked::thread, thread_right::destroy},
    {Invoked::task, task_right::destroy},
    {Invoked::pool, pool_right::create},
    {Invoked::pool, pool_right::create},
    {Invoked::pool, pool_right::schedule},
    {Invoked::pool, pool_right::create},
    {Invoked::task, task_right::enter},
    {Invoked::none, 0},
    {Invoked::pool, pool_right::create},
    {Invoked::timer, timer_right::set},
    {Invoked::irqs, irqs_right::create},
    {Invoked::irq, irq_right::control},
    {Invoked::port, port_right::access},
    {Invoked::port, port_right::access},
    {Invoked::notification, notification_right::signal},
    {Invoked::notification, notification_right::receive},
    {Invoked::notification, notification_right::receive},
    {Invoked::endpoint, endpoint_right::send},
    {Invoked::endpoint, endpoint_right::receive},
    {Invoked::endpoint, endpoint_right::receive},
    {Invoked::none, 0},
    {Invoked::irqs, irqs_right::create},
    {Invoked::observer, observer_right::count},
    {Invoked::task, task_right::control},
    {Invoked::task, task_right::control},
    {Invoked::task, task_right::control},
    {Invoked::scheduling, scheduling_right::bind},
    {Invoked::scheduling, scheduling_right::bind},
    {Invoked::scheduling, scheduling_right::control},
    {Invoked::scheduling, scheduling_right::control},
    {Invoked::thread, thread_right::control},
    {Invoked::pool, pool_right::schedule},
    {Invoked::endpoint, endpoint_right::send},
    {Invoked::none, 0},
    {Invoked::thread, thread_right::control},
    {Invoked::irq, irq_right::control},
    {Invoked::observer, observer_right::trace},
    {Invoked::trace, trace_right::control},
    {Invoked::trace, trace_right::read},
    {Invoked::observer, observer_right::trace},
};

} // namespace abi
// clang-format on
