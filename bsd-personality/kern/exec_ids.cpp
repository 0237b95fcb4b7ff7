// SPDX-License-Identifier: BSD-2-Clause
// What exec makes of ids: set-id files, saved ids, descriptors that a set-id program can rely on.
#include "bsd-personality/kern/exec.hpp"
#include "bsd-personality/vfs/namei.hpp"

namespace bsd {

SysResult<ExecIds> ids_for_exec(const Proc& proc, Vnode& file) {
    constexpr std::uint16_t set_uid = 04000, set_gid = 02000;
    const Ucred& now = *proc.cred;
    Attributes attributes;
    TRY(file.attributes(attributes));
    bool user = (attributes.mode & set_uid) && attributes.uid != now.uid && !proc.no_new_privileges;
    bool group = (attributes.mode & set_gid) && attributes.gid != now.gid && !proc.no_new_privileges;
    ExecIds ids{proc.cred, user || group};
    std::uint32_t uid = user ? attributes.uid : now.uid, gid = group ? attributes.gid : now.gid;
    if (!ids.gains && now.svuid == uid && now.svgid == gid)
        return ids;
    ids.cred = TRY(copy_credentials(now));
    ids.cred->uid = ids.cred->svuid = uid;
    ids.cred->gid = ids.cred->svgid = gid;
    return ids;
}

SysResult<void> fill_standard_files(Lwp& lwp) {
    for (int fd = 0; fd < 3; fd++)
        if (!lwp.proc.files->get(fd)) {
            FileRef null = TRY(open_path(lwp, at_fdcwd, Text("/dev/null"), open_read_write, 0));
            TRY(lwp.proc.files->install(static_cast<FileRef&&>(null), false, fd));
        }
    return {};
}

} // namespace bsd
