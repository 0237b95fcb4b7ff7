// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/procdesc.hpp"

#include "bsd-personality/kern/reaper.hpp"
#include "lwkt/slab.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

SysResult<FileRef> ProcessDescriptor::create(bool daemon) {
    auto* file = lwkt::construct<ProcessDescriptor>(daemon);
    if (!file)
        return Failure(Errno::enomem);
    return FileRef::adopt(file);
}

void ProcessDescriptor::attach(Proc& proc) {
    proc_ = &proc;
    pid_ = proc.pid;
    proc.descriptor = this;
}

void ProcessDescriptor::process_ended(std::uint32_t wait_status) {
    ended_ = true;
    wait_status_ = wait_status;
    watchers_.notify();
}

void ProcessDescriptor::destroy() {
    if (Proc* proc = proc_) {
        proc_ = nullptr;
        proc->descriptor = nullptr;
        Lwp* closer = current_lwp();
        if (proc->state == ProcState::zombie) {
            if (closer) {
                closer->proc.child_usage.add(usage_of(*proc));
                closer->proc.child_usage.add(proc->child_usage);
            }
            destroy_process(*proc);
        } else {
            Proc& parent = *proc->parent;
            parent.children.remove(proc);
            set_parent(*proc, reaper_of(*proc));
            proc->exit_signal = sigchld;
            lwkt::wakeup(&parent.children); // it may have been the last one that was waited for
            if (!daemon_)
                post_kernel_signal(*proc, sigkill);
        }
    }
    lwkt::destroy(this);
}

SysResult<void> ProcessDescriptor::attributes(Lwp&, Attributes& out) {
    out = {};
    out.type = VnodeType::regular;
    out.links = 0;
    if (!proc_)
        return {};
    TimeSpec start = to_timespec(wall_zero() + proc_->start_nanoseconds);
    out.access = out.modify = out.change = out.birth = {start.seconds, start.nanoseconds};
    out.mode = proc_->state == ProcState::zombie ? 0 : 0700;
    out.uid = proc_->cred->ruid;
    out.gid = proc_->cred->rgid;
    return {};
}

// There is nothing to read: an end is a hang-up. The amount is for EVFILT_PROCDESC.
Readiness ProcessDescriptor::readiness(Direction) {
    return {false, false, wait_status_, 0, ended_};
}

} // namespace bsd
