// SPDX-License-Identifier: BSD-2-Clause
// pdfork, pdgetpid, pdkill (FreeBSD).
#include "bsd-personality/kern/procdesc.hpp"

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

// Errors: EBADF, EINVAL (another kind of descriptor).
SysResult<ProcessDescriptor*> descriptor_argument(Lwp& lwp, int fd) {
    File* file = TRY(lwp.proc.files->find(fd));
    if (file->type != FileType::process_descriptor)
        return Failure(Errno::einval);
    return static_cast<ProcessDescriptor*>(file);
}

} // namespace

// pdfork(fdp, flags). A bad fdp is noticed when the child is there, as on FreeBSD.
SysResult<Return> sys_pdfork(Lwp& lwp, const SystemCall& call) {
    int flags = call.integer(1);
    if (flags & ~(pd_daemon | pd_cloexec))
        return Failure(Errno::einval);
    FileTable& files = *lwp.proc.files;
    FileRef file = TRY(ProcessDescriptor::create((flags & pd_daemon) != 0));
    ForkRequest request;
    request.descriptor = static_cast<ProcessDescriptor*>(file.get());
    // Until it stands for a process no copy of the table has it, so the child does not.
    int fd = TRY(files.install(static_cast<FileRef&&>(file), (flags & pd_cloexec) != 0));
    auto pid = fork_process(lwp, request);
    if (!pid) {
        (void)files.close(fd);
        return Failure(pid.error());
    }
    TRY(copyout(*lwp.proc.vmspace, call.address(0), fd));
    return Return(static_cast<std::uint64_t>(pid.value()), 0);
}

// pdkill(fd, signal)
SysResult<Return> sys_pdkill(Lwp& lwp, const SystemCall& call) {
    int signal = call.integer(1);
    if (signal < 0 || signal > signal_count)
        return Failure(Errno::einval);
    Proc* target = TRY(descriptor_argument(lwp, call.integer(0)))->process();
    if (!target)
        return Failure(Errno::esrch);
    if (!may_signal(lwp.proc, *target, signal))
        return Failure(Errno::eperm);
    if (signal != 0) {
        SignalInfo info;
        info.signal = signal;
        info.code = si_user;
        info.pid = lwp.proc.pid;
        info.uid = lwp.proc.cred->ruid;
        post_signal(*target, info);
    }
    return Return(0);
}

// pdgetpid(fd, pidp)
SysResult<Return> sys_pdgetpid(Lwp& lwp, const SystemCall& call) {
    std::int32_t pid = TRY(descriptor_argument(lwp, call.integer(0)))->pid();
    TRY(copyout(*lwp.proc.vmspace, call.address(1), pid));
    return Return(0);
}

} // namespace bsd
