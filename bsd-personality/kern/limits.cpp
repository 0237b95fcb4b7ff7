// SPDX-License-Identifier: BSD-2-Clause
// RLIMIT_CPU: a process that has one is looked at once a second.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/proc.hpp"

namespace bsd {

namespace {

void look_at_cpu_time(void* argument) {
    lwkt::TokenGuard guard(giant);
    auto& proc = *static_cast<Proc*>(argument);
    const Limit& limit = proc.limits[limit_cpu];
    if (proc.state != ProcState::alive || (proc.flags & proc_exiting) || limit.current >= limit_infinity)
        return;
    // DragonFly gives a process five seconds beyond the hard limit, and warns it once; FreeBSD every five
    // seconds.
    bool dragonfly = proc.abi && proc.abi->kind == AbiKind::dragonfly;
    ProcessTime time = process_time(proc);
    std::uint64_t seconds = (time.user + time.system) / nanoseconds_per_second;
    std::uint64_t grace = dragonfly ? 5 : 0;
    if (limit.maximum < limit_infinity - grace && seconds >= limit.maximum + grace)
        return post_kernel_signal(proc, sigkill);
    if (seconds >= limit.current && seconds >= proc.timers.cpu_warning) {
        proc.timers.cpu_warning = dragonfly ? limit_infinity : seconds + 5;
        post_kernel_signal(proc, sigxcpu);
    }
    watch_cpu_limit(proc);
}

} // namespace

void watch_cpu_limit(Proc& proc) {
    if (proc.limits[limit_cpu].current < limit_infinity)
        proc.timers.cpu_limit.reset(glue::Clock::now() + Nanoseconds{nanoseconds_per_second},
                                    look_at_cpu_time, &proc);
}

} // namespace bsd
