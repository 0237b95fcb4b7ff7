// SPDX-License-Identifier: BSD-2-Clause
// Resource limits. Where they are enforced: CPU in kern/limits.cpp, FSIZE where files are written and cut,
// memory in vm/, NPROC in kern/fork.cpp, the others where the thing is made.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

// DragonFly's numbers up to RLIMIT_NOFILE are FreeBSD's; then come SBSIZE 9, AS 10, POSIXLOCKS 11. FreeBSD's
// 15, RLIMIT_PIPEBUF, is of a later 14.
SysResult<LimitResource> limit_argument(const Lwp& lwp, std::uint32_t which) {
    bool freebsd = lwp.proc.abi->kind == AbiKind::freebsd;
    if (which >= (freebsd ? unsigned{limit_posix_locks} : 12u))
        return Failure(Errno::einval);
    return !freebsd && which == 11 ? limit_posix_locks : static_cast<LimitResource>(which);
}

// The most that there can be of some.
std::uint64_t highest(const Proc& proc, LimitResource which) {
    switch (which) {
    case limit_data:
        return std::uint64_t{32} << 30;
    case limit_stack:
        return proc.abi->max_stack;
    case limit_nofile:
        return FileTable::limit;
    case limit_nproc:
        return max_processes;
    default:
        return limit_infinity;
    }
}

// What keeps a copy of its own hears of the new value.
void tell(Proc& proc, LimitResource which, std::uint64_t value) {
    VmLimits& memory = proc.vmspace->limits;
    switch (which) {
    case limit_cpu:
        proc.timers.cpu_warning = 0;
        watch_cpu_limit(proc);
        break;
    case limit_data:
        memory.data = value;
        break;
    case limit_stack:
        memory.stack = value;
        break;
    case limit_memlock:
        memory.locked = value;
        break;
    case limit_vmem:
        memory.total = value;
        break;
    case limit_nofile:
        proc.files->set_limit(static_cast<int>(value));
        break;
    default:
        break;
    }
}

} // namespace

SysResult<Return> sys_getrlimit(Lwp& lwp, const SystemCall& call) {
    LimitResource which = TRY(limit_argument(lwp, call.natural(0)));
    TRY(copyout(*lwp.proc.vmspace, call.address(1), lwp.proc.limits[which]));
    return Return(0);
}

SysResult<Return> sys_setrlimit(Lwp& lwp, const SystemCall& call) {
    Proc& proc = lwp.proc;
    LimitResource which = TRY(limit_argument(lwp, call.natural(0)));
    Limit wanted = TRY(copyin<Limit>(*proc.vmspace, call.address(1)));
    Limit& limit = proc.limits[which];
    wanted.current = least(wanted.current, limit_infinity); // negative ones are none
    wanted.maximum = least(wanted.maximum, limit_infinity);
    if ((wanted.maximum > limit.maximum || wanted.current > limit.maximum) && !proc.cred->is_superuser())
        return Failure(Errno::eperm);
    wanted.maximum = least(wanted.maximum, highest(proc, which));
    wanted.current = least(wanted.current, wanted.maximum);
    if (which == limit_nproc)
        wanted = {most<std::uint64_t>(wanted.current, 1), most<std::uint64_t>(wanted.maximum, 1)};
    limit = wanted;
    tell(proc, which, wanted.current);
    return Return(0);
}

} // namespace bsd
