// SPDX-License-Identifier: BSD-2-Clause
// Destroying objects. Each call of a destroy operation does a bounded step and restarts the caller until
// done:
//   1. the object is marked dying: lookups refuse it, and only the destroyer's calls still reach it;
//   2. its home core takes it out of all queues (request_kill) and says so in `killed`;
//   3. spaces: no core has its page tables loaded any more, then the tables are freed;
//   4. all capabilities to it are emptied; every core has left the kernel or idled once since, so no handler
//   still holds a pointer; the memory is freed.
// All functions hold structure_lock.
#pragma once

#include "kernel/core.hpp"
#include "kernel/pool.hpp"
#include "kernel/spinlock.hpp"
#include "kernel/task.hpp"

namespace kernel {

// Steps 1-3 and burial for one object (thread, task, or anything in a dying pool). True when it is buried.
bool retire(Core& core, Object& object);
// A step of a destroy invocation on a single object: replies ok when buried, else restarts the caller.
void destroy_step(Core& core, abi::Registers& r, Object& object);
// Gives a retired object's memory back after a grace period; objects of one pool only.
void bury(Object& object);
// A step of destroying a pool; true when its pages are back with the parent.
bool destroy_pool(Core& core, Pool& pool);
// Frees what has waited long enough. Called by operations that allocate or destroy.
void reclaim(Core& core);

// Grace periods: a ticket is passed when every other core has been outside the kernel since it was drawn.
Word grace_ticket();
bool grace_passed(Word ticket);

} // namespace kernel
