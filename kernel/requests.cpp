// SPDX-License-Identifier: BSD-2-Clause
// What other cores ask of this one's objects arrives in its inbox, and is done here, from the interrupt
// handler: so between two instructions of user mode, or while idle, never inside an operation.
#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/reclaim.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/scheduling.hpp"
#include "kernel/trace.hpp"

namespace kernel {

namespace {

constexpr unsigned waiters_at_once = 4;
constexpr int requests_at_once = 4; // of those that wake a thread; others can be a step each

bool kill_notification(Core& core, Notification& notification) {
    for (unsigned i = 0; i < waiters_at_once && notification.waiters.first; ++i)
        finish(core, *notification.waiters.first, Error::aborted);
    if (notification.waiters.first)
        return false;
    if (notification.bound)
        notification.bound->notification = nullptr;
    if (notification.vcpu)
        notification.vcpu->notification = nullptr;
    notification.bound = nullptr;
    notification.vcpu = nullptr;
    return true;
}

// What `asked` says. The holder of structure_lock never waits for this core to leave the handler.
void do_what_is_asked(Core& core, Thread& thread) {
    LockGuard guard(structure_lock);
    Asked& asked = thread.asked;
    if (asked.unbind && asked.unbind == thread.own_context)
        unbind_context(core, thread);
    asked.unbind = nullptr;
    if (asked.bind && asked.bind->core == core.index)
        bind_context(core, thread, *asked.bind);
    asked.bind = nullptr;
    if (asked.moves)
        migrate_thread(core, thread, asked.move);
    asked.moves = false;
}

void handle_request(Core& core, CoreObject& object, std::uint32_t requests) {
    // What has been killed is in no queue and comes into none, and its memory waits only for who looks at it
    // here; so it is not sent on either.
    if (__atomic_load_n(&object.killed, __ATOMIC_ACQUIRE))
        return;
    if (object.core != core.index) // a thread that has moved meanwhile
        return send_request(object, requests);
    if (requests & request_kill)
        return (void)kill(core, object);
    if (requests & request_signal) {
        auto& notification = static_cast<Notification&>(object);
        signal(core, notification, __atomic_exchange_n(&notification.remote_bits, 0, __ATOMIC_ACQ_REL));
    }
    if (requests & request_trace)
        apply_mask(core, static_cast<Trace&>(object));
    if (object.type != Type::thread)
        return;
    auto& thread = static_cast<Thread&>(object);
    if (requests & request_asked)
        do_what_is_asked(core, thread);
    if (thread.core != core.index) { // moved just now
        if (std::uint32_t rest = requests & (request_stop | request_start))
            send_request(thread, rest);
        return;
    }
    if (requests & request_cancel)
        cancel(core, thread, Error::aborted);
    if (is_inactive(thread)) // before the look at `starts`: a stop that comes again may meet the next start
        return;
    if (requests & request_stop && thread.stop_for == __atomic_load_n(&thread.starts, __ATOMIC_ACQUIRE))
        stop_thread(core, thread);
    else if (requests & request_start)
        arrive(core, thread);
}

} // namespace

bool kill(Core& core, CoreObject& object) {
    switch (object.type) {
    case Type::thread:
        kill_thread(core, static_cast<Thread&>(object));
        break;
    case Type::endpoint:
        if (!kill_endpoint(core, static_cast<Endpoint&>(object), waiters_at_once))
            return false;
        break;
    case Type::notification:
        if (!kill_notification(core, static_cast<Notification&>(object)))
            return false;
        break;
    case Type::trace:
        end_trace(core, static_cast<Trace&>(object));
        break;
    case Type::timer:
        core.timers.remove(static_cast<Timer&>(object).node);
        break;
    default:
        break;
    }
    __atomic_store_n(&object.killed, 1, __ATOMIC_RELEASE);
    return true;
}

void handle_inbox(Core& core) {
    bool more = core.inbox.drain(
        [&](CoreObject& object, std::uint32_t requests) {
            handle_request(core, object, requests);
            return requests & ~(request_signal | request_start) ? requests_at_once : 1;
        },
        requests_at_once);
    if (more) // the rest after the next instruction of user mode
        arch::send_interrupt(core.apic_id, arch::vector_inbox);
}

void send_request(CoreObject& object, std::uint32_t requests) {
    Core& home = cores[object.core];
    if (home.inbox.push(object, requests))
        arch::send_interrupt(home.apic_id, arch::vector_inbox);
}

} // namespace kernel
