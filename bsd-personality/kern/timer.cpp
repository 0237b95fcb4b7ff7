// SPDX-License-Identifier: BSD-2-Clause
// Interval and POSIX timers. A timer's callout runs without giant: its function takes giant and looks whether
// the timer still wants it. Timers on processor time estimate when they can expire at the earliest and look
// again then.
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/kern/time.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

struct PosixTimer {
    lwkt::Callout callout;
    Proc* proc = nullptr;
    PosixNotify notify;
    int id = 0;
    bool wall = false;          // expiry and absolute times are wall-clock times
    std::uint64_t interval = 0; // nanoseconds
    std::uint64_t expiry = 0;   // of its clock; 0: disarmed
    int overrun = 0;            // expirations since the last signal that was taken
    bool doomed = false;        // is being deleted
};

namespace {

constexpr int interval_signals[] = {sigalrm, sigvtalrm, sigprof};
constexpr std::uint64_t shortest_estimate = 1'000'000;

/// The next expiry after `now` of a timer that just expired, and how many were passed over.
std::uint64_t advance(std::uint64_t expiry, std::uint64_t interval, std::uint64_t now, int& missed) {
    missed = 0;
    if (interval == 0)
        return 0;
    std::uint64_t skip = now > expiry ? (now - expiry) / interval : 0;
    missed = static_cast<int>(least(skip, std::uint64_t{0x7fff'ffff}));
    return expiry + (skip + 1) * interval;
}

std::uint64_t read(const IntervalTimer& timer) {
    if (timer.clock == IntervalClock::real)
        return glue::Clock::now().value;
    ProcessTime time = process_time(*timer.proc);
    return timer.clock == IntervalClock::virtual_time ? time.user : time.user + time.system;
}

void fire_interval(void* argument);

void arm(IntervalTimer& timer, std::uint64_t now) {
    std::uint64_t deadline = timer.expiry;
    if (timer.clock != IntervalClock::real) {
        std::uint64_t remaining = timer.expiry > now ? timer.expiry - now : 0;
        std::uint64_t estimate = most(remaining / lwkt::cpu_count(), shortest_estimate);
        deadline = glue::Clock::now().value + estimate;
    }
    timer.callout.reset(Nanoseconds{deadline}, fire_interval, &timer);
}

/// Posts the signal of an expired timer and sets the next expiry. True if it stays armed.
bool expire(IntervalTimer& timer, std::uint64_t now) {
    if (timer.expiry == 0)
        return false;
    if (now >= timer.expiry) {
        int missed;
        timer.expiry = advance(timer.expiry, timer.interval, now, missed);
        post_kernel_signal(*timer.proc, interval_signals[static_cast<unsigned>(timer.clock)]);
    }
    return timer.expiry != 0;
}

void fire_interval(void* argument) {
    lwkt::TokenGuard guard(giant);
    auto& timer = *static_cast<IntervalTimer*>(argument);
    if (timer.expiry == 0)
        return;
    std::uint64_t now = read(timer);
    if (expire(timer, now))
        arm(timer, now);
}

// --- POSIX timers
// ----------------------------------------------------------------------------------------------------

std::uint64_t read(const PosixTimer& timer) {
    return timer.wall ? wall_clock() : glue::Clock::now().value;
}

void fire_posix(void* argument);

void arm(PosixTimer& timer) {
    Nanoseconds deadline = timer.wall ? from_wall_clock(timer.expiry) : Nanoseconds{timer.expiry};
    timer.callout.reset(deadline, fire_posix, &timer);
}

void notify(PosixTimer& timer, int missed) {
    Proc& proc = *timer.proc;
    SignalInfo info;
    info.signal = timer.notify.signal;
    info.code = si_timer;
    info.value = timer.notify.value;
    info.timer_id = timer.id;
    Lwp* lwp = nullptr;
    if (timer.notify.kind == PosixNotify::Kind::thread) {
        lwp = find_lwp(timer.notify.thread);
        if (lwp == nullptr || &lwp->proc != &proc)
            return;
    } else if (timer.notify.kind == PosixNotify::Kind::none) {
        return;
    }
    // One signal of a timer waits at most; further expirations are its overrun.
    if ((lwp != nullptr ? lwp->pending.set() : proc.pending.set()).has(info.signal)) {
        timer.overrun += missed + 1;
        return;
    }
    timer.overrun = missed;
    info.overrun = missed;
    if (lwp != nullptr)
        post_signal(*lwp, info);
    else
        post_signal(proc, info);
}

void fire_posix(void* argument) {
    lwkt::TokenGuard guard(giant);
    auto& timer = *static_cast<PosixTimer*>(argument);
    if (timer.expiry == 0 || timer.doomed)
        return;
    std::uint64_t now = read(timer);
    if (now >= timer.expiry) {
        int missed;
        timer.expiry = advance(timer.expiry, timer.interval, now, missed);
        notify(timer, missed);
    }
    if (timer.expiry != 0)
        arm(timer);
}

SysResult<PosixTimer*> find(Proc& proc, int id) {
    PosixTimer* timer = static_cast<unsigned>(id) < max_posix_timers ? proc.timers.posix[id] : nullptr;
    if (timer == nullptr || timer->doomed)
        return Failure(Errno::einval);
    return timer;
}

TimerState state_of(const PosixTimer& timer) {
    if (timer.expiry == 0)
        return {timer.interval, 0};
    std::uint64_t now = read(timer);
    return {timer.interval, timer.expiry > now ? timer.expiry - now : 1};
}

} // namespace

SysResult<TimerState> interval_timer(Proc& proc, int which) {
    if (which < 0 || which > 2)
        return Failure(Errno::einval);
    IntervalTimer& timer = proc.timers.interval[which];
    timer.proc = &proc;
    timer.clock = static_cast<IntervalClock>(which);
    if (timer.expiry == 0)
        return TimerState{timer.interval, 0};
    std::uint64_t now = read(timer);
    return TimerState{timer.interval, timer.expiry > now ? timer.expiry - now : 1};
}

SysResult<TimerState> set_interval_timer(Proc& proc, int which, const TimerState& state) {
    TimerState before = TRY(interval_timer(proc, which));
    IntervalTimer& timer = proc.timers.interval[which];
    timer.callout.stop();
    timer.expiry = 0;
    timer.interval = state.remaining != 0 ? state.interval : 0;
    if (state.remaining != 0) {
        std::uint64_t now = read(timer);
        timer.expiry = now + state.remaining;
        arm(timer, now);
    }
    return before;
}

void time_sample(Lwp& lwp) {
    for (unsigned which = 1; which <= 2; which++) {
        IntervalTimer& timer = lwp.proc.timers.interval[which];
        if (timer.expiry != 0)
            expire(timer, read(timer));
    }
}

SysResult<int> create_posix_timer(Proc& proc, std::int32_t clock, const PosixNotify& notify) {
    if (!is_steady_clock(clock))
        return Failure(Errno::einval);
    for (unsigned id = 0; id < max_posix_timers; id++) {
        if (proc.timers.posix[id] != nullptr)
            continue;
        auto* timer = lwkt::construct<PosixTimer>();
        if (timer == nullptr)
            return Failure(Errno::eagain);
        timer->proc = &proc;
        timer->notify = notify;
        timer->id = static_cast<int>(id);
        timer->wall = is_wall_clock(clock);
        if (notify.value_is_id)
            timer->notify.value = id;
        proc.timers.posix[id] = timer;
        return static_cast<int>(id);
    }
    return Failure(Errno::eagain);
}

SysResult<void> delete_posix_timer(Proc& proc, int id) {
    PosixTimer* timer = TRY(find(proc, id));
    timer->doomed = true; // nobody else finds it while drain() sleeps
    timer->callout.drain();
    proc.timers.posix[id] = nullptr;
    lwkt::destroy(timer);
    return {};
}

SysResult<TimerState> posix_timer(Proc& proc, int id) {
    PosixTimer* timer = TRY(find(proc, id));
    return state_of(*timer);
}

SysResult<TimerState> set_posix_timer(Proc& proc, int id, const TimerState& state, bool absolute) {
    PosixTimer* timer = TRY(find(proc, id));
    TimerState before = state_of(*timer);
    timer->callout.stop();
    timer->expiry = 0;
    timer->overrun = 0;
    timer->interval = state.interval;
    if (state.remaining != 0) {
        timer->expiry = absolute ? state.remaining : read(*timer) + state.remaining;
        arm(*timer);
    }
    return before;
}

SysResult<int> posix_timer_overrun(Proc& proc, int id) {
    PosixTimer* timer = TRY(find(proc, id));
    return timer->overrun;
}

void ProcessTimers::stop_all(bool keep_intervals) {
    for (PosixTimer*& timer : posix) {
        if (timer != nullptr && !timer->doomed)
            (void)delete_posix_timer(*timer->proc, timer->id);
    }
    if (keep_intervals)
        return;
    cpu_limit.drain();
    for (IntervalTimer& timer : interval) {
        timer.expiry = 0;
        timer.callout.drain();
    }
}

} // namespace bsd
