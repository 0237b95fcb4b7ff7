// SPDX-License-Identifier: BSD-2-Clause
// Time: clocks of both ABIs, consumed processor time, interval and POSIX timers of a process. Wall-clock time
// is the monotonic clock plus an epoch, which the box read once.
#pragma once

#include "bsd-personality/kern/errno.hpp"
#include "glue/clock.hpp"
#include "lwkt/callout.hpp"

namespace bsd {

struct Lwp;
struct Proc;
using glue::Nanoseconds;
using glue::Ticks;

/// Layouts of both ABIs.
struct TimeSpec {
    std::int64_t seconds = 0, nanoseconds = 0;
};
struct TimeVal {
    std::int64_t seconds = 0, microseconds = 0;
};
static_assert(sizeof(TimeSpec) == 16 && sizeof(TimeVal) == 16);
struct IntervalSpec {
    TimeSpec interval, value;
};
struct IntervalVal {
    TimeVal interval, value;
};
static_assert(sizeof(IntervalSpec) == 32 && sizeof(IntervalVal) == 32);

constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;
TimeSpec to_timespec(std::uint64_t nanoseconds);
TimeVal to_timeval(std::uint64_t nanoseconds);
/// Saturates; negative or malformed (fraction out of range) is EINVAL.
SysResult<std::uint64_t> to_nanoseconds(TimeSpec spec);
SysResult<std::uint64_t> to_nanoseconds(TimeVal value);

/// Set once at boot from proto::JailParameters::epoch: nanoseconds since 1970 at Clock time 0.
void set_epoch(std::uint64_t nanoseconds);
/// That time.
std::uint64_t wall_zero();
/// Wall-clock nanoseconds since 1970.
std::uint64_t wall_clock();
/// Monotonic time of a wall-clock time.
Nanoseconds from_wall_clock(std::uint64_t nanoseconds);

/// Processor time of one Lwp, measured where it gets and loses its core and where it enters and leaves user
/// mode. Calls that run without giant count as user time.
struct CpuTime {
    std::uint64_t ticks = 0;        // consumed, without the current stretch
    std::uint64_t system_ticks = 0; // of these, in the kernel
    std::uint64_t started = 0;      // tick at which the current stretch began; 0 while off the core
    std::uint64_t turn = 0;         // which turn of its LWKT thread on the core that was (Thread::switches)
    std::uint64_t faults = 0, voluntary_switches = 0, involuntary_switches = 0;

    void start(Ticks now, std::uint64_t this_turn) {
        started = now.value;
        turn = this_turn;
    }
    /// A stretch in the kernel ends. One in which the core was lost without a stop() does not count.
    void stop(Ticks now, std::uint64_t this_turn) {
        if (started != 0 && turn == this_turn) {
            ticks += now.value - started;
            system_ticks += now.value - started;
        }
        started = 0;
    }
    /// Leaves user mode; what follows is in the kernel.
    void leave_user(Ticks now, std::uint64_t this_turn) {
        if (turn == this_turn)
            ticks += now.value - started;
        start(now, this_turn);
    }
    /// What follows is in user mode.
    void enter_user(Ticks now, std::uint64_t this_turn) {
        stop(now, this_turn);
        start(now, this_turn);
    }
    std::uint64_t total(Ticks now) const { return ticks + (started != 0 ? now.value - started : 0); }
};

/// Usage of a whole process or of its dead children; what getrusage and wait4 answer. Nanoseconds.
struct Usage {
    std::uint64_t user = 0, system = 0;
    std::uint64_t max_resident = 0; // kibibytes
    std::uint64_t faults = 0, signals = 0;
    std::uint64_t blocks_in = 0, blocks_out = 0;
    std::uint64_t voluntary_switches = 0, involuntary_switches = 0;

    void add(const Usage& other);
    /// An lwp that ends adds itself to its process.
    void add(const CpuTime& time, Ticks now);
};

/// struct rusage of both ABIs.
struct RusageRecord {
    TimeVal user, system;
    std::int64_t max_resident, shared_text, data, stack;
    std::int64_t minor_faults, major_faults, swaps, blocks_in, blocks_out, sent, received, signals;
    std::int64_t voluntary_switches, involuntary_switches;
};
static_assert(sizeof(RusageRecord) == 144);
RusageRecord to_record(const Usage& usage);

/// How a timer stands: nanoseconds; remaining 0 is disarmed, interval 0 is once.
struct TimerState {
    std::uint64_t interval = 0, remaining = 0;
};

enum class IntervalClock : std::uint8_t { real = 0, virtual_time = 1, profile = 2 }; // ITIMER_ numbers

/// One interval timer. `real` runs on the monotonic clock; the others on the process's consumed processor
/// time, of which the callout is an early estimate (a process cannot consume more than its cores can give).
struct IntervalTimer {
    lwkt::Callout callout;
    Proc* proc = nullptr; // immutable once armed
    IntervalClock clock = IntervalClock::real;
    std::uint64_t interval = 0; // nanoseconds
    std::uint64_t expiry = 0;   // on its clock; 0: disarmed
};

struct PosixTimer;
inline constexpr unsigned max_posix_timers = 32;

/// The timers of a process; embedded in Proc. stop_all() before the Proc goes and at exec.
struct ProcessTimers {
    IntervalTimer interval[3];                // by IntervalClock
    lwkt::Callout cpu_limit;                  // while there is an RLIMIT_CPU
    std::uint64_t cpu_warning = 0;            // seconds of processor time at which SIGXCPU is due again
    PosixTimer* posix[max_posix_timers] = {}; // by id

    /// Deletes the POSIX timers, and disarms the interval timers unless `keep_intervals` (exec) says to leave
    /// them; waits until no timer function runs: may block.
    void stop_all(bool keep_intervals);
};
/// Looks at RLIMIT_CPU from now on, if there is one.
void watch_cpu_limit(Proc& proc);
SysResult<TimerState> interval_timer(Proc& proc, int which);
/// Returns the state before. Errors: EINVAL (no such timer).
SysResult<TimerState> set_interval_timer(Proc& proc, int which, const TimerState& state);

/// What a POSIX timer does: nothing, a signal to the process, or a signal to one thread.
struct PosixNotify {
    enum class Kind : std::uint8_t { none, process, thread } kind = Kind::process;
    int signal = 0;
    std::int32_t thread = 0;
    std::uint64_t value = 0;
    bool value_is_id = false; // no sigevent given: the value is the timer's id
};
/// Errors: EINVAL (clock), EAGAIN (too many, exhausted).
SysResult<int> create_posix_timer(Proc& proc, std::int32_t clock, const PosixNotify& notify);
/// May block. Errors of these: EINVAL (no such timer).
SysResult<void> delete_posix_timer(Proc& proc, int id);
SysResult<TimerState> posix_timer(Proc& proc, int id);
SysResult<TimerState> set_posix_timer(Proc& proc, int id, const TimerState& state, bool absolute);
SysResult<int> posix_timer_overrun(Proc& proc, int id);

/// Called by the trap loop with giant when an lwp's time slice ends: posts SIGVTALRM and SIGPROF of timers on
/// processor time that have expired.
void time_sample(Lwp& lwp);

/// CLOCK_ ids: those of the two ABIs that mean the same have the same number.
enum class ClockId : std::int32_t {
    realtime = 0,
    virtual_time = 1,
    profile = 2,
    monotonic = 4,
    uptime = 5,
    uptime_precise = 7,
    uptime_fast = 8,
    realtime_precise = 9,
    realtime_fast = 10,
    monotonic_precise = 11,
    monotonic_fast = 12,
    second = 13,
    thread_cpu = 14,
    process_cpu = 15,
};
/// Nanoseconds. EINVAL for an unknown clock. Ids of clock_getcpuclockid2 have cpu_clock set.
SysResult<std::uint64_t> read_clock(Lwp& lwp, std::int32_t clock);
/// The clock tells wall-clock time.
bool is_wall_clock(std::int32_t clock);
/// The clock advances with monotonic or wall-clock time, so that one can sleep on it.
bool is_steady_clock(std::int32_t clock);
inline constexpr std::uint32_t cpu_clock = 0x8000'0000, cpu_clock_process = 0x4000'0000;

/// Nanoseconds of a stretch of ticks.
std::uint64_t tick_nanoseconds(std::uint64_t ticks);
/// Processor time of a process up to now, living threads included.
struct ProcessTime {
    std::uint64_t user, system;
};
ProcessTime process_time(const Proc& proc);

/// Sleeps until the monotonic time. Errors: EINTR.
SysResult<void> sleep_until(Lwp& lwp, Nanoseconds deadline);

} // namespace bsd
