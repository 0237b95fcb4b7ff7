// SPDX-License-Identifier: BSD-2-Clause
// Sleeping on words of user memory: the one queue behind FreeBSD's _umtx_op and DragonFly's umtx_sleep. A
// waiter is found by a key: the memory object and the offset when the mapping is shared between processes,
// the address space and the address when it is not. Under the giant token, so that checking the word and
// joining the queue is one step for all who wake.
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/vmspace.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

using UmtxKey = VmSpace::Key;

/// Different queues on one word: readers and writers of a lock wait separately.
enum class UmtxQueue : std::uint8_t { plain, readers, writers };

struct UmtxWaiter {
    Link<UmtxWaiter> link;
    UmtxKey key;
    UmtxQueue queue = UmtxQueue::plain;
    bool woken = false;
    PriorityLoan* loan = nullptr; // of who waits for an inheriting mutex
};

using UmtxList = List<UmtxWaiter, &UmtxWaiter::link>;
/// The list that waiters of a key are on, among others.
UmtxList& umtx_bucket(const UmtxKey& key);

/// The key of a word. `process_private`: no other process will use it. Errors: EFAULT.
SysResult<UmtxKey> umtx_key(VmSpace& space, glue::UserAddress address, bool process_private);
/// Joins a queue; a wake-up from now on is not lost. Does not block.
void umtx_enqueue(UmtxWaiter& waiter, const UmtxKey& key, UmtxQueue queue = UmtxQueue::plain);
/// Leaves the queue if still on it.
void umtx_dequeue(UmtxWaiter& waiter);
/// Sleeps until woken; the waiter is off the queue afterwards. Errors: ETIMEDOUT, ERESTART (a signal).
SysResult<void> umtx_sleep(Lwp& lwp, UmtxWaiter& waiter, const char* wmesg, glue::Nanoseconds deadline);
/// Wakes up to `count` waiters, the longest sleeping first; returns how many.
unsigned umtx_wake(const UmtxKey& key, unsigned count, UmtxQueue queue = UmtxQueue::plain);
/// How many sleep there.
unsigned umtx_count(const UmtxKey& key, UmtxQueue queue = UmtxQueue::plain);
/// All that sleep there, in order; step() may not change the queue.
template <class Step>
void each_umtx_waiter(const UmtxKey& key, Step step) {
    UmtxList& list = umtx_bucket(key);
    for (UmtxWaiter* waiter = list.first(); waiter; waiter = list.next(waiter))
        if (waiter->key == key)
            step(*waiter);
}
/// What the end of a thread means to others: robust lists, exit words.
void umtx_thread_exit(Lwp& lwp);

} // namespace bsd
