// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/hold.hpp"

#include "bsd-personality/kern/cpu.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

namespace {

bool all_held(const Proc& proc) {
    for (const Lwp* each = proc.lwps.first(); each; each = proc.lwps.next(each))
        if (each != proc.holder && !each->held)
            return false;
    return true;
}

// What ends a process does so also while it waits for its threads.
bool ends(const Lwp& lwp) {
    return (lwp.ast & ast_exit) || (lwp.proc.flags & (proc_exiting | proc_single)) ||
           lwp.proc.pending.set().has(sigkill) || lwp.pending.set().has(sigkill);
}

} // namespace

bool hold_threads(Lwp& lwp) {
    Proc& proc = lwp.proc;
    while (proc.holder && !ends(lwp))
        hold(lwp);
    if (ends(lwp))
        return false;
    proc.holder = &lwp;
    for (Lwp* each = proc.lwps.first(); each; each = proc.lwps.next(each))
        if (each != &lwp)
            set_ast(*each, ast_stop);
    while (!all_held(proc)) {
        (void)lwkt::tsleep(&proc.holder, lwkt::sleep_interruptible, "hold");
        if (ends(lwp)) {
            release_threads(lwp);
            return false;
        }
    }
    return true;
}

void release_threads(Lwp& lwp) {
    lwp.proc.holder = nullptr;
    lwkt::wakeup(&lwp.proc.stop_signal);
}

void hold(Lwp& lwp) {
    put_away_registers(lwp);
    lwp.held = true;
    note_held(lwp.proc);
    (void)lwkt::tsleep(&lwp.proc.stop_signal, lwkt::sleep_interruptible, "stop");
    lwp.held = false;
}

} // namespace bsd
