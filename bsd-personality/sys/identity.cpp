// SPDX-License-Identifier: BSD-2-Clause
// Who a process is: pids, user and group ids, groups, sessions, login name.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/usermem.hpp"

#include <cstring>

namespace bsd {

namespace {

constexpr std::uint32_t unchanged = ~std::uint32_t{0};

void install(Proc& proc, UcredRef cred) {
    if (cred->ruid != proc.cred->ruid)
        recharge_process(proc, cred->ruid);
    proc.cred = static_cast<UcredRef&&>(cred);
    proc.flags |= proc_set_id;
}

struct Ids {
    std::uint32_t effective, real, saved;
};

Ids ids_of(const Ucred& cred, bool group) {
    return group ? Ids{cred.gid, cred.rgid, cred.svgid} : Ids{cred.uid, cred.ruid, cred.svuid};
}

// Only what is really changed marks the process as one with changed ids.
SysResult<Return> change_ids(Lwp& lwp, bool group, Ids to) {
    Ids now = ids_of(*lwp.proc.cred, group);
    auto value = [](std::uint32_t wanted, std::uint32_t old) { return wanted != unchanged ? wanted : old; };
    to = {value(to.effective, now.effective), value(to.real, now.real), value(to.saved, now.saved)};
    if (to.effective == now.effective && to.real == now.real && to.saved == now.saved)
        return Return(0);
    UcredRef cred = TRY(copy_credentials(*lwp.proc.cred));
    (group ? cred->gid : cred->uid) = to.effective;
    (group ? cred->rgid : cred->ruid) = to.real;
    (group ? cred->svgid : cred->svuid) = to.saved;
    install(lwp.proc, static_cast<UcredRef&&>(cred));
    return Return(0);
}

// setuid and setgid: the real or the effective id, and all three become it.
SysResult<Return> set_id(Lwp& lwp, const SystemCall& call, bool group) {
    Ids now = ids_of(*lwp.proc.cred, group);
    std::uint32_t id = call.natural(0);
    if (id != now.real && id != now.effective && !lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    return change_ids(lwp, group, {id, id, id});
}

// seteuid and setegid: the real or the saved id.
SysResult<Return> set_effective(Lwp& lwp, const SystemCall& call, bool group) {
    Ids now = ids_of(*lwp.proc.cred, group);
    std::uint32_t id = call.natural(0);
    if (id != now.real && id != now.saved && !lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    return change_ids(lwp, group, {id, unchanged, unchanged});
}

// setreuid and setregid: the real id from the real or the saved one, the effective id from any. The saved id
// follows the effective one if a real id was given or both differ then.
SysResult<Return> set_two(Lwp& lwp, const SystemCall& call, bool group) {
    Ids now = ids_of(*lwp.proc.cred, group);
    std::uint32_t real = call.natural(0), effective = call.natural(1);
    bool may_real = real == unchanged || real == now.real || real == now.saved;
    bool may_effective = effective == unchanged || effective == now.effective || effective == now.real ||
                         effective == now.saved;
    if (!(may_real && may_effective) && !lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    std::uint32_t new_real = real != unchanged ? real : now.real;
    std::uint32_t new_effective = effective != unchanged ? effective : now.effective;
    bool saves = real != unchanged || new_effective != new_real;
    return change_ids(lwp, group, {new_effective, new_real, saves ? new_effective : now.saved});
}

// setresuid and setresgid: each from any of the three.
SysResult<Return> set_three(Lwp& lwp, const SystemCall& call, bool group) {
    Ids now = ids_of(*lwp.proc.cred, group);
    for (unsigned i = 0; i < 3; i++) {
        std::uint32_t id = call.natural(i);
        if (id != unchanged && id != now.effective && id != now.real && id != now.saved &&
            !lwp.proc.cred->is_superuser())
            return Failure(Errno::eperm);
    }
    return change_ids(lwp, group, {call.natural(1), call.natural(0), call.natural(2)});
}

SysResult<Return> three_ids(Lwp& lwp, const SystemCall& call, Ids ids) {
    const std::uint32_t values[3] = {ids.real, ids.effective, ids.saved};
    for (unsigned i = 0; i < 3; i++)
        if (call.word(i))
            TRY(copyout(*lwp.proc.vmspace, call.address(i), values[i]));
    return Return(0);
}

} // namespace

SysResult<Return> sys_getpid(Lwp& lwp, const SystemCall&) {
    return Return(static_cast<std::uint64_t>(lwp.proc.pid));
}
SysResult<Return> sys_getppid(Lwp& lwp, const SystemCall&) {
    return Return(static_cast<std::uint64_t>(__atomic_load_n(&lwp.proc.parent_pid, __ATOMIC_RELAXED)));
}
// The second result is the other id of the pair, as the first BSDs had it and libraries still may read it.
SysResult<Return> sys_getuid(Lwp& lwp, const SystemCall&) {
    return Return(lwp.proc.cred->ruid, lwp.proc.cred->uid);
}
SysResult<Return> sys_geteuid(Lwp& lwp, const SystemCall&) {
    return Return(lwp.proc.cred->uid);
}
SysResult<Return> sys_getgid(Lwp& lwp, const SystemCall&) {
    return Return(lwp.proc.cred->rgid, lwp.proc.cred->gid);
}
SysResult<Return> sys_getegid(Lwp& lwp, const SystemCall&) {
    return Return(lwp.proc.cred->gid);
}
SysResult<Return> sys_issetugid(Lwp& lwp, const SystemCall&) {
    return Return((lwp.proc.flags & proc_set_id) ? 1 : 0);
}

SysResult<Return> sys_setuid(Lwp& lwp, const SystemCall& call) {
    return set_id(lwp, call, false);
}
SysResult<Return> sys_setgid(Lwp& lwp, const SystemCall& call) {
    return set_id(lwp, call, true);
}
SysResult<Return> sys_seteuid(Lwp& lwp, const SystemCall& call) {
    return set_effective(lwp, call, false);
}
SysResult<Return> sys_setegid(Lwp& lwp, const SystemCall& call) {
    return set_effective(lwp, call, true);
}
SysResult<Return> sys_setreuid(Lwp& lwp, const SystemCall& call) {
    return set_two(lwp, call, false);
}
SysResult<Return> sys_setregid(Lwp& lwp, const SystemCall& call) {
    return set_two(lwp, call, true);
}
SysResult<Return> sys_setresuid(Lwp& lwp, const SystemCall& call) {
    return set_three(lwp, call, false);
}
SysResult<Return> sys_setresgid(Lwp& lwp, const SystemCall& call) {
    return set_three(lwp, call, true);
}
SysResult<Return> sys_getresuid(Lwp& lwp, const SystemCall& call) {
    const Ucred& cred = *lwp.proc.cred;
    return three_ids(lwp, call, {cred.uid, cred.ruid, cred.svuid});
}
SysResult<Return> sys_getresgid(Lwp& lwp, const SystemCall& call) {
    const Ucred& cred = *lwp.proc.cred;
    return three_ids(lwp, call, {cred.gid, cred.rgid, cred.svgid});
}

SysResult<Return> sys_getgroups(Lwp& lwp, const SystemCall& call) {
    // The effective group comes first, then the supplementary ones.
    const Ucred& cred = *lwp.proc.cred;
    std::uint32_t all[max_groups + 1] = {cred.gid};
    std::memcpy(all + 1, cred.groups, cred.group_count * sizeof all[0]);
    std::uint32_t count = cred.group_count + 1;
    if (call.integer(0) == 0)
        return Return(count);
    if (call.integer(0) < static_cast<std::int32_t>(count))
        return Failure(Errno::einval);
    TRY(copyout(*lwp.proc.vmspace, all, call.address(1), count * sizeof all[0]));
    return Return(count);
}

SysResult<Return> sys_setgroups(Lwp& lwp, const SystemCall& call) {
    std::uint32_t count = call.natural(0), all[max_groups + 1];
    if (!lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    if (count > max_groups + 1)
        return Failure(Errno::einval);
    TRY(copyin(*lwp.proc.vmspace, call.address(1), all, count * sizeof all[0]));
    UcredRef cred = TRY(copy_credentials(*lwp.proc.cred));
    cred->group_count = count ? count - 1 : 0;
    if (count) {
        cred->gid = all[0];
        std::memcpy(cred->groups, all + 1, cred->group_count * sizeof all[0]);
    }
    install(lwp.proc, static_cast<UcredRef&&>(cred));
    return Return(0);
}

SysResult<Return> sys_getlogin(Lwp& lwp, const SystemCall& call) {
    const char* name = lwp.proc.pgrp->session->login;
    std::uint32_t length = static_cast<std::uint32_t>(text(name).size) + 1;
    if (call.natural(1) < length) {
        if (lwp.proc.abi->kind == AbiKind::freebsd)
            return Failure(Errno::erange);
        length = call.natural(1);
    }
    TRY(copyout(*lwp.proc.vmspace, name, call.address(0), length));
    return Return(0);
}

SysResult<Return> sys_setlogin(Lwp& lwp, const SystemCall& call) {
    if (!lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    char name[sizeof(Session::login)] = {};
    auto length = copyinstr(*lwp.proc.vmspace, call.address(0), name, sizeof name);
    if (!length)
        return Failure(length.error() == Errno::enametoolong ? Errno::einval : length.error());
    std::memcpy(lwp.proc.pgrp->session->login, name, sizeof name);
    return Return(0);
}

SysResult<Return> sys_getloginclass(Lwp& lwp, const SystemCall& call) {
    const char* name = lwp.proc.cred->login_class;
    std::uint64_t length = text(name).size + 1;
    if (call.word(1) < length)
        return Failure(Errno::erange);
    TRY(copyout(*lwp.proc.vmspace, name, call.address(0), length));
    return Return(0);
}

SysResult<Return> sys_setloginclass(Lwp& lwp, const SystemCall& call) {
    if (!lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    char name[sizeof(Ucred::login_class)] = {};
    if (TRY(copyinstr(*lwp.proc.vmspace, call.address(0), name, sizeof name)) == 0)
        return Failure(Errno::einval);
    UcredRef cred = TRY(copy_credentials(*lwp.proc.cred));
    std::memcpy(cred->login_class, name, sizeof name);
    lwp.proc.cred = static_cast<UcredRef&&>(cred);
    return Return(0);
}

// --- process groups and sessions
// -----------------------------------------------------------------------------------

SysResult<Return> sys_getpgrp(Lwp& lwp, const SystemCall&) {
    return Return(static_cast<std::uint64_t>(lwp.proc.pgrp->id));
}

namespace {
SysResult<Proc*> process_or_self(Lwp& lwp, pid_t pid) {
    Proc* proc = pid == 0 ? &lwp.proc : find_process(pid);
    if (!proc || !proc->pgrp)
        return Failure(Errno::esrch);
    return proc;
}
} // namespace

SysResult<Return> sys_getpgid(Lwp& lwp, const SystemCall& call) {
    Proc* proc = TRY(process_or_self(lwp, call.integer(0)));
    return Return(static_cast<std::uint64_t>(proc->pgrp->id));
}
SysResult<Return> sys_getsid(Lwp& lwp, const SystemCall& call) {
    Proc* proc = TRY(process_or_self(lwp, call.integer(0)));
    return Return(static_cast<std::uint64_t>(proc->pgrp->session->id));
}

SysResult<Return> sys_setsid(Lwp& lwp, const SystemCall&) {
    Proc& proc = lwp.proc;
    if (find_process_group(proc.pid))
        return Failure(Errno::eperm);
    TRY(enter_process_group(proc, proc.pid, true));
    proc.flags &= ~std::uint32_t{proc_control_terminal};
    return Return(static_cast<std::uint64_t>(proc.pid));
}

SysResult<Return> sys_setpgid(Lwp& lwp, const SystemCall& call) {
    pid_t pid = call.integer(0), group = call.integer(1);
    if (group < 0)
        return Failure(Errno::einval);
    Proc* target = &lwp.proc;
    if (pid != 0 && pid != lwp.proc.pid) {
        target = find_process(pid);
        if (!target || target->parent != &lwp.proc || !target->pgrp)
            return Failure(Errno::esrch);
        if (target->pgrp->session != lwp.proc.pgrp->session)
            return Failure(Errno::eperm);
        if (target->flags & proc_executed)
            return Failure(Errno::eacces);
    }
    if (target->pgrp->session->id == target->pid) // session leaders stay
        return Failure(Errno::eperm);
    if (group == 0)
        group = target->pid;
    if (group != target->pid) {
        Pgrp* existing = find_process_group(group);
        if (!existing || existing->session != lwp.proc.pgrp->session)
            return Failure(Errno::eperm);
    }
    TRY(enter_process_group(*target, group, false));
    return Return(0);
}

} // namespace bsd
