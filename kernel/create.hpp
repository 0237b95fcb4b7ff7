// SPDX-License-Identifier: BSD-2-Clause
// The common frame of the operations that make objects: decode, reserve the slot, make, publish last.
#pragma once

#include "kernel/invocation.hpp"
#include "kernel/reclaim.hpp"

namespace kernel {

inline constexpr int small_cost = 200; // of an object without pages of its own

// The common frame of the create operations on a pool: rdi pool, rsi slot. `prepare` checks and makes what
// stays when it takes several steps (would_block: it goes on where it stopped when it is called again);
// `fill` completes the object or says why not.
template <class T, class Prepare, class Fill>
void create(Thread& thread, std::uint32_t rights, Prepare prepare, Fill fill, int cost = small_cost,
            std::uint32_t needed = abi::pool_right::create) {
    Registers& r = thread.registers;
    LockGuard guard(structure_lock);
    reclaim();
    Lookup<Pool> pool(thread, r.rdi, needed);
    if (!pool)
        return reply(r, pool.error);
    auto slot = static_cast<Selector>(r.rsi);
    Budget budget;
    if (Error error = thread.task->table.reserve(*thread.task->pool, slot, nullptr, budget);
        error != Error::ok)
        return reply_or_wait(r, error, *thread.task->pool);
    T* object = nullptr;
    Error error = prepare(budget);
    if (error == Error::ok && !budget.take(cost)) // what was made so far is enough for one step
        error = Error::would_block;
    if (error == Error::ok) {
        object = make<T>(*pool);
        error = object ? fill(*object, *pool) : Error::no_memory;
    }
    if (error == Error::ok) {
        thread.task->table.put(slot, *object, rights, 0, nullptr);
        return reply(r, Error::ok);
    }
    if (object)
        discard(*object);
    error == Error::would_block ? restart(r) : reply_or_wait(r, error, *pool);
}

} // namespace kernel
