// SPDX-License-Identifier: BSD-2-Clause
// Holding the threads of a process: a core file and a debugger need them all to stand still, with their
// registers in memory. A held thread is one that sleeps on its way to user mode, or inside an interruptible
// sleep of a call, which goes on afterwards as if nothing had been. Under the giant token.
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

/// Holds all threads of the calling thread's process but itself; sleeps until each stands still. False: the
/// process, or the calling thread, is to end; nothing is held then.
bool hold_threads(Lwp& lwp);
/// Lets them go on. By who held them.
void release_threads(Lwp& lwp);
/// Whether the calling thread may not go on to user mode now.
inline bool must_hold(const Lwp& lwp) {
    const Proc& proc = lwp.proc;
    return (proc.flags & proc_stopped) || lwp.debug_suspended || (proc.holder && proc.holder != &lwp);
}
/// Stands still until something happens: look again whether must_hold().
void hold(Lwp& lwp);
/// Somebody waits for threads to stand still: one more does, or is gone.
inline void note_held(Proc& proc) {
    if (proc.holder)
        lwkt::wakeup(&proc.holder);
}

} // namespace bsd
