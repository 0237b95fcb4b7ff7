// SPDX-License-Identifier: BSD-2-Clause
// The machine's part of a thread switch, inline for the paths that count instructions: segment bases, frame,
// address space, FPU. On the core they are given, with interrupts off.
#pragma once

#include "kernel/core.hpp"
#include "kernel/guard.hpp"
#include "kernel/task.hpp"

namespace kernel {

// Makes `next`'s FPU registers current, or keeps foreign ones from it, and holds interrupts back while it
// runs if its priority says so; see scheduler.cpp. Needs not be called if both are plain.
void switch_special(Core& core, Thread& next);
void save_fpu_of(Thread& owner); // the core's registers hold its state

inline void load_space(Core& core, Task* task) {
    if (core.space == task)
        return;
    __atomic_store_n(&core.space, task, __ATOMIC_RELAXED); // CR3 serializes: see flush.cpp
    arch::write_cr3(task->space.cr3());
}

// Stores the user's segment bases, which no trap saves, and loads others.
[[gnu::always_inline]] inline void exchange_bases(Word& fs_out, Word& gs_out, Word fs_in, Word gs_in) {
    fs_out = arch::read_fs_base();
    arch::write_fs_base(fs_in);
    gs_out = arch::exchange_user_gs_base(gs_in);
}

// From the current thread to one that was blocked; neither runs guest code. Time, state and queues are the
// caller's.
[[gnu::always_inline]] inline void switch_threads(Core& core, Thread& last, Thread& next) {
    Word lost;
    if constexpr (guarded(Guard::bases_saved_switching))
        exchange_bases(last.fs_base, last.gs_base, next.fs_base, next.gs_base);
    else
        exchange_bases(lost, lost, next.fs_base, next.gs_base);
    core.current = &next;
    set_frame(core, next.registers);
    load_space(core, next.task);
    if (!is_plain(next) || !core.plain)
        switch_special(core, next);
    ++core.counters[static_cast<unsigned>(abi::Counter::context_switches)];
}

} // namespace kernel
