// SPDX-License-Identifier: BSD-2-Clause
// How each type of object is unlinked, and the operations that destroy. See reclaim.hpp for the order.
#include "kernel/flush.hpp"
#include "kernel/invocation.hpp"
#include "kernel/irq.hpp"
#include "kernel/reclaim.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/scheduling.hpp"
#include "kernel/trace.hpp"

namespace kernel {

namespace {

// Steps that nest are few: a pool's depth is bounded, and a task's or thread's parts do not nest.
constexpr int kill_cost = 700;
constexpr int leave_cost = Budget::step; // as many vCPUs as a core may have can have been interrupted in it

bool kill_at_home(Core& core, CoreObject& object, Budget& budget) {
    if (__atomic_load_n(&object.killed, __ATOMIC_ACQUIRE))
        return true;
    bool here = object.core == core.index;
    // The chain of calls below a thread is walked, and that below who helps what it leaves behind.
    bool calls = here && object.type == Type::thread && static_cast<Thread&>(object).callee;
    if (!budget.take(calls ? Budget::step : kill_cost))
        return false;
    if (here)
        return kill(core, object);
    send_request(object, request_kill);
    return false;
}

bool unlink_thread(Core& core, Thread& thread, Budget& budget) {
    if (!kill_at_home(core, thread, budget))
        return false;
    Task& task = *thread.task;
    if (thread.pages_gone)
        return true;
    // User code may run in the space until all have left it: other threads, guests.
    if (!task.left && (thread.buffer_address || thread.vcpu)) {
        if (thread.buffer_address)
            task.space.remove_kernel_page(thread.buffer_address);
        if (thread.vcpu)
            task.space.remove_kernel_page(thread.vcpu->page_address);
        flush_space(task);
    }
    thread.pages_gone = true;
    return true;
}

// Every page that was mapped through it goes, then the translations.
bool unlink_binding(Binding& binding, Budget& budget) {
    Task& task = *binding.task;
    if (task.left)
        return true;
    if (!task.space.revoke(Word{binding.tag} << PageTable::tag_shift, binding.cursor, budget, binding.flush))
        return false;
    if (binding.flush)
        flush_space(task);
    binding.flush = false;
    return true;
}

bool unlink_task(Core& core, Task& task, Budget& budget) {
    while (Thread* thread = task.threads)
        if (!retire(core, *thread, budget))
            return false;
    if (!task.left) {
        if (!budget.take(leave_cost))
            return false;
        flush_space(task, true);
        task.left = true;
    }
    while (Binding* binding = task.bindings) // their pages need no visit now
        if (!retire(core, *binding, budget))
            return false;
    while (Capability* slot = task.table.next_occupied(*task.pool, task.table_cursor, budget))
        if (!revoke(core, *slot, true, budget))
            return false;
    if (task.table.slots() > 0)
        return false;
    return task.space.destroy(*task.pool, budget);
}

bool unlink_pool(Core& core, Pool& pool, Budget& budget) {
    for (Object*& first : pool.objects)
        while (first)
            if (!retire(core, *first, budget))
                return false;
    if (pool.buried > 0)
        return false;
    pool.return_pages(*pool.pool);
    return true;
}

bool is_above(const Pool& pool, const Object& object) {
    for (const Pool* at = object.pool; at; at = at->pool)
        if (at == &pool)
            return true;
    return false;
}

// The common frame of the destroying operations: the object in the slot rdi, which stays until the end. A
// caller cannot destroy what it stands on.
template <class T>
void destroy(Core& core, Thread& thread, std::uint32_t right) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    reclaim();
    Capability* slot = thread.task->table.slot(static_cast<Selector>(r.rdi));
    if (!slot || slot->object()->type != T::kind)
        return reply(r, Error::bad_capability);
    if (!(slot->rights() & right))
        return reply(r, Error::no_right);
    Object& object = *slot->object();
    bool refused = &object == &thread || &object == thread.task;
    if constexpr (T::kind == Type::pool)
        refused = !object.pool || is_above(static_cast<Pool&>(object), thread) ||
                  is_above(static_cast<Pool&>(object), *thread.task);
    if (refused)
        return reply(r, Error::wrong_state);
    slot->trade_places(*object.origin); // the last to be emptied
    Budget budget;
    bool done = retire(core, object, budget);
    if (thread.state == ThreadState::dead)
        return; // nothing that it stands on can have gone, but its pool may be another destroyer's
    done ? reply(r, Error::ok) : restart(r);
}

} // namespace

bool unlink_object(Core& core, Object& object, Budget& budget) {
    switch (object.type) {
    case Type::pool:
        return unlink_pool(core, static_cast<Pool&>(object), budget);
    case Type::task:
        return unlink_task(core, static_cast<Task&>(object), budget);
    case Type::thread:
        return unlink_thread(core, static_cast<Thread&>(object), budget);
    case Type::endpoint:
    case Type::notification:
    case Type::timer:
        return kill_at_home(core, static_cast<CoreObject&>(object), budget);
    case Type::trace:
        if (!kill_at_home(core, static_cast<Trace&>(object), budget))
            return false;
        release_core(static_cast<Trace&>(object));
        return true;
    case Type::vcpu: {
        Thread* thread = static_cast<Vcpu&>(object).thread; // lives as long as its thread
        return !thread || retire(core, *thread, budget);
    }
    case Type::scheduling: {
        auto& context = static_cast<SchedulingContext&>(object); // its owner went before, with its pool
        dismiss(context);
        return true;
    }
    case Type::irq:
        release_interrupt(static_cast<Irq&>(object));
        return true;
    case Type::binding:
        return unlink_binding(static_cast<Binding&>(object), budget);
    default:
        return true;
    }
}

void invoke_thread_destroy(Core& core, Thread& thread) {
    destroy<Thread>(core, thread, abi::thread_right::destroy);
}

void invoke_task_destroy(Core& core, Thread& thread) {
    destroy<Task>(core, thread, abi::task_right::destroy);
}

// pool_destroy(): all objects, then a grace period, then all pages return to the parent at once, whatever
// they held.
void invoke_pool_destroy(Core& core, Thread& thread) {
    destroy<Pool>(core, thread, abi::pool_right::destroy);
}

} // namespace kernel
