// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/sleep.hpp"

namespace bsd {

SysResult<bool> interruptible_sleep(Lwp& lwp, const void* ident, const char* wmesg, lwkt::Nanoseconds deadline) {
    if (signal_pending(lwp))
        return Failure(Errno::erestart);
    lwp.cpu_time.voluntary_switches++;
    lwkt::Wake how = lwkt::tsleep(ident, lwkt::sleep_interruptible, wmesg, deadline);
    if (how == lwkt::Wake::woken)
        return true;
    if (how == lwkt::Wake::timed_out)
        return false;
    if (signal_pending(lwp))
        return Failure(Errno::erestart);
    return true; // the interruption was meant for an earlier sleep: the caller looks again
}

} // namespace bsd
