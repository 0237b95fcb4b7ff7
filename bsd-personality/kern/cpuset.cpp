// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/cpuset.hpp"

#include "lwkt/slab.hpp"

namespace bsd {

namespace {

List<CpuSet, &CpuSet::all> sets; // those that were created
std::int32_t last_id = 1;

// What of the thread's affinity is left when the set of its process changes. A thread that might use all of
// the old one may use all of the new one.
std::uint64_t left_over(const Lwp& lwp, std::uint64_t before, std::uint64_t after) {
    return (lwp.affinity & before) == before ? after : lwp.affinity & after;
}

SysResult<void> check(const Proc& proc, std::uint64_t before, std::uint64_t after) {
    for (const Lwp* lwp = proc.lwps.first(); lwp != nullptr; lwp = proc.lwps.next(lwp))
        if (left_over(*lwp, before, after) == 0)
            return Failure(Errno::edeadlk);
    return {};
}

void apply(Lwp& lwp, std::uint64_t mask) {
    __atomic_store_n(&lwp.affinity, mask, __ATOMIC_RELAXED);
    set_ast(lwp, ast_resched);
}

void apply(Proc& proc, std::uint64_t before, std::uint64_t after) {
    for (Lwp* lwp = proc.lwps.first(); lwp != nullptr; lwp = proc.lwps.next(lwp))
        apply(*lwp, left_over(*lwp, before, after));
}

} // namespace

std::uint64_t all_cpus() {
    return (std::uint64_t{1} << lwkt::cpu_count()) - 1;
}

CpuSet& root_cpuset() {
    static constinit CpuSet root{0, 0, 1, {}};
    root.mask = all_cpus();
    return root;
}

CpuSet& default_cpuset() {
    static constinit CpuSet set{1, 0, 1, {}};
    if (set.mask == 0)
        set.mask = all_cpus();
    return set;
}

CpuSet* find_cpuset(std::int32_t id) {
    if (id == 0)
        return &root_cpuset();
    if (id == 1)
        return &default_cpuset();
    for (CpuSet* set = sets.first(); set != nullptr; set = sets.next(set))
        if (set->id == id)
            return set;
    return nullptr;
}

SysResult<CpuSet*> create_cpuset() {
    auto* set = lwkt::construct<CpuSet>();
    if (set == nullptr)
        return Failure(Errno::enomem);
    do // FreeBSD's ids begin with 3: 2 is the kernel's own set
        last_id = last_id < 2 || last_id == 0x7fff'ffff ? 3 : last_id + 1;
    while (find_cpuset(last_id) != nullptr);
    set->id = last_id;
    set->mask = all_cpus();
    sets.push_back(set);
    return set;
}

void release_cpuset(CpuSet& set) {
    if (--set.references != 0)
        return;
    sets.remove(&set);
    lwkt::destroy(&set);
}

void set_cpuset(Proc& proc, CpuSet* set) {
    CpuSet* before = proc.cpuset;
    if (set != nullptr)
        set->references++;
    proc.cpuset = set;
    if (before != nullptr)
        release_cpuset(*before);
}

SysResult<void> enter_cpuset(Proc& proc, CpuSet& set) {
    std::uint64_t before = cpuset_of(proc).mask, after = set.mask;
    TRY(check(proc, before, after));
    apply(proc, before, after);
    set_cpuset(proc, &set);
    return {};
}

SysResult<void> change_cpuset(CpuSet& set, std::uint64_t mask) {
    if (set.id == 0)
        return Failure(Errno::eperm);
    if ((mask & ~all_cpus()) != 0)
        return Failure(Errno::einval);
    std::uint64_t before = set.mask;
    for (Proc* proc = all_processes.first(); proc != nullptr; proc = all_processes.next(proc))
        if (&cpuset_of(*proc) == &set)
            TRY(check(*proc, before, mask));
    set.mask = mask;
    for (Proc* proc = all_processes.first(); proc != nullptr; proc = all_processes.next(proc))
        if (&cpuset_of(*proc) == &set)
            apply(*proc, before, mask);
    return {};
}

SysResult<void> set_affinity(Lwp& lwp, std::uint64_t mask) {
    if ((mask & ~cpuset_of(lwp.proc).mask) != 0)
        return Failure(Errno::einval);
    apply(lwp, mask);
    return {};
}

} // namespace bsd
