// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/sleep.hpp"

namespace bsd {

namespace {

// The caller will answer EINTR or ERESTART, so this thread must deliver what made it do so, even if the
// signal is the process's and another thread was chosen for it.
Errno interrupted_call(Lwp& lwp) {
    __atomic_fetch_or(&lwp.ast, ast_signal, __ATOMIC_SEQ_CST);
    return Errno::erestart;
}

} // namespace

SysResult<bool> interruptible_sleep(Lwp& lwp, const void* ident, const char* wmesg,
                                    lwkt::Nanoseconds deadline) {
    if (signal_pending(lwp))
        return Failure(interrupted_call(lwp));
    lwp.cpu_time.voluntary_switches++;
    lwp.cpu_time.stop(glue::Clock::ticks(), lwp.thread->switches);
    lwkt::Wake how = lwkt::tsleep(ident, lwkt::sleep_interruptible, wmesg, deadline);
    lwp.cpu_time.start(glue::Clock::ticks(), lwp.thread->switches);
    if (how == lwkt::Wake::woken)
        return true;
    if (how == lwkt::Wake::timed_out)
        return false;
    if (signal_pending(lwp))
        return Failure(interrupted_call(lwp));
    return true; // the interruption was meant for an earlier sleep: the caller looks again
}

} // namespace bsd
