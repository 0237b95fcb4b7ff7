// SPDX-License-Identifier: BSD-2-Clause
// `structure_lock` guards creating, destroying, delegating and mapping. (The I/O APIC's registers have a lock
// of their own, below it: arch/x86_64/apic.cpp.) IPC, traps, notifications and scheduling never take it. Who
// spins for it serves translation flushes meanwhile, since the holder may be waiting for this core's answer.
// Interrupts are off in the kernel, so holders are not preempted.
#pragma once

#include <cstdint>

// clang checks who holds what; g++ has no such analysis.
#ifdef __clang__
#define KERNEL_ANALYSIS(x) __attribute__((x))
#else
#define KERNEL_ANALYSIS(x)
#endif

namespace kernel {

class KERNEL_ANALYSIS(capability("mutex")) SpinLock {
public:
    void acquire() KERNEL_ANALYSIS(acquire_capability());
    void release() KERNEL_ANALYSIS(release_capability()) { __atomic_store_n(&held_, 0, __ATOMIC_RELEASE); }

private:
    std::uint32_t held_ = 0;
};

extern SpinLock structure_lock;

class KERNEL_ANALYSIS(scoped_lockable) LockGuard {
public:
    explicit LockGuard(SpinLock& lock) KERNEL_ANALYSIS(acquire_capability(lock)) : lock_(lock) {
        lock.acquire();
    }
    ~LockGuard() KERNEL_ANALYSIS(release_capability()) { lock_.release(); }
    LockGuard(const LockGuard&) = delete;

private:
    SpinLock& lock_;
};

} // namespace kernel
