// SPDX-License-Identifier: BSD-2-Clause
// Clocks, sleeping, timers and usage, for both ABIs. A jail cannot set the wall clock: EPERM.
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/text.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

constexpr int timer_absolute = 1; // TIMER_ABSTIME

/// struct sigevent of FreeBSD, as far as timers read it.
struct SignalEvent {
    std::int32_t notify, signal;
    std::uint64_t value;
    std::int32_t thread;
    std::byte rest[60];
};
static_assert(sizeof(SignalEvent) == 80 && offsetof(SignalEvent, thread) == 16);
enum SignalEventNotify { sigev_none = 0, sigev_signal = 1, sigev_thread_id = 4 };

/// Absolute monotonic time after a stretch; saturates.
Nanoseconds after(std::uint64_t nanoseconds) {
    std::uint64_t now = glue::Clock::now().value;
    return Nanoseconds{now + nanoseconds < now ? ~std::uint64_t{0} : now + nanoseconds};
}

/// Sleeps, and on EINTR tells how much is left.
SysResult<Return> sleep_relative(Lwp& lwp, std::uint64_t nanoseconds, UserAddress remaining) {
    Nanoseconds deadline = after(nanoseconds);
    auto slept = sleep_until(lwp, deadline);
    if (slept.ok())
        return Return{};
    if (slept.error() == Errno::eintr && remaining.value != 0) {
        std::uint64_t now = glue::Clock::now().value;
        TRY(copyout(*lwp.proc.vmspace, remaining,
                    to_timespec(deadline.value > now ? deadline.value - now : 0)));
    }
    return Failure(slept.error());
}

SysResult<TimerState> read_interval(VmSpace& space, UserAddress at) {
    IntervalVal value = TRY(copyin<IntervalVal>(space, at));
    TimerState state;
    state.interval = TRY(to_nanoseconds(value.interval));
    state.remaining = TRY(to_nanoseconds(value.value));
    return state;
}

SysResult<void> write_interval(VmSpace& space, UserAddress at, const TimerState& state) {
    return copyout(space, at, IntervalVal{to_timeval(state.interval), to_timeval(state.remaining)});
}

SysResult<void> write_interval_spec(VmSpace& space, UserAddress at, const TimerState& state) {
    return copyout(space, at, IntervalSpec{to_timespec(state.interval), to_timespec(state.remaining)});
}

} // namespace

SysResult<Return> sys_clock_gettime(Lwp& lwp, const SystemCall& call) {
    std::uint64_t now = TRY(read_clock(lwp, call.integer(0)));
    TRY(copyout(*lwp.proc.vmspace, call.address(1), to_timespec(now)));
    return Return{};
}

SysResult<Return> sys_clock_settime(Lwp& lwp, const SystemCall& call) {
    TRY(copyin<TimeSpec>(*lwp.proc.vmspace, call.address(1)));
    return Failure(call.integer(0) == static_cast<int>(ClockId::realtime) ? Errno::eperm : Errno::einval);
}

SysResult<Return> sys_clock_getres(Lwp& lwp, const SystemCall& call) {
    TRY(read_clock(lwp, call.integer(0)));
    std::uint64_t resolution = call.integer(0) == static_cast<int>(ClockId::second)
                                   ? nanoseconds_per_second
                                   : nanoseconds_per_second / glue::Clock::ticks_per_second() + 1;
    if (call.word(1) != 0)
        TRY(copyout(*lwp.proc.vmspace, call.address(1), to_timespec(resolution)));
    return Return{};
}

SysResult<Return> sys_clock_getcpuclockid2(Lwp& lwp, const SystemCall& call) {
    constexpr int which_pid = 1, which_tid = 2; // CPUCLOCK_WHICH_
    auto id = static_cast<std::int32_t>(call.word(0));
    std::uint32_t clock = cpu_clock | static_cast<std::uint32_t>(id);
    if (id < 0 || (call.integer(1) != which_pid && call.integer(1) != which_tid))
        return Failure(Errno::einval);
    if (call.integer(1) == which_pid)
        clock |= cpu_clock_process;
    if (!read_clock(lwp, static_cast<std::int32_t>(clock)).ok())
        return Failure(Errno::esrch);
    TRY(copyout(*lwp.proc.vmspace, call.address(2), clock));
    return Return{};
}

SysResult<Return> sys_gettimeofday(Lwp& lwp, const SystemCall& call) {
    if (call.word(0) != 0)
        TRY(copyout(*lwp.proc.vmspace, call.address(0), to_timeval(wall_clock())));
    if (call.word(1) != 0)
        TRY(copyout(*lwp.proc.vmspace, call.address(1), std::uint64_t{0})); // UTC
    return Return{};
}

SysResult<Return> sys_settimeofday(Lwp&, const SystemCall&) {
    return Failure(Errno::eperm);
}

SysResult<Return> sys_adjtime(Lwp& lwp, const SystemCall& call) {
    if (call.word(0) != 0)
        return Failure(Errno::eperm);
    if (call.word(1) != 0)
        TRY(copyout(*lwp.proc.vmspace, call.address(1), TimeVal{}));
    return Return{};
}

SysResult<Return> sys_nanosleep(Lwp& lwp, const SystemCall& call) {
    TimeSpec spec = TRY(copyin<TimeSpec>(*lwp.proc.vmspace, call.address(0)));
    std::uint64_t nanoseconds = TRY(to_nanoseconds(spec));
    return sleep_relative(lwp, nanoseconds, call.address(1));
}

SysResult<Return> sys_clock_nanosleep(Lwp& lwp, const SystemCall& call) {
    int clock = call.integer(0), flags = call.integer(1);
    if (!is_steady_clock(clock) || (flags & ~timer_absolute) != 0)
        return Failure(Errno::einval);
    TimeSpec spec = TRY(copyin<TimeSpec>(*lwp.proc.vmspace, call.address(2)));
    std::uint64_t nanoseconds = TRY(to_nanoseconds(spec));
    if ((flags & timer_absolute) == 0)
        return sleep_relative(lwp, nanoseconds, call.address(3));
    TRY(sleep_until(lwp, is_wall_clock(clock) ? from_wall_clock(nanoseconds) : Nanoseconds{nanoseconds}));
    return Return{};
}

SysResult<Return> sys_getitimer(Lwp& lwp, const SystemCall& call) {
    TimerState state = TRY(interval_timer(lwp.proc, call.integer(0)));
    TRY(write_interval(*lwp.proc.vmspace, call.address(1), state));
    return Return{};
}

SysResult<Return> sys_setitimer(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    TimerState before = TRY(interval_timer(lwp.proc, call.integer(0)));
    if (call.word(1) != 0) {
        TimerState state = TRY(read_interval(space, call.address(1)));
        before = TRY(set_interval_timer(lwp.proc, call.integer(0), state));
    }
    if (call.word(2) != 0)
        TRY(write_interval(space, call.address(2), before));
    return Return{};
}

SysResult<Return> sys_ktimer_create(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    PosixNotify notify;
    notify.signal = sigalrm;
    notify.value_is_id = true;
    if (call.word(1) != 0) {
        SignalEvent event = TRY(copyin<SignalEvent>(space, call.address(1)));
        notify.value_is_id = false;
        notify.value = event.value;
        notify.signal = event.signal;
        notify.thread = event.thread;
        if (event.notify == sigev_none)
            notify.kind = PosixNotify::Kind::none;
        else if (event.notify == sigev_thread_id)
            notify.kind = PosixNotify::Kind::thread;
        else if (event.notify != sigev_signal)
            return Failure(Errno::einval);
        if (event.notify != sigev_none && !SignalSet::valid(event.signal))
            return Failure(Errno::einval);
    }
    int id = TRY(create_posix_timer(lwp.proc, call.integer(0), notify));
    if (auto copied = copyout(space, call.address(2), id); !copied.ok()) {
        TRY(delete_posix_timer(lwp.proc, id));
        return Failure(copied.error());
    }
    return Return{};
}

SysResult<Return> sys_ktimer_delete(Lwp& lwp, const SystemCall& call) {
    TRY(delete_posix_timer(lwp.proc, call.integer(0)));
    return Return{};
}

SysResult<Return> sys_ktimer_gettime(Lwp& lwp, const SystemCall& call) {
    TimerState state = TRY(posix_timer(lwp.proc, call.integer(0)));
    TRY(write_interval_spec(*lwp.proc.vmspace, call.address(1), state));
    return Return{};
}

SysResult<Return> sys_ktimer_settime(Lwp& lwp, const SystemCall& call) {
    VmSpace& space = *lwp.proc.vmspace;
    IntervalSpec spec = TRY(copyin<IntervalSpec>(space, call.address(2)));
    TimerState state;
    state.interval = TRY(to_nanoseconds(spec.interval));
    state.remaining = TRY(to_nanoseconds(spec.value));
    bool absolute = (call.integer(1) & timer_absolute) != 0;
    TimerState before = TRY(set_posix_timer(lwp.proc, call.integer(0), state, absolute));
    if (call.word(3) != 0)
        TRY(write_interval_spec(space, call.address(3), before));
    return Return{};
}

SysResult<Return> sys_ktimer_getoverrun(Lwp& lwp, const SystemCall& call) {
    int overrun = TRY(posix_timer_overrun(lwp.proc, call.integer(0)));
    return Return(static_cast<std::uint64_t>(overrun));
}

SysResult<Return> sys_getrusage(Lwp& lwp, const SystemCall& call) {
    constexpr int who_self = 0, who_children = -1, who_thread = 1;
    Usage usage;
    switch (call.integer(0)) {
    case who_self:
        usage = usage_of(lwp.proc);
        break;
    case who_children:
        usage = lwp.proc.child_usage;
        break;
    case who_thread:
        usage.add(lwp.cpu_time, glue::Clock::ticks());
        usage.max_resident = usage_of(lwp.proc).max_resident;
        break;
    default:
        return Failure(Errno::einval);
    }
    TRY(copyout(*lwp.proc.vmspace, call.address(1), to_record(usage)));
    return Return{};
}

} // namespace bsd
