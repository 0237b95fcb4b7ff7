// SPDX-License-Identifier: BSD-2-Clause
//
// The sample realtime task: wakes at each multiple of its period, notes how late it is, and sleeps again. It
// is a task of its own with its own scheduling context and shares only counters with the rest, so nothing a
// jail does can make it wait.
#include "glue/clock.hpp"
#include "glue/console.hpp"
#include "glue/thread.hpp"
#include "proto/realtime.hpp"

namespace {

proto::RealtimeShared& shared() {
    return *reinterpret_cast<proto::RealtimeShared*>(glue::shared_window);
}

void record(std::uint64_t latency_ns, bool missed) {
    proto::RealtimeShared& s = shared();
    std::uint32_t& bucket = s.buckets[proto::latency_bucket(latency_ns)];
    __atomic_store_n(&bucket, bucket + 1, __ATOMIC_RELAXED);
    if (latency_ns > s.maximum_ns)
        __atomic_store_n(&s.maximum_ns, latency_ns, __ATOMIC_RELAXED);
    if (missed)
        __atomic_store_n(&s.missed, s.missed + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&s.activations, s.activations + 1, __ATOMIC_RELEASE);
}

void set_state(std::uint32_t state) {
    __atomic_store_n(&shared().state, state, __ATOMIC_RELEASE);
}

glue::Outcome<void> run() {
    const auto alarm = TRY(glue::Notification::create(glue::start_pool, glue::start().core[0]));
    const auto timer = TRY(glue::Timer::create(glue::start_pool, alarm, 1));
    const std::uint64_t period = shared().period_ns;
    set_state(1);
    std::uint64_t due = glue::Clock::now().value + period;
    while (__atomic_load_n(&shared().stop, __ATOMIC_RELAXED) == 0) {
        const glue::Ticks due_ticks = glue::Clock::to_ticks(glue::Nanoseconds{due});
        timer.set(due_ticks);
        (void)alarm.wait();
        const std::uint64_t woken = glue::Clock::now().value;
        const std::uint64_t latency = woken > due ? woken - due : 0;
        record(latency, woken >= due + period);
        // Activations that have passed altogether are not made up for; each is a miss.
        for (due += period; due + period <= woken; due += period)
            record(woken - due, true);
    }
    set_state(2);
    return {};
}

} // namespace

extern "C" void libelle_main() {
    if (shared().magic != proto::realtime_magic || shared().period_ns == 0 || !run().ok()) {
        set_state(3);
        glue::Console::write("realtime task failed to start\n");
    }
    // Nothing more to do: wait for a signal that nobody sends.
    while (true)
        (void)glue::Notification(glue::start_event).wait();
}
