// SPDX-License-Identifier: BSD-2-Clause
// Operations that make objects, and those that delegate capabilities. Each decodes, reserves the slot, makes,
// and publishes last.
#include "kernel/create.hpp"
#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/flush.hpp"
#include "kernel/invocation.hpp"
#include "kernel/irq.hpp"
#include "kernel/machine.hpp"
#include "kernel/reclaim.hpp"
#include "kernel/scheduler.hpp"

namespace kernel {

unsigned vcpus_of_core[abi::max_cores];

namespace {

bool page_address(Word address) {
    return address % abi::page_size == 0 && address < abi::user_end;
}

constexpr int thread_cost = 2 * Budget::clear_page + 250, vcpu_cost = Budget::clear_page + 100,
              task_cost = 2 * Budget::clear_page;

Error nothing_to_prepare(Budget&) {
    return Error::ok;
}

Error take_core(CoreObject& object, Word index) {
    if (index >= core_count)
        return Error::bad_argument;
    object.core = static_cast<std::uint8_t>(index);
    return Error::ok;
}

// The second half of task_create: true if the caller's slot held a task that it had begun.
bool finish_task(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    auto found = thread.task->table.find(static_cast<Selector>(r.rsi));
    Lookup<Pool> pool(thread, r.rdi, abi::pool_right::create);
    if (!pool || !found.object || found.object->type != Type::task || found.object->pool != pool.object)
        return false;
    auto& task = static_cast<Task&>(*found.object);
    if (task.information == 0 || task.information != r.r10)
        return false;
    Budget budget;
    if (task.dying && task.failed == Error::ok) { // by somebody else
        reply(r, Error::dead);
        return true;
    }
    if (task.failed == Error::ok) {
        Error error =
            task.space.map_kernel_page(*pool, task.information, machine.information_page, 0, budget);
        if (error == Error::ok) {
            task.information = 0;
            reply(r, Error::ok);
            return true;
        }
        if (error != Error::would_block && (error != Error::no_memory || pool->buried == 0))
            task.failed = error;
        reclaim();
        restart(r);
        return true;
    }
    Error error = task.failed;
    retire(core, task, budget) ? reply(r, error) : restart(r);
    return true;
}

} // namespace

// task_create(slot, table_slots, information_address): the task appears in its slot at once, the information
// page in it one step later; when there is no memory for that, the task is taken down again.
void invoke_task_create(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    if (finish_task(core, thread))
        return;
    create<Task>(
        thread, abi::task_right::all,
        [&](Budget&) { return r.rdx > max_slots || !page_address(r.r10) ? Error::bad_argument : Error::ok; },
        [&](Task& task, Pool& pool) {
            if (Error error = task.space.create(pool); error != Error::ok)
                return error;
            if (Error error = task.table.create(pool, static_cast<unsigned>(r.rdx)); error != Error::ok) {
                task.space.discard(pool);
                return error;
            }
            task.information = r.r10;
            return Error::ok;
        },
        task_cost);
    if (r.r10 && r.rax == static_cast<Word>(Error::ok)) {
        r.rax = static_cast<Word>(abi::Operation::task_create); // the reply is not the last word
        restart(r);
    }
}

// thread_create(slot, task, core, buffer_address, flags)
void invoke_thread_create(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Task> task(thread, r.rdx, abi::task_right::control);
    if (!task)
        return reply(r, task.error);
    auto prepare = [&](Budget& budget) {
        if (task->dying)
            return Error::dead;
        if (r.r10 >= core_count || !page_address(r.r8) || r.r9 & ~Word{abi::thread_no_fpu})
            return Error::bad_argument;
        return r.r8 ? task->space.prepare(*task->pool, r.r8, budget) : Error::ok;
    };
    auto fill = [&](Thread& made, Pool& pool) {
        made.core = static_cast<std::uint8_t>(r.r10);
        made.uses_fpu = !(r.r9 & abi::thread_no_fpu);
        made.home = &cores[made.core];
        made.task = task.object;
        made.buffer = static_cast<abi::MessageBuffer*>(pool.allocate_page());
        if (!made.buffer)
            return Error::no_memory;
        if (made.uses_fpu) {
            made.fpu = pool.allocate_page();
            if (!made.fpu)
                return Error::no_memory;
            initialize_fpu(made.fpu);
        }
        Budget enough;
        if (r.r8)
            if (Error error = task->space.map_kernel_page(*task->pool, r.r8, arch::pool_physical(made.buffer),
                                                          PageTable::writable, enough);
                error != Error::ok)
                return error;
        made.buffer_address = r.r8;
        made.task_next = task->threads;
        made.task_link = &task->threads;
        if (task->threads)
            task->threads->task_link = &made.task_next;
        task->threads = &made;
        return Error::ok;
    };
    create<Thread>(thread, abi::thread_right::all, prepare, fill, thread_cost);
}

void invoke_endpoint_create(Core&, Thread& thread) {
    create<Endpoint>(thread, abi::endpoint_right::all, nothing_to_prepare,
                     [&](Endpoint& endpoint, Pool&) { return take_core(endpoint, thread.registers.rdx); });
}

void invoke_notification_create(Core&, Thread& thread) {
    create<Notification>(
        thread, abi::notification_right::all, nothing_to_prepare,
        [&](Notification& notification, Pool&) { return take_core(notification, thread.registers.rdx); });
}

// vcpu_create(slot, thread, page_address, notification)
void invoke_vcpu_create(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Thread> owner(thread, r.rdx, abi::thread_right::control);
    if (!owner)
        return reply(r, owner.error);
    Lookup<Notification> notification(thread, r.r8, abi::notification_right::receive);
    if (!notification)
        return reply(r, notification.error);
    auto prepare = [&](Budget& budget) {
        if (owner->dying || notification->dying || owner->task->dying)
            return Error::dead;
        if (!page_address(r.r10) || r.r10 == 0)
            return Error::bad_address;
        if (owner->vcpu || !owner->uses_fpu || notification->vcpu || notification->bound)
            return Error::wrong_state;
        if (notification->core != owner->core)
            return Error::wrong_core;
        if ((owner->state != ThreadState::inactive || owner->start_pending) && owner.object != &thread)
            return Error::wrong_state;
        if (vcpus_of_core[owner->core] == max_vcpus)
            return Error::limit;
        return owner->task->space.prepare(*owner->task->pool, r.r10, budget);
    };
    auto fill = [&](Vcpu& vcpu, Pool& pool) {
        vcpu.core = owner->core;
        vcpu.page = static_cast<abi::VcpuPage*>(pool.allocate_page());
        if (!vcpu.page)
            return Error::no_memory;
        Budget enough;
        Error error = owner->task->space.map_kernel_page(
            *owner->task->pool, r.r10, arch::pool_physical(vcpu.page), PageTable::writable, enough);
        if (error != Error::ok)
            return error;
        vcpu.page->deadline = abi::no_deadline;
        vcpu.page_address = r.r10;
        vcpu.thread = owner.object;
        vcpu.notification = notification.object;
        owner->vcpu = &vcpu;
        notification->vcpu = &vcpu;
        ++vcpus_of_core[vcpu.core];
        return Error::ok;
    };
    create<Vcpu>(thread, abi::vcpu_right::all, prepare, fill, vcpu_cost);
}

// timer_create(slot, notification, bits)
void invoke_timer_create(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Notification> notification(thread, r.rdx, abi::notification_right::signal);
    if (!notification)
        return reply(r, notification.error);
    auto prepare = [&](Budget&) { return notification->dying ? Error::dead : Error::ok; };
    auto fill = [&](Timer& timer, Pool& pool) {
        if (notification->pool != &pool)
            return Error::bad_argument; // so that both die together
        timer.core = notification->core;
        timer.notification = notification.object;
        timer.bits = r.r10;
        return Error::ok;
    };
    create<Timer>(thread, abi::timer_right::all, prepare, fill);
}

} // namespace kernel
