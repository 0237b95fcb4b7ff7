// SPDX-License-Identifier: BSD-2-Clause
// Sleep queues: tsleep() blocks on an address, wakeup() wakes all who sleep on it, on any core. Queues are
// per core and are touched by their core only; a core that wakes elsewhere sees from a mask whom to send an
// IPI message.
//
// No wake-up is lost if the sleeper decides to sleep and the waker makes the condition true under the same
// token (the sleeper is on its queue before its tokens go), or if the sleeper uses tsleep_interlock() before
// it looks at a condition that the waker changes before wakeup(). All sleeps may return Wake::woken without a
// wakeup() meant for them: look at the condition again.
#pragma once

#include "lwkt/thread.hpp"

namespace lwkt {

enum class Wake : std::uint8_t {
    woken,       // by wakeup(), wakeup_one() or schedule()
    timed_out,   // the deadline passed
    interrupted, // by interrupt(); may be late (meant for an earlier sleep): check for signals and sleep
                 // again
};

enum SleepFlags : unsigned {
    sleep_plain = 0,
    sleep_interruptible = 1, // interrupt() ends it (BSD's PCATCH)
    sleep_interlocked = 2,   // tsleep_interlock() with the same ident was called before (BSD's PINTERLOCKED)
};

inline constexpr Nanoseconds no_timeout{~std::uint64_t{0}};

// Blocks the calling thread until woken, until the absolute monotonic deadline, or until interrupted. All
// tokens are lost meanwhile and held again on return. `wmesg` (static) says why it sleeps. A deadline in the
// past returns timed_out after giving others a chance to run. Thread context; not in a critical section.
Wake tsleep(const void* ident, unsigned flags, const char* wmesg,
            Nanoseconds deadline = no_timeout) LWKT_BLOCKS;

// Puts the calling thread on ident's queue without blocking: a wakeup() from now on makes the next
// tsleep(ident, ... | sleep_interlocked) return at once. Only that tsleep() or tsleep_remove() may follow; a
// second interlock replaces the first. An interrupt() meanwhile is remembered likewise if `flags` say
// interruptible.
void tsleep_interlock(const void* ident, unsigned flags);
void tsleep_remove();

// Wakes all threads that sleep on ident. Any context, any core.
void wakeup(const void* ident);
// Wakes one of them (the longest sleeper of this core, else one of another core).
void wakeup_one(const void* ident);

// Ends the sleep of a thread if it sleeps interruptibly, else does nothing. Any context, any core. The caller
// must know that the thread has not exited.
void interrupt(Thread* thread);

} // namespace lwkt
