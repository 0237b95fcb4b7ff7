// SPDX-License-Identifier: BSD-2-Clause
// Descriptors: close, dup, fcntl, ioctl, flock, fsync, open.
#include <string.h>

#include "bsd-personality/kern/ioctl.hpp"
#include "bsd-personality/kern/shm.hpp"
#include "bsd-personality/sys/file_arguments.hpp"
#include "bsd-personality/vfs/locks.hpp"

namespace bsd {

namespace {

enum Fcntl : int {
    f_dupfd = 0,
    f_getfd,
    f_setfd,
    f_getfl,
    f_setfl,
    f_getown,
    f_setown,
    f_ogetlk,
    f_osetlk,
    f_osetlkw,
    f_dup2fd,
    f_getlk,
    f_setlk,
    f_setlkw,
    f_setlk_remote,
    f_readahead,
    f_rdahead,
    f_dupfd_cloexec,
    f_dup2fd_cloexec,
    f_add_seals,
    f_get_seals,
    f_isunionstack,
};

// struct flock; DragonFly's ends before system_id.
struct FlockRecord {
    std::int64_t start, length;
    std::int32_t pid;
    std::int16_t type, whence;
    std::int32_t system_id, padding;
};
static_assert(sizeof(FlockRecord) == 32);
enum LockType : std::int16_t { lock_shared = 1, lock_none = 2, lock_exclusive = 3 };
constexpr std::int64_t end_of_file = 0x7fff'ffff'ffff'ffff;

SysResult<LockRange> decode_range(File& file, const FlockRecord& record) {
    std::int64_t start = record.start;
    std::int64_t base = record.whence == 1 ? file.offset : record.whence == 2 ? file.vnode()->size() : 0;
    if (record.whence < 0 || record.whence > 2)
        return Failure(Errno::einval);
    if (__builtin_add_overflow(start, base, &start))
        return Failure(Errno::eoverflow);
    std::int64_t end = end_of_file;
    if (record.length > 0) {
        if (__builtin_add_overflow(start, record.length - 1, &end))
            return Failure(Errno::eoverflow);
    } else if (record.length < 0) {
        end = start - 1;
        start += record.length;
    }
    if (start < 0 || end < start)
        return Failure(Errno::einval);
    return LockRange{start, end, record.type == lock_exclusive, 0};
}

SysResult<Return> record_lock(Lwp& lwp, File& file, int command, UserAddress argument) {
    FlockRecord record{};
    std::uint64_t size = is_dragonfly(lwp) || command <= f_osetlkw ? 24 : sizeof record;
    TRY(copyin(*lwp.proc.vmspace, argument, &record, size));
    Vnode* vnode = file.vnode();
    if (!vnode)
        return Failure(Errno::ebadf);
    LockRange range = TRY(decode_range(file, record));
    range.pid = lwp.proc.pid;
    const void* owner = lwp.proc.files;
    if (command == f_getlk || command == f_ogetlk) {
        if (blocking_lock(*vnode, owner, range)) {
            record.start = range.start;
            record.length = range.end == end_of_file ? 0 : range.end - range.start + 1;
            record.type = range.exclusive ? lock_exclusive : lock_shared;
            record.whence = 0;
            record.pid = range.pid;
        } else {
            record.type = lock_none;
        }
        TRY(copyout(*lwp.proc.vmspace, &record, argument, size));
        return Return();
    }
    if (record.type == lock_none) {
        TRY(unlock_range(*vnode, owner, range.start, range.end));
        return Return();
    }
    if (record.type != lock_shared && record.type != lock_exclusive)
        return Failure(Errno::einval);
    if (record.type == lock_shared ? !file.readable() : !file.writable())
        return Failure(Errno::ebadf);
    bool wait = command == f_setlkw || command == f_osetlkw;
    TRY(lock_range(lwp, *vnode, owner, range, wait));
    return Return();
}

SysResult<Return> duplicate_from(Lwp& lwp, int fd, std::uint64_t from, bool close_on_exec) {
    File* file = TRY(lwp.proc.files->find(fd));
    if (from >= limit_of_descriptors(lwp.proc))
        return Failure(Errno::einval);
    return Return(static_cast<std::uint64_t>(
        TRY(lwp.proc.files->install(FileRef(file), close_on_exec, static_cast<int>(from)))));
}

} // namespace

SysResult<Return> sys_close(Lwp& lwp, const SystemCall& call) {
    TRY(lwp.proc.files->close(call.integer(0)));
    return Return();
}

SysResult<Return> sys_closefrom(Lwp& lwp, const SystemCall& call) {
    std::int32_t low = most(call.integer(0), 0);
    lwp.proc.files->close_range(static_cast<unsigned>(low), ~0u);
    return Return();
}

SysResult<Return> sys_close_range(Lwp& lwp, const SystemCall& call) {
    constexpr std::int32_t only_close_on_exec = 4;
    if ((call.integer(2) & ~only_close_on_exec) != 0 || call.natural(1) < call.natural(0))
        return Failure(Errno::einval);
    if (call.integer(2) & only_close_on_exec)
        lwp.proc.files->set_close_on_exec_range(call.natural(0), call.natural(1));
    else
        lwp.proc.files->close_range(call.natural(0), call.natural(1));
    return Return();
}

SysResult<Return> sys_dup(Lwp& lwp, const SystemCall& call) {
    return duplicate_from(lwp, call.integer(0), 0, false);
}

SysResult<Return> sys_dup2(Lwp& lwp, const SystemCall& call) {
    if (call.natural(1) >= limit_of_descriptors(lwp.proc))
        return Failure(Errno::ebadf);
    return Return(
        static_cast<std::uint64_t>(TRY(lwp.proc.files->duplicate(call.integer(0), call.integer(1), false))));
}

SysResult<Return> sys_getdtablesize(Lwp& lwp, const SystemCall&) {
    return Return(limit_of_descriptors(lwp.proc));
}

SysResult<Return> sys_fcntl(Lwp& lwp, const SystemCall& call) {
    FileRef file = TRY(file_argument(lwp, call.integer(0)));
    Descriptor& slot = *lwp.proc.files->slot(call.integer(0));
    int command = call.integer(1);
    std::uint64_t argument = call.word(2);
    constexpr std::uint32_t changeable = open_nonblock | open_append | open_async | open_sync | open_direct;
    switch (command) {
    case f_dupfd:
    case f_dupfd_cloexec:
        return duplicate_from(lwp, call.integer(0), call.natural(2), command == f_dupfd_cloexec);
    case f_dup2fd:
    case f_dup2fd_cloexec:
        if (call.natural(2) >= limit_of_descriptors(lwp.proc))
            return Failure(Errno::ebadf);
        return Return(static_cast<std::uint64_t>(
            TRY(lwp.proc.files->duplicate(call.integer(0), call.integer(2), command == f_dup2fd_cloexec))));
    case f_getfd:
        return Return(slot.close_on_exec ? 1 : 0);
    case f_setfd:
        slot.close_on_exec = (argument & 1) != 0;
        return Return();
    case f_getfl:
        return Return(file->flags & (open_access_mask | changeable | open_exec | open_path_only));
    case f_setfl:
        file->flags = (file->flags & ~changeable) | (static_cast<std::uint32_t>(argument) & changeable);
        return Return();
    case f_getown:
        return Return(file->owner_pgrp);
    case f_setown:
        file->owner_pgrp = static_cast<std::uint32_t>(argument);
        return Return();
    case f_ogetlk:
    case f_osetlk:
    case f_osetlkw:
        return record_lock(lwp, *file, command, call.address(2));
    case f_getlk:
    case f_setlk:
    case f_setlkw:
        if (is_dragonfly(lwp))
            return Failure(Errno::einval);
        return record_lock(lwp, *file, command, call.address(2));
    case f_add_seals:
    case f_get_seals: {
        if (file->type != FileType::shared_memory || is_dragonfly(lwp))
            return Failure(Errno::einval);
        SharedMemory& memory = static_cast<SharedMemoryFile&>(*file).memory();
        if (command == f_get_seals)
            return Return(memory.seals());
        if (argument & ~std::uint64_t{seal_seal | seal_shrink | seal_grow | seal_write})
            return Failure(Errno::einval);
        TRY(memory.add_seals(static_cast<std::uint32_t>(argument)));
        return Return();
    }
    case f_readahead:
    case f_rdahead:
        return Return();
    case f_isunionstack:
        return Return(0);
    default:
        return Failure(Errno::einval);
    }
}

SysResult<Return> sys_ioctl(Lwp& lwp, const SystemCall& call) {
    FileRef file = TRY(file_argument(lwp, call.integer(0)));
    std::uint64_t command = call.word(1) & 0xffff'ffff;
    switch (command) {
    case fioclex:
    case fionclex:
        lwp.proc.files->slot(call.integer(0))->close_on_exec = command == fioclex;
        return Return();
    default:
        break;
    }
    alignas(8) std::byte argument[ioc_largest] = {};
    unsigned length = ioc_length(command);
    if (length > sizeof argument)
        return Failure(Errno::enotty);
    if (command & ioc_in)
        TRY(copyin(*lwp.proc.vmspace, call.address(2), argument, length));
    else if (std::uint64_t word = call.word(2); command & ioc_void)
        memcpy(argument, &word, sizeof word);
    int value;
    memcpy(&value, argument, sizeof value);
    switch (command) {
    case fionbio:
        file->flags =
            (file->flags & ~std::uint32_t{open_nonblock}) | (value ? std::uint32_t{open_nonblock} : 0);
        return Return();
    case fioasync:
        file->flags = (file->flags & ~std::uint32_t{open_async}) | (value ? std::uint32_t{open_async} : 0);
        return Return();
    case fiosetown:
        file->owner_pgrp = static_cast<std::uint32_t>(value);
        return Return();
    default:
        break;
    }
    int result = TRY(file->ioctl(lwp, command, argument));
    if (command & ioc_out)
        TRY(copyout(*lwp.proc.vmspace, argument, call.address(2), length));
    return Return(static_cast<std::uint64_t>(result));
}

SysResult<Return> sys_flock(Lwp& lwp, const SystemCall& call) {
    constexpr std::int32_t shared = 1, exclusive = 2, nonblocking = 4, unlock = 8;
    FileRef file = TRY(file_argument(lwp, call.integer(0)));
    Vnode* vnode = file->vnode();
    if (!vnode)
        return Failure(Errno::eopnotsupp);
    std::int32_t how = call.integer(1);
    if (how & unlock) {
        TRY(unlock_range(*vnode, file.get(), 0, end_of_file));
        return Return();
    }
    if (!(how & (shared | exclusive)))
        return Failure(Errno::ebadf);
    LockRange range{0, end_of_file, (how & exclusive) != 0, lwp.proc.pid};
    TRY(lock_range(lwp, *vnode, file.get(), range, !(how & nonblocking)));
    return Return();
}

// Files live in memory: there is nothing to write back.
SysResult<Return> sys_fsync(Lwp& lwp, const SystemCall& call) {
    File* file = TRY(lwp.proc.files->find(call.integer(0)));
    if (!file->vnode())
        return Failure(Errno::einval);
    return Return();
}
SysResult<Return> sys_sync(Lwp&, const SystemCall&) {
    return Return();
}

// --- open ------------------------------------------------------------------------------------------------
namespace {

SysResult<Return> open_call(Lwp& lwp, int directory_fd, UserAddress path, std::uint32_t raw_flags,
                            std::uint16_t mode) {
    std::uint32_t flags = open_argument(lwp, raw_flags);
    PathBuffer buffer;
    TRY(buffer.copy_in(lwp, path));
    FileRef file = TRY(open_path(lwp, directory_argument(lwp, directory_fd), buffer.view(), flags, mode));
    if ((flags & (open_shared_lock | open_exclusive_lock)) && file->vnode()) {
        LockRange range{0, end_of_file, (flags & open_exclusive_lock) != 0, lwp.proc.pid};
        TRY(lock_range(lwp, *file->vnode(), file.get(), range, !(flags & open_nonblock)));
    }
    return Return(static_cast<std::uint64_t>(
        TRY(lwp.proc.files->install(static_cast<FileRef&&>(file), (flags & open_close_on_exec) != 0))));
}

} // namespace

SysResult<Return> sys_open(Lwp& lwp, const SystemCall& call) {
    return open_call(lwp, lwp.proc.abi->at_fdcwd, call.address(0), call.natural(1),
                     static_cast<std::uint16_t>(call.word(2)));
}
SysResult<Return> sys_openat(Lwp& lwp, const SystemCall& call) {
    return open_call(lwp, call.integer(0), call.address(1), call.natural(2),
                     static_cast<std::uint16_t>(call.word(3)));
}

} // namespace bsd
