// SPDX-License-Identifier: BSD-2-Clause
// Operations on scheduling contexts: making one (with the account of what each core has promised), binding it
// to a thread and taking it away while the thread runs, its handler, what is left in it.
//
// Who a context belongs to, and who runs on it, is its home core's business: another core asks by the
// thread's inbox and restarts its caller until it sees the result.
#include "kernel/create.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/scheduling.hpp"

namespace kernel {

namespace {

struct Promised {
    Word guaranteed, all; // structure_lock: utilizations, 2^32 is the whole core
};
Promised promised[abi::max_cores];
constexpr Word whole_core = Word{1} << 32;

// Rounded up; periods are below 2^48.
Word utilization(Word budget, Word period) {
    if (period == 0)
        return 0;
    for (; period >> 32; period >>= 1)
        budget = (budget + 1) >> 1;
    return ((budget << 32) + period - 1) / period;
}

Error admit(SchedulingContext& context, Word budget, Word period, bool guaranteed) {
    Promised& account = promised[context.core];
    Word share = utilization(budget, period);
    if (guaranteed && share > whole_core - account.guaranteed)
        return Error::overcommitted;
    context.utilization = share;
    context.guaranteed = guaranteed;
    account.all += share;
    account.guaranteed += guaranteed ? share : 0;
    return Error::ok;
}

} // namespace

void dismiss(SchedulingContext& context) {
    Promised& account = promised[context.core];
    account.all -= context.utilization;
    account.guaranteed -= context.guaranteed ? context.utilization : 0;
    context.utilization = 0;
}

bool outlives(const Object& object, const Pool* pool) {
    for (; pool; pool = pool->pool)
        if (object.pool == pool)
            return true;
    return false;
}

void bind_context(Core& core, Thread& thread, SchedulingContext& context) {
    if (thread.state == ThreadState::dead || thread.callee || thread.own_context || context.owner)
        return;
    thread.own_context = &context;
    context.owner = &thread;
    if (thread.context) // a caller's: its own comes after the reply
        return;
    thread.context = &context;
    // One that arrives from another core is made ready by that.
    if (thread.state == ThreadState::ready && core.current != &thread && !thread.start_pending)
        make_ready(core, thread);
}

void unbind_context(Core& core, Thread& thread) {
    if (!thread.own_context || thread.callee)
        return;
    SchedulingContext* context = thread.own_context;
    if (core.current == &thread)
        account(core, arch::read_tsc());
    thread.own_context->owner = nullptr;
    thread.own_context = nullptr;
    if (thread.context != context)
        return;
    thread.context = nullptr;
    if (core.current == &thread)
        core.reschedule = true;
    else if (thread.state == ThreadState::ready)
        dequeue(core, thread); // from the ready queue, or from waiting for budget
}

void tell_exhausted(SchedulingContext& context) {
    ++context.exhausted;
    if (Notification* handler = __atomic_load_n(&context.handler, __ATOMIC_ACQUIRE))
        signal_anywhere(*handler, context.handler_bits);
}

// scheduling_create(slot, core, budget, period, priority_limit | flags): period 0 is without limit
void invoke_scheduling_create(Core&, Thread& thread) {
    Registers& r = thread.registers;
    auto prepare = [&](Budget&) {
        Word budget = r.r10, period = r.r8;
        if (r.rdx >= core_count || budget > period || (period && budget == 0) || period >= Word{1} << 48 ||
            r.r9 & ~Word{abi::scheduling_guaranteed | (abi::priorities - 1)} ||
            (r.r9 & abi::scheduling_guaranteed && period == 0))
            return Error::bad_argument;
        return Error::ok;
    };
    auto fill = [&](SchedulingContext& context, Pool&) {
        context.core = static_cast<std::uint8_t>(r.rdx);
        context.budget = r.r10;
        context.priority_limit = static_cast<std::uint8_t>(r.r9);
        context.replenishments.reset(r.r10, r.r8, arch::read_tsc());
        return admit(context, r.r10, r.r8, r.r9 & abi::scheduling_guaranteed);
    };
    create<SchedulingContext>(thread, abi::scheduling_right::all, prepare, fill, small_cost,
                              abi::pool_right::schedule);
}

// scheduling_bind(thread)
void invoke_scheduling_bind(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    Lookup<SchedulingContext> context(thread, r.rdi, abi::scheduling_right::bind);
    if (!context)
        return reply(r, context.error);
    Lookup<Thread> target(thread, r.rsi, abi::thread_right::control);
    if (!target)
        return reply(r, target.error);
    if (context->owner == target.object)
        return reply(r, Error::ok);
    if (context->core != target->core)
        return reply(r, Error::wrong_core);
    if (!outlives(*context, target->pool))
        return reply(r, Error::bad_argument);
    if (context->owner || target->own_context)
        return reply(r, Error::occupied);
    if (target->base_priority > context->priority_limit)
        return reply(r, Error::no_right);
    if (target->callee)
        return reply(r, Error::wrong_state);
    if (target->core == core.index) {
        bind_context(core, *target, *context);
        return reply(r, Error::ok);
    }
    target->asked.bind = context.object;
    send_request(*target, request_asked);
    restart(r);
}

// scheduling_unbind()
void invoke_scheduling_unbind(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    Lookup<SchedulingContext> context(thread, r.rdi, abi::scheduling_right::bind);
    if (!context)
        return reply(r, context.error);
    Thread* owner = context->owner;
    if (!owner)
        return reply(r, Error::ok);
    if (owner->callee)
        return reply(r, Error::wrong_state); // somebody else runs on it
    if (owner->core == core.index) {
        reply(r, Error::ok);
        return unbind_context(core, *owner);
    }
    owner->asked.unbind = context.object;
    send_request(*owner, request_asked);
    restart(r);
}

// scheduling_configure(notification, bits): who is told when the budget is used up; 0 is nobody
void invoke_scheduling_configure(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    Lookup<SchedulingContext> context(thread, r.rdi, abi::scheduling_right::control);
    if (!context)
        return reply(r, context.error);
    Notification* handler = nullptr;
    if (r.rsi) {
        Lookup<Notification> notification(thread, r.rsi, abi::notification_right::signal);
        if (!notification)
            return reply(r, notification.error);
        if (!outlives(*notification, context->pool))
            return reply(r, Error::bad_argument);
        handler = notification.object;
    }
    __atomic_store_n(&context->handler, nullptr, __ATOMIC_RELEASE);
    context->handler_bits = r.rdx;
    __atomic_store_n(&context->handler, handler, __ATOMIC_RELEASE);
    reply(r, Error::ok);
}

// scheduling_info(what) -> value, second
void invoke_scheduling_info(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<SchedulingContext> context(thread, r.rdi, abi::scheduling_right::control);
    if (!context)
        return reply(r, context.error);
    Word now = arch::read_tsc();
    switch (static_cast<abi::SchedulingInfo>(r.rsi)) {
    case abi::SchedulingInfo::parameters:
        reply(r, Error::ok, context->budget);
        r.rsi = context->replenishments.period();
        return;
    case abi::SchedulingInfo::promise:
        reply(r, Error::ok, context->utilization);
        r.rsi = context->guaranteed;
        return;
    case abi::SchedulingInfo::budget:
        if (context->core != core.index)
            return reply(r, Error::wrong_core);
        account(core, now);
        reply(r, Error::ok, context->replenishments.available(now));
        r.rsi = context->replenishments.next_time();
        return;
    case abi::SchedulingInfo::use:
        reply(r, Error::ok, context->owner != nullptr);
        r.rsi = context->exhausted;
        return;
    }
    reply(r, Error::bad_argument);
}

// core_info(core) -> guaranteed, all: utilizations
void invoke_core_info(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    Lookup<Pool> pool(thread, r.rdi, abi::pool_right::schedule);
    if (!pool)
        return reply(r, pool.error);
    if (r.rsi >= core_count)
        return reply(r, Error::bad_argument);
    const Promised& account = promised[r.rsi];
    reply(r, Error::ok, account.guaranteed);
    r.rsi = account.all;
}

} // namespace kernel
