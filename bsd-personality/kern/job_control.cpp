// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/job_control.hpp"

#include "bsd-personality/kern/tty.hpp"

namespace bsd {

namespace {

bool has_guardian(const Pgrp& group) {
    for (const Proc* member = group.members.first(); member; member = group.members.next(member)) {
        const Proc* parent = member->parent;
        if (member->state == ProcState::alive && parent && parent->state == ProcState::alive &&
            parent->pgrp && parent->pgrp != &group && parent->pgrp->session == group.session)
            return true;
    }
    return false;
}

bool has_stopped_member(const Pgrp& group) {
    for (const Proc* member = group.members.first(); member; member = group.members.next(member))
        if (member->flags & proc_stopped)
            return true;
    return false;
}

} // namespace

void update_orphans(pid_t session) {
    for (Pgrp* group = all_process_groups.first(); group; group = all_process_groups.next(group)) {
        if (group->session->id != session)
            continue;
        bool was = group->orphaned;
        group->orphaned = !has_guardian(*group);
        if (was || !group->orphaned || !has_stopped_member(*group))
            continue;
        post_kernel_signal(*group, sighup);
        post_kernel_signal(*group, sigcont);
    }
}

void leave_terminal(Proc& proc) {
    Session* session = proc.pgrp ? proc.pgrp->session : nullptr;
    if (!session || session->id != proc.pid || !session->terminal)
        return;
    TtyRef terminal(session->terminal);
    if (Pgrp* group = terminal->foreground())
        post_kernel_signal(*group, sighup);
    (void)terminal->revoke();
}

} // namespace bsd
