// SPDX-License-Identifier: BSD-2-Clause
// The tables of processes, process groups and sessions.
#include "bsd-personality/kern/proc.hpp"

#include "bsd-personality/kern/cpuset.hpp"
#include "bsd-personality/kern/debug.hpp"
#include "bsd-personality/kern/jail.hpp"
#include "bsd-personality/kern/job_control.hpp"
#include "bsd-personality/kern/procdesc.hpp"
#include "bsd-personality/kern/tty.hpp"
#include "bsd-personality/kern/uidinfo.hpp"
#include "bsd-personality/vm/vmspace.hpp"
#include "glue/clock.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

constinit List<Proc, &Proc::all> all_processes;
constinit List<Pgrp, &Pgrp::all> all_process_groups;
Proc* init_process = nullptr;
unsigned process_count = 0;

namespace {

constexpr unsigned buckets = 256;
List<Proc, &Proc::by_pid> by_pid[buckets]; // guarded by giant
pid_t last_pid = 0;

List<Proc, &Proc::by_pid>& bucket(pid_t pid) {
    return by_pid[static_cast<unsigned>(pid) % buckets];
}

// init is not counted: it is not one of the jail's.
void report_count() {
    if (jail.status)
        __atomic_store_n(&jail.status->processes, process_count - 1, __ATOMIC_RELAXED);
}

// A number that neither a process, a group nor a session uses.
pid_t fresh_pid() {
    for (unsigned tries = 0; tries <= static_cast<unsigned>(max_pid); tries++) {
        last_pid = last_pid >= max_pid ? 100 : last_pid + 1;
        if (find_process(last_pid) || find_process_group(last_pid))
            continue;
        bool session = false;
        for (Pgrp* group = all_process_groups.first(); group && !session;
             group = all_process_groups.next(group))
            session = group->session->id == last_pid;
        if (!session)
            return last_pid;
    }
    return 0; // cannot be: there are fewer processes than numbers
}

} // namespace

Proc* find_process(pid_t pid) {
    for (Proc* proc = bucket(pid).first(); proc; proc = bucket(pid).next(proc))
        if (proc->pid == pid)
            return proc;
    return nullptr;
}

Pgrp* find_process_group(pid_t id) {
    for (Pgrp* group = all_process_groups.first(); group; group = all_process_groups.next(group))
        if (group->id == id)
            return group;
    return nullptr;
}

SysResult<Proc*> create_process(pid_t pid) {
    if (process_count >= max_processes)
        return Failure(Errno::eagain);
    Proc* proc = lwkt::construct<Proc>();
    if (!proc || !proc->actions.create()) {
        lwkt::destroy(proc);
        return Failure(Errno::enomem);
    }
    proc->pid = pid ? pid : fresh_pid();
    proc->start_nanoseconds = glue::Clock::now().value;
    process_count++;
    report_count();
    all_processes.push_back(proc);
    bucket(proc->pid).push_front(proc);
    return proc;
}

void recharge_process(Proc& proc, std::uint32_t uid) {
    constexpr std::uint64_t no_limit = ~std::uint64_t{0};
    if (proc.charged)
        release_user(proc.charged_uid, UserResource::processes, 1);
    proc.charged = charge_user(uid, UserResource::processes, 1, no_limit); // false: no memory to count it
    proc.charged_uid = uid;
}

void destroy_process(Proc& proc) {
    end_debugging(proc);
    if (proc.charged)
        release_user(proc.charged_uid, UserResource::processes, 1);
    if (proc.descriptor)
        proc.descriptor->process_gone();
    leave_process_group(proc);
    if (proc.parent)
        proc.parent->children.remove(&proc);
    bucket(proc.pid).remove(&proc);
    all_processes.remove(&proc);
    process_count--;
    report_count();
    set_cpuset(proc, nullptr);
    if (proc.arguments)
        lwkt::release(proc.arguments, proc.arguments_size);
    lwkt::destroy(&proc);
}

void set_parent(Proc& proc, Proc& parent) {
    proc.parent = &parent;
    __atomic_store_n(&proc.parent_pid, parent.pid, __ATOMIC_RELAXED);
    parent.children.push_back(&proc);
}

void leave_process_group(Proc& proc) {
    Pgrp* group = proc.pgrp;
    if (!group)
        return;
    group->members.remove(&proc);
    proc.pgrp = nullptr;
    if (!group->members.empty())
        return;
    all_process_groups.remove(group);
    Session* session = group->session;
    if (session->terminal)
        session->terminal->group_ends(*group);
    if (--session->groups == 0) {
        if (session->terminal)
            session->terminal->leave_session();
        lwkt::destroy(session);
    }
    lwkt::destroy(group);
}

SysResult<void> enter_process_group(Proc& proc, pid_t id, bool new_session) {
    Pgrp* group = find_process_group(id);
    if (!group) {
        Session* session = new_session ? lwkt::construct<Session>() : proc.pgrp->session;
        if (!session)
            return Failure(Errno::enomem);
        group = lwkt::construct<Pgrp>();
        if (!group) {
            if (new_session)
                lwkt::destroy(session);
            return Failure(Errno::enomem);
        }
        if (new_session)
            session->id = id;
        group->id = id;
        group->session = session;
        session->groups++;
        all_process_groups.push_back(group);
    }
    if (group == proc.pgrp)
        return {};
    pid_t old = proc.pgrp ? proc.pgrp->session->id : 0;
    leave_process_group(proc);
    proc.pgrp = group;
    group->members.push_back(&proc);
    update_orphans(group->session->id);
    if (old != group->session->id)
        update_orphans(old);
    return {};
}

Usage usage_of(const Proc& proc) {
    Usage usage = proc.usage;
    if (proc.vmspace)
        usage.max_resident =
            most(usage.max_resident, proc.vmspace->most_resident_pages() * (vm::page_size / 1024));
    for (Lwp* lwp = proc.lwps.first(); lwp; lwp = proc.lwps.next(lwp))
        usage.add(lwp->cpu_time, glue::Clock::ticks());
    return usage;
}

bool may_signal(const Proc& sender, const Proc& target, int signal) {
    const Ucred &from = *sender.cred, &to = *target.cred;
    if (from.is_superuser() || &sender == &target)
        return true;
    if (signal == sigcont && sender.pgrp && target.pgrp && sender.pgrp->session == target.pgrp->session)
        return true;
    return from.ruid == to.ruid || from.ruid == to.svuid || from.uid == to.ruid || from.uid == to.svuid;
}

bool may_schedule(const Proc& caller, const Proc& target) {
    const Ucred &from = *caller.cred, &to = *target.cred;
    return from.is_superuser() || from.ruid == to.ruid || from.uid == to.ruid;
}

} // namespace bsd
