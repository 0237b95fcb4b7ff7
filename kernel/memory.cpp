// SPDX-License-Identifier: BSD-2-Clause
// Operations on pools, regions, bindings and mappings.
#include "kernel/flush.hpp"
#include "kernel/invocation.hpp"
#include "kernel/reclaim.hpp"
#include "kernel/scheduler.hpp"

namespace kernel {

namespace {
constexpr unsigned pool_step = 256; // pages moved between two looks at interrupts

bool user_range(Word address, Word pages) {
    return address % abi::page_size == 0 && pages <= abi::user_end / abi::page_size &&
           address <= abi::user_end - pages * abi::page_size;
}

// The end of a step over a range of pages: the caller learns how far it came, and asks for the rest. A step
// that only made tables, or has to wait for memory, is repeated for it. True if there was a reply.
bool finish_batch(Registers& r, Error error, Word pages, Word done, const Pool& payer) {
    if (error == Error::no_memory && payer.buried > 0) {
        reclaim();
        error = Error::ok;
    }
    if (error == Error::ok && done == 0 && pages > 0) {
        restart(r);
        return false;
    }
    reply(r, error, done);
    return true;
}

// An object for the slot rsi that is derived from the caller's slot `source`; nullptr after a reply or
// restart.
template <class T>
T* make_derived(Thread& thread, Pool& pool, Word source) {
    Registers& r = thread.registers;
    const Capability* parent = thread.task->table.slot(static_cast<Selector>(source));
    Budget budget;
    if (Error error =
            thread.task->table.reserve(*thread.task->pool, static_cast<Selector>(r.rsi), parent, budget);
        error != Error::ok) {
        reply_or_wait(r, error, *thread.task->pool);
        return nullptr;
    }
    T* made = make<T>(pool);
    if (!made)
        reply_or_wait(r, Error::no_memory, pool);
    return made;
}

void publish_derived(Thread& thread, Object& object, std::uint32_t rights, Word source) {
    Registers& r = thread.registers;
    thread.task->table.put(static_cast<Selector>(r.rsi), object, rights, 0,
                           thread.task->table.slot(static_cast<Selector>(source)));
    reply(r, Error::ok);
}
} // namespace

// pool_create(slot, pages): the child appears in its slot at once and is filled in steps; it serves when it
// is full.
void invoke_pool_create(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    reclaim();
    Lookup<Pool> pool(thread, r.rdi, abi::pool_right::create);
    if (!pool)
        return reply(r, pool.error);
    auto found = thread.task->table.find(static_cast<Selector>(r.rsi));
    if (found.object && found.object->type == Type::pool && found.object->pool == pool.object) {
        auto& begun = static_cast<Pool&>(*found.object);
        if (begun.promised > 0)
            return begun.take_promised(*pool, pool_step) ? reply(r, Error::ok) : restart(r);
    }
    Word pages = r.rdx;
    if (pages == 0)
        return reply(r, Error::bad_argument);
    if (pool->depth == Pool::max_depth)
        return reply(r, Error::limit);
    Budget budget;
    if (Error error =
            thread.task->table.reserve(*thread.task->pool, static_cast<Selector>(r.rsi), nullptr, budget);
        error != Error::ok)
        return reply_or_wait(r, error, *thread.task->pool);
    Pool* child = pages < pool->free_pages ? make<Pool>(*pool) : nullptr;
    if (child && pages > pool->free_pages) { // the child itself took the last block's page
        discard(*child);
        child = nullptr;
    }
    if (!child)
        return reply_or_wait(r, Error::no_memory, *pool);
    child->depth = pool->depth + 1;
    child->promise(*pool, pages);
    thread.task->table.put(static_cast<Selector>(r.rsi), *child, pool.rights | abi::pool_right::destroy, 0,
                           nullptr);
    child->take_promised(*pool, pool_step) ? reply(r, Error::ok) : restart(r);
}

// pool_info(): after what was destroyed before has been freed
void invoke_pool_info(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    reclaim();
    Lookup<Pool> pool(thread, r.rdi, abi::pool_right::create);
    if (!pool)
        return reply(r, pool.error);
    if (pool->buried > 0)
        return restart(r);
    reply(r, Error::ok, pool->free_pages);
    r.rsi = pool->total_pages;
}

// region_carve(slot, pool, offset, size, rights)
void invoke_region_carve(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    reclaim();
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
    Region* part = make_derived<Region>(thread, *pool, r.rdi);
    if (!part)
        return;
    part->base = region->base + offset;
    part->size = size;
    publish_derived(thread, *part, static_cast<std::uint32_t>(r.r9) & region.rights, r.rdi);
}

void invoke_region_info(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Region> region(thread, r.rdi, abi::region_right::read);
    if (!region)
        return reply(r, region.error);
    reply(r, Error::ok, region->size);
}

// bind(slot, pool, region)
void invoke_bind(Core&, Thread& thread) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    reclaim();
    Lookup<Task> task(thread, r.rdi, abi::task_right::map);
    if (!task)
        return reply(r, task.error);
    Lookup<Pool> pool(thread, r.rdx, abi::pool_right::create);
    if (!pool)
        return reply(r, pool.error);
    Lookup<Region> region(thread, r.r10, abi::region_right::read);
    if (!region)
        return reply(r, region.error);
    unsigned word = 0;
    while (word < PageTable::tags / 64 && !~task->tags[word])
        ++word;
    if (word == PageTable::tags / 64)
        return reply(r, Error::limit);
    Binding* binding = make_derived<Binding>(thread, *pool, r.r10);
    if (!binding)
        return;
    auto bit = static_cast<unsigned>(__builtin_ctzll(~task->tags[word]));
    task->tags[word] |= Word{1} << bit;
    binding->tag = word * 64 + bit;
    binding->task = task.object;
    binding->base = region->base;
    binding->size = region->size;
    binding->rights = region.rights;
    binding->task_next = task->bindings;
    binding->task_link = &task->bindings;
    if (task->bindings)
        task->bindings->task_link = &binding->task_next;
    task->bindings = binding;
    publish_derived(thread, *binding, abi::binding_right::all, r.r10);
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
    if (Error error = entry_bits(*binding, r.r8, bits); error != Error::ok)
        return reply(r, error, 0);
    LockGuard guard(structure_lock);
    Task* task = binding->task;
    if (binding->dying || task->dying) // since it was looked up
        return reply(r, Error::dead, 0);
    bool flush = false;
    Word done;
    Budget budget;
    Error error = task->space.map(*task->pool, address, binding->base + offset, pages, bits,
                                  r.r8 & abi::map_replace, budget, done, flush);
    if (flush)
        flush_space(*task);
    finish_batch(r, error, pages, done, *task->pool);
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
    Budget budget;
    Error error = task->space.unmap(*task->pool, r.rsi, r.rdx, budget, done, seen, flush);
    if (flush)
        flush_space(*task);
    if (finish_batch(r, error, r.rdx, done, *task->pool))
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
    bits &= PageTable::writable | PageTable::no_execute; // the rest stays what it was
    LockGuard guard(structure_lock);
    if (task->dying)
        return reply(r, Error::dead, 0);
    bool flush = false;
    Word done, seen = 0;
    Budget budget;
    Error error = task->space.protect(*task->pool, r.rsi, r.rdx, bits, budget, done, seen, flush);
    if (flush)
        flush_space(*task);
    if (finish_batch(r, error, r.rdx, done, *task->pool))
        r.rsi = seen;
}

} // namespace kernel
