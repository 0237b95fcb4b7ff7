// SPDX-License-Identifier: BSD-2-Clause
// fork and its relatives. Everything that can fail happens before the child becomes visible to anybody.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/cpu.hpp"
#include "bsd-personality/kern/cpuset.hpp"
#include "bsd-personality/kern/debug.hpp"
#include "bsd-personality/kern/hold.hpp"
#include "bsd-personality/kern/ktrace.hpp"
#include "bsd-personality/kern/procdesc.hpp"
#include "bsd-personality/kern/reaper.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/uidinfo.hpp"
#include "bsd-personality/kern/upmap.hpp"
#include "bsd-personality/vm/vmspace.hpp"
#include "glue/fpu.hpp"
#include "lwkt/slab.hpp"

#include <cstring>

namespace bsd {

namespace {

bool share_or_copy(Proc& parent, Proc& child, const ForkRequest& request) {
    if (request.share_signals && !child.actions.share(parent.actions))
        return false;
    if (request.share_memory) {
        parent.vmspace->ref();
        child.vmspace = parent.vmspace;
    } else if (!(child.vmspace = parent.vmspace->fork())) {
        return false;
    }
    if (request.share_files) {
        parent.files->ref();
        child.files = parent.files;
    } else if (!(child.files = request.fresh_files ? FileTable::create() : parent.files->copy())) {
        return false;
    }
    return true;
}

void inherit(Proc& parent, Proc& child, const ForkRequest& request) {
    child.abi = parent.abi;
    child.cwd = parent.cwd;
    child.root = parent.root;
    child.umask = parent.umask;
    child.cred = parent.cred;
    child.text = parent.text;
    child.flags = parent.flags & (proc_set_id | proc_control_terminal);
    child.sigcode = parent.sigcode;
    child.osrel = parent.osrel;
    child.features = parent.features;
    child.memory_policy = parent.memory_policy;
    child.nice = parent.nice;
    child.no_new_privileges = parent.no_new_privileges;
    child.exit_signal = request.exit_signal;
    child.barriers = parent.barriers;
    child.umtx_min_timeout = parent.umtx_min_timeout;
    set_cpuset(child, parent.cpuset);
    child.reaper = parent.is_reaper ? &parent : parent.reaper;
    child.ps_strings = parent.ps_strings;
    child.user_stack = parent.user_stack;
    std::memcpy(child.limits, parent.limits, sizeof child.limits);
    std::memcpy(child.command, parent.command, sizeof child.command);
    child.path.assign(parent.path.text());
    for (int signal = 1; signal <= signal_count && !request.share_signals; signal++) {
        child.actions[signal] = parent.actions[signal];
        if (request.default_signals && parent.actions[signal].handler != sig_ign)
            child.actions[signal] = SignalAction{};
    }
}

// RLIMIT_NPROC bounds a user's processes; FreeBSD's superuser may have more, DragonFly's not, where a process
// deep in a chain of forks has a little less (a third of a percent for each step, half at most).
bool charge_process(const Proc& parent, Proc& child) {
    std::uint64_t limit = parent.limits[limit_nproc].current;
    if (parent.abi && parent.abi->kind == AbiKind::dragonfly)
        limit -= limit < limit_infinity ? limit * least(parent.depth, 160u) / 320 : 0;
    else if (parent.cred->is_superuser())
        limit = ~std::uint64_t{0};
    child.depth = parent.depth + 1;
    child.charged_uid = child.cred->ruid;
    child.charged = charge_user(child.charged_uid, UserResource::processes, 1, limit);
    return child.charged;
}

void copy_arguments(const Proc& parent, Proc& child) {
    if (!parent.arguments)
        return;
    if (auto* copy =
            static_cast<char*>(lwkt::allocate(parent.arguments_size))) { // only for ps: may be left out
        std::memcpy(copy, parent.arguments, parent.arguments_size);
        child.arguments = copy;
        child.arguments_size = parent.arguments_size;
    }
}

void discard(Proc& child) {
    drop_process_page(child);
    if (child.files)
        child.files->unref();
    if (child.vmspace)
        child.vmspace->unref();
    child.cwd = VnodeRef();
    child.root = VnodeRef();
    destroy_process(child);
}

} // namespace

SysResult<pid_t> fork_process(Lwp& lwp, const ForkRequest& request) {
    Proc& parent = lwp.proc;
    Proc& child = *TRY(create_process());
    if (!share_or_copy(parent, child, request)) {
        discard(child);
        return Failure(Errno::enomem);
    }
    inherit(parent, child, request);
    if (!charge_process(parent, child)) {
        discard(child);
        return Failure(Errno::eagain);
    }
    auto made = create_lwp(child);
    if (!made) {
        discard(child);
        return Failure(made.error() == Errno::eproclim ? Errno::eagain : made.error());
    }
    Lwp& thread = *made.value();

    std::memcpy(thread.fpu, read_fpu(lwp), glue::Fpu::size());
    thread.saved = *lwp.frame;
    thread.saved.rax = 0;
    thread.saved.rdx = 1;
    thread.saved.rflags &= ~std::uint64_t{1};
    if (request.stack)
        thread.saved.rsp = request.stack;
    if (!request.share_memory) {
        if (!fork_user_pages(lwp, thread)) {
            destroy_unstarted_lwp(thread);
            discard(child);
            return Failure(Errno::enomem);
        }
        child.vmspace->expect(thread.saved.rip, glue::Access::execute);
        child.vmspace->expect(thread.saved.rsp, glue::Access::write);
    }
    thread.mask = lwp.mask;
    thread.fast_block = lwp.fast_block;
    thread.altstack = lwp.altstack;
    std::memcpy(thread.name, lwp.name, sizeof thread.name);
    inherit_schedule(lwp, thread);
    copy_arguments(parent, child);

    set_parent(child, request.no_wait ? reaper_of(child) : parent);
    child.pgrp = parent.pgrp;
    child.pgrp->members.push_back(&child);
    child.state = ProcState::alive;
    if (request.descriptor)
        request.descriptor->attach(child);
    ktrace_fork(parent, child);
    if (request.wait_for_exec) {
        child.flags |= proc_vfork_wait;
        begin_shared_pages(parent);
    }
    pid_t pid = child.pid;
    parent.events.notify(0x4000'0000 /* NOTE_FORK */, pid);
    watch_cpu_limit(child);
    if (parent.debug && (parent.debug->events & debug_fork)) {
        // Without memory for it the child runs on its own, and the debugger is told all the same.
        if (begin_debugging(child, *parent.parent).ok()) {
            child.debug->events = parent.debug->events;
            note_debug_event(thread, debug_fork, stop_child | stop_call_exit);
        }
        note_debug_event(lwp, debug_fork,
                         unsigned{stop_forked} | (request.wait_for_exec ? unsigned{stop_vforked} : 0u), pid);
    }
    start_lwp(thread);
    if (request.wait_for_exec && lwp.debug_flags)
        report_debug_events(lwp); // before it waits

    // The child can end and be waited for by another thread at any sleep: look it up again by number. A
    // parent that is being ended itself stops waiting.
    while (request.wait_for_exec && !(lwp.ast & ast_exit)) {
        Proc* running = find_process(pid);
        if (!running || running != &child || !(running->flags & proc_vfork_wait))
            break;
        if (must_hold(lwp))
            hold(lwp);
        else
            lwkt::tsleep(&child.flags, lwkt::sleep_interruptible, "vfork");
    }
    if (request.wait_for_exec)
        note_debug_event(lwp, debug_vfork, stop_vfork_done);
    return pid;
}

} // namespace bsd
