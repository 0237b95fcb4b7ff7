// SPDX-License-Identifier: BSD-2-Clause
// Clocks, consumed processor time, sleeping.
#include "bsd-personality/kern/time.hpp"

#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/text.hpp"

namespace bsd {

namespace {

// Wall clock at Clock time 0. Written once at boot.
std::uint64_t epoch;

constexpr std::int64_t fraction_of_second = 1'000'000;

std::uint64_t lwp_time(const Lwp& lwp) {
    return tick_nanoseconds(lwp.cpu_time.total(glue::Clock::ticks()));
}

SysResult<std::uint64_t> read_cpu_clock(Lwp& lwp, std::uint32_t clock) {
    auto id = static_cast<std::int32_t>(clock & ~(cpu_clock | cpu_clock_process));
    if ((clock & cpu_clock_process) != 0) {
        Proc* proc = id == 0 ? &lwp.proc : find_process(id);
        if (proc == nullptr || proc->state == ProcState::zombie)
            return Failure(Errno::einval);
        ProcessTime time = process_time(*proc);
        return time.user + time.system;
    }
    Lwp* other = id == 0 ? &lwp : find_lwp(id);
    if (other == nullptr || &other->proc != &lwp.proc)
        return Failure(Errno::einval);
    return lwp_time(*other);
}

} // namespace

TimeSpec to_timespec(std::uint64_t nanoseconds) {
    return {static_cast<std::int64_t>(nanoseconds / nanoseconds_per_second),
            static_cast<std::int64_t>(nanoseconds % nanoseconds_per_second)};
}

TimeVal to_timeval(std::uint64_t nanoseconds) {
    return {static_cast<std::int64_t>(nanoseconds / nanoseconds_per_second),
            static_cast<std::int64_t>(nanoseconds % nanoseconds_per_second / 1000)};
}

SysResult<std::uint64_t> to_nanoseconds(TimeSpec spec) {
    if (spec.seconds < 0 || spec.nanoseconds < 0 ||
        spec.nanoseconds >= static_cast<std::int64_t>(nanoseconds_per_second))
        return Failure(Errno::einval);
    constexpr std::int64_t most_seconds = std::int64_t{1} << 33; // more is for ever
    return static_cast<std::uint64_t>(least(spec.seconds, most_seconds)) * nanoseconds_per_second +
           static_cast<std::uint64_t>(spec.nanoseconds);
}

SysResult<std::uint64_t> to_nanoseconds(TimeVal value) {
    if (value.microseconds < 0 || value.microseconds >= fraction_of_second)
        return Failure(Errno::einval);
    return to_nanoseconds(TimeSpec{value.seconds, value.microseconds * 1000});
}

void set_epoch(std::uint64_t nanoseconds) {
    epoch = nanoseconds;
}
std::uint64_t wall_zero() {
    return epoch;
}
std::uint64_t wall_clock() {
    return epoch + glue::Clock::now().value;
}
Nanoseconds from_wall_clock(std::uint64_t nanoseconds) {
    return Nanoseconds{nanoseconds > epoch ? nanoseconds - epoch : 0};
}

std::uint64_t tick_nanoseconds(std::uint64_t ticks) {
    Ticks now = glue::Clock::ticks(); // the difference of two times needs no division
    return glue::Clock::to_nanoseconds(now).value -
           glue::Clock::to_nanoseconds(Ticks{now.value - ticks}).value;
}

void Usage::add(const Usage& other) {
    user += other.user;
    system += other.system;
    max_resident = most(max_resident, other.max_resident);
    faults += other.faults;
    signals += other.signals;
    blocks_in += other.blocks_in;
    blocks_out += other.blocks_out;
    voluntary_switches += other.voluntary_switches;
    involuntary_switches += other.involuntary_switches;
}

void Usage::add(const CpuTime& time, Ticks now) {
    std::uint64_t total = tick_nanoseconds(time.total(now));
    std::uint64_t in_system = tick_nanoseconds(time.system_ticks);
    user += total - in_system;
    system += in_system;
    faults += time.faults;
    voluntary_switches += time.voluntary_switches;
    involuntary_switches += time.involuntary_switches;
}

RusageRecord to_record(const Usage& usage) {
    RusageRecord record{};
    record.user = to_timeval(usage.user);
    record.system = to_timeval(usage.system);
    record.max_resident = static_cast<std::int64_t>(usage.max_resident);
    record.minor_faults = static_cast<std::int64_t>(usage.faults);
    record.blocks_in = static_cast<std::int64_t>(usage.blocks_in);
    record.blocks_out = static_cast<std::int64_t>(usage.blocks_out);
    record.signals = static_cast<std::int64_t>(usage.signals);
    record.voluntary_switches = static_cast<std::int64_t>(usage.voluntary_switches);
    record.involuntary_switches = static_cast<std::int64_t>(usage.involuntary_switches);
    return record;
}

ProcessTime process_time(const Proc& proc) {
    Usage sum;
    sum.add(proc.usage);
    Ticks now = glue::Clock::ticks();
    for (const Lwp* lwp = proc.lwps.first(); lwp != nullptr; lwp = proc.lwps.next(lwp))
        sum.add(lwp->cpu_time, now);
    return {sum.user, sum.system};
}

bool is_wall_clock(std::int32_t clock) {
    switch (static_cast<ClockId>(clock)) {
    case ClockId::realtime:
    case ClockId::realtime_precise:
    case ClockId::realtime_fast:
    case ClockId::second:
        return true;
    default:
        return false;
    }
}

bool is_steady_clock(std::int32_t clock) {
    switch (static_cast<ClockId>(clock)) {
    case ClockId::monotonic:
    case ClockId::monotonic_precise:
    case ClockId::monotonic_fast:
    case ClockId::uptime:
    case ClockId::uptime_precise:
    case ClockId::uptime_fast:
        return true;
    default:
        return is_wall_clock(clock);
    }
}

SysResult<std::uint64_t> read_clock(Lwp& lwp, std::int32_t clock) {
    auto id = static_cast<ClockId>(clock);
    if (is_steady_clock(clock)) [[likely]] {
        if (!is_wall_clock(clock))
            return glue::Clock::now().value;
        std::uint64_t now = wall_clock();
        return id == ClockId::second ? now - now % nanoseconds_per_second : now;
    }
    if ((static_cast<std::uint32_t>(clock) & cpu_clock) != 0)
        return read_cpu_clock(lwp, static_cast<std::uint32_t>(clock));
    if (id == ClockId::thread_cpu)
        return lwp_time(lwp);
    if (id != ClockId::virtual_time && id != ClockId::profile && id != ClockId::process_cpu)
        return Failure(Errno::einval);
    ProcessTime time = process_time(lwp.proc);
    return id == ClockId::virtual_time ? time.user : time.user + time.system;
}

SysResult<void> sleep_until(Lwp& lwp, Nanoseconds deadline) {
    while (glue::Clock::now() < deadline) {
        // Nobody wakes this address; a sleep that ends early sleeps on.
        auto slept = interruptible_sleep(lwp, &deadline, "nanslp", deadline);
        if (!slept.ok())
            return Failure(never_restart(slept.error()));
    }
    return {};
}

} // namespace bsd
