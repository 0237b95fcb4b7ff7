// SPDX-License-Identifier: BSD-2-Clause
// pipe, pipe2.
#include "bsd-personality/kern/pipe.hpp"

#include "bsd-personality/sys/file_arguments.hpp"

namespace bsd {

namespace {

struct Descriptors {
    std::int32_t fd[2];
};

// Both or none.
SysResult<Descriptors> install_pair(Lwp& lwp, PipePair pair, bool close_on_exec) {
    FileTable& files = *lwp.proc.files;
    Descriptors made;
    made.fd[0] = TRY(files.install(static_cast<FileRef&&>(pair.first), close_on_exec));
    auto second = files.install(static_cast<FileRef&&>(pair.second), close_on_exec);
    if (!second.ok()) {
        (void)files.close(made.fd[0]);
        return Failure(second.error());
    }
    made.fd[1] = second.take();
    return made;
}

SysResult<Return> put_pair(Lwp& lwp, Descriptors pair, UserAddress to) {
    auto copied = copyout(*lwp.proc.vmspace, to, pair);
    if (!copied.ok()) {
        (void)lwp.proc.files->close(pair.fd[0]);
        (void)lwp.proc.files->close(pair.fd[1]);
        return Failure(copied.error());
    }
    return Return();
}

} // namespace

SysResult<Return> sys_pipe(Lwp& lwp, const SystemCall&) { // descriptors in rax and rdx
    Descriptors pair = TRY(install_pair(lwp, TRY(create_pipe(0)), false));
    return Return(static_cast<std::uint64_t>(pair.fd[0]), static_cast<std::uint64_t>(pair.fd[1]));
}

SysResult<Return> sys_pipe2(Lwp& lwp, const SystemCall& call) {
    std::uint32_t flags = open_argument(lwp, call.natural(1));
    if (flags & ~(open_close_on_exec | open_nonblock))
        return Failure(Errno::einval);
    PipePair made = TRY(create_pipe(flags & open_nonblock));
    Descriptors pair =
        TRY(install_pair(lwp, static_cast<PipePair&&>(made), (flags & open_close_on_exec) != 0));
    if (is_dragonfly(lwp)) // ignores its first argument's memory: both come back in registers
        return Return(static_cast<std::uint64_t>(pair.fd[0]), static_cast<std::uint64_t>(pair.fd[1]));
    return put_pair(lwp, pair, call.address(0));
}

} // namespace bsd
