// SPDX-License-Identifier: BSD-2-Clause
// A spin lock between cores for stretches of a few dozen instructions. The holder is in a critical section.
// Because the holder's vCPU may be descheduled, a waiter spins a bounded number of PAUSEs and then gives its
// L4 time away in sleeps of growing length until the lock is free; spin_bound is that number. Not recursive.
// Works before LWKT runs, too.
#pragma once

#include "lwkt/annotations.hpp"
#include "lwkt/thread.hpp"

namespace lwkt {

inline constexpr unsigned spin_bound = 1000;

class LWKT_CAPABILITY("spin lock") SpinLock {
public:
    constexpr SpinLock() = default;
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;
    void lock() LWKT_ACQUIRE();
    void unlock() LWKT_RELEASE();

private:
    std::uint32_t word_ = 0; // atomic: 1 held
};

class LWKT_SCOPED SpinGuard {
public:
    [[nodiscard]] explicit SpinGuard(SpinLock& lock) LWKT_ACQUIRE(lock, spinning) : lock_(lock) {
        lock_.lock();
    }
    ~SpinGuard() LWKT_RELEASE() { lock_.unlock(); }
    SpinGuard(const SpinGuard&) = delete;
    SpinGuard& operator=(const SpinGuard&) = delete;
    static void* operator new(std::size_t) = delete;

private:
    SpinLock& lock_;
};

} // namespace lwkt
