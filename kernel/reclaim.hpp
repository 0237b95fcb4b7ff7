// SPDX-License-Identifier: BSD-2-Clause
// Destroying objects. Each call of a destroying operation does a bounded step and restarts the caller until
// done:
//   1. the object is marked dying: lookups refuse it, and only its destroyer's calls still reach it;
//   2. its home core takes it out of all queues (request_kill) and says so in `killed`;
//   3. what it holds goes: a task's threads, then every core leaves its space, then its bindings,
//   capabilities
//      and page tables; a pool's objects; the pages mapped through a binding, and those that the kernel
//      shared with a thread;
//   4. all capabilities to it are emptied;
//   5. it is buried: every core has left the kernel or idled once since, so no handler still holds a pointer,
//      before its memory is freed.
// Who stops in the middle (it is destroyed itself) leaves an object that is dying, which can be destroyed on,
// and goes with its pool at the latest. All functions hold structure_lock.
#pragma once

#include "kernel/core.hpp"
#include "kernel/pool.hpp"
#include "kernel/spinlock.hpp"
#include "kernel/task.hpp"

namespace kernel {

// Steps 1-5 as far as the budget goes; true when the object is buried.
bool retire(Core& core, Object& object, Budget& budget);
// Steps 2 and 3.
bool unlink_object(Core& core, Object& object, Budget& budget);
// Takes away what was derived from a slot, and with `with_top` the slot too, from the leaves up; regions,
// bindings, timers and interrupts end with their origin. True when done. (capability.cpp)
bool revoke(Core& core, Capability& top, bool with_top, Budget& budget);
// A capability derived from `source`, with no more rights, in an empty slot of a task that is not dying; a
// badge only where there is none yet. dead, bad_argument, occupied, no_memory, limit. (capability.cpp)
Error copy_capability(Task& to, Selector slot, Capability& source, std::uint32_t rights, Word badge);
// Step 5.
void bury(Object& object);
// Frees a few of those that have been buried long enough. Called by operations that allocate or destroy.
void reclaim();
// The reply of an operation that `payer` pays for: it lacks memory only when nothing of what was destroyed in
// it is still to be freed; until then the caller is restarted.
void reply_or_wait(Registers& r, Error error, const Pool& payer);
// Gives back an object that was made but never published.
void discard(Object& object);

// vCPUs that live on each core; no more than max_vcpus, which bounds what a core looks through when it has to
// leave an address space (flush.cpp).
inline constexpr unsigned max_vcpus = 64;
extern unsigned vcpus_of_core[abi::max_cores];

// On the object's home core, a bounded step: leaves its queues; true when it is in none.
bool kill(Core& core, CoreObject& object);

} // namespace kernel
