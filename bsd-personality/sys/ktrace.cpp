// SPDX-License-Identifier: BSD-2-Clause
// ktrace(2) and utrace(2).
#include "bsd-personality/kern/ktrace.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/vfs/namei.hpp"
#include "bsd-personality/vm/usermem.hpp"
#include "lwkt/slab.hpp"

#include <limits>

namespace bsd {

namespace {

enum Operation : int { operation_set = 0, operation_clear = 1, operation_clear_file = 2, operation_mask = 3 };
constexpr int with_descendants = 4;
constexpr std::uint32_t own_number = 45;
constexpr std::uint64_t most_user_data = 2048; // KTR_USER_MAXLEN

struct Request {
    Lwp& lwp;
    int operation;
    bool descend;
    std::uint32_t points;
    KtraceFile* file; // with operation_set
    bool any = false; // a process was allowed
};

void change_one(Request& request, Proc& proc) {
    if (proc.state != ProcState::alive || &proc == init_process || !may_ktrace(request.lwp.proc, proc))
        return;
    request.any = true;
    if (request.operation == operation_set)
        ktrace_set(proc, *request.file, request.points, request.lwp.proc.cred->is_superuser());
    else
        ktrace_clear(proc, request.points);
}

bool descends_from(const Proc& proc, const Proc& ancestor) {
    for (const Proc* each = &proc; each; each = each->parent)
        if (each == &ancestor)
            return true;
    return false;
}

void change(Request& request, Proc& top) {
    if (!request.descend)
        return change_one(request, top);
    for (Proc* each = all_processes.first(); each; each = all_processes.next(each))
        if (descends_from(*each, top))
            change_one(request, *each);
}

SysResult<VnodeRef> trace_file(Lwp& lwp, UserAddress name) {
    auto* path = lwkt::construct<PathBuffer>();
    if (!path)
        return Failure(Errno::enomem);
    auto opened = [&]() -> SysResult<VnodeRef> {
        TRY(path->copy_in(lwp, name));
        FileRef file = TRY(open_path(lwp, at_fdcwd, path->view(),
                                     open_read_write | open_no_follow | open_nonblock | open_no_ctty, 0));
        if (!file->vnode() || file->vnode()->type != VnodeType::regular)
            return Failure(Errno::eacces);
        return VnodeRef(file->vnode());
    }();
    lwkt::destroy(path);
    return opened;
}

// Everybody who is traced to this file stops, as far as the caller may say so. EPERM if he may not for one.
SysResult<Return> clear_file(Lwp& lwp, const Vnode& vnode) {
    bool refused = false;
    for (Proc* each = all_processes.first(); each; each = all_processes.next(each)) {
        if (!each->ktrace || each->ktrace->vnode.get() != &vnode)
            continue;
        if (may_ktrace(lwp.proc, *each))
            ktrace_clear(*each, ktrace_points_mask);
        else
            refused = true;
    }
    return refused ? SysResult<Return>(Failure(Errno::eperm)) : Return(0);
}

SysResult<void> change_all(Request& request, pid_t id) {
    if (id < 0) {
        Pgrp* group = id == std::numeric_limits<pid_t>::min() ? nullptr : find_process_group(-id);
        if (!group)
            return Failure(Errno::esrch);
        for (Proc* each = group->members.first(); each; each = group->members.next(each))
            change(request, *each);
    } else {
        Proc* proc = find_process(id);
        if (!proc || proc->state != ProcState::alive)
            return Failure(Errno::esrch);
        change(request, *proc);
    }
    return request.any ? SysResult<void>{} : SysResult<void>(Failure(Errno::eperm));
}

} // namespace

// ktrace(file, operation, points, pid)
SysResult<Return> sys_ktrace(Lwp& lwp, const SystemCall& call) {
    int operation = call.integer(1) & operation_mask;
    std::uint32_t points = call.natural(2) & (ktrace_points_mask | ktrace_inherit);
    Request request{lwp, operation, (call.integer(1) & with_descendants) != 0, points, nullptr};
    const bool observed = (lwp.observers & observe_ktrace) != 0;
    VnodeRef vnode;
    if (operation == operation_set || operation == operation_clear_file)
        vnode = TRY(trace_file(lwp, call.address(0)));
    if (operation == operation_clear_file)
        return clear_file(lwp, *vnode);
    if (operation == operation_mask || points == 0)
        return Failure(Errno::einval);
    if (operation == operation_set) {
        // Who is traced to the same file already shares it.
        for (Proc* each = all_processes.first(); each && !request.file; each = all_processes.next(each))
            if (each->ktrace && each->ktrace->vnode.get() == vnode.get())
                request.file = each->ktrace;
        if (request.file)
            request.file->ref();
        else
            request.file = lwkt::construct<KtraceFile>(vnode, lwp.proc.limits[limit_fsize].current);
        if (!request.file)
            return Failure(Errno::enomem);
    }
    auto changed = change_all(request, call.integer(3));
    if (request.file)
        request.file->unref();
    TRY(changed);
    if (!observed && (lwp.observers & observe_ktrace)) // the end of this call is the first that is seen
        ktrace_return(lwp, own_number, Return(0));
    return Return(0);
}

// utrace(data, length)
SysResult<Return> sys_utrace(Lwp& lwp, const SystemCall& call) {
    std::uint64_t size = call.word(1);
    if (!ktrace_wants(lwp, Ktr::user))
        return Return(0);
    if (size > most_user_data)
        return Failure(Errno::einval);
    auto* bytes = static_cast<std::byte*>(lwkt::allocate(most_user_data));
    if (!bytes)
        return Failure(Errno::enomem);
    auto copied = copyin(*lwp.proc.vmspace, call.address(0), bytes, size);
    if (copied.ok())
        ktrace_write(lwp, Ktr::user, {bytes, size});
    lwkt::release(bytes, most_user_data);
    TRY(copied);
    return Return(0);
}

} // namespace bsd
