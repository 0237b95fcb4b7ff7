// SPDX-License-Identifier: BSD-2-Clause
// FreeBSD's numbered CPU sets: a process is in one, which bounds the affinities of its threads. Set 0 is the
// root, all vCPUs, and cannot be changed; set 1 the default one. Under giant.
#pragma once

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

struct CpuSet {
    std::int32_t id = 0;
    std::uint64_t mask = 0;
    std::uint32_t references = 0; // processes in it; the two fixed sets have one more
    Link<CpuSet> all;
};

std::uint64_t all_cpus();
CpuSet& root_cpuset();
CpuSet& default_cpuset();
inline CpuSet& cpuset_of(const Proc& proc) {
    return proc.cpuset != nullptr ? *proc.cpuset : default_cpuset();
}
CpuSet* find_cpuset(std::int32_t id);
/// A new set of all vCPUs, without references. ENOMEM.
SysResult<CpuSet*> create_cpuset();
/// Gives a reference back, the last one the set.
void release_cpuset(CpuSet& set);
/// Puts a process into a set (null: the default one); the last process takes a set with it. Says nothing
/// about threads.
void set_cpuset(Proc& proc, CpuSet* set);

/// The process moves to the set, and its threads to what the set leaves of their affinities. EDEADLK: nothing
/// for one of them.
SysResult<void> enter_cpuset(Proc& proc, CpuSet& set);
/// Changes a set, and what threads of its processes may use. Errors: EPERM (the root), EINVAL (not a subset
/// of it), EDEADLK.
SysResult<void> change_cpuset(CpuSet& set, std::uint64_t mask);
/// Changes a thread's own affinity. EINVAL: not a subset of its set.
SysResult<void> set_affinity(Lwp& lwp, std::uint64_t mask);

} // namespace bsd
