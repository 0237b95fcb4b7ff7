// SPDX-License-Identifier: BSD-2-Clause
// Operations on pools, regions, bindings and mappings.
#include "kernel/flush.hpp"
#include "kernel/invocation.hpp"
#include "kernel/reclaim.hpp"
#include "kernel/scheduler.hpp"

namespace kernel {

namespace {
constexpr unsigned pool_step = 128; // pages moved between two looks at interrupts

bool user_range(Word address, Word pages) {
    return address % abi::page_size == 0 && pages <= abi::user_end / abi::page_size &&
           address <= abi::user_end - pages * abi::page_size;
}
} // namespace

// pool_create(slot, pages): the child appears in its slot at once and is filled in steps; it serves when it
// is full.
void invoke_pool_create(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Pool> pool(thread, r.rdi, abi::pool_right::create);
    if (!pool)
        return reply(r, pool.error);
    Word pages = r.rdx;
    LockGuard guard(structure_lock);
    reclaim(core);
    auto found = thread.task->table.find(static_cast<Selector>(r.rsi));
    if (found.object && found.object->type == Type::pool && found.object->pool == pool.object) {
        auto& begun = static_cast<Pool&>(*found.object);
        if (begun.promised > 0)
            return begun.take_promised(*pool, pool_step) ? reply(r, Error::ok) : restart(r);
    }
    if (pages == 0 || pages >= pool->free_pages)
        return reply(r, pages ? Error::no_memory : Error::bad_argument);
    if (Error error = thread.task->table.reserve(*thread.task->pool, static_cast<Selector>(r.rsi));
        error != Error::ok)
        return reply(r, error);
    Pool* child = make<Pool>(*pool);
    if (!child)
        return reply(r, Error::no_memory);
    if (pages > pool->free_pages) { // the child itself took the last block's page
        pool->remove_object(*child);
        pool->release(child, sizeof *child);
        return reply(r, Error::no_memory);
    }
    child->promise(*pool, pages);
    thread.task->table.put(static_cast<Selector>(r.rsi), *child, pool.rights | abi::pool_right::destroy, 0);
    child->take_promised(*pool, pool_step) ? reply(r, Error::ok) : restart(r);
}

void invoke_pool_info(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Pool> pool(thread, r.rdi, abi::pool_right::create);
    if (!pool)
        return reply(r, pool.error);
    LockGuard guard(structure_lock);
    reclaim(core);
    reply(r, Error::ok, pool->free_pages);
    r.rsi = pool->total_pages;
}

// region_carve(slot, pool, offset, size, rights)
void invoke_region_carve(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Region> region(thread, r.rdi, abi::region_right::carve);
    if (!region)
        return reply(r, region.error);
    Lookup<Pool> pool(thread, r.rdx, abi::pool_right::create);
    if (!pool)
        return reply(r, pool.error);
    Word offset = r.r10, size = r.r8;
    if (offset % abi::page_size || size % abi::page_size || size == 0 || r.r9 & ~Word{abi::region_right::all})
        return reply(r, Error::bad_argument);
    if (offset > region->size || size > region->size - offset)
        return reply(r, Error::bad_range);
    LockGuard guard(structure_lock);
    if (Error error = thread.task->table.reserve(*thread.task->pool, static_cast<Selector>(r.rsi));
        error != Error::ok)
        return reply(r, error);
    Region* part = make<Region>(*pool);
    if (!part)
        return reply(r, Error::no_memory);
    part->base = region->base + offset;
    part->size = size;
    thread.task->table.put(static_cast<Selector>(r.rsi), *part,
                           static_cast<std::uint32_t>(r.r9) & region.rights, 0);
    reply(r, Error::ok);
}

void invoke_region_info(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Region> region(thread, r.rdi, abi::region_right::read);
    if (!region)
        return reply(r, region.error);
    reply(r, Error::ok, region->size);
}

// bind(slot, pool, region)
void invoke_bind(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Task> task(thread, r.rdi, abi::task_right::map);
    if (!task)
        return reply(r, task.error);
    Lookup<Pool> pool(thread, r.rdx, abi::pool_right::create);
    if (!pool)
        return reply(r, pool.error);
    Lookup<Region> region(thread, r.r10, abi::region_right::read);
    if (!region)
        return reply(r, region.error);
    LockGuard guard(structure_lock);
    reclaim(core);
    if (task->dying || pool->dying)
        return reply(r, Error::dead);
    if (Error error = thread.task->table.reserve(*thread.task->pool, static_cast<Selector>(r.rsi));
        error != Error::ok)
        return reply(r, error);
    Binding* binding = make<Binding>(*pool);
    if (!binding)
        return reply(r, Error::no_memory);
    binding->task = task.object;
    binding->base = region->base;
    binding->size = region->size;
    binding->rights = region.rights;
    binding->task_next = task->bindings;
    binding->task_link = &task->bindings;
    if (task->bindings)
        task->bindings->task_link = &binding->task_next;
    task->bindings = binding;
    thread.task->table.put(static_cast<Selector>(r.rsi), *binding, abi::binding_right::all, 0);
    reply(r, Error::ok);
}

// map(address, offset, pages, flags) -> done
void invoke_map(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Binding> binding(thread, r.rdi, abi::binding_right::map);
    if (!binding)
        return reply(r, binding.error, 0);
    Word address = r.rsi, offset = r.rdx, pages = r.r10, bits;
    if (!user_range(address, pages))
        return reply(r, Error::bad_address, 0);
    if (offset % abi::page_size || offset > binding->size ||
        pages > (binding->size - offset) / abi::page_size)
        return reply(r, Error::bad_range, 0);
    if (Error error = entry_bits(binding->rights, r.r8, bits); error != Error::ok)
        return reply(r, error, 0);
    LockGuard guard(structure_lock);
    Task* task = binding->task;
    if (!task || task->dying)
        return reply(r, Error::dead, 0);
    bool flush = false;
    Word done;
    Error error = task->space.map(*task->pool, address, binding->base + offset, pages, bits,
                                  r.r8 & abi::map_replace, done, flush);
    if (flush)
        flush_space(*task);
    reply(r, error, done);
}

void invoke_unmap(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Task> task(thread, r.rdi, abi::task_right::map);
    if (!task)
        return reply(r, task.error, 0);
    if (!user_range(r.rsi, r.rdx))
        return reply(r, Error::bad_address, 0);
    LockGuard guard(structure_lock);
    if (task->dying)
        return reply(r, Error::dead, 0);
    bool flush = false;
    Word done, seen = 0;
    Error error = Error::ok;
    task->space.unmap(*task->pool, r.rsi, r.rdx, done, seen, flush, error);
    if (flush)
        flush_space(*task);
    reply(r, error, done);
    r.rsi = seen;
}

void invoke_protect(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Task> task(thread, r.rdi, abi::task_right::map);
    if (!task)
        return reply(r, task.error, 0);
    if (!user_range(r.rsi, r.rdx))
        return reply(r, Error::bad_address, 0);
    Word bits;
    if (Error error = entry_bits(abi::region_right::all, r.r10, bits); error != Error::ok)
        return reply(r, error, 0);
    bits &= ~Word{PageTable::may_write | PageTable::may_execute};
    LockGuard guard(structure_lock);
    if (task->dying)
        return reply(r, Error::dead, 0);
    bool flush = false;
    Word done, seen = 0;
    Error error = Error::ok;
    task->space.protect(*task->pool, r.rsi, r.rdx, bits, done, seen, flush, error);
    if (flush)
        flush_space(*task);
    reply(r, error, done);
    r.rsi = seen;
}

} // namespace kernel
