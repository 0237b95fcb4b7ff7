// SPDX-License-Identifier: BSD-2-Clause
// membarrier (FreeBSD): memory barriers on the processors of other threads. A vCPU that has run a message has
// left user mode for it, which orders what its thread did before and after.
#include "bsd-personality/kern/proc.hpp"
#include "lwkt/ipiq.hpp"

namespace bsd {

namespace {

enum Command : int {
    query = 0,
    global = 1,
    global_expedited = 2,
    register_global_expedited = 4,
    private_expedited = 8,
    register_private_expedited = 0x10,
    private_sync_core = 0x20,
    register_private_sync_core = 0x40,
};
constexpr int supported = global | global_expedited | register_global_expedited | private_expedited |
                          register_private_expedited | private_sync_core | register_private_sync_core;

// CPUID serializes: code that another thread has written is fetched anew.
void synchronize(void*, std::uintptr_t serialize) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (serialize) {
        std::uint32_t a = 0, b, c = 0, d;
        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
    }
}

// On all vCPUs. Tokens are lost meanwhile.
void synchronize_all(bool serialize) {
    synchronize(nullptr, serialize);
    for (std::uint32_t cpu = 0; cpu != lwkt::cpu_count(); cpu++)
        if (cpu != lwkt::current_cpu().value)
            lwkt::call_ipiq(lwkt::CpuId{cpu}, synchronize, nullptr, serialize);
}

} // namespace

// membarrier(command, flags, cpu). Errors: EINVAL, EPERM (not registered).
SysResult<Return> sys_membarrier(Lwp& lwp, const SystemCall& call) {
    Proc& proc = lwp.proc;
    int command = call.integer(0);
    if (call.natural(1) != 0 || (command & ~supported) != 0)
        return Failure(Errno::einval);
    auto needs = [&](int registration) -> SysResult<void> {
        if (!(proc.barriers & registration))
            return Failure(Errno::eperm);
        return {};
    };
    switch (command) {
    case query:
        return Return(supported);
    case register_global_expedited:
    case register_private_expedited:
    case register_private_sync_core:
        proc.barriers = static_cast<std::uint16_t>(proc.barriers | command);
        return Return(0);
    case global:
        break;
    case global_expedited:
        TRY(needs(register_global_expedited));
        break;
    case private_expedited:
        TRY(needs(register_private_expedited));
        break;
    case private_sync_core:
        TRY(needs(register_private_sync_core));
        break;
    default:
        return Failure(Errno::einval);
    }
    synchronize_all(command == private_sync_core);
    return Return(0);
}

} // namespace bsd
