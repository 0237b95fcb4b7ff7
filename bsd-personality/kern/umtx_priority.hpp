// SPDX-License-Identifier: BSD-2-Clause
// Priorities that mutexes lend (FreeBSD's PTHREAD_PRIO_INHERIT and PTHREAD_PRIO_PROTECT): who waits for an
// inheriting mutex lends its priority to the owner, and on along a chain of such mutexes; who holds a
// protected one has at least its ceiling. Under giant. What is lent is in Schedulable::lent; it counts in
// user mode only, since a thread's kernel part is not held up by priorities.
#pragma once

#include "bsd-personality/kern/umtx.hpp"

namespace bsd {

/// One thread's wait for an inheriting mutex; on the stack of the thread, and on no two mutexes at once.
struct PriorityLoan {
    explicit PriorityLoan(Lwp& waiting) : lender(waiting) {}
    PriorityLoan(const PriorityLoan&) = delete;
    PriorityLoan& operator=(const PriorityLoan&) = delete;
    /// Ends the loan.
    ~PriorityLoan() { give_to(0); }
    /// To the thread with this number, from now on; 0 or nobody's: to none.
    void give_to(lwpid_t tid);

    Lwp& lender;
    lwpid_t owner = 0;
    UserPriority priority = nobody_priority;
    Link<PriorityLoan> link;
};

/// The mutex has another owner (0: none): those who wait for it lend to that one.
void change_loans(const UmtxKey& mutex, lwpid_t owner);

/// The thread holds a protected mutex: it has at least the priority of a realtime level. Errors: ENOMEM.
SysResult<void> hold_ceiling(Lwp& lwp, const UmtxKey& mutex, unsigned level);
/// It does no more, or the mutex was not counted.
void drop_ceiling(Lwp& lwp, const UmtxKey& mutex);
/// The thread ends.
void drop_ceilings(Lwp& lwp);

} // namespace bsd
