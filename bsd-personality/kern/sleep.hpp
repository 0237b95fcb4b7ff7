// SPDX-License-Identifier: BSD-2-Clause
// Sleeping inside a system call, as BSD's tsleep with PCATCH: a signal that arrives, or one that is already
// there, ends the sleep. The giant token is lost meanwhile: look at the condition again. A wake-up without
// cause is possible.
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

/// Sleeps on `ident` until lwkt::wakeup(ident). True: woken (or for no reason); false: the absolute deadline
/// passed. Errors: ERESTART when a signal is to be delivered or the thread must end; calls that are never
/// restarted turn it into EINTR.
SysResult<bool> interruptible_sleep(Lwp& lwp, const void* ident, const char* wmesg,
                                    lwkt::Nanoseconds deadline = lwkt::no_timeout);

/// ERESTART becomes EINTR, for calls that are never restarted (select, nanosleep, kevent, sigsuspend, ...).
constexpr Errno never_restart(Errno error) {
    return error == Errno::erestart ? Errno::eintr : error;
}

} // namespace bsd
