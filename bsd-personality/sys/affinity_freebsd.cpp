// SPDX-License-Identifier: BSD-2-Clause
// FreeBSD's CPU sets: cpuset, cpuset_setid, cpuset_getid, cpuset_getaffinity, cpuset_setaffinity.
#include "bsd-personality/kern/cpuset.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

enum : std::int32_t { level_root = 1, level_cpuset = 2, level_which = 3 };
enum : std::int32_t { which_tid = 1, which_pid = 2, which_cpuset = 3, which_irq = 4, which_jail = 5 };

// What (which, id) names: a thread, a process, or a set. Errors: EINVAL, ESRCH, EPERM.
struct Target {
    Lwp* lwp = nullptr;
    Proc* proc = nullptr;
    CpuSet* set = nullptr; // the set itself, or the one of the process
};

SysResult<Target> find_target(Lwp& lwp, std::int32_t which, std::int64_t id) {
    Target target;
    bool in_range = id > 0 && id <= 0x7fff'ffff;
    switch (which) {
    case which_tid:
        target.lwp = id == -1 ? &lwp : in_range ? find_lwp(static_cast<lwpid_t>(id)) : nullptr;
        target.proc = target.lwp != nullptr ? &target.lwp->proc : nullptr;
        break;
    case which_pid:
        target.proc = id == -1 ? &lwp.proc : in_range ? find_process(static_cast<pid_t>(id)) : nullptr;
        break;
    case which_cpuset:
        target.set = id == -1 ? &cpuset_of(lwp.proc) : find_cpuset(static_cast<std::int32_t>(id));
        return target.set != nullptr ? SysResult<Target>(target) : SysResult<Target>(Failure(Errno::esrch));
    case which_jail: // a jail sees itself as number 0
        if (id != -1 && id != 0)
            return Failure(Errno::esrch);
        target.set = &root_cpuset();
        return target;
    default: // interrupts and memory domains have no sets here
        return Failure(Errno::einval);
    }
    if (target.proc == nullptr || target.proc->state != ProcState::alive)
        return Failure(Errno::esrch);
    if (!may_schedule(lwp.proc, *target.proc))
        return Failure(Errno::eperm);
    target.set = &cpuset_of(*target.proc);
    return target;
}

// A user's cpuset_t of any size from a word on.
constexpr std::uint64_t smallest_mask = 8, largest_mask = 8192;

SysResult<std::uint64_t> read_mask(Lwp& lwp, UserAddress address, std::uint64_t size) {
    VmSpace& space = *lwp.proc.vmspace;
    auto mask = TRY(copyin<std::uint64_t>(space, address));
    for (std::uint64_t at = 8; at < size;) {
        std::uint8_t rest[64];
        std::uint64_t length = least<std::uint64_t>(sizeof rest, size - at);
        TRY(copyin(space, UserAddress{address.value + at}, rest, length));
        for (std::uint64_t i = 0; i != length; i++)
            if (rest[i] != 0)
                return Failure(Errno::einval);
        at += length;
    }
    return mask;
}

} // namespace

SysResult<Return> sys_cpuset(Lwp& lwp, const SystemCall& call) {
    CpuSet* set = TRY(create_cpuset());
    set->references++; // until the process has it
    auto result = copyout(*lwp.proc.vmspace, call.address(0), set->id);
    if (result.ok())
        result = enter_cpuset(lwp.proc, *set);
    release_cpuset(*set);
    TRY(result);
    return Return(0);
}

// cpuset_setid(which, id, set)
SysResult<Return> sys_cpuset_setid(Lwp& lwp, const SystemCall& call) {
    if (call.integer(0) != which_pid)
        return Failure(Errno::einval);
    CpuSet* set = find_cpuset(call.integer(2));
    if (set == nullptr)
        return Failure(Errno::esrch);
    Target target = TRY(find_target(lwp, which_pid, static_cast<std::int64_t>(call.word(1))));
    TRY(enter_cpuset(*target.proc, *set));
    return Return(0);
}

// cpuset_getid(level, which, id, set)
SysResult<Return> sys_cpuset_getid(Lwp& lwp, const SystemCall& call) {
    std::int32_t level = call.integer(0), which = call.integer(1);
    if (level < level_root || level > level_which || (level == level_which && which != which_cpuset))
        return Failure(Errno::einval);
    Target target = TRY(find_target(lwp, which, static_cast<std::int64_t>(call.word(2))));
    const CpuSet& set = level == level_root ? root_cpuset() : *target.set;
    TRY(copyout(*lwp.proc.vmspace, call.address(3), set.id));
    return Return(0);
}

// cpuset_getaffinity(level, which, id, size, mask)
SysResult<Return> sys_cpuset_getaffinity(Lwp& lwp, const SystemCall& call) {
    std::int32_t level = call.integer(0), which = call.integer(1);
    std::uint64_t size = call.word(3);
    if (size < smallest_mask || size > largest_mask)
        return Failure(Errno::erange);
    if (level < level_root || level > level_which)
        return Failure(Errno::einval);
    Target target = TRY(find_target(lwp, which, static_cast<std::int64_t>(call.word(2))));
    std::uint64_t mask = level == level_root ? root_cpuset().mask : target.set->mask;
    if (level == level_which && target.lwp != nullptr) {
        mask = target.lwp->affinity & all_cpus();
    } else if (level == level_which && target.proc != nullptr) {
        mask = 0;
        for (const Lwp* each = target.proc->lwps.first(); each; each = target.proc->lwps.next(each))
            mask |= each->affinity & all_cpus();
    }
    TRY(copyout(*lwp.proc.vmspace, call.address(4), mask));
    TRY(zero_user(*lwp.proc.vmspace, UserAddress{call.word(4) + 8}, size - 8));
    return Return(0);
}

// cpuset_setaffinity(level, which, id, size, mask)
SysResult<Return> sys_cpuset_setaffinity(Lwp& lwp, const SystemCall& call) {
    std::int32_t level = call.integer(0), which = call.integer(1);
    std::uint64_t size = call.word(3);
    if (size < smallest_mask || size > largest_mask)
        return Failure(Errno::erange);
    std::uint64_t mask = TRY(read_mask(lwp, call.address(4), size));
    if (mask == 0)
        return Failure(Errno::edeadlk);
    if (level < level_root || level > level_which)
        return Failure(Errno::einval);
    Target target = TRY(find_target(lwp, which, static_cast<std::int64_t>(call.word(2))));
    if (level != level_which || target.proc == nullptr) {
        if (!lwp.proc.cred->is_superuser())
            return Failure(Errno::eperm);
        TRY(change_cpuset(level == level_root ? root_cpuset() : *target.set, mask));
    } else if (target.lwp != nullptr) {
        TRY(set_affinity(*target.lwp, mask));
    } else {
        for (Lwp* each = target.proc->lwps.first(); each; each = target.proc->lwps.next(each))
            TRY(set_affinity(*each, mask));
    }
    return Return(0);
}

} // namespace bsd
