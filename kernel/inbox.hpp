// SPDX-License-Identifier: BSD-2-Clause
// A core's inbox: how other cores ask it to do something to its objects. Senders push an object once, with
// request bits or-ed in, and send an IPI; the core takes the whole list in its interrupt handler.
#pragma once

#include "kernel/invariant.hpp"
#include "kernel/object.hpp"

namespace kernel {

enum Request : std::uint32_t {
    request_start = 1,   // thread: make it ready
    request_stop = 2,    // thread: make it inactive
    request_trace = 256, // trace: record what the mask says
    request_signal = 4,  // notification: bits wait in remote_bits
    request_kill = 8,    // any: leave all queues; `killed` is set afterwards
    request_asked = 16,  // thread: do what `asked` says
    request_cancel = 32, // thread: what it waits for ends with aborted
};

// An object with a home core, whose queues only that core touches.
struct CoreObject : Object {
    CoreObject* inbox_next = nullptr;
    std::uint32_t inbox_queued = 0;   // atomic: 1 while in an inbox
    std::uint32_t inbox_requests = 0; // atomic: Request bits
    std::uint32_t killed = 0;         // atomic: written by the home core
    bool out_of_inbox = false;        // structure_lock: dead, and nobody pushes it any more (reclaim.cpp)
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
    // Home core: calls handle(object, requests), which returns what it cost, until `limit` is spent; true if
    // there are more.
    template <class Handle>
    bool drain(Handle handle, int limit) {
        while (limit > 0) {
            if (!taken_)
                taken_ = __atomic_exchange_n(&head_, nullptr, __ATOMIC_ACQ_REL);
            if (!taken_)
                return false;
            CoreObject& object = *taken_;
            invariant(object.type == Type::thread || object.type == Type::endpoint ||
                          object.type == Type::notification || object.type == Type::timer,
                      "inbox: not an object");
            taken_ = object.inbox_next;
            __atomic_store_n(&object.inbox_queued, 0, __ATOMIC_RELEASE);
            limit -= handle(object, __atomic_exchange_n(&object.inbox_requests, 0, __ATOMIC_ACQ_REL));
        }
        return taken_ || __atomic_load_n(&head_, __ATOMIC_RELAXED);
    }

private:
    CoreObject* head_ = nullptr;  // atomic
    CoreObject* taken_ = nullptr; // owned by the home core: requests it has not come to yet
};

} // namespace kernel
