// SPDX-License-Identifier: BSD-2-Clause
// What other cores ask of this one's objects arrives in its inbox, and is done here, from the interrupt
// handler: so between two instructions of user mode, or while idle, never inside an operation.
#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/reclaim.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/scheduling.hpp"

namespace kernel {

namespace {

constexpr unsigned requests_at_once = 4, waiters_at_once = 4;

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

void handle_request(Core& core, CoreObject& object, std::uint32_t requests) {
    if (object.core != core.index) // a thread that has moved meanwhile
        return send_request(object, requests);
    if (requests & request_kill)
        return (void)kill(core, object);
    if (requests & request_signal) {
        auto& notification = static_cast<Notification&>(object);
        signal(core, notification, __atomic_exchange_n(&notification.remote_bits, 0, __ATOMIC_ACQ_REL));
    }
    if (object.type != Type::thread)
        return;
    auto& thread = static_cast<Thread&>(object);
    if (requests & (request_bind | request_unbind | request_migrate)) {
        LockGuard guard(
            structure_lock); // for `asked`; its holder never waits for this core to leave the handler
        if (requests & request_unbind)
            unbind_context(core, thread);
        if (requests & request_bind && thread.asked.context && thread.asked.context->core == core.index)
            bind_context(core, thread, *thread.asked.context);
        if (requests & request_migrate)
            migrate_thread(core, thread);
        thread.asked = {};
    }
    if (thread.core != core.index) { // moved just now
        if (std::uint32_t rest = requests & (request_stop | request_start))
            send_request(thread, rest);
        return;
    }
    // A stop that comes again after it was done may meet the next start: the state is read before the
    // count.
    ThreadState state;
    __atomic_load(&thread.state, &state, __ATOMIC_ACQUIRE);
    if (state == ThreadState::inactive || state == ThreadState::faulted || state == ThreadState::dead)
        return;
    if (requests & request_cancel)
        cancel(core, thread, Error::aborted);
    if (requests & request_stop && thread.stop_for == __atomic_load_n(&thread.starts, __ATOMIC_ACQUIRE))
        stop_thread(core, thread);
    else if (requests & request_start && thread.start_pending) {
        thread.start_pending = false;
        make_ready(core, thread);
    }
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
        [&](CoreObject& object, std::uint32_t requests) { handle_request(core, object, requests); },
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
