// SPDX-License-Identifier: BSD-2-Clause
// pipe, pipe2, socketpair (local streams).
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
    Descriptors pair = TRY(install_pair(lwp, TRY(create_pipe(FileType::pipe, 0)), false));
    return Return(static_cast<std::uint64_t>(pair.fd[0]), static_cast<std::uint64_t>(pair.fd[1]));
}

SysResult<Return> sys_pipe2(Lwp& lwp, const SystemCall& call) {
    std::uint32_t flags = open_argument(lwp, call.natural(1));
    if (flags & ~(open_close_on_exec | open_nonblock))
        return Failure(Errno::einval);
    PipePair made = TRY(create_pipe(FileType::pipe, flags & open_nonblock));
    Descriptors pair =
        TRY(install_pair(lwp, static_cast<PipePair&&>(made), (flags & open_close_on_exec) != 0));
    if (is_dragonfly(lwp)) // ignores its first argument's memory: both come back in registers
        return Return(static_cast<std::uint64_t>(pair.fd[0]), static_cast<std::uint64_t>(pair.fd[1]));
    return put_pair(lwp, pair, call.address(0));
}

SysResult<Return> sys_socketpair(Lwp& lwp, const SystemCall& call) {
    constexpr std::uint32_t af_unix = 1, sock_stream = 1, sock_cloexec = 0x1000'0000,
                            sock_nonblock = 0x2000'0000;
    std::uint32_t kind = call.natural(1);
    if (call.natural(0) != af_unix)
        return Failure(Errno::eafnosupport);
    if ((kind & ~(sock_cloexec | sock_nonblock)) != sock_stream || call.natural(2) > 1)
        return Failure(Errno::eprotonosupport);
    PipePair made =
        TRY(create_pipe(FileType::socket, (kind & sock_nonblock) ? std::uint32_t{open_nonblock} : 0));
    Descriptors pair = TRY(install_pair(lwp, static_cast<PipePair&&>(made), (kind & sock_cloexec) != 0));
    return put_pair(lwp, pair, call.address(3));
}

} // namespace bsd
