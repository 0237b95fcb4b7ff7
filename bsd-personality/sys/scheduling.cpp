// SPDX-License-Identifier: BSD-2-Clause
// Priorities: nice values, realtime and idle classes (rtprio), POSIX scheduling policies, yielding. What
// they mean is in kern/usched_policy.hpp; a change takes effect when the thread next looks (ast_resched).
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/usched.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

bool is_dragonfly(const Lwp& lwp) {
    return lwp.proc.abi->kind == AbiKind::dragonfly;
}

Proc* find_alive(pid_t pid) {
    Proc* proc = find_process(pid);
    return proc != nullptr && proc->state == ProcState::alive && proc->lwp_count != 0 ? proc : nullptr;
}

// --- nice values

enum : std::int32_t { priority_process = 0, priority_group = 1, priority_user = 2 };

// Calls `action` with the processes that getpriority and setpriority mean.
template <class Action>
SysResult<void> for_each(Lwp& lwp, std::int32_t which, std::int32_t who, Action action) {
    if (which < priority_process || which > priority_user)
        return Failure(Errno::einval);
    if (which == priority_process) {
        Proc* proc = who == 0 ? &lwp.proc : find_alive(who);
        if (proc == nullptr)
            return Failure(Errno::esrch);
        action(*proc);
        return {};
    }
    const Pgrp* group = who == 0 ? lwp.proc.pgrp : find_process_group(who);
    std::uint32_t uid = who == 0 ? lwp.proc.cred->uid : static_cast<std::uint32_t>(who);
    bool found = false;
    for (Proc* proc = all_processes.first(); proc != nullptr; proc = all_processes.next(proc)) {
        if (proc->state != ProcState::alive || !proc->cred ||
            !(which == priority_group ? group != nullptr && proc->pgrp == group : proc->cred->uid == uid))
            continue;
        found = true;
        action(*proc);
    }
    return found ? SysResult<void>{} : SysResult<void>(Failure(Errno::esrch));
}

SysResult<void> renice(Lwp& lwp, Proc& proc, int nice) {
    if (!may_schedule(lwp.proc, proc))
        return Failure(Errno::eperm);
    nice = nice < best_nice ? best_nice : nice > worst_nice ? worst_nice : nice;
    if (nice < proc.nice && !lwp.proc.cred->is_superuser())
        return Failure(Errno::eacces);
    __atomic_store_n(&proc.nice, static_cast<std::int8_t>(nice), __ATOMIC_RELAXED);
    for (Lwp* each = proc.lwps.first(); each != nullptr; each = proc.lwps.next(each))
        set_ast(*each, ast_resched);
    return {};
}

// --- classes

struct RealtimePriority { // struct rtprio
    std::uint16_t type, priority;
};
enum : std::int32_t { rtp_lookup = 0, rtp_set = 1 };
constexpr unsigned worst_normal_level = 103; // FreeBSD's range of time-sharing priorities; kept, not used

struct ClassNumber {
    std::uint16_t freebsd, dragonfly;
};
constexpr ClassNumber class_numbers[] = {{2, 0}, {10, 4}, {3, 1}, {4, 2}}; // by SchedulingKind

RealtimePriority to_record(const Lwp& lwp, SchedulingClass scheduling) {
    const ClassNumber& number = class_numbers[static_cast<unsigned>(scheduling.kind)];
    return {is_dragonfly(lwp) ? number.dragonfly : number.freebsd, scheduling.level};
}

SysResult<SchedulingClass> from_record(const Lwp& lwp, RealtimePriority record) {
    for (unsigned kind = 0; kind != 4; kind++) {
        std::uint16_t number =
            is_dragonfly(lwp) ? class_numbers[kind].dragonfly : class_numbers[kind].freebsd;
        if (number != record.type)
            continue;
        SchedulingClass result{static_cast<SchedulingKind>(kind), static_cast<std::uint8_t>(record.priority)};
        bool wide = result.kind == SchedulingKind::normal && !is_dragonfly(lwp);
        if (record.priority > (wide ? worst_normal_level : worst_level))
            break;
        return result;
    }
    return Failure(Errno::einval);
}

bool is_realtime(SchedulingKind kind) {
    return kind == SchedulingKind::realtime || kind == SchedulingKind::fifo;
}

// FreeBSD's rule: for realtime and idle classes a superuser; DragonFly's: for realtime, and for others' too.
SysResult<void> may_have_class(Lwp& lwp, const Proc& target, SchedulingKind kind, bool named) {
    if (!may_schedule(lwp.proc, target))
        return Failure(Errno::eperm);
    if (lwp.proc.cred->is_superuser())
        return {};
    bool refused = is_dragonfly(lwp) ? named || is_realtime(kind) : kind != SchedulingKind::normal;
    return refused ? SysResult<void>(Failure(Errno::eperm)) : SysResult<void>{};
}

void set_class(Lwp& target, SchedulingClass scheduling) {
    target.set_scheduling_class(scheduling);
    set_ast(target, ast_resched);
}

// The most urgent class in a process.
SchedulingClass best_class(const Proc& proc) {
    SchedulingClass best{SchedulingKind::idle, worst_level};
    for (const Lwp* lwp = proc.lwps.first(); lwp != nullptr; lwp = proc.lwps.next(lwp)) {
        SchedulingClass own = lwp->scheduling_class();
        if (user_priority(own, 0, 0) < user_priority(best, 0, 0))
            best = own;
    }
    return best;
}

// One thread, or all of a process (`proc`).
SysResult<Return> realtime_priority(Lwp& lwp, std::int32_t function, Lwp* thread, Proc& proc, bool named,
                                    UserAddress address) {
    VmSpace& space = *lwp.proc.vmspace;
    if (function == rtp_lookup) {
        SchedulingClass found = thread != nullptr ? thread->scheduling_class() : best_class(proc);
        TRY(copyout(space, address, to_record(lwp, found)));
        return Return(0);
    }
    if (function != rtp_set)
        return Failure(Errno::einval);
    auto record = TRY(copyin<RealtimePriority>(space, address));
    SchedulingClass wanted = TRY(from_record(lwp, record));
    TRY(may_have_class(lwp, proc, wanted.kind, named));
    if (thread != nullptr)
        set_class(*thread, wanted);
    else
        for (Lwp* each = proc.lwps.first(); each != nullptr; each = proc.lwps.next(each))
            set_class(*each, wanted);
    return Return(0);
}

// --- POSIX policies

enum : std::int32_t { sched_fifo = 1, sched_other = 2, sched_rr = 3 };

std::int32_t policy_of(SchedulingKind kind) {
    return kind == SchedulingKind::fifo       ? sched_fifo
           : kind == SchedulingKind::realtime ? sched_rr
                                              : sched_other;
}

// The thread that a pid means: FreeBSD's 0 is the caller. DragonFly lets only a superuser ask.
SysResult<Lwp*> policy_target(Lwp& lwp, pid_t pid, bool changes) {
    Proc* proc = pid == 0 ? &lwp.proc : find_alive(pid);
    if (proc == nullptr)
        return Failure(Errno::esrch);
    if (is_dragonfly(lwp) ? !lwp.proc.cred->is_superuser() : changes && !may_schedule(lwp.proc, *proc))
        return Failure(Errno::eperm);
    return pid == 0 && !is_dragonfly(lwp) ? &lwp : proc->lwps.first();
}

SysResult<SchedulingClass> class_of_policy(const Lwp& lwp, std::int32_t policy, std::int32_t priority) {
    bool other = policy == sched_other;
    if (policy < sched_fifo || policy > sched_rr)
        return Failure(Errno::einval);
    if (other && is_dragonfly(lwp))
        return SchedulingClass{};
    int highest = static_cast<int>(other ? worst_normal_level : worst_level);
    if (priority < 0 || priority > highest)
        return Failure(Errno::einval);
    SchedulingKind kind = other                  ? SchedulingKind::normal
                          : policy == sched_fifo ? SchedulingKind::fifo
                                                 : SchedulingKind::realtime;
    return SchedulingClass{kind, static_cast<std::uint8_t>(highest - priority)};
}

} // namespace

SysResult<Return> sys_getpriority(Lwp& lwp, const SystemCall& call) {
    int lowest = worst_nice;
    TRY(for_each(lwp, call.integer(0), call.integer(1),
                 [&](const Proc& proc) { lowest = proc.nice < lowest ? proc.nice : lowest; }));
    return Return(static_cast<std::uint64_t>(static_cast<std::int64_t>(lowest)));
}

SysResult<Return> sys_setpriority(Lwp& lwp, const SystemCall& call) {
    SysResult<void> result;
    int nice = call.integer(2);
    TRY(for_each(lwp, call.integer(0), call.integer(1), [&](Proc& proc) {
        if (auto changed = renice(lwp, proc, nice); !changed)
            result = Failure(changed.error());
    }));
    TRY(result);
    return Return(0);
}

// rtprio(function, pid, rtp). FreeBSD: 0 is the calling thread, a pid all threads; DragonFly: the first one.
SysResult<Return> sys_rtprio(Lwp& lwp, const SystemCall& call) {
    pid_t pid = call.integer(1);
    Proc* proc = pid == 0 ? &lwp.proc : find_alive(pid);
    if (proc == nullptr)
        return Failure(Errno::esrch);
    Lwp* thread = is_dragonfly(lwp) ? proc->lwps.first() : pid == 0 ? &lwp : nullptr;
    return realtime_priority(lwp, call.integer(0), thread, *proc, pid != 0, call.address(2));
}

// FreeBSD's rtprio_thread(function, tid, rtp)
SysResult<Return> sys_rtprio_thread(Lwp& lwp, const SystemCall& call) {
    Lwp* thread = call.integer(1) == 0 ? &lwp : find_lwp(call.integer(1));
    if (thread == nullptr)
        return Failure(Errno::esrch);
    return realtime_priority(lwp, call.integer(0), thread, thread->proc, false, call.address(2));
}

// DragonFly's lwp_rtprio(function, pid, tid, rtp): tid -1 is the calling thread.
SysResult<Return> sys_lwp_rtprio(Lwp& lwp, const SystemCall& call) {
    pid_t pid = call.integer(1);
    lwpid_t tid = call.integer(2);
    if (pid < 0 || tid < -1)
        return Failure(Errno::einval);
    Proc* proc = pid == 0 ? &lwp.proc : find_alive(pid);
    Lwp* thread = tid == -1 ? &lwp : find_lwp(tid);
    if (proc == nullptr || thread == nullptr || (tid != -1 && &thread->proc != proc))
        return Failure(Errno::esrch);
    return realtime_priority(lwp, call.integer(0), thread, *proc, pid != 0, call.address(3));
}

SysResult<Return> sys_sched_setparam(Lwp& lwp, const SystemCall& call) {
    auto priority = TRY(copyin<std::int32_t>(*lwp.proc.vmspace, call.address(1)));
    Lwp* target = TRY(policy_target(lwp, call.integer(0), true));
    std::int32_t policy = policy_of(target->scheduling_class().kind);
    if (policy == sched_other && is_dragonfly(lwp))
        return Failure(Errno::einval);
    set_class(*target, TRY(class_of_policy(lwp, policy, priority)));
    return Return(0);
}

SysResult<Return> sys_sched_getparam(Lwp& lwp, const SystemCall& call) {
    SchedulingClass own = TRY(policy_target(lwp, call.integer(0), false))->scheduling_class();
    std::int32_t priority = is_realtime(own.kind) ? worst_level - own.level
                            : own.kind == SchedulingKind::normal && !is_dragonfly(lwp)
                                ? worst_normal_level - own.level
                                : 0;
    TRY(copyout(*lwp.proc.vmspace, call.address(1), priority));
    return Return(0);
}

SysResult<Return> sys_sched_setscheduler(Lwp& lwp, const SystemCall& call) {
    auto priority = TRY(copyin<std::int32_t>(*lwp.proc.vmspace, call.address(2)));
    Lwp* target = TRY(policy_target(lwp, call.integer(0), true));
    if (!lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    set_class(*target, TRY(class_of_policy(lwp, call.integer(1), priority)));
    return Return(0);
}

SysResult<Return> sys_sched_getscheduler(Lwp& lwp, const SystemCall& call) {
    Lwp* target = TRY(policy_target(lwp, call.integer(0), false));
    return Return(static_cast<std::uint64_t>(policy_of(target->scheduling_class().kind)));
}

// sched_get_priority_max(policy). What DragonFly says of SCHED_OTHER are its nice values.
SysResult<Return> sys_sched_get_priority_max(Lwp& lwp, const SystemCall& call) {
    std::int32_t policy = call.integer(0);
    if (policy < sched_fifo || policy > sched_rr)
        return Failure(Errno::einval);
    if (policy != sched_other)
        return Return(worst_level);
    return Return(is_dragonfly(lwp) ? worst_nice : worst_normal_level);
}

SysResult<Return> sys_sched_get_priority_min(Lwp& lwp, const SystemCall& call) {
    std::int32_t policy = call.integer(0);
    if (policy < sched_fifo || policy > sched_rr)
        return Failure(Errno::einval);
    int lowest = policy == sched_other && is_dragonfly(lwp) ? best_nice : 0;
    return Return(static_cast<std::uint64_t>(static_cast<std::int64_t>(lowest)));
}

SysResult<Return> sys_sched_rr_get_interval(Lwp& lwp, const SystemCall& call) {
    TRY(policy_target(lwp, call.integer(0), false));
    TRY(copyout(*lwp.proc.vmspace, call.address(1), to_timespec(slice_nanoseconds)));
    return Return(0);
}

SysResult<Return> sys_sched_yield(Lwp& lwp, const SystemCall&) {
    yield_user_mode(lwp);
    return Return(0);
}

SysResult<Return> sys_sched_getcpu(Lwp&, const SystemCall&) {
    return Return(lwkt::current_cpu().value);
}

} // namespace bsd
