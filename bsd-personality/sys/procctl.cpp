// SPDX-License-Identifier: BSD-2-Clause
// procctl(2): FreeBSD's with reapers, death signals and the status questions that libraries ask; DragonFly's,
// which is reapers alone.
#include "bsd-personality/sys/procctl.hpp"
#include "bsd-personality/kern/reaper.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

constexpr int by_pid = 0; // P_PID

enum FreebsdCommand : int {
    reap_acquire = 2,
    reap_release = 3,
    reap_status = 4,
    reap_get_pids = 5,
    reap_kill = 6,
    trace_status = 8,
    death_signal_set = 11,
    death_signal_get = 12,
    no_new_privs_control = 19,
    no_new_privs_status = 20,
    wxmap_status = 22,
};

// struct procctl_reaper_status, _pidinfo, _pids, _kill
struct ReaperStatus {
    std::uint32_t flags, children, descendants;
    pid_t reaper, first;
    std::uint32_t padding[15];
};
struct ReaperPid {
    pid_t pid, subtree;
    std::uint32_t flags, padding[15];
};
struct ReaperPids {
    std::uint32_t count, padding[15];
    std::uint64_t pids;
};
struct ReaperKill {
    std::int32_t signal;
    std::uint32_t flags;
    pid_t subtree;
    std::uint32_t killed;
    pid_t failed;
    std::uint32_t padding[15];
};
static_assert(sizeof(ReaperStatus) == 80 && sizeof(ReaperPid) == 72 && sizeof(ReaperPids) == 72 &&
              sizeof(ReaperKill) == 80);
enum : std::uint32_t { status_owned = 1, status_init = 2 };
enum : std::uint32_t {
    pid_valid = 1,
    pid_child = 2,
    pid_reaper = 4,
    pid_zombie = 8,
    pid_stopped = 16,
    pid_exiting = 32
};
enum : std::uint32_t { kill_children = 1, kill_subtree = 2 };

// Calls step(process, its child_above) for each process that the reaper adopts the children of, and that its
// children are.
template <class Step>
void each_descendant(Proc& reaper, Step step) {
    for (Proc *each = all_processes.first(), *next; each; each = next) {
        next = all_processes.next(each);
        if (each != &reaper && &reaper_of(*each) == &reaper)
            if (Proc* top = child_above(reaper, *each))
                step(*each, *top);
    }
}

SysResult<Return> reaper_status(Lwp& lwp, Proc& proc, UserAddress to) {
    Proc& reaper = responsible_reaper(proc);
    ReaperStatus status{};
    status.flags = (&reaper == &proc ? std::uint32_t{status_owned} : 0) |
                   (&reaper == init_process ? std::uint32_t{status_init} : 0);
    status.reaper = reaper.pid;
    status.first = -1;
    each_descendant(reaper, [&](Proc& each, Proc& top) {
        status.descendants++;
        status.children += &each == &top;
        if (&each == &top && status.first == -1)
            status.first = each.pid;
    });
    TRY(copyout(*lwp.proc.vmspace, to, status));
    return Return();
}

SysResult<Return> reaper_pids(Lwp& lwp, Proc& proc, UserAddress argument) {
    Proc& reaper = responsible_reaper(proc);
    auto request = TRY(copyin<ReaperPids>(*lwp.proc.vmspace, argument));
    std::uint32_t count = 0;
    SysResult<void> copied;
    each_descendant(reaper, [&](Proc& each, Proc& top) {
        if (count == request.count || !copied.ok())
            return;
        ReaperPid entry{};
        entry.pid = each.pid;
        entry.subtree = top.pid;
        entry.flags = pid_valid | (&each == &top ? std::uint32_t{pid_child} : 0) |
                      (each.is_reaper ? std::uint32_t{pid_reaper} : 0) |
                      (each.state == ProcState::zombie ? std::uint32_t{pid_zombie} : 0) |
                      (each.flags & proc_stopped ? std::uint32_t{pid_stopped} : 0) |
                      (each.flags & proc_exiting ? std::uint32_t{pid_exiting} : 0);
        copied = copyout(*lwp.proc.vmspace, UserAddress{request.pids + count++ * sizeof entry}, entry);
    });
    TRY(copied);
    return Return();
}

// Errors: EINVAL (signal, flags), EPERM (no process could be signalled), ESRCH (there is none).
SysResult<Return> reaper_kill(Lwp& lwp, Proc& proc, UserAddress argument) {
    Proc& reaper = responsible_reaper(proc);
    auto request = TRY(copyin<ReaperKill>(*lwp.proc.vmspace, argument));
    constexpr std::uint32_t both = kill_children | kill_subtree;
    if (request.signal <= 0 || request.signal > signal_count || (request.flags & ~both) ||
        (request.flags & both) == both)
        return Failure(Errno::einval);
    request.killed = 0;
    request.failed = -1;
    each_descendant(reaper, [&](Proc& each, Proc& top) {
        if (((request.flags & kill_children) && &each != &top) ||
            ((request.flags & kill_subtree) && top.pid != request.subtree) || each.state == ProcState::zombie)
            return;
        if (!may_signal(lwp.proc, each, request.signal)) {
            if (request.failed == -1)
                request.failed = each.pid;
            return;
        }
        post_kernel_signal(each, request.signal);
        request.killed++;
    });
    TRY(copyout(*lwp.proc.vmspace, argument, request));
    if (request.killed == 0)
        return Failure(request.failed == -1 ? Errno::esrch : Errno::eperm);
    return Return();
}

// The process that the call is about. EINVAL (kind of id), ESRCH, EPERM.
SysResult<Proc*> subject(Lwp& lwp, const SystemCall& call) {
    if (call.integer(0) != by_pid)
        return Failure(Errno::einval);
    auto pid = static_cast<pid_t>(call.word(1));
    Proc* proc = pid == 0 ? &lwp.proc : find_process(pid);
    if (!proc || proc->state != ProcState::alive)
        return Failure(Errno::esrch);
    if (proc != &lwp.proc && !lwp.proc.cred->is_superuser() && lwp.proc.cred->uid != proc->cred->ruid)
        return Failure(Errno::eperm);
    return proc;
}

SysResult<std::int32_t> status_answer(const Proc& proc, int command) {
    switch (command) {
    case procctl_aslr_status:
    case procctl_protmax_status:
    case procctl_stackgap_status:
        return static_cast<std::int32_t>(memory_policy_status(proc, command));
    case no_new_privs_status:
        return proc.no_new_privileges ? 1 : 2;
    case wxmap_status:
        return 1;
    case trace_status:
        return 0;
    case death_signal_get:
        return proc.parent_death_signal;
    default:
        return Failure(Errno::einval);
    }
}

} // namespace

// procctl(idtype, id, command, data)
SysResult<Return> sys_procctl(Lwp& lwp, const SystemCall& call) {
    Proc& proc = *TRY(subject(lwp, call));
    bool self = &proc == &lwp.proc;
    UserAddress data = call.address(3);
    int command = call.integer(2);
    switch (command) {
    case reap_acquire:
    case reap_release:
        if (!self)
            return Failure(Errno::eperm);
        if (&proc == init_process)
            return Failure(Errno::einval);
        if (proc.is_reaper == (command == reap_acquire))
            return Failure(command == reap_acquire ? Errno::ebusy : Errno::einval);
        command == reap_acquire ? become_reaper(proc) : release_reaper(proc);
        return Return();
    case reap_status:
        return reaper_status(lwp, proc, data);
    case reap_get_pids:
        return reaper_pids(lwp, proc, data);
    case reap_kill:
        return reaper_kill(lwp, proc, data);
    case death_signal_set: {
        auto signal = TRY(copyin<std::int32_t>(*lwp.proc.vmspace, data));
        if (!self || signal < 0 || signal > signal_count)
            return Failure(Errno::einval);
        proc.parent_death_signal = signal;
        return Return();
    }
    case procctl_aslr_control:
    case procctl_protmax_control:
    case procctl_stackgap_control:
        return set_memory_policy(lwp, proc, command, data);
    case no_new_privs_control:
        if (TRY(copyin<std::int32_t>(*lwp.proc.vmspace, data)) != 1)
            return Failure(Errno::einval);
        proc.no_new_privileges = true;
        return Return();
    default:
        TRY(copyout(*lwp.proc.vmspace, data, TRY(status_answer(proc, command))));
        return Return();
    }
}

// DragonFly: procctl(idtype, id, command, data)
SysResult<Return> sys_dragonfly_procctl(Lwp& lwp, const SystemCall& call) {
    enum { acquire = 1, release = 2, status = 3 };
    struct Status { // struct reaper_status
        std::uint32_t flags, references;
        std::int64_t reserved1[15];
        pid_t first;
        std::int32_t reserved2[15];
    } answer{};
    static_assert(sizeof(Status) == 192);
    Proc& proc = lwp.proc;
    if (call.integer(0) != by_pid || (call.word(1) != 0 && static_cast<pid_t>(call.word(1)) != proc.pid))
        return Failure(Errno::einval);
    switch (call.integer(2)) {
    case acquire:
        if (proc.is_reaper)
            return Failure(Errno::ealready);
        become_reaper(proc);
        return Return();
    case release:
        if (!proc.is_reaper)
            return Failure(Errno::enotconn);
        release_reaper(proc);
        return Return();
    case status: {
        if (call.word(3) == 0)
            return Return();
        Proc& reaper = responsible_reaper(proc);
        answer.flags = (&reaper == &proc ? std::uint32_t{status_owned} : 0) |
                       (&reaper == init_process ? std::uint32_t{status_init} : 0);
        answer.first = -1;
        if (&reaper == &proc)
            each_descendant(proc, [&](Proc& each, Proc&) {
                answer.references++;
                if (answer.first == -1 && each.state != ProcState::zombie)
                    answer.first = each.pid;
            });
        TRY(copyout(*proc.vmspace, call.address(3), answer));
        return Return();
    }
    default:
        return Failure(Errno::einval);
    }
}

} // namespace bsd
