// SPDX-License-Identifier: BSD-2-Clause
// Calls about terminals: posix_openpt (FreeBSD; DragonFly opens /dev/ptmx) and revoke.
#include "bsd-personality/kern/pty.hpp"
#include "bsd-personality/sys/file_arguments.hpp"

namespace bsd {

SysResult<Return> sys_posix_openpt(Lwp& lwp, const SystemCall& call) {
    std::uint32_t flags = call.natural(0);
    if (flags & ~std::uint32_t{open_read_write | open_no_ctty | open_close_on_exec})
        return Failure(Errno::einval);
    FileRef master = TRY(open_pty(lwp, open_read_write));
    return Return(static_cast<std::uint64_t>(
        TRY(lwp.proc.files->install(static_cast<FileRef&&>(master), (flags & open_close_on_exec) != 0))));
}

SysResult<Return> sys_revoke(Lwp& lwp, const SystemCall& call) {
    VnodeRef vnode = TRY(vnode_argument(lwp, lwp.proc.abi->at_fdcwd, call.address(0), lookup_follow));
    if (vnode->type != VnodeType::character)
        return Failure(Errno::einval);
    Attributes attributes;
    TRY(vnode->attributes(attributes));
    if (lwp.proc.cred->uid != attributes.uid && !lwp.proc.cred->is_superuser())
        return Failure(Errno::eperm);
    TRY(vnode->revoke());
    return Return();
}

} // namespace bsd
