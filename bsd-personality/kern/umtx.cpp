// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/umtx.hpp"

#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

constexpr unsigned buckets = 512;
UmtxList waiters[buckets]; // guarded by giant

} // namespace

UmtxList& umtx_bucket(const UmtxKey& key) {
    auto mixed =
        (reinterpret_cast<std::uintptr_t>(key.owner) >> 6) * 31 + (key.offset >> 2) * 0x9e37'79b9'7f4a'7c15;
    return waiters[(mixed >> 20 ^ mixed) % buckets];
}

SysResult<UmtxKey> umtx_key(VmSpace& space, glue::UserAddress address, bool process_private) {
    if (!VmSpace::valid_range(address.value, 8))
        return Failure(Errno::efault);
    UmtxKey key{&space, address.value};
    if (!process_private && !space.shared_key(address.value, key))
        return Failure(Errno::efault);
    return key;
}

void umtx_enqueue(UmtxWaiter& waiter, const UmtxKey& key, UmtxQueue queue) {
    waiter.key = key;
    waiter.queue = queue;
    waiter.woken = false;
    umtx_bucket(key).push_back(&waiter);
}

void umtx_dequeue(UmtxWaiter& waiter) {
    if (waiter.link.linked)
        umtx_bucket(waiter.key).remove(&waiter);
}

SysResult<void> umtx_sleep(Lwp& lwp, UmtxWaiter& waiter, const char* wmesg, glue::Nanoseconds deadline) {
    while (!waiter.woken) {
        auto slept = interruptible_sleep(lwp, &waiter, wmesg, deadline);
        if (waiter.woken)
            break;
        if (!slept || !slept.value()) {
            umtx_dequeue(waiter);
            return Failure(slept ? Errno::etimedout : slept.error());
        }
    }
    return {};
}

unsigned umtx_wake(const UmtxKey& key, unsigned count, UmtxQueue queue) {
    unsigned woken = 0;
    auto& list = umtx_bucket(key);
    for (UmtxWaiter *waiter = list.first(), *next; waiter && woken < count; waiter = next) {
        next = list.next(waiter);
        if (!(waiter->key == key) || waiter->queue != queue)
            continue;
        list.remove(waiter);
        waiter->woken = true;
        woken++;
        lwkt::wakeup(waiter);
    }
    return woken;
}

unsigned umtx_count(const UmtxKey& key, UmtxQueue queue) {
    unsigned count = 0;
    auto& list = umtx_bucket(key);
    for (UmtxWaiter* waiter = list.first(); waiter; waiter = list.next(waiter))
        count += waiter->key == key && waiter->queue == queue;
    return count;
}

} // namespace bsd
