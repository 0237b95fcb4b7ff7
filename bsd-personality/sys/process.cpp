// SPDX-License-Identifier: BSD-2-Clause
// exec, exit and wait.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/exec.hpp"
#include "bsd-personality/vfs/namei.hpp"
#include "bsd-personality/vm/usermem.hpp"
#include "lwkt/slab.hpp"

#include <limits>

namespace bsd {

namespace {

enum WaitOption : int {
    w_nohang = 1,
    w_untraced = 2,
    w_continued = 4,
    w_nowait = 8,
    w_exited = 16,
    w_trapped = 32,
    w_linux_clone = std::numeric_limits<int>::min(),
};

struct WaitUsageRecord { // struct __wrusage
    RusageRecord self, children;
};
static_assert(sizeof(WaitUsageRecord) == 288);

SysResult<Return> run(Lwp& lwp, VnodeRef vnode, Text path, UserAddress arguments, UserAddress environment) {
    VmSpace& space = *lwp.proc.vmspace;
    ExecStrings strings;
    if (arguments.value == 0)
        return Failure(Errno::efault);
    TRY(strings.add_vector(space, arguments, strings.argument_count));
    if (environment.value)
        TRY(strings.add_vector(space, environment, strings.environment_count));
    TRY(exec_vnode(lwp, static_cast<VnodeRef&&>(vnode), path, strings));
    return Failure(Errno::ejustreturn);
}

} // namespace

SysResult<Return> sys_exit(Lwp& lwp, const SystemCall& call) {
    exit_process(lwp, exit_status(call.integer(0)));
    return Failure(Errno::ejustreturn);
}

SysResult<Return> sys_execve(Lwp& lwp, const SystemCall& call) {
    auto* path = lwkt::construct<PathBuffer>();
    if (!path)
        return Failure(Errno::enomem);
    struct Guard {
        PathBuffer* buffer;
        ~Guard() { lwkt::destroy(buffer); }
    } guard{path};
    TRY(path->copy_in(lwp, call.address(0)));
    VnodeRef vnode = TRY(find_vnode(lwp, path->view()));
    return run(lwp, static_cast<VnodeRef&&>(vnode), path->view(), call.address(1), call.address(2));
}

SysResult<Return> sys_fexecve(Lwp& lwp, const SystemCall& call) {
    File* file = TRY(lwp.proc.files->find(call.integer(0)));
    Vnode* vnode = file->vnode();
    if (!vnode)
        return Failure(Errno::einval);
    return run(lwp, VnodeRef(vnode), Text("/dev/fd"), call.address(1), call.address(2));
}

SysResult<Return> sys_wait4(Lwp& lwp, const SystemCall& call) {
    constexpr int known =
        w_nohang | w_untraced | w_continued | w_nowait | w_exited | w_trapped | w_linux_clone;
    int pid = call.integer(0), options = call.integer(2);
    if (options & ~known)
        return Failure(Errno::einval);
    if (pid == std::numeric_limits<int>::min()) // no group has the number that it would name
        return Failure(Errno::echild);
    WaitRequest request;
    if (pid > 0)
        request.which = WaitRequest::Which::pid, request.id = pid;
    else if (pid != -1)
        request.which = WaitRequest::Which::group, request.id = pid == 0 ? lwp.proc.pgrp->id : -pid;
    request.no_hang = (options & w_nohang) != 0;
    request.stopped = (options & w_untraced) != 0;
    request.continued = (options & w_continued) != 0;
    request.trapped = true;
    request.keep = (options & w_nowait) != 0;
    request.clones = (options & w_linux_clone) != 0;
    WaitResult result = TRY(wait_for_child(lwp, request));
    if (result.pid == 0)
        return Return(0);
    VmSpace& space = *lwp.proc.vmspace;
    if (call.word(1))
        TRY(copyout(space, call.address(1), result.status));
    if (call.word(3))
        TRY(copyout(space, call.address(3), to_record(result.self)));
    return Return(static_cast<std::uint64_t>(result.pid));
}

// wait6(idtype, id, status, options, wrusage, siginfo)
SysResult<Return> sys_wait6(Lwp& lwp, const SystemCall& call) {
    constexpr int p_pid = 0, p_pgid = 2, p_all = 7;
    int options = call.integer(3);
    if (!(options & (w_exited | w_untraced | w_continued | w_trapped)))
        return Failure(Errno::einval);
    WaitRequest request;
    request.id = static_cast<pid_t>(call.word(1));
    switch (call.integer(0)) {
    case p_pid:
        request.which = WaitRequest::Which::pid;
        break;
    case p_pgid:
        request.which = WaitRequest::Which::group;
        request.id = request.id ? request.id : lwp.proc.pgrp->id;
        break;
    case p_all:
        break;
    default:
        return Failure(Errno::einval);
    }
    request.no_hang = (options & w_nohang) != 0;
    request.exited = (options & w_exited) != 0;
    request.stopped = (options & w_untraced) != 0;
    request.continued = (options & w_continued) != 0;
    request.trapped = (options & w_trapped) != 0;
    request.keep = (options & w_nowait) != 0;
    request.clones = (options & w_linux_clone) != 0;
    WaitResult result = TRY(wait_for_child(lwp, request));
    VmSpace& space = *lwp.proc.vmspace;
    if (call.word(2) && result.pid)
        TRY(copyout(space, call.address(2), result.status));
    if (call.word(4) && result.pid)
        TRY(copyout(space, call.address(4),
                    WaitUsageRecord{to_record(result.self), to_record(result.children)}));
    if (call.word(5)) {
        SignalInfo info;
        if (result.pid) {
            unsigned low = result.status & 0x7f;
            info.signal = sigchld;
            info.pid = result.pid;
            info.uid = result.uid;
            info.code = result.status == 0x13           ? cld_continued
                        : result.trapped                ? cld_trapped
                        : low == 0x7f                   ? cld_stopped
                        : low && (result.status & 0x80) ? cld_dumped
                        : low                           ? cld_killed
                                                        : cld_exited;
            info.status = result.status == 0x13 ? sigcont
                          : low && low != 0x7f  ? static_cast<int>(low)
                                                : static_cast<int>(result.status >> 8);
        }
        std::byte record[80];
        lwp.proc.abi->signal_info(info, record);
        TRY(copyout(space, record, call.address(5), sizeof record));
    }
    return Return(static_cast<std::uint64_t>(result.pid));
}

} // namespace bsd
