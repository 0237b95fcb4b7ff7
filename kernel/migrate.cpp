// SPDX-License-Identifier: BSD-2-Clause
// thread_migrate: a thread leaves its core, from any state in which nothing of that core depends on it.
#include "kernel/invocation.hpp"
#include "kernel/ipc.hpp"
#include "kernel/reclaim.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/scheduling.hpp"
#include "kernel/switch.hpp"

namespace kernel {

namespace {

// A call in progress, a vCPU and a bound notification are of the core.
bool may_migrate(const Thread& thread) {
    return thread.state != ThreadState::dead && !thread.caller && !thread.callee && !thread.fault_pending &&
           !thread.vcpu && !thread.notification && !thread.start_pending;
}

// Off the core: nothing of the thread is in its registers or queues afterwards.
void leave_core(Core& core, Thread& thread) {
    dequeue(core, thread);
    leave_service(thread);
    if (core.fpu_owner == &thread) {
        arch::clear_task_switched();
        save_fpu_of(thread);
        forget_fpu(core);
    }
    if (core.current != &thread)
        return;
    account(core, arch::read_tsc());
    thread.fs_base = arch::read_fs_base();
    thread.gs_base = arch::read_user_gs_base();
    core.current = nullptr; // the other core may run it before this one has left the kernel
    core.reschedule = true;
}

} // namespace

void migrate_thread(Core& core, Thread& thread, const Move& move) {
    if (!may_migrate(thread) || thread.core == move.core || (move.context && move.context->owner))
        return;
    bool runs = thread.state != ThreadState::inactive && thread.state != ThreadState::faulted;
    if (runs && thread.state != ThreadState::ready)
        thread.registers.rax = static_cast<Word>(Error::aborted);
    leave_core(core, thread);
    if (thread.own_context)
        thread.own_context->owner = nullptr;
    thread.own_context = thread.context = move.context;
    if (move.context)
        move.context->owner = &thread;
    thread.fault_endpoint = move.endpoint;
    thread.fault_badge = move.badge;
    if (runs) { // as thread_start for another core
        thread.state = ThreadState::ready;
        thread.start_pending = true;
    }
    thread.home = &cores[move.core];
    __atomic_store_n(&thread.core, move.core, __ATOMIC_RELEASE);
    if (runs)
        send_request(thread, request_start);
}

// thread_migrate(core, scheduling, fault_endpoint)
void invoke_thread_migrate(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    Lookup<Thread> target(thread, r.rdi, abi::thread_right::control);
    if (!target)
        return reply(r, target.error);
    if (r.rsi >= core_count)
        return reply(r, Error::bad_argument);
    Move move{static_cast<std::uint8_t>(r.rsi), nullptr, nullptr, 0};
    if (r.rdx) {
        Lookup<SchedulingContext> context(thread, r.rdx, abi::scheduling_right::bind);
        if (!context)
            return reply(r, context.error);
        if (context->core != move.core)
            return reply(r, Error::wrong_core);
        if (!outlives(*context, target->pool))
            return reply(r, Error::bad_argument);
        if (context->owner && context->owner != target.object)
            return reply(r, Error::occupied);
        if (target->base_priority > context->priority_limit)
            return reply(r, Error::no_right);
        move.context = context.object;
    }
    if (r.r10) {
        Lookup<Endpoint> endpoint(thread, r.r10, abi::endpoint_right::send);
        if (!endpoint)
            return reply(r, endpoint.error);
        if (endpoint->core != move.core)
            return reply(r, Error::wrong_core);
        if (!outlives(*endpoint, target->pool))
            return reply(r, Error::bad_argument);
        move.endpoint = endpoint.object;
        move.badge = endpoint.badge;
    }
    if (target->core == move.core) // it has arrived, or was there before
        return reply(r, target->own_context == move.context ? Error::ok : Error::wrong_state);
    if (target->start_pending)
        return restart(r);
    if (!may_migrate(*target))
        return reply(r, Error::wrong_state);
    if (target->core == core.index) {
        reply(r, Error::ok);
        return migrate_thread(core, *target, move);
    }
    target->asked.move = move;
    target->asked.moves = true;
    send_request(*target, request_asked);
    restart(r);
}

} // namespace kernel
