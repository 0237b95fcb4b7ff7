// SPDX-License-Identifier: BSD-2-Clause
// Who a process is: pids, user and group ids, groups, sessions, login name.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/usermem.hpp"

#include <cstring>

namespace bsd {

namespace {

constexpr std::uint32_t unchanged = ~std::uint32_t{0};

// A private copy of the credentials, to be changed and then installed.
SysResult<UcredRef> copy_cred(const Proc& proc) {
    auto* copy = lwkt::construct<Ucred>(*proc.cred);
    if (!copy)
        return Failure(Errno::enomem);
    copy->references = 1;
    return UcredRef::adopt(copy);
}

void install(Proc& proc, UcredRef cred) {
    proc.cred = static_cast<UcredRef&&>(cred);
    proc.flags |= proc_set_id;
}

struct Ids {
    std::uint32_t effective, real, saved;
};

// Which ids a process may take: any of its three, unless it is the superuser.
bool may_take(const Ucred& cred, const Ids& now, std::uint32_t id) {
    return id == unchanged || cred.is_superuser() || id == now.effective || id == now.real || id == now.saved;
}

SysResult<Return> change_ids(Lwp& lwp, bool group, Ids to) {
    const Ucred& now = *lwp.proc.cred;
    Ids old = group ? Ids{now.gid, now.rgid, now.svgid} : Ids{now.uid, now.ruid, now.svuid};
    if (!may_take(now, old, to.effective) || !may_take(now, old, to.real) || !may_take(now, old, to.saved))
        return Failure(Errno::eperm);
    UcredRef cred = TRY(copy_cred(lwp.proc));
    auto set = [](std::uint32_t& field, std::uint32_t value) {
        if (value != unchanged)
            field = value;
    };
    set(group ? cred->gid : cred->uid, to.effective);
    set(group ? cred->rgid : cred->ruid, to.real);
    set(group ? cred->svgid : cred->svuid, to.saved);
    install(lwp.proc, static_cast<UcredRef&&>(cred));
    return Return(0);
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
    std::uint32_t id = call.natural(0);
    return change_ids(lwp, false, {id, id, id});
}
SysResult<Return> sys_setgid(Lwp& lwp, const SystemCall& call) {
    std::uint32_t id = call.natural(0);
    return change_ids(lwp, true, {id, id, id});
}
SysResult<Return> sys_seteuid(Lwp& lwp, const SystemCall& call) {
    return change_ids(lwp, false, {call.natural(0), unchanged, unchanged});
}
SysResult<Return> sys_setegid(Lwp& lwp, const SystemCall& call) {
    return change_ids(lwp, true, {call.natural(0), unchanged, unchanged});
}
SysResult<Return> sys_setreuid(Lwp& lwp, const SystemCall& call) {
    return change_ids(
        lwp, false,
        {call.natural(1), call.natural(0), call.natural(0) == unchanged ? unchanged : call.natural(1)});
}
SysResult<Return> sys_setregid(Lwp& lwp, const SystemCall& call) {
    return change_ids(
        lwp, true,
        {call.natural(1), call.natural(0), call.natural(0) == unchanged ? unchanged : call.natural(1)});
}
SysResult<Return> sys_setresuid(Lwp& lwp, const SystemCall& call) {
    return change_ids(lwp, false, {call.natural(1), call.natural(0), call.natural(2)});
}
SysResult<Return> sys_setresgid(Lwp& lwp, const SystemCall& call) {
    return change_ids(lwp, true, {call.natural(1), call.natural(0), call.natural(2)});
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
    UcredRef cred = TRY(copy_cred(lwp.proc));
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
    constexpr char name[] = "default";
    if (call.word(1) < sizeof name)
        return Failure(Errno::erange);
    TRY(copyout(*lwp.proc.vmspace, name, call.address(0), sizeof name));
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
