// SPDX-License-Identifier: BSD-2-Clause
// The end of threads and processes, and waiting for it. exit_process() only marks; each thread then leaves
// its loop, and the last one releases what the process had and turns it into a zombie.
#include "bsd-personality/kern/debug.hpp"
#include "bsd-personality/kern/hold.hpp"
#include "bsd-personality/kern/job_control.hpp"
#include "bsd-personality/kern/ktrace.hpp"
#include "bsd-personality/kern/procdesc.hpp"
#include "bsd-personality/kern/reaper.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/umtx.hpp"
#include "bsd-personality/kern/upmap.hpp"
#include "bsd-personality/vm/vmspace.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

void (*first_process_ended)(std::uint32_t wait_status) = nullptr;
Proc* first_process = nullptr;

namespace {

void report_to_parent(Proc& proc, int code, int status) {
    Proc* parent = proc.parent;
    if (!parent)
        return;
    if (proc.exit_signal == sigchld) {
        SignalInfo info;
        info.signal = sigchld;
        info.code = code;
        info.pid = proc.pid;
        info.uid = proc.cred->ruid;
        info.status = status;
        post_signal(*parent, info);
    } else if (proc.exit_signal != 0) {
        post_kernel_signal(*parent, proc.exit_signal);
    }
    lwkt::wakeup(&parent->children);
}

bool leaves_no_zombie(const Proc& proc) {
    if (!proc.parent || proc.parent == init_process)
        return true;
    const SignalAction& action = proc.parent->actions[sigchld];
    return action.handler == sig_ign || (action.flags & sa_nocldwait) != 0;
}

void release_resources(Proc& proc) {
    proc.timers.stop_all(false);
    if (FileTable* files = proc.files) {
        proc.files = nullptr;
        files->unref();
    }
    proc.cwd = VnodeRef();
    proc.root = VnodeRef();
    proc.text = VnodeRef();
    drop_process_page(proc);
    if (VmSpace* space = proc.vmspace) {
        proc.usage.max_resident = usage_of(proc).max_resident;
        proc.vmspace = nullptr;
        space->unref();
    }
    release_vfork_parent(proc);
}

void become_zombie(Proc& proc) {
    leave_terminal(proc);
    forget_debugger(proc);
    give_away_children(proc);
    proc.pending.discard(~SignalSet{});
    proc.state = ProcState::zombie;
    if (proc.pgrp)
        update_orphans(proc.pgrp->session->id);
    proc.events.notify(0x8000'0000 /* NOTE_EXIT */, proc.wait_status);
    if (&proc == first_process) {
        first_process = nullptr;
        if (first_process_ended)
            first_process_ended(proc.wait_status);
    }
    if (proc.debug && leaves_no_zombie(proc)) // its debugger does not want to know, but its parent may
        end_debugging(proc);
    if (proc.descriptor) { // tells its end instead of SIGCHLD
        proc.descriptor->process_ended(proc.wait_status);
        lwkt::wakeup(&proc.parent->children);
    } else if (leaves_no_zombie(proc)) {
        Proc* parent = proc.parent;
        destroy_process(proc);
        if (parent)
            lwkt::wakeup(&parent->children); // the last child going makes wait answer ECHILD
    } else {
        report_end(proc);
    }
}

bool matches(const Proc& child, const WaitRequest& request) {
    if ((child.exit_signal != sigchld) != request.clones)
        return false;
    switch (request.which) {
    case WaitRequest::Which::any:
        return child.descriptor == nullptr;
    case WaitRequest::Which::pid:
        return child.pid == request.id;
    case WaitRequest::Which::group:
        return child.pgrp && child.pgrp->id == request.id;
    }
    return false;
}

WaitResult describe(const Proc& child, std::uint32_t status) {
    WaitResult result;
    result.pid = child.pid;
    result.status = status;
    result.uid = child.cred->ruid;
    result.self = usage_of(child);
    result.children = child.child_usage;
    return result;
}

constexpr std::uint32_t continued_status = 0x13;
constexpr std::uint32_t stopped_status(int signal) {
    return static_cast<std::uint32_t>(signal) << 8 | 0x7f;
}

} // namespace

void report_end(Proc& proc) {
    unsigned signal = proc.wait_status & 0x7f;
    report_to_parent(proc,
                     signal == 0                 ? cld_exited
                     : (proc.wait_status & 0x80) ? cld_dumped
                                                 : cld_killed,
                     signal == 0 ? static_cast<int>(proc.wait_status >> 8) : static_cast<int>(signal));
}

void exit_process(Lwp& lwp, std::uint32_t wait_status) {
    Proc& proc = lwp.proc;
    if (proc.flags & proc_exiting)
        return;
    proc.flags |= proc_exiting;
    proc.flags &= ~proc_stopped;
    proc.wait_status = wait_status;
    for (Lwp* each = proc.lwps.first(); each; each = proc.lwps.next(each))
        set_ast(*each, ast_exit);
}

void exit_thread(Lwp& lwp) {
    if (lwp.proc.lwp_count != 1 && lwp.proc.debug && (lwp.proc.debug->events & debug_lwp)) {
        DebugStop stop;
        stop.flags = stop_exited;
        (void)stop_for_debugger(lwp, stop);
    }
    if (lwp.proc.lwp_count == 1)
        exit_process(lwp, exit_status(0));
    else
        set_ast(lwp, ast_exit);
}

void finish_lwp(Lwp& lwp) {
    Proc& proc = lwp.proc;
    umtx_thread_exit(lwp);
    if (proc.lwp_count == 1) {
        ktrace_exit(lwp);
        release_resources(proc); // may sleep
        retire_lwp(lwp);
        become_zombie(proc);
        return;
    }
    retire_lwp(lwp);
    lwkt::wakeup(&proc.lwp_count);
    note_held(proc);
}

void release_vfork_parent(Proc& proc) {
    if (!(proc.flags & proc_vfork_wait))
        return;
    proc.flags &= ~proc_vfork_wait;
    if (proc.parent)
        end_shared_pages(*proc.parent);
    lwkt::wakeup(&proc.flags);
}

SysResult<WaitResult> wait_for_child(Lwp& lwp, const WaitRequest& request) {
    Proc& parent = lwp.proc;
    for (;;) {
        bool candidates = false;
        for (Proc* child = parent.children.first(); child; child = parent.children.next(child)) {
            if (!matches(*child, request))
                continue;
            candidates = true;
            if (child->state == ProcState::zombie && request.exited) {
                WaitResult result = describe(*child, child->wait_status);
                if (!request.keep && child->debug && child->debug->original_parent != &parent) {
                    end_debugging(*child); // the parent hears of it now
                    if (child->parent == init_process)
                        destroy_process(*child);
                    else
                        report_end(*child);
                } else if (!request.keep) {
                    parent.child_usage.add(result.self);
                    parent.child_usage.add(result.children);
                    destroy_process(*child);
                }
                return result;
            }
            if (child->debug && child->debug->reporter && !child->debug->waited && request.trapped) {
                child->debug->waited = !request.keep;
                WaitResult result = describe(*child, stopped_status(child->stop_signal));
                result.trapped = true;
                return result;
            }
            if ((child->flags & proc_stop_report) && request.stopped) {
                if (!request.keep)
                    child->flags &= ~proc_stop_report;
                return describe(*child, stopped_status(child->stop_signal));
            }
            if ((child->flags & proc_continue_report) && request.continued) {
                if (!request.keep)
                    child->flags &= ~proc_continue_report;
                return describe(*child, continued_status);
            }
        }
        if (!candidates && !has_debugged_child(parent))
            return Failure(Errno::echild);
        if (request.no_hang)
            return WaitResult{};
        TRY(interruptible_sleep(lwp, &parent.children, "wait"));
    }
}

} // namespace bsd
