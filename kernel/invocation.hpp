// SPDX-License-Identifier: BSD-2-Clause
// What a handler of an operation works with: the caller's registers hold the arguments (rdi selector; rsi rdx
// r10 r8 r9) and take the results (rax error; rdx, rsi values). A handler either replies, blocks the caller,
// or restarts it: the caller runs the same SYSCALL again after interrupts had their chance, so long work
// advances in bounded steps.
#pragma once

#include "kernel/pool.hpp"
#include "kernel/task.hpp"
#include "kernel/thread.hpp"

namespace kernel {

// Looks up a capability of the calling thread's task: type and right are checked in one place.
template <class T>
struct Lookup {
    T* object = nullptr;
    Error error;
    Word badge;
    std::uint32_t rights;

    [[gnu::always_inline]] Lookup(const Thread& thread, Word selector, std::uint32_t right)
        : Lookup(thread.task->table, selector, right) {}
    [[gnu::always_inline]] Lookup(const CapabilityTable& table, Word selector, std::uint32_t right) {
        auto found = table.find(static_cast<Selector>(selector));
        badge = found.badge;
        rights = found.rights;
        if ((found.rights & right) == right && right && is_live_anywhere(*found.object, T::kind)) [[likely]] {
            error = Error::ok; // a slot with a right is not empty
            object = static_cast<T*>(found.object);
        } else if (!found.object || found.object->type != T::kind) {
            error = Error::bad_capability;
        } else if ((found.rights & right) != right) {
            error = Error::no_right;
        } else if (found.object->dying) {
            error = Error::dead;
        } else { // no right was asked for
            error = Error::ok;
            object = static_cast<T*>(found.object);
        }
    }
    explicit operator bool() const { return object; }
    T* operator->() const { return object; }
    T& operator*() const { return *object; }
};

inline void reply(Registers& r, Error error) {
    r.rax = static_cast<Word>(error);
}
inline void reply(Registers& r, Error error, Word value) {
    r.rax = static_cast<Word>(error);
    r.rdx = value;
}
inline void restart(Registers& r) {
    r.rip -= 2;
} // SYSCALL is two bytes; the arguments are untouched

using Handler = void (*)(Core&, Thread&);

// One handler an operation, named after it.
#define KERNEL_HANDLER(name) void invoke_##name(Core& core, Thread& thread);
KERNEL_HANDLER(null)
KERNEL_HANDLER(console_write)
KERNEL_HANDLER(pool_create)
KERNEL_HANDLER(pool_info)
KERNEL_HANDLER(pool_destroy)
KERNEL_HANDLER(region_carve)
KERNEL_HANDLER(region_info)
KERNEL_HANDLER(task_create)
KERNEL_HANDLER(capability_copy)
KERNEL_HANDLER(capability_delete)
KERNEL_HANDLER(bind)
KERNEL_HANDLER(map)
KERNEL_HANDLER(unmap)
KERNEL_HANDLER(protect)
KERNEL_HANDLER(thread_create)
KERNEL_HANDLER(thread_configure)
KERNEL_HANDLER(thread_start)
KERNEL_HANDLER(thread_stop)
KERNEL_HANDLER(thread_info)
KERNEL_HANDLER(thread_destroy)
KERNEL_HANDLER(task_destroy)
KERNEL_HANDLER(endpoint_create)
KERNEL_HANDLER(notification_create)
KERNEL_HANDLER(scheduling_create)
KERNEL_HANDLER(vcpu_create)
KERNEL_HANDLER(vcpu_run)
KERNEL_HANDLER(vcpu_wait)
KERNEL_HANDLER(timer_create)
KERNEL_HANDLER(timer_set)
KERNEL_HANDLER(irq_create)
KERNEL_HANDLER(irq_acknowledge)
KERNEL_HANDLER(port_in)
KERNEL_HANDLER(port_out)
KERNEL_HANDLER(signal)
KERNEL_HANDLER(wait)
KERNEL_HANDLER(poll)
KERNEL_HANDLER(call)
KERNEL_HANDLER(receive)
KERNEL_HANDLER(reply_wait)
KERNEL_HANDLER(yield)
KERNEL_HANDLER(msi_create)
KERNEL_HANDLER(counter_read)
KERNEL_HANDLER(capability_move)
KERNEL_HANDLER(capability_revoke)
KERNEL_HANDLER(task_grow)
KERNEL_HANDLER(scheduling_bind)
KERNEL_HANDLER(scheduling_unbind)
KERNEL_HANDLER(scheduling_configure)
KERNEL_HANDLER(scheduling_info)
KERNEL_HANDLER(thread_migrate)
KERNEL_HANDLER(core_info)
KERNEL_HANDLER(send)
KERNEL_HANDLER(reply)
KERNEL_HANDLER(thread_cancel)
KERNEL_HANDLER(irq_route)
KERNEL_HANDLER(trace_create)
KERNEL_HANDLER(trace_control)
KERNEL_HANDLER(trace_read)
KERNEL_HANDLER(object_number)
#undef KERNEL_HANDLER

} // namespace kernel
