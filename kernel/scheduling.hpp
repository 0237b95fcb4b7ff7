// SPDX-License-Identifier: BSD-2-Clause
// What threads, their contexts and their cores do to each other beyond running (scheduler.hpp): binding while
// running, moving to another core.
#pragma once

#include "kernel/core.hpp"
#include "kernel/pool.hpp"

namespace kernel {

// Whether an object lives at least as long as what is made from `pool`: it comes from that pool or one above
// it.
bool outlives(const Object& object, const Pool* pool);

// On the thread's home core; nothing happens if it may not be (any more): the operation that asked sees that.
void bind_context(Core& core, Thread& thread, SchedulingContext& context);
void unbind_context(Core& core, Thread& thread);
// structure_lock
void migrate_thread(Core& core, Thread& thread, const Move& move);
// The context's budget is used up.
void tell_exhausted(SchedulingContext& context);
// The core need no longer keep what was promised to the context; structure_lock.
void dismiss(SchedulingContext& context);
// The core's FPU registers hold no thread's state and no secret.
void forget_fpu(Core& core);

} // namespace kernel
