// SPDX-License-Identifier: BSD-2-Clause
// shm_open2, shm_open, shm_unlink, shm_rename (FreeBSD). memfd_create(3) is shm_open2 without a name.
#include "bsd-personality/kern/shm.hpp"

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/sys/file_arguments.hpp"

namespace bsd {

namespace {

constexpr std::uint64_t anonymous_name = 1; // SHM_ANON

// Errors: EFAULT, ENAMETOOLONG, EINVAL (does not begin with a slash).
SysResult<void> copy_in_name(Lwp& lwp, UserAddress from, PathBuffer& name) {
    name.length = TRY(copyinstr(*lwp.proc.vmspace, from, name.bytes, sizeof name.bytes));
    if (name.bytes[0] != '/')
        return Failure(Errno::einval);
    return {};
}

// An object that is there, for a descriptor with these flags.
SysResult<Ref<SharedMemory>> open_named(Lwp& lwp, SharedMemory& memory, std::uint32_t flags,
                                        std::uint32_t kind) {
    constexpr std::uint32_t create_new = open_create | open_exclusive;
    if ((flags & create_new) == create_new)
        return Failure(Errno::eexist);
    if (kind != 0 && kind != memory.flags())
        return Failure(Errno::einval);
    bool write = (flags & open_access_mask) == open_read_write;
    TRY(check_permission(memory, *lwp.proc.cred, may_read | (write ? unsigned{may_write} : 0)));
    if (write && (flags & open_truncate))
        TRY(memory.truncate(0));
    if (!(kind & shm_allow_sealing))
        memory.forbid_seals();
    return Ref<SharedMemory>(&memory);
}

SysResult<Ref<SharedMemory>> open_memory(Lwp& lwp, UserAddress path, std::uint32_t flags, std::uint16_t mode,
                                         std::uint32_t kind) {
    auto make = [&] {
        return SharedMemory::create(*lwp.proc.cred, static_cast<std::uint16_t>(mode & ~lwp.proc.umask & 0777),
                                    kind);
    };
    if (path.value == anonymous_name) {
        if ((flags & open_access_mask) == open_read_only)
            return Failure(Errno::einval); // nobody could ever write to it
        return make();
    }
    PathBuffer name;
    TRY(copy_in_name(lwp, path, name));
    if (SharedMemory* found = SharedMemory::find(name.view()))
        return open_named(lwp, *found, flags, kind);
    if (!(flags & open_create))
        return Failure(Errno::enoent);
    auto memory = TRY(make());
    TRY(memory->insert(name.view()));
    return memory;
}

SysResult<Return> open_call(Lwp& lwp, UserAddress path, std::uint32_t flags, std::uint16_t mode,
                            std::uint32_t kind) {
    constexpr std::uint32_t known =
        open_access_mask | open_create | open_exclusive | open_truncate | open_close_on_exec;
    std::uint32_t access = flags & open_access_mask;
    if ((access != open_read_only && access != open_read_write) || (flags & ~known) ||
        (kind & ~std::uint32_t{shm_allow_sealing | shm_grow_on_write | shm_large_page}))
        return Failure(Errno::einval);
    if (kind & shm_large_page)
        return Failure(Errno::enotty);
    if (!lwp.proc.files->has_room(1))
        return Failure(Errno::emfile);
    auto memory = TRY(open_memory(lwp, path, flags, mode, kind));
    FileRef file = TRY(SharedMemoryFile::create(static_cast<Ref<SharedMemory>&&>(memory), access));
    return Return(static_cast<std::uint64_t>(
        TRY(lwp.proc.files->install(static_cast<FileRef&&>(file), (flags & open_close_on_exec) != 0))));
}

} // namespace

// shm_open2(path, flags, mode, shmflags, name)
SysResult<Return> sys_shm_open2(Lwp& lwp, const SystemCall& call) {
    return open_call(lwp, call.address(0), call.natural(1), static_cast<std::uint16_t>(call.word(2)),
                     call.natural(3));
}

SysResult<Return> sys_freebsd12_shm_open(Lwp& lwp, const SystemCall& call) {
    return open_call(lwp, call.address(0), call.natural(1) | open_close_on_exec,
                     static_cast<std::uint16_t>(call.word(2)), 0);
}

SysResult<Return> sys_shm_unlink(Lwp& lwp, const SystemCall& call) {
    PathBuffer name;
    TRY(copy_in_name(lwp, call.address(0), name));
    SharedMemory* memory = SharedMemory::find(name.view());
    if (!memory)
        return Failure(Errno::enoent);
    TRY(check_permission(*memory, *lwp.proc.cred, may_read | may_write));
    memory->erase();
    return Return(0);
}

// shm_rename(from, to, flags)
SysResult<Return> sys_shm_rename(Lwp& lwp, const SystemCall& call) {
    constexpr std::uint32_t no_replace = 1, exchange = 2;
    std::uint32_t flags = call.natural(2);
    if ((flags & ~(no_replace | exchange)) || flags == (no_replace | exchange))
        return Failure(Errno::einval);
    PathBuffer name;
    TRY(copy_in_name(lwp, call.address(0), name));
    SharedMemory* from = SharedMemory::find(name.view());
    TRY(copy_in_name(lwp, call.address(1), name));
    SharedMemory* to = SharedMemory::find(name.view());
    if (!from || (!to && (flags & exchange)))
        return Failure(Errno::enoent);
    if (to && (flags & no_replace))
        return Failure(Errno::eexist);
    TRY(check_permission(*from, *lwp.proc.cred, may_read | may_write));
    if (to)
        TRY(check_permission(*to, *lwp.proc.cred, may_read | may_write));
    if (from == to)
        return Return(0);
    if (flags & exchange) {
        SharedMemory::exchange(*from, *to);
        return Return(0);
    }
    TRY(from->set_name(name.view()));
    if (to)
        to->erase();
    return Return(0);
}

} // namespace bsd
