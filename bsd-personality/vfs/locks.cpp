// SPDX-License-Identifier: BSD-2-Clause
// One list of locks a vnode, not sorted: files have few. flock and fcntl locks see each other, as in BSD.
#include "bsd-personality/vfs/locks.hpp"

#include "bsd-personality/kern/sleep.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

struct FileLock {
    Link<FileLock> link;
    const void* owner = nullptr;
    LockRange range;
};

struct FileLocks {
    List<FileLock, &FileLock::link> held;
    unsigned waiting = 0;
};

namespace {

bool overlap(const LockRange& a, const LockRange& b) {
    return a.start <= b.end && b.start <= a.end;
}

FileLock* conflict(FileLocks& locks, const void* owner, const LockRange& range) {
    for (FileLock* lock = locks.held.first(); lock; lock = locks.held.next(lock))
        if (lock->owner != owner && overlap(lock->range, range) && (lock->range.exclusive || range.exclusive))
            return lock;
    return nullptr;
}

// Cuts [start, end] out of what the owner holds; `spare` becomes the upper part when a lock is split.
FileLock* cut(FileLocks& locks, const void* owner, std::int64_t start, std::int64_t end, FileLock* spare) {
    for (FileLock *lock = locks.held.first(), *next; lock; lock = next) {
        next = locks.held.next(lock);
        if (lock->owner != owner || lock->range.end < start || lock->range.start > end)
            continue;
        if (lock->range.start < start && lock->range.end > end) {
            spare->owner = owner;
            spare->range = lock->range;
            spare->range.start = end + 1;
            lock->range.end = start - 1;
            locks.held.push_back(spare);
            return nullptr; // nothing else of this owner can overlap
        }
        if (lock->range.start < start) {
            lock->range.end = start - 1;
        } else if (lock->range.end > end) {
            lock->range.start = end + 1;
        } else {
            locks.held.remove(lock);
            lwkt::destroy(lock);
        }
    }
    return spare;
}

void wake(FileLocks& locks) {
    if (locks.waiting != 0)
        lwkt::wakeup(&locks);
}

} // namespace

SysResult<void> lock_range(Lwp& lwp, Vnode& vnode, const void* owner, LockRange range, bool wait) {
    if (!vnode.locks && !(vnode.locks = lwkt::construct<FileLocks>()))
        return Failure(Errno::enolck);
    FileLocks& locks = *vnode.locks;
    while (conflict(locks, owner, range)) {
        if (!wait)
            return Failure(Errno::eagain);
        locks.waiting++;
        auto sleep = interruptible_sleep(lwp, &locks, "lockf");
        locks.waiting--;
        if (!sleep.ok())
            return Failure(sleep.error());
    }
    auto* lock = lwkt::construct<FileLock>();
    auto* spare = lwkt::construct<FileLock>();
    if (!lock || !spare) {
        lwkt::destroy(lock);
        lwkt::destroy(spare);
        return Failure(Errno::enolck);
    }
    lwkt::destroy(cut(locks, owner, range.start, range.end, spare));
    lock->owner = owner;
    lock->range = range;
    locks.held.push_back(lock);
    wake(locks); // it may have become shared
    return {};
}

SysResult<void> unlock_range(Vnode& vnode, const void* owner, std::int64_t start, std::int64_t end) {
    if (!vnode.locks)
        return {};
    auto* spare = lwkt::construct<FileLock>();
    if (!spare)
        return Failure(Errno::enolck);
    lwkt::destroy(cut(*vnode.locks, owner, start, end, spare));
    wake(*vnode.locks);
    return {};
}

bool blocking_lock(Vnode& vnode, const void* owner, LockRange& range) {
    FileLock* lock = vnode.locks ? conflict(*vnode.locks, owner, range) : nullptr;
    if (lock)
        range = lock->range;
    return lock != nullptr;
}

void release_locks(Vnode& vnode, const void* owner) {
    FileLocks* locks = vnode.locks;
    if (!locks)
        return;
    for (FileLock *lock = locks->held.first(), *next; lock; lock = next) {
        next = locks->held.next(lock);
        if (lock->owner == owner) {
            locks->held.remove(lock);
            lwkt::destroy(lock);
        }
    }
    wake(*locks);
}

void free_locks(Vnode& vnode) {
    if (!vnode.locks)
        return;
    while (FileLock* lock = vnode.locks->held.pop_front())
        lwkt::destroy(lock);
    lwkt::destroy(vnode.locks);
    vnode.locks = nullptr;
}

} // namespace bsd
