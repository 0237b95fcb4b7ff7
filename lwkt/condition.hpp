// SPDX-License-Identifier: BSD-2-Clause
// Condition variables and serializers, built on sleep queues.
#pragma once

#include "lwkt/annotations.hpp"
#include "lwkt/sleepqueue.hpp"
#include "lwkt/spinlock.hpp"

namespace lwkt {

// Waits for what a token or a spin lock protects. A waiter holds it, looks, and waits in a loop; a signaller
// changes the state under it, then signals (holding it or not). With tokens the wait is a plain block: all of
// them are lost and held again; with a spin lock it is unlocked meanwhile. Waits may end for no reason.
class ConditionVariable {
public:
    explicit constexpr ConditionVariable(const char* wmesg) : wmesg_(wmesg) {}
    ConditionVariable(const ConditionVariable&) = delete;
    ConditionVariable& operator=(const ConditionVariable&) = delete;

    // Under a token. Thread context.
    Wake wait(SleepFlags flags = sleep_plain, Nanoseconds deadline = no_timeout) LWKT_BLOCKS;
    // Under a spin lock (and no other), which is held again on return.
    Wake wait(SpinLock& lock, SleepFlags flags = sleep_plain, Nanoseconds deadline = no_timeout)
        LWKT_REQUIRES(lock);
    // Any context.
    void signal() { wakeup_one(this); }
    void broadcast() { wakeup(this); }

private:
    const char* wmesg_; // immutable
};

// A lock that is kept while its holder blocks: for stretches that must not be entered by another thread
// although they sleep. Recursive. So two serializers must be entered in one order everywhere, unlike tokens.
// Waiters come in the order of arrival on each core.
class LWKT_CAPABILITY("serializer") Serializer {
public:
    explicit constexpr Serializer(const char* name) : name_(name) {}
    Serializer(const Serializer&) = delete;
    Serializer& operator=(const Serializer&) = delete;

    void enter() LWKT_ACQUIRE() LWKT_BLOCKS; // thread context
    [[nodiscard]] bool try_enter() LWKT_TRY_ACQUIRE(true);
    void exit() LWKT_RELEASE();
    bool held() const { return __atomic_load_n(&owner_, __ATOMIC_RELAXED) == current(); }
    std::uint64_t contended() const { return __atomic_load_n(&contended_, __ATOMIC_RELAXED); }

private:
    Thread* owner_ = nullptr;     // atomic: cores compete for it
    std::uint32_t waiters_ = 0;   // atomic: threads that have announced themselves
    unsigned depth_ = 0;          // owned by the owner
    std::uint64_t contended_ = 0; // atomic, relaxed: statistics
    const char* name_;            // immutable; why threads sleep
};

class LWKT_SCOPED SerializerGuard {
public:
    [[nodiscard]] explicit SerializerGuard(Serializer& serializer) LWKT_ACQUIRE(serializer) LWKT_BLOCKS
        : serializer_(serializer) {
        serializer_.enter();
    }
    ~SerializerGuard() LWKT_RELEASE() { serializer_.exit(); }
    SerializerGuard(const SerializerGuard&) = delete;
    SerializerGuard& operator=(const SerializerGuard&) = delete;
    static void* operator new(std::size_t) = delete;

private:
    Serializer& serializer_;
};

} // namespace lwkt
