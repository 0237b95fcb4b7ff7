// SPDX-License-Identifier: BSD-2-Clause
// read, write and their relatives; lseek.
#include "bsd-personality/kern/signal.hpp"
#include "bsd-personality/sys/file_arguments.hpp"
#include "bsd-personality/sys/vector_argument.hpp"

namespace bsd {

namespace {

// A transfer that stopped half way reports what it moved, unless nothing was.
SysResult<Return> finish(Lwp& lwp, const File& file, SysResult<void> result, std::uint64_t total,
                         const Uio& uio, bool writing) {
    std::uint64_t moved = total - uio.residual();
    if (!result.ok()) {
        if (writing && result.error() == Errno::epipe) {
            if (!(file.flags & open_no_sigpipe))
                post_kernel_signal(lwp.proc, sigpipe);
        } else if (moved != 0) {
            return Return(moved);
        }
        return Failure(result.error());
    }
    return Return(moved);
}

SysResult<Return> transfer(Lwp& lwp, int fd, Uio& uio, bool writing, const std::int64_t* position) {
    File* borrowed = lwp.proc.files->get(fd);
    if (!borrowed || !(writing ? borrowed->writable() : borrowed->readable()))
        return Failure(Errno::ebadf);
    std::uint64_t total = uio.residual();
    if (shared_mode()) {
        TRY(writing ? borrowed->write_shared(lwp, uio, position) : borrowed->read_shared(lwp, uio, position));
        return Return(total - uio.residual());
    }
    FileRef file(borrowed);
    if (position && *position < 0 && (!file->vnode() || file->vnode()->type != VnodeType::character))
        return Failure(file->vnode() ? Errno::einval : Errno::espipe);
    return finish(lwp, *file, writing ? file->write(lwp, uio, position) : file->read(lwp, uio, position),
                  total, uio, writing);
}

SysResult<Return> single(Lwp& lwp, const SystemCall& call, bool writing, const std::int64_t* position) {
    std::uint64_t length = call.word(2);
    if (length > largest_transfer)
        return Failure(Errno::einval);
    Uio uio(*lwp.proc.vmspace, call.address(1), length);
    return transfer(lwp, call.integer(0), uio, writing, position);
}

SysResult<Return> vectored(Lwp& lwp, const SystemCall& call, bool writing, const std::int64_t* position) {
    std::uint32_t count = call.natural(2);
    if (count > VectorArgument::most || count == 0)
        return Failure(Errno::einval);
    VectorArgument vectors;
    TRY(vectors.copy_in(lwp, call.address(1), count));
    Uio uio(*lwp.proc.vmspace, vectors.vectors(), count, vectors.total());
    return transfer(lwp, call.integer(0), uio, writing, position);
}

} // namespace

SysResult<Return> sys_read(Lwp& lwp, const SystemCall& call) {
    return single(lwp, call, false, nullptr);
}
SysResult<Return> sys_write(Lwp& lwp, const SystemCall& call) {
    return single(lwp, call, true, nullptr);
}
SysResult<Return> sys_readv(Lwp& lwp, const SystemCall& call) {
    return vectored(lwp, call, false, nullptr);
}
SysResult<Return> sys_writev(Lwp& lwp, const SystemCall& call) {
    return vectored(lwp, call, true, nullptr);
}

SysResult<Return> sys_pread(Lwp& lwp, const SystemCall& call) {
    auto position = static_cast<std::int64_t>(call.word(3));
    return single(lwp, call, false, &position);
}
SysResult<Return> sys_pwrite(Lwp& lwp, const SystemCall& call) {
    auto position = static_cast<std::int64_t>(call.word(3));
    return single(lwp, call, true, &position);
}
SysResult<Return> sys_preadv(Lwp& lwp, const SystemCall& call) {
    auto position = static_cast<std::int64_t>(call.word(3));
    return vectored(lwp, call, false, &position);
}
SysResult<Return> sys_pwritev(Lwp& lwp, const SystemCall& call) {
    auto position = static_cast<std::int64_t>(call.word(3));
    return vectored(lwp, call, true, &position);
}

// A word of flags (or, in FreeBSD 6, padding) before the offset. Offset -1 means the file's own in DragonFly.
SysResult<Return> sys_extpread(Lwp& lwp, const SystemCall& call) {
    auto position = static_cast<std::int64_t>(call.word(4));
    return single(lwp, call, false, position == -1 && is_dragonfly(lwp) ? nullptr : &position);
}
SysResult<Return> sys_extpwrite(Lwp& lwp, const SystemCall& call) {
    auto position = static_cast<std::int64_t>(call.word(4));
    return single(lwp, call, true, position == -1 && is_dragonfly(lwp) ? nullptr : &position);
}
SysResult<Return> sys_extpreadv(Lwp& lwp, const SystemCall& call) {
    auto position = static_cast<std::int64_t>(call.word(4));
    return vectored(lwp, call, false, position == -1 ? nullptr : &position);
}
SysResult<Return> sys_extpwritev(Lwp& lwp, const SystemCall& call) {
    auto position = static_cast<std::int64_t>(call.word(4));
    return vectored(lwp, call, true, position == -1 ? nullptr : &position);
}

static SysResult<Return> seek(Lwp& lwp, int fd, std::uint64_t offset, int whence) {
    auto to = static_cast<std::int64_t>(offset);
    if (shared_mode())
        return Return(
            static_cast<std::uint64_t>(TRY(TRY(lwp.proc.files->find(fd))->seek_shared(lwp, to, whence))));
    FileRef file = TRY(file_argument(lwp, fd));
    return Return(static_cast<std::uint64_t>(TRY(file->seek(lwp, to, whence))));
}
SysResult<Return> sys_lseek(Lwp& lwp, const SystemCall& call) {
    return seek(lwp, call.integer(0), call.word(1), call.integer(2));
}
SysResult<Return> sys_lseek_padded(Lwp& lwp, const SystemCall& call) {
    return seek(lwp, call.integer(0), call.word(2), call.integer(3));
}

} // namespace bsd
