// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/reclaim.hpp"
#include "kernel/invariant.hpp"
#include "kernel/invocation.hpp"

#include "kernel/core.hpp"
#include "kernel/irq.hpp"
#include "kernel/machine.hpp"
#include "kernel/thread.hpp"
#include "kernel/trace.hpp"

namespace kernel {

namespace {

// structure_lock guards all of these. One grace period is measured at a time: a snapshot of all cores'
// sequence numbers; the next begins when what waited for the last one has been freed.
//
// A core that enters the kernel stores its number like anything else: what it looks up right after can be
// older than that store is visible. So the snapshot is taken when stores of the time in which the objects
// were unlinked have left their buffers, which takes them far less than `settling`.
Word snapshot[abi::max_cores];
enum class Phase { idle, settling, measuring };
Phase phase = Phase::idle;
Word settled_at;           // the end of settling
Object* waiting = nullptr; // buried since the running measurement began
Object* leaving = nullptr; // buried before it began
Object* ready = nullptr;   // nobody can hold a pointer to these any more

constexpr unsigned freed_at_once = 2;

constexpr Word settling = 100'000; // of a second: 10 microseconds

void begin_measurement() {
    leaving = waiting;
    waiting = nullptr;
    phase = Phase::settling;
    settled_at = arch::read_tsc() + (core_count > 1 ? machine.ticks_per_second / settling : 0);
}

void take_snapshot() {
    for (unsigned i = 0; i < core_count; ++i)
        snapshot[i] = __atomic_load_n(&cores[i].sequence, __ATOMIC_SEQ_CST);
    phase = Phase::measuring;
}

// This core too must have left the kernel since: an operation may look something up, wait for the lock, and
// only then come here.
bool measurement_done() {
    for (unsigned i = 0; i < core_count; ++i)
        if (snapshot[i] & 1 && __atomic_load_n(&cores[i].sequence, __ATOMIC_SEQ_CST) == snapshot[i])
            return false;
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
    case Type::trace:
        return sizeof(Trace);
    default:
        return sizeof(Object);
    }
}

template <class T>
void leave_list(T& object) { // of its task
    *object.task_link = object.task_next;
    if (object.task_next)
        object.task_next->task_link = object.task_link;
    object.task_link = nullptr;
}

// Nothing leads to it any more.
void check_unreachable(const Object& object) {
    if constexpr (!checks_invariants)
        return;
    invariant(!object.origin && !object.pool_link, "free: has a capability or a pool");
    switch (object.type) {
    case Type::thread: {
        auto& thread = static_cast<const Thread&>(object);
        invariant(!thread.ready_queued && !thread.queue && !thread.timer.queued, "free: thread is queued");
        invariant(!thread.caller && !thread.callee && !thread.service, "free: thread has partners");
        invariant(!thread.own_context && !thread.task_link && !thread.inbox_queued, "free: thread is bound");
        for (unsigned i = 0; i < core_count; ++i)
            invariant(cores[i].current != &thread && cores[i].fpu_owner != &thread, "free: thread runs");
        break;
    }
    case Type::endpoint: {
        auto& endpoint = static_cast<const Endpoint&>(object);
        invariant(!endpoint.senders.first && !endpoint.receivers.first && !endpoint.servers,
                  "free: endpoint has threads");
        break;
    }
    case Type::notification: {
        auto& notification = static_cast<const Notification&>(object);
        invariant(!notification.waiters.first && !notification.bound && !notification.vcpu,
                  "free: notification has waiters");
        break;
    }
    case Type::scheduling:
        invariant(!static_cast<const SchedulingContext&>(object).owner, "free: context has an owner");
        break;
    case Type::timer:
        invariant(!static_cast<const Timer&>(object).node.queued, "free: timer is armed");
        break;
    case Type::task: {
        auto& task = static_cast<const Task&>(object);
        invariant(!task.threads && !task.bindings && task.table.slots() == 0, "free: task has something");
        for (unsigned i = 0; i < core_count; ++i)
            invariant(cores[i].space != &task, "free: task's space is loaded");
        break;
    }
    default:
        break;
    }
}

void free_object(Object& object) {
    Pool& pool = *object.pool;
    if (object.type == Type::thread) {
        auto& thread = static_cast<Thread&>(object);
        if (thread.fpu)
            pool.release_page(thread.fpu);
        if (thread.buffer)
            pool.release_page(thread.buffer);
    } else if (object.type == Type::vcpu) {
        auto& vcpu = static_cast<Vcpu&>(object);
        if (vcpu.page)
            pool.release_page(vcpu.page);
        if (vcpu.page_address) // it was complete
            --vcpus_of_core[vcpu.core];
    }
    if (object.type == Type::trace)
        for (void* ring_page : static_cast<Trace&>(object).pages)
            if (ring_page)
                pool.release_page(ring_page);
    pool.release(&object, size_of(object));
}

// An inbox is a way to an object that no core in the kernel holds: whoever found it before it was unlinked
// may have pushed it there and left, and its home core takes it out some time later. After one grace period
// nobody pushes any more; when it is out then, one more lets the home core finish with it.
bool is_in_inbox(Object& object) {
    if (object.type != Type::thread && object.type != Type::endpoint && object.type != Type::notification &&
        object.type != Type::timer && object.type != Type::trace)
        return false; // is never pushed
    auto& member = static_cast<CoreObject&>(object);
    if (member.out_of_inbox)
        return false;
    member.out_of_inbox = !__atomic_load_n(&member.inbox_queued, __ATOMIC_ACQUIRE);
    return true;
}
} // namespace

void discard(Object& object) {
    object.pool->remove_object(object);
    free_object(object);
}

void bury(Object& object) {
    object.retired = true;
    if (object.type == Type::thread) {
        auto& thread = static_cast<Thread&>(object);
        leave_list(thread);
        if (thread.vcpu) // not before: who destroys the vCPU sees by it that the thread is gone too
            thread.vcpu->thread = nullptr;
        thread.vcpu = nullptr;
    } else if (object.type == Type::binding) {
        auto& binding = static_cast<Binding&>(object);
        binding.task->tags[binding.tag / 64] &= ~(Word{1} << binding.tag % 64);
        leave_list(binding);
    }
    object.pool->remove_object(object);
    ++object.pool->buried;
    object.grave_next = waiting;
    waiting = &object;
}

void reclaim() {
    if (phase == Phase::settling && arch::read_tsc() >= settled_at)
        take_snapshot();
    if (phase == Phase::measuring && measurement_done()) {
        phase = Phase::idle;
        ready = leaving;
        leaving = nullptr;
    }
    for (unsigned i = 0; ready && i < freed_at_once; ++i) {
        Object* object = ready;
        ready = object->grave_next;
        if (is_in_inbox(*object)) { // sent by who found it in time; it is freed after it has been looked at
            object->grave_next = waiting;
            waiting = object;
            continue;
        }
        --object->pool->buried;
        check_unreachable(*object);
        free_object(*object);
    }
    if (phase == Phase::idle && !ready && waiting)
        begin_measurement();
}

void reply_or_wait(Registers& r, Error error, const Pool& payer) {
    if (error != Error::no_memory || payer.buried == 0)
        return reply(r, error);
    reclaim();
    restart(r);
}

bool retire(Core& core, Object& object, Budget& budget) {
    if (object.retired)
        return true;
    object.dying = true;
    if (!unlink_object(core, object, budget))
        return false;
    if (object.origin && !revoke(core, *object.origin, true, budget))
        return false;
    if (!object.retired)
        bury(object);
    return true;
}

} // namespace kernel
