// SPDX-License-Identifier: BSD-2-Clause
// A core's inbox: how other cores ask it to do something to its objects. Senders push an object once, with
// request bits or-ed in, and send an IPI; the core takes the whole list in its interrupt handler.
#pragma once

#include "kernel/object.hpp"

namespace kernel {

enum Request : std::uint32_t {
    request_start = 1,  // thread: make it ready
    request_stop = 2,   // thread: make it inactive
    request_signal = 4, // notification: bits wait in remote_bits
    request_kill = 8,   // any: leave all queues; `killed` is set afterwards
};

// An object with a home core, whose queues only that core touches.
struct CoreObject : Object {
    CoreObject* inbox_next = nullptr;
    std::uint32_t inbox_queued = 0;   // atomic: 1 while in an inbox
    std::uint32_t inbox_requests = 0; // atomic: Request bits
    std::uint32_t killed = 0;         // atomic: written by the home core
};

class Inbox {
public:
    // Any core. Returns true if the receiving core must be interrupted.
    bool push(CoreObject& object, std::uint32_t requests) {
        __atomic_fetch_or(&object.inbox_requests, requests, __ATOMIC_ACQ_REL);
        if (__atomic_exchange_n(&object.inbox_queued, 1, __ATOMIC_ACQ_REL))
            return false;
        CoreObject* head = __atomic_load_n(&head_, __ATOMIC_RELAXED);
        do
            object.inbox_next = head;
        while (
            !__atomic_compare_exchange_n(&head_, &head, &object, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
        return true;
    }
    bool empty() const { return !__atomic_load_n(&head_, __ATOMIC_RELAXED); }
    // Home core: calls handle(object, requests) for each.
    template <class Handle>
    void drain(Handle handle) {
        CoreObject* list = __atomic_exchange_n(&head_, nullptr, __ATOMIC_ACQ_REL);
        while (list) {
            CoreObject* next = list->inbox_next;
            __atomic_store_n(&list->inbox_queued, 0, __ATOMIC_RELEASE);
            handle(*list, __atomic_exchange_n(&list->inbox_requests, 0, __ATOMIC_ACQ_REL));
            list = next;
        }
    }

private:
    CoreObject* head_ = nullptr;
};

} // namespace kernel
