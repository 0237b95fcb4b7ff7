// SPDX-License-Identifier: BSD-2-Clause
// Operations on capabilities: copy (with less rights, with a badge), move, delete, revoke; growing a table.
// They look slots up under structure_lock, so that what they checked is what they change.
#include "kernel/invocation.hpp"
#include "kernel/reclaim.hpp"

namespace kernel {

namespace {

// Objects that are nothing without a capability to them: with their origin they go. Others live until they
// are destroyed, or their pool is.
bool ends_with_origin(Type type) {
    return type == Type::region || type == Type::binding || type == Type::timer || type == Type::irq ||
           type == Type::trace;
}

} // namespace

bool revoke(Core& core, Capability& top, bool with_top, Budget& budget) {
    constexpr int cost = 200; // a slot, and burying what ends with it
    for (Capability* at = &top;;) {
        while (at->has_derived())
            at = at->next();
        if (at == &top && !with_top)
            return true;
        if (!budget.take(cost))
            return false;
        Object& object = *at->object();
        Capability* parent = at == &top ? nullptr : at->previous();
        if (at->is_origin && ends_with_origin(object.type)) {
            object.dying = true;
            if (!unlink_object(core, object, budget))
                return false;
            at->unlink();
            bury(object);
        } else {
            at->unlink();
        }
        if (!parent)
            return true;
        at = parent;
    }
}

Error copy_capability(Task& to, Selector slot, Capability& source, std::uint32_t rights, Word badge) {
    Object& object = *source.object();
    if (object.dying)
        return Error::dead;
    bool has_badge = object.type == Type::endpoint || object.type == Type::notification;
    if (badge && (source.badge || !has_badge))
        return Error::bad_argument;
    Budget budget;
    if (Error error = to.table.reserve(*to.pool, slot, &source, budget); error != Error::ok)
        return error;
    to.table.put(slot, object, source.rights() & rights, badge ? badge : source.badge, &source);
    return Error::ok;
}

namespace {

// What copy and move find: rdi the destination task; rdx, r10 the task and slot of the source, which is
// nullptr after an error reply.
struct Transfer {
    Capability* source = nullptr;
    Task* to = nullptr;
};
Transfer find_transfer(Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Task> to(thread, r.rdi, abi::task_right::control);
    if (!to)
        return reply(r, to.error), Transfer{};
    Lookup<Task> from(thread, r.rdx, abi::task_right::control);
    if (!from)
        return reply(r, from.error), Transfer{};
    Capability* source = from->table.slot(static_cast<Selector>(r.r10));
    if (!source)
        reply(r, Error::bad_capability);
    return {source, to.object};
}

} // namespace

// capability_copy(slot, source_task, source_slot, rights, badge); rdi the destination task
void invoke_capability_copy(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    auto [source, to] = find_transfer(thread);
    if (source)
        reply_or_wait(r,
                      copy_capability(*to, static_cast<Selector>(r.rsi), *source,
                                      static_cast<std::uint32_t>(r.r8), r.r9),
                      *to->pool);
}

// capability_move(slot, source_task, source_slot); rdi the destination task
void invoke_capability_move(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    auto [source, to] = find_transfer(thread);
    if (!source)
        return;
    if (source->object()->dying)
        return reply(r, Error::dead); // its destroyer finds it by its slot
    Budget budget;
    if (Error error = to->table.reserve(*to->pool, static_cast<Selector>(r.rsi), nullptr, budget);
        error != Error::ok)
        return reply_or_wait(r, error, *to->pool);
    to->table.empty_slot(static_cast<Selector>(r.rsi)).move_from(*source);
    reply(r, Error::ok);
}

namespace {

// capability_delete(slot), capability_revoke(slot)
void revoke_slot(Core& core, Thread& thread, bool with_slot) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    reclaim();
    Lookup<Task> task(thread, r.rdi, abi::task_right::control);
    if (!task)
        return reply(r, task.error);
    if (r.rsi >= task->table.slots())
        return reply(r, Error::bad_argument);
    Capability* slot = task->table.slot(static_cast<Selector>(r.rsi));
    if (!slot)
        return reply(r, Error::bad_capability);
    // What is being destroyed is found by its origin: its destroyer has to finish first.
    if (with_slot && slot->is_origin && slot->object()->dying && !ends_with_origin(slot->object()->type))
        return reply(r, Error::dead);
    Budget budget;
    revoke(core, *slot, with_slot, budget) ? reply(r, Error::ok) : restart(r);
}

} // namespace

void invoke_capability_delete(Core& core, Thread& thread) {
    revoke_slot(core, thread, true);
}

void invoke_capability_revoke(Core& core, Thread& thread) {
    revoke_slot(core, thread, false);
}

// task_grow(slots)
void invoke_task_grow(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    Lookup<Task> task(thread, r.rdi, abi::task_right::control);
    if (!task)
        return reply(r, task.error);
    if (r.rsi > max_slots)
        return reply(r, Error::bad_argument);
    reply_or_wait(r, task->table.grow(*task->pool, static_cast<unsigned>(r.rsi)), *task->pool);
}

} // namespace kernel
