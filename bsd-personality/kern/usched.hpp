// SPDX-License-Identifier: BSD-2-Clause
// The user scheduler, after DragonFly's usched_dfly: which BSD thread of a vCPU has user mode next. At most
// one lwp of a vCPU, its `current`, may enter user mode; its LWKT priority is user_normal. The others are in
// their kernel part, where they run by LWKT's rules at kernel_user, or wait in the vCPU's UserQueue, blocked,
// until they are chosen. So whatever an lwp holds in the kernel, it gets to the point where it lets go of it,
// however bad its priority is.
//
// An lwp that blocks in the kernel stays current until somebody else wants user mode there: then, or when
// the vCPU has nothing to run, it is taken as having left. A system call that does not lose the core costs
// nothing here.
//
// Everything belongs to a vCPU's core and is touched there only; what others must know is published. Threads
// change vCPUs by themselves (lwkt::migrate): the one without work sends a message and asks for one.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

/// When threads of the same queue take turns.
inline constexpr std::uint64_t slice_nanoseconds = 10'000'000;
/// A thread that would go on keeps user mode so long before a better one of the same class takes it.
inline constexpr std::uint64_t granularity_nanoseconds = 4'000'000;
/// So often the one that has waited longest has a whole slice, if it has waited as long. Priorities follow
/// what a thread uses, so many that use little, such as handlers of many timers, would leave nothing to one
/// that computes.
inline constexpr std::uint64_t fair_nanoseconds = 20'000'000;
/// How long a thread woken in the kernel waits for one in user mode that is not interrupted otherwise.
inline constexpr std::uint64_t patience_nanoseconds = 1'000'000;

struct alignas(64) UserCpu {
    Lwp* current = nullptr;
    bool slice_armed = false; // LWKT's slice deadline is set, to `due`
    bool hurried = false;     // to what patience_nanoseconds say
    lwkt::Ticks due{0};
    lwkt::Ticks slice_end{0};  // when others in the queue are due
    lwkt::Ticks kept_until{0}; // no better one of the same class takes current's turn before
    lwkt::Ticks fair_at{0};    // when the one that has waited longest is to have its next slice
    UserQueue queue;
};
extern UserCpu user_cpus[abi::max_cores];

/// Before LWKT starts: gives LWKT core_is_idle() as its idle handler.
void initialize_usched();
/// This core has no thread to run: gives user mode to who waits for it here, or asks another vCPU for a
/// thread. In a critical section.
void core_is_idle();

/// Waits until it may, until it must go to another vCPU (lwp.moves), or until lwp.ast says something.
/// Thread context, no token held.
void acquire_user_mode(Lwp& lwp);
/// The slice deadline has passed: others may have a turn. Like acquire_user_mode.
void end_slice(Lwp& lwp);
/// A thread is ready that comes before the calling one's user mode: it waits patience_nanoseconds at most.
void hurry(Lwp& lwp);
/// sched_yield(2): lets threads of the same or a better queue go first. Tokens are lost meanwhile.
void yield_user_mode(Lwp& lwp);
/// Class, nice value or affinity of the calling thread were changed: takes them up (ast_resched).
void obey_scheduling(Lwp& lwp);
/// The calling thread ends, or leaves this vCPU.
void leave_user_mode(Lwp& lwp);
/// Gives the core to whoever comes first in LWKT, keeping account of time.
void yield_core(Lwp& lwp);

} // namespace bsd
