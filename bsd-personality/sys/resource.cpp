// SPDX-License-Identifier: BSD-2-Clause
// Resource limits.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

// DragonFly's numbers up to RLIMIT_NOFILE are FreeBSD's; then come SBSIZE 9, AS 10, POSIXLOCKS 11.
SysResult<unsigned> limit_index(const Lwp& lwp, std::uint32_t which) {
    unsigned count = lwp.proc.abi->kind == AbiKind::freebsd ? unsigned{limit_count} : 12u;
    if (which >= count)
        return Failure(Errno::einval);
    return which;
}

} // namespace

SysResult<Return> sys_getrlimit(Lwp& lwp, const SystemCall& call) {
    unsigned which = TRY(limit_index(lwp, call.natural(0)));
    TRY(copyout(*lwp.proc.vmspace, call.address(1), lwp.proc.limits[which]));
    return Return(0);
}

SysResult<Return> sys_setrlimit(Lwp& lwp, const SystemCall& call) {
    Proc& proc = lwp.proc;
    unsigned which = TRY(limit_index(lwp, call.natural(0)));
    Limit wanted = TRY(copyin<Limit>(*proc.vmspace, call.address(1)));
    Limit& limit = proc.limits[which];
    auto clip = [](std::uint64_t& value) {
        if (value > limit_infinity)
            value = limit_infinity;
    };
    clip(wanted.current);
    clip(wanted.maximum);
    if ((wanted.maximum > limit.maximum || wanted.current > limit.maximum) && !proc.cred->is_superuser())
        return Failure(Errno::eperm);
    if (wanted.current > wanted.maximum)
        wanted.current = wanted.maximum;
    if (which == limit_nofile && wanted.maximum > FileTable::limit)
        wanted.maximum = FileTable::limit;
    if (wanted.current > wanted.maximum)
        wanted.current = wanted.maximum;
    limit = wanted;
    if (which == limit_nofile)
        proc.files->set_limit(static_cast<int>(wanted.current));
    if (which == limit_vmem)
        proc.vmspace->limits.total = wanted.current;
    if (which == limit_stack && wanted.current < proc.abi->max_stack)
        proc.vmspace->limits.stack = wanted.current;
    if (which == limit_data)
        proc.vmspace->limits.data = wanted.current;
    return Return(0);
}

} // namespace bsd
