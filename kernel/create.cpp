// SPDX-License-Identifier: BSD-2-Clause
// Operations that make objects, and those that delegate capabilities. Each decodes, reserves the slot, makes,
// and publishes last.
#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/flush.hpp"
#include "kernel/invocation.hpp"
#include "kernel/irq.hpp"
#include "kernel/machine.hpp"
#include "kernel/reclaim.hpp"
#include "kernel/scheduler.hpp"

namespace kernel {

namespace {

bool page_address(Word address) {
    return address % abi::page_size == 0 && address < abi::user_end;
}

// The common frame of the create operations on a pool: rdi pool, rsi slot; `fill` completes the object or
// says why not.
template <class T, class Fill>
void create(Core& core, Thread& thread, std::uint32_t rights, Fill fill,
            std::uint32_t needed = abi::pool_right::create) {
    Registers& r = thread.registers;
    Lookup<Pool> pool(thread, r.rdi, needed);
    if (!pool)
        return reply(r, pool.error);
    LockGuard guard(structure_lock);
    reclaim(core);
    if (pool->dying)
        return reply(r, Error::dead);
    auto slot = static_cast<Selector>(r.rsi);
    if (Error error = thread.task->table.reserve(*thread.task->pool, slot); error != Error::ok)
        return reply(r, error);
    T* object = make<T>(*pool);
    if (!object)
        return reply(r, Error::no_memory);
    if (Error error = fill(*object, *pool); error != Error::ok) {
        pool->remove_object(*object);
        pool->release(object, sizeof(T));
        return reply(r, error);
    }
    thread.task->table.put(slot, *object, rights, 0);
    reply(r, Error::ok);
}

Error take_core(CoreObject& object, Word index) {
    if (index >= core_count)
        return Error::bad_argument;
    object.core = static_cast<std::uint8_t>(index);
    return Error::ok;
}

} // namespace

// task_create(slot, table_slots, information_address)
void invoke_task_create(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    create<Task>(core, thread, abi::task_right::all, [&](Task& task, Pool& pool) {
        if (r.rdx > max_slots || !page_address(r.r10))
            return Error::bad_argument;
        Error error = task.space.create(pool);
        if (error == Error::ok)
            error = task.table.create(pool, static_cast<unsigned>(r.rdx));
        if (error == Error::ok && r.r10)
            error = task.space.map_kernel_page(pool, r.r10, machine.information_page, 0);
        if (error != Error::ok) {
            task.table.destroy(pool);
            task.space.destroy(pool, ~0u);
        }
        return error;
    });
}

// thread_create(slot, task, core, buffer_address, flags)
void invoke_thread_create(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Task> task(thread, r.rdx, abi::task_right::control);
    if (!task)
        return reply(r, task.error);
    create<Thread>(core, thread, abi::thread_right::all, [&](Thread& made, Pool& pool) {
        if (task->dying)
            return Error::dead;
        if (Error error = take_core(made, r.r10); error != Error::ok)
            return error;
        if (!page_address(r.r8) || r.r9 & ~Word{abi::thread_no_fpu})
            return Error::bad_argument;
        made.no_fpu = r.r9 & abi::thread_no_fpu;
        made.home = &cores[made.core];
        made.task = task.object;
        made.buffer = static_cast<abi::MessageBuffer*>(pool.allocate_page());
        made.fpu = made.no_fpu ? nullptr : pool.allocate_page();
        Error error = made.buffer && (made.no_fpu || made.fpu) ? Error::ok : Error::no_memory;
        if (error == Error::ok && r.r8)
            error = task->space.map_kernel_page(*task->pool, r.r8, arch::pool_physical(made.buffer),
                                                PageTable::writable);
        if (error != Error::ok) {
            if (made.buffer)
                pool.release_page(made.buffer);
            if (made.fpu)
                pool.release_page(made.fpu);
            return error;
        }
        if (made.fpu)
            initialize_fpu(made.fpu);
        made.buffer_address = r.r8;
        made.task_next = task->threads;
        made.task_link = &task->threads;
        if (task->threads)
            task->threads->task_link = &made.task_next;
        task->threads = &made;
        return Error::ok;
    });
}

void invoke_endpoint_create(Core& core, Thread& thread) {
    create<Endpoint>(core, thread, abi::endpoint_right::all,
                     [&](Endpoint& endpoint, Pool&) { return take_core(endpoint, thread.registers.rdx); });
}

void invoke_notification_create(Core& core, Thread& thread) {
    create<Notification>(core, thread, abi::notification_right::all, [&](Notification& notification, Pool&) {
        return take_core(notification, thread.registers.rdx);
    });
}

// scheduling_create(slot, core, budget, period, priority_limit): period 0 is without limit
void invoke_scheduling_create(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    create<SchedulingContext>(
        core, thread, abi::scheduling_right::all,
        [&](SchedulingContext& context, Pool&) {
            if (Error error = take_core(context, r.rdx); error != Error::ok)
                return error;
            Word budget = r.r10, period = r.r8;
            if (budget > period || (period && budget == 0) || period > Word{1} << 48 ||
                r.r9 >= abi::priorities)
                return Error::bad_argument;
            context.priority_limit = static_cast<std::uint8_t>(r.r9);
            context.replenishments.reset(budget, period, arch::read_tsc());
            return Error::ok;
        },
        abi::pool_right::schedule);
}

// vcpu_create(slot, thread, page_address, notification)
void invoke_vcpu_create(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Thread> owner(thread, r.rdx, abi::thread_right::control);
    if (!owner)
        return reply(r, owner.error);
    Lookup<Notification> notification(thread, r.r8, abi::notification_right::receive);
    if (!notification)
        return reply(r, notification.error);
    create<Vcpu>(core, thread, abi::vcpu_right::all, [&](Vcpu& vcpu, Pool& pool) {
        if (owner->dying || notification->dying || owner->task->dying)
            return Error::dead;
        if (!page_address(r.r10) || r.r10 == 0)
            return Error::bad_address;
        if (owner->vcpu || owner->no_fpu || notification->vcpu || notification->bound)
            return Error::wrong_state;
        if (notification->core != owner->core)
            return Error::wrong_core;
        if (owner->state != ThreadState::inactive && owner.object != &thread)
            return Error::wrong_state;
        vcpu.core = owner->core;
        vcpu.page = static_cast<abi::VcpuPage*>(pool.allocate_page());
        if (!vcpu.page)
            return Error::no_memory;
        Error error = owner->task->space.map_kernel_page(*owner->task->pool, r.r10,
                                                         arch::pool_physical(vcpu.page), PageTable::writable);
        if (error != Error::ok) {
            pool.release_page(vcpu.page);
            return error;
        }
        vcpu.page->deadline = abi::no_deadline;
        vcpu.page_address = r.r10;
        vcpu.thread = owner.object;
        vcpu.notification = notification.object;
        owner->vcpu = &vcpu;
        notification->vcpu = &vcpu;
        return Error::ok;
    });
}

// timer_create(slot, notification, bits)
void invoke_timer_create(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Notification> notification(thread, r.rdx, abi::notification_right::signal);
    if (!notification)
        return reply(r, notification.error);
    create<Timer>(core, thread, abi::timer_right::all, [&](Timer& timer, Pool& pool) {
        if (notification->dying)
            return Error::dead;
        if (notification->pool != &pool)
            return Error::bad_argument; // so that both die together
        timer.core = notification->core;
        timer.notification = notification.object;
        timer.bits = r.r10;
        return Error::ok;
    });
}

// capability_copy(slot, source_task, source_slot, rights, badge); rdi the destination task
void invoke_capability_copy(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Task> to(thread, r.rdi, abi::task_right::control);
    if (!to)
        return reply(r, to.error);
    Lookup<Task> from(thread, r.rdx, abi::task_right::control);
    if (!from)
        return reply(r, from.error);
    LockGuard guard(structure_lock);
    auto found = from->table.find(static_cast<Selector>(r.r10));
    if (!found.object)
        return reply(r, Error::bad_capability);
    if (found.object->dying || to->dying)
        return reply(r, Error::dead);
    if (r.r9 && found.badge)
        return reply(r, Error::bad_argument);
    if (r.r9 && found.object->type != Type::endpoint && found.object->type != Type::notification)
        return reply(r, Error::bad_argument);
    if (Error error = to->table.reserve(*to->pool, static_cast<Selector>(r.rsi)); error != Error::ok)
        return reply(r, error);
    to->table.put(static_cast<Selector>(r.rsi), *found.object,
                  found.rights & static_cast<std::uint32_t>(r.r8), r.r9 ? r.r9 : found.badge);
    reply(r, Error::ok);
}

void invoke_capability_delete(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Task> task(thread, r.rdi, abi::task_right::control);
    if (!task)
        return reply(r, task.error);
    LockGuard guard(structure_lock);
    reply(r, task->table.remove(static_cast<Selector>(r.rsi)));
}

void invoke_task_destroy(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Task> task(thread, r.rdi, abi::task_right::destroy);
    if (!task && task.error != Error::dead)
        return reply(r, task.error);
    auto found = thread.task->table.find(static_cast<Selector>(r.rdi));
    LockGuard guard(structure_lock);
    destroy_step(core, r, *found.object);
}

} // namespace kernel
