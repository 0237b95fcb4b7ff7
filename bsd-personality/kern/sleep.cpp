// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/sleep.hpp"

#include "bsd-personality/kern/hold.hpp"
#include "bsd-personality/kern/ktrace.hpp"

namespace bsd {

namespace {

// The caller will answer EINTR or ERESTART, so this thread must deliver what made it do so, even if the
// signal is the process's and another thread was chosen for it.
Errno interrupted_call(Lwp& lwp) {
    __atomic_fetch_or(&lwp.ast, ast_signal, __ATOMIC_SEQ_CST);
    return Errno::erestart;
}

// The process is stopped, or its threads are held: the call stands still here. True: it did, and wake-ups may
// have been missed.
bool stand_still(Lwp& lwp) {
    bool stood = false;
    while (must_hold(lwp) && !signal_pending(lwp)) {
        hold(lwp);
        stood = true;
    }
    if (!must_hold(lwp))
        __atomic_fetch_and(&lwp.ast, ~std::uint32_t{ast_stop}, __ATOMIC_SEQ_CST);
    return stood;
}

} // namespace

SysResult<bool> interruptible_sleep(Lwp& lwp, const void* ident, const char* wmesg,
                                    lwkt::Nanoseconds deadline) {
    bool stood = lwp.proc.debug && settle_with_debugger(lwp);
    if ((lwp.ast & ast_stop) && stand_still(lwp))
        stood = true;
    if (signal_pending(lwp))
        return Failure(interrupted_call(lwp));
    if (stood)
        return true;
    lwp.cpu_time.voluntary_switches++;
    lwp.cpu_time.stop(glue::Clock::ticks(), lwp.thread->switches);
    if (ktrace_wants(lwp,
                     Ktr::context_switch)) // a trace file is written to without a sleep: nothing is missed
        ktrace_switch(lwp, true, wmesg);
    lwkt::Wake how = lwkt::tsleep(ident, lwkt::sleep_interruptible, wmesg, deadline);
    if (ktrace_wants(lwp, Ktr::context_switch))
        ktrace_switch(lwp, false, wmesg);
    lwp.cpu_time.start(glue::Clock::ticks(), lwp.thread->switches);
    if (how == lwkt::Wake::woken)
        return true;
    if (how == lwkt::Wake::timed_out)
        return false;
    if (!lwp.proc.debug && signal_pending(lwp))
        return Failure(interrupted_call(lwp));
    return true; // the interruption was meant for an earlier sleep: the caller looks again
}

} // namespace bsd
