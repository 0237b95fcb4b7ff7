// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/reclaim.hpp"

#include "kernel/flush.hpp"
#include "kernel/invocation.hpp"
#include "kernel/irq.hpp"
#include "kernel/scheduler.hpp"

namespace kernel {

namespace {

// One grace period is measured at a time: a snapshot of all cores' sequence numbers. Tickets count
// measurements.
Word snapshot[abi::max_cores];
Word measured = 0; // measurements finished
bool measuring = false;

Object* waiting = nullptr; // retired since the running measurement began
Object* leaving = nullptr; // retired before it began

constexpr unsigned step = 128;

void begin_measurement() {
    for (unsigned i = 0; i < core_count; ++i)
        snapshot[i] = __atomic_load_n(&cores[i].sequence, __ATOMIC_SEQ_CST);
    measuring = true;
}

bool measurement_done(const Core& self) {
    for (unsigned i = 0; i < core_count; ++i) {
        if (&cores[i] == &self || !(snapshot[i] & 1))
            continue; // this core holds no old pointer here; others were outside
        if (__atomic_load_n(&cores[i].sequence, __ATOMIC_SEQ_CST) == snapshot[i])
            return false;
    }
    return true;
}

unsigned size_of(const Object& object) {
    switch (object.type) {
    case Type::pool:
        return sizeof(Pool);
    case Type::region:
        return sizeof(Region);
    case Type::task:
        return sizeof(Task);
    case Type::thread:
        return sizeof(Thread);
    case Type::endpoint:
        return sizeof(Endpoint);
    case Type::notification:
        return sizeof(Notification);
    case Type::irq:
        return sizeof(Irq);
    case Type::scheduling:
        return sizeof(SchedulingContext);
    case Type::vcpu:
        return sizeof(Vcpu);
    case Type::timer:
        return sizeof(Timer);
    case Type::binding:
        return sizeof(Binding);
    default:
        return sizeof(Object);
    }
}

void free_object(Object& object) {
    Pool& pool = *object.pool;
    pool.remove_object(object);
    if (object.type == Type::thread) {
        auto& thread = static_cast<Thread&>(object);
        if (thread.fpu)
            pool.release_page(thread.fpu);
        if (thread.buffer)
            pool.release_page(thread.buffer);
    } else if (object.type == Type::vcpu) {
        if (auto* page = static_cast<Vcpu&>(object).page)
            pool.release_page(page);
    }
    pool.release(&object, size_of(object));
}

void advance(const Core& self) {
    if (measuring && measurement_done(self)) {
        measuring = false;
        ++measured;
        while (Object* object = leaving) {
            leaving = object->grave_next;
            free_object(*object);
        }
    }
    if (!measuring) {
        leaving = waiting;
        waiting = nullptr;
        begin_measurement();
    }
}

// A message buffer or vCPU page disappears from its task's space before its memory is freed.
void unmap_kernel_page(Task& task, Word address) {
    if (task.dying || !address)
        return;
    task.space.remove_kernel_page(address);
    flush_space(task);
}

bool kill_at_home(Core& core, CoreObject& object) {
    if (__atomic_load_n(&object.killed, __ATOMIC_ACQUIRE))
        return true;
    if (object.core == core.index) {
        Inbox local;
        local.push(object, request_kill);
        handle_requests(core, local);
        return true;
    }
    send_request(object, request_kill);
    return false;
}

bool retire_task(Core& core, Task& task) {
    while (Thread* thread = task.threads) // its threads first
        if (!retire(core, *thread))
            return false;
    if (task.destroy_phase == 0) {
        while (Binding* binding = task.bindings) {
            binding->task = nullptr;
            task.bindings = binding->task_next;
            binding->dying = true;
            drop_capabilities(*binding, ~0u);
            bury(*binding);
        }
        task.table.destroy(*task.pool);
        flush_space(task, true);
        task.destroy_phase = 1;
    }
    return task.space.destroy(*task.pool, step);
}

} // namespace

Word grace_ticket() {
    return measured + (measuring ? 2 : 1);
}
bool grace_passed(Word ticket) {
    return measured >= ticket;
}
void reclaim(Core& core) {
    advance(core);
}

void bury(Object& object) {
    object.retired = true;
    object.grave_next = waiting;
    waiting = &object;
}

bool retire(Core& core, Object& object) {
    if (object.retired)
        return true;
    object.dying = true;
    switch (object.type) {
    case Type::thread: {
        auto& thread = static_cast<Thread&>(object);
        if (!kill_at_home(core, thread))
            return false;
        if (thread.task_link) {
            *thread.task_link = thread.task_next;
            if (thread.task_next)
                thread.task_next->task_link = thread.task_link;
            thread.task_link = nullptr;
            unmap_kernel_page(*thread.task, thread.buffer_address);
            if (thread.vcpu) {
                unmap_kernel_page(*thread.task, thread.vcpu->page_address);
                thread.vcpu->thread = nullptr;
            }
        }
        break;
    }
    case Type::task:
        if (!retire_task(core, static_cast<Task&>(object)))
            return false;
        break;
    case Type::endpoint:
    case Type::notification:
    case Type::timer:
        if (!kill_at_home(core, static_cast<CoreObject&>(object)))
            return false;
        break;
    case Type::vcpu:
        if (Thread* thread = static_cast<Vcpu&>(object).thread) // lives as long as its thread
            if (!retire(core, *thread))
                return false;
        break;
    case Type::irq:
        release_interrupt(static_cast<Irq&>(object));
        break;
    case Type::binding: {
        auto& binding = static_cast<Binding&>(object);
        if (binding.task) {
            *binding.task_link = binding.task_next;
            if (binding.task_next)
                binding.task_next->task_link = binding.task_link;
            binding.task = nullptr;
        }
        break;
    }
    default:
        break;
    }
    if (!drop_capabilities(object, step)) // last: the destroyer's own capability serves until the end
        return false;
    bury(object);
    return true;
}

void destroy_step(Core& core, abi::Registers& r, Object& object) {
    Thread* self = core.current;
    bool done = retire(core, object);
    advance(core);
    if (self->state == ThreadState::dead)
        return; // it destroyed itself
    if (done)
        reply(r, Error::ok);
    else
        restart(r);
}

// pool_destroy(): phases, one bounded step a call. All objects are retired, then a grace period, then all
// pages return to the parent at once, whatever they held.
void invoke_pool_destroy(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    auto found = thread.task->table.find(static_cast<Selector>(r.rdi));
    if (!found.object || found.object->type != Type::pool)
        return reply(r, Error::bad_capability);
    if (!(found.rights & abi::pool_right::destroy))
        return reply(r, Error::no_right);
    LockGuard guard(structure_lock);
    auto& pool = static_cast<Pool&>(*found.object);
    if (!pool.pool)
        return reply(r, Error::wrong_state); // the root pool
    if (destroy_pool(core, pool))
        return reply(r, Error::ok);
    if (thread.state != ThreadState::dead)
        restart(r);
}

bool destroy_pool(Core& core, Pool& pool) {
    pool.dying = true;
    // Tasks and threads first: what they run on, wait for and map through outlives them.
    for (; pool.destroy_phase < 2; ++pool.destroy_phase) {
        unsigned budget = step;
        for (Object* object = pool.objects; object; object = object->pool_next) {
            bool active =
                object->type == Type::task || object->type == Type::thread || object->type == Type::pool;
            if (object->retired || (pool.destroy_phase == 0 && !active))
                continue;
            if (budget-- == 0)
                return false;
            if (object->type == Type::pool) {
                if (!destroy_pool(core, static_cast<Pool&>(*object)))
                    return false;
                return false; // the list changed
            }
            if (!retire(core, *object))
                return false;
        }
        pool.grace = grace_ticket() + 1; // everything buried so far has left by then
    }
    advance(core);
    if (!grace_passed(pool.grace) || pool.objects)
        return false;
    if (!pool.return_pages(*pool.pool, step * 4))
        return false;
    if (!drop_capabilities(pool, ~0u))
        return false;
    bury(pool);
    return true;
}

} // namespace kernel
