// SPDX-License-Identifier: BSD-2-Clause
// Sleep queues. Each core has its own buckets; sleep_mask tells which cores have sleepers in a bucket. A core
// sets and clears only its own bit.
//
// Why no wake-up is lost: a sleeper's bit is set (full barrier) before it looks at its condition or loses its
// tokens; a waker changes the condition before it looks at the mask (full barrier). If the waker sees the
// bit, its message is handled on the sleeper's core after the critical section in which the sleeper queued
// itself.
#include "lwkt/globaldata.hpp"

namespace lwkt {

namespace {

std::uint32_t sleep_mask[sleep_buckets]; // atomic; bit n: core n has sleepers in the bucket

unsigned bucket_of(const void* ident) {
    return static_cast<unsigned>((reinterpret_cast<std::uintptr_t>(ident) * 0x9e37'79b9'7f4a'7c15u) >> 58);
}

void dequeue(GlobalData& gd, Thread* thread) {
    unsigned bucket = bucket_of(thread->wait_ident);
    gd.sleepers[bucket].remove(thread);
    if (gd.sleepers[bucket].empty())
        __atomic_fetch_and(&sleep_mask[bucket], ~(1u << gd.cpu), __ATOMIC_SEQ_CST);
    thread->wait_ident = nullptr;
}

void wake_sleeper(GlobalData& gd, Thread* thread, Wake why) {
    dequeue(gd, thread);
    thread->wake_result = why;
    thread->woken_from = gd.waker;
    count(gd.counters.wakeups);
    ktr(KtrEvent::wakeup, thread, static_cast<std::uintptr_t>(why));
    if (thread->state == ThreadState::blocked) // else it has an interlock only, or is on its way to block
        make_ready(gd, thread);
}

// Wakes sleepers of this core; at most one if asked. True if there was one.
bool wake_here(GlobalData& gd, const void* ident, bool only_one) {
    bool found = false;
    Thread* next;
    for (Thread* thread = gd.sleepers[bucket_of(ident)].head; thread; thread = next) {
        next = thread->sleep_link.next;
        if (thread->wait_ident != ident)
            continue;
        wake_sleeper(gd, thread, Wake::woken);
        found = true;
        if (only_one)
            break;
    }
    return found;
}

// Sends to a core; a full queue degrades to waking the bucket, never to waiting.
void send_wakeup(unsigned cpu, IpiFunction function, const void* ident, std::uintptr_t word) {
    if (try_send_ipiq(CpuId{cpu}, function, const_cast<void*>(ident), word))
        return;
    GlobalData& target = *globaldata_of[cpu];
    __atomic_fetch_or(&target.wakeup_overflow, std::uint64_t{1} << bucket_of(ident), __ATOMIC_SEQ_CST);
    notify(target);
}

void wakeup_message(void* ident, std::uintptr_t) {
    wake_here(here(), ident, false);
}

// `cores` have not been asked yet.
void wakeup_one_message(void* ident, std::uintptr_t cores) {
    if (wake_here(here(), ident, true) || cores == 0)
        return;
    auto next = static_cast<unsigned>(__builtin_ctzl(cores));
    send_wakeup(next, wakeup_one_message, ident, cores & (cores - 1));
}

// A read of the mask that comes after everything the caller has written.
std::uint32_t sleeping_cores(const void* ident) {
    return __atomic_fetch_or(&sleep_mask[bucket_of(ident)], 0, __ATOMIC_SEQ_CST);
}

} // namespace

// In a critical section. A bit that is set already needs no barrier: the waker sees it in any case.
[[gnu::always_inline]] static inline void enqueue(GlobalData& gd, Thread* self, const void* ident,
                                                  unsigned flags) {
    if (self->wait_ident) [[unlikely]]
        dequeue(gd, self);
    unsigned bucket = bucket_of(ident);
    self->wait_ident = ident;
    self->wake_result = Wake::woken;
    self->interruptible = (flags & sleep_interruptible) != 0;
    if (gd.sleepers[bucket].empty())
        __atomic_fetch_or(&sleep_mask[bucket], 1u << gd.cpu, __ATOMIC_SEQ_CST);
    gd.sleepers[bucket].push_back(self);
}

void tsleep_interlock(const void* ident, unsigned flags) {
    CriticalSection critical;
    enqueue(here(), current(), ident, flags);
}

void tsleep_remove() {
    CriticalSection critical;
    GlobalData& gd = here();
    if (gd.current->wait_ident)
        dequeue(gd, gd.current);
}

Wake tsleep(const void* ident, unsigned flags, const char* wmesg, Nanoseconds deadline) {
    CriticalSection critical;
    GlobalData& gd = here();
    Thread* self = gd.current;
    if (!(flags & sleep_interlocked))
        enqueue(gd, self, ident, flags);
    else if (self->wait_ident == nullptr)
        return self->wake_result; // woken since the interlock
    verify(self->wait_ident == ident);
    ktr(KtrEvent::sleep, ident, reinterpret_cast<std::uintptr_t>(wmesg));
    self->wmesg = wmesg;
    bool in_time = block_until(gd, deadline);
    self->wmesg = nullptr;
    if (self->wait_ident == nullptr)
        return self->wake_result;
    dequeue(gd, self); // by the deadline, or by schedule()
    return in_time ? Wake::woken : Wake::timed_out;
}

void wakeup(const void* ident) {
    std::uint32_t cores = sleeping_cores(ident);
    if (cores == 0)
        return;
    CriticalSection critical;
    GlobalData& gd = here();
    if (cores & (1u << gd.cpu))
        wake_here(gd, ident, false);
    for (cores &= ~(1u << gd.cpu); cores != 0; cores &= cores - 1)
        send_wakeup(static_cast<unsigned>(__builtin_ctz(cores)), wakeup_message, ident, 0);
}

void wakeup_one(const void* ident) {
    std::uint32_t cores = sleeping_cores(ident);
    if (cores == 0)
        return;
    CriticalSection critical;
    GlobalData& gd = here();
    cores &= ~(1u << gd.cpu);
    if (wake_here(gd, ident, true) || cores == 0)
        return;
    auto next = static_cast<unsigned>(__builtin_ctz(cores));
    send_wakeup(next, wakeup_one_message, ident, cores & (cores - 1));
}

void wakeup_buckets(GlobalData& gd, std::uint64_t buckets) {
    for (; buckets != 0; buckets &= buckets - 1) {
        SleepQueue& queue = gd.sleepers[__builtin_ctzl(buckets)];
        while (!queue.empty())
            wake_sleeper(gd, queue.head, Wake::woken);
    }
}

void interrupt_local(GlobalData& gd, Thread* thread) {
    if (thread->wait_ident && thread->interruptible)
        wake_sleeper(gd, thread, Wake::interrupted);
}

void interrupt(Thread* thread) {
    if (home_of(thread) != core().cpu)
        return wake_elsewhere(thread, inbox_interrupt);
    CriticalSection critical;
    interrupt_local(here(), thread);
}

} // namespace lwkt
