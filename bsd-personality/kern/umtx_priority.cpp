// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/umtx_priority.hpp"

#include "lwkt/slab.hpp"

namespace bsd {

/// A protected mutex that a thread holds.
struct Ceiling {
    Ceiling* next = nullptr;
    UmtxKey mutex{};
    UserPriority priority = nobody_priority;
};

namespace {

constexpr unsigned longest_chain = 64, most_ceilings = 64, buckets = 64;
List<PriorityLoan, &PriorityLoan::link> loans[buckets]; // by owner

List<PriorityLoan, &PriorityLoan::link>& bucket(lwpid_t owner) {
    return loans[static_cast<unsigned>(owner) % buckets];
}

// Its own priority, or better what was lent to it.
UserPriority effective(const Lwp& lwp) {
    return least(user_priority(lwp.scheduling_class(), lwp.proc.nice, lwp.estimate.value()),
                 lwp.lent_priority());
}

// The best that is lent to it now.
UserPriority lent_to(const Lwp& lwp) {
    UserPriority best = nobody_priority;
    auto& list = bucket(lwp.tid);
    for (PriorityLoan* loan = list.first(); loan; loan = list.next(loan))
        if (loan->owner == lwp.tid)
            best = least(best, loan->priority);
    for (const Ceiling* held = lwp.ceilings; held; held = held->next)
        best = least(best, held->priority);
    return best;
}

// What is lent to a thread may have changed, and with it what that one lends. A chain that is too long, or
// that is a ring, ends somewhere.
void settle(lwpid_t tid) {
    for (unsigned step = 0; step < longest_chain; step++) {
        Lwp* lwp = find_lwp(tid);
        UserPriority lent = lwp ? lent_to(*lwp) : nobody_priority;
        if (!lwp || lent == lwp->lent_priority())
            return;
        lwp->set_lent_priority(lent);
        set_ast(*lwp, ast_resched);
        if (!lwp->loan)
            return;
        lwp->loan->priority = effective(*lwp);
        tid = lwp->loan->owner;
    }
}

} // namespace

void PriorityLoan::give_to(lwpid_t tid) {
    lwpid_t before = owner;
    if (before != 0) {
        bucket(before).remove(this);
        owner = 0;
        lender.loan = nullptr;
        settle(before);
    }
    if (tid == 0)
        return;
    owner = tid;
    priority = effective(lender);
    lender.loan = this;
    bucket(tid).push_back(this);
    settle(tid);
}

void change_loans(const UmtxKey& mutex, lwpid_t owner) {
    each_umtx_waiter(mutex, [&](UmtxWaiter& waiter) {
        if (waiter.loan && waiter.loan->owner != owner)
            waiter.loan->give_to(owner);
    });
}

SysResult<void> hold_ceiling(Lwp& lwp, const UmtxKey& mutex, unsigned level) {
    drop_ceiling(lwp, mutex);
    unsigned count = 0;
    for (const Ceiling* held = lwp.ceilings; held; held = held->next)
        count++;
    Ceiling* held = count < most_ceilings ? lwkt::construct<Ceiling>() : nullptr;
    if (!held)
        return Failure(Errno::enomem);
    held->mutex = mutex;
    held->priority = user_priority({SchedulingKind::realtime, static_cast<std::uint8_t>(level)}, 0, 0);
    held->next = lwp.ceilings;
    lwp.ceilings = held;
    settle(lwp.tid);
    return {};
}

void drop_ceiling(Lwp& lwp, const UmtxKey& mutex) {
    for (Ceiling** link = &lwp.ceilings; *link; link = &(*link)->next)
        if (Ceiling* held = *link; held->mutex == mutex) {
            *link = held->next;
            lwkt::destroy(held);
            settle(lwp.tid);
            return;
        }
}

void drop_ceilings(Lwp& lwp) {
    while (Ceiling* held = lwp.ceilings) {
        lwp.ceilings = held->next;
        lwkt::destroy(held);
    }
}

} // namespace bsd
