// SPDX-License-Identifier: BSD-2-Clause
// DragonFly's affinity: lwp_getaffinity, lwp_setaffinity, usched_set. cpumask_t is 256 bits.
#include "bsd-personality/kern/cpuset.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

struct CpuMask {
    std::uint64_t words[4];
};
static_assert(sizeof(CpuMask) == 32);

SysResult<Proc*> find_target(Lwp& lwp, pid_t pid) {
    if (pid < 0)
        return Failure(Errno::einval);
    Proc* proc = pid == 0 ? &lwp.proc : find_process(pid);
    if (proc == nullptr || proc->state != ProcState::alive)
        return Failure(Errno::esrch);
    return proc;
}

// The thread of a number; a negative one is any.
SysResult<Lwp*> find_thread(Proc& proc, lwpid_t tid) {
    Lwp* target = tid < 0 ? proc.lwps.first() : find_lwp(tid);
    if (target == nullptr || &target->proc != &proc)
        return Failure(Errno::esrch);
    return target;
}

} // namespace

// lwp_getaffinity(pid, tid, mask)
SysResult<Return> sys_lwp_getaffinity(Lwp& lwp, const SystemCall& call) {
    Proc* proc = TRY(find_target(lwp, call.integer(0)));
    Lwp* target = TRY(find_thread(*proc, call.integer(1)));
    TRY(copyout(*lwp.proc.vmspace, call.address(2), CpuMask{{target->affinity & all_cpus()}}));
    return Return(0);
}

// lwp_setaffinity(pid, tid, mask): a negative tid is all threads.
SysResult<Return> sys_lwp_setaffinity(Lwp& lwp, const SystemCall& call) {
    pid_t pid = call.integer(0);
    lwpid_t tid = call.integer(1);
    if (pid != 0 && !lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    auto wanted = TRY(copyin<CpuMask>(*lwp.proc.vmspace, call.address(2)));
    std::uint64_t mask = wanted.words[0] & all_cpus();
    if (mask == 0)
        return Failure(Errno::eperm);
    Proc* proc = TRY(find_target(lwp, pid));
    if (tid >= 0) {
        TRY(set_affinity(*TRY(find_thread(*proc, tid)), mask));
        return Return(0);
    }
    for (Lwp* each = proc->lwps.first(); each; each = proc->lwps.next(each))
        TRY(set_affinity(*each, mask));
    return Return(0);
}

namespace {

enum : std::int32_t {
    usched_set_scheduler,
    usched_set_cpu,
    usched_add_cpu,
    usched_del_cpu,
    usched_get_cpu,
    usched_get_cpumask,
    usched_set_cpumask,
};

// The scheduler by its name: there is one.
SysResult<void> set_scheduler(Lwp& lwp, UserAddress name) {
    if (!lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    char buffer[32];
    TRY(copyinstr(*lwp.proc.vmspace, name, buffer, sizeof buffer));
    if (lwp.proc.lwp_count != 1 || text(buffer) != Text("dfly"))
        return Failure(Errno::einval);
    return {};
}

SysResult<void> change_by_cpu(Lwp& lwp, std::int32_t command, std::int32_t cpu) {
    if (cpu < 0 || cpu >= static_cast<std::int32_t>(lwkt::cpu_count()))
        return Failure(Errno::efbig);
    std::uint64_t bit = std::uint64_t{1} << cpu, own = lwp.affinity & all_cpus();
    if (command == usched_del_cpu)
        return own == bit ? SysResult<void>(Failure(Errno::eperm)) : set_affinity(lwp, own & ~bit);
    return set_affinity(lwp, command == usched_set_cpu ? bit : own | bit);
}

} // namespace

// usched_set(pid, command, data, bytes): of the calling thread.
SysResult<Return> sys_usched_set(Lwp& lwp, const SystemCall& call) {
    pid_t pid = call.integer(0);
    std::int32_t command = call.integer(1), bytes = call.integer(3);
    VmSpace& space = *lwp.proc.vmspace;
    UserAddress data = call.address(2);
    if ((pid != 0 && pid != lwp.proc.pid) || command < usched_set_scheduler || command > usched_set_cpumask)
        return Failure(Errno::einval);
    if (command == usched_set_scheduler) {
        TRY(set_scheduler(lwp, data));
        return Return(0);
    }
    bool asks = command == usched_get_cpu || command == usched_get_cpumask;
    if (!asks && command != usched_del_cpu && !lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    bool whole = command == usched_get_cpumask || command == usched_set_cpumask;
    if (bytes != static_cast<std::int32_t>(whole ? sizeof(CpuMask) : sizeof(std::int32_t)))
        return Failure(Errno::einval);
    if (command == usched_get_cpu) {
        TRY(copyout(space, data, static_cast<std::int32_t>(lwkt::current_cpu().value)));
    } else if (command == usched_get_cpumask) {
        TRY(copyout(space, data, CpuMask{{lwp.affinity & all_cpus()}}));
    } else if (command == usched_set_cpumask) {
        std::uint64_t mask = TRY(copyin<CpuMask>(space, data)).words[0] & all_cpus();
        if (mask == 0)
            return Failure(Errno::eperm);
        TRY(set_affinity(lwp, mask));
    } else {
        TRY(change_by_cpu(lwp, command, TRY(copyin<std::int32_t>(space, data))));
    }
    return Return(0);
}

} // namespace bsd
