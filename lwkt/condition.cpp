// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/condition.hpp"

namespace lwkt {

Wake ConditionVariable::wait(SleepFlags flags, Nanoseconds deadline) {
    return tsleep(this, flags, wmesg_, deadline);
}

// On the queue before the lock is open: a signal from then on counts.
Wake ConditionVariable::wait(SpinLock& lock, SleepFlags flags, Nanoseconds deadline) LWKT_NO_ANALYSIS {
    tsleep_interlock(this, flags);
    lock.unlock();
    Wake why = tsleep(this, flags | sleep_interlocked, wmesg_, deadline);
    lock.lock();
    return why;
}

bool Serializer::try_enter() {
    Thread* self = current();
    Thread* nobody = nullptr;
    if (__atomic_compare_exchange_n(&owner_, &nobody, self, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        depth_ = 1;
        return true;
    }
    if (nobody != self)
        return false;
    ++depth_;
    return true;
}

// A waiter announces itself and is on the sleep queue before it looks again; exit() opens before it looks for
// waiters. One of them sees the other.
void Serializer::enter() LWKT_NO_ANALYSIS {
    if (try_enter())
        return;
    __atomic_fetch_add(&contended_, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&waiters_, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        tsleep_interlock(this, sleep_plain);
        if (try_enter())
            break;
        (void)tsleep(this, sleep_interlocked, name_);
    }
    tsleep_remove();
    __atomic_fetch_sub(&waiters_, 1, __ATOMIC_SEQ_CST);
}

void Serializer::exit() {
    verify(held());
    if (--depth_ != 0)
        return;
    __atomic_store_n(&owner_, nullptr, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&waiters_, __ATOMIC_SEQ_CST) != 0)
        wakeup_one(this); // only the address: who enters next may destroy it
}

} // namespace lwkt
