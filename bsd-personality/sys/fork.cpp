// SPDX-License-Identifier: BSD-2-Clause
// fork, vfork and rfork.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

namespace {

// The numbers that both systems have, and those of FreeBSD and DragonFly alone.
enum RforkFlag : std::uint32_t {
    rf_fdg = 4,
    rf_proc = 0x10,
    rf_mem = 0x20,
    rf_nowait = 0x40,
    rf_cfdg = 0x1000,
    rf_thread = 0x2000, // shares who owns POSIX locks: an owner is a descriptor table here
    rf_sigshare = 0x4000,
    rf_linuxthpn = 0x1'0000,
    freebsd_tsigzmb = 0x8'0000,
    freebsd_tsig_mask = 0xff0'0000,
    freebsd_spawn = 0x8000'0000,
    dragonfly_kernel_only = 0xc000'0000,
};
constexpr unsigned tsig_shift = 20;

SysResult<Return> child_pid(SysResult<pid_t> result) {
    if (!result)
        return Failure(result.error());
    return Return(static_cast<std::uint64_t>(result.value()), 0);
}

// Errors: EINVAL.
SysResult<void> check_flags(const Proc& proc, std::uint32_t flags) {
    if (proc.abi->kind == AbiKind::freebsd) {
        constexpr std::uint32_t known = rf_fdg | rf_proc | rf_mem | rf_nowait | rf_cfdg | rf_thread |
                                        rf_sigshare | rf_linuxthpn | freebsd_tsigzmb | freebsd_tsig_mask;
        if ((flags & ~known) || ((flags & freebsd_tsig_mask) && !(flags & freebsd_tsigzmb)) ||
            (flags & freebsd_tsig_mask) >> tsig_shift > signal_count)
            return Failure(Errno::einval);
    } else if ((flags & dragonfly_kernel_only) || (!(flags & rf_proc) && proc.lwp_count != 1)) {
        return Failure(Errno::einval);
    }
    if ((flags & (rf_fdg | rf_cfdg)) == (rf_fdg | rf_cfdg))
        return Failure(Errno::einval);
    return {};
}

// Without RFPROC: what the caller shares with other processes becomes its own. Errors: ENOMEM, EINVAL (other
// threads use the memory).
SysResult<void> divorce(Proc& proc, std::uint32_t flags) {
    if (!(flags & rf_mem) && proc.vmspace->references() > 1) {
        if (proc.lwp_count != 1)
            return Failure(Errno::einval);
        VmSpace* own = proc.vmspace->fork();
        if (!own)
            return Failure(Errno::enomem);
        proc.vmspace->unref();
        proc.vmspace = own;
    }
    if ((flags & rf_cfdg) || ((flags & rf_fdg) && proc.files->references() > 1)) {
        FileTable* own = flags & rf_cfdg ? FileTable::create() : proc.files->copy();
        if (!own)
            return Failure(Errno::enomem);
        FileTable* old = proc.files;
        proc.files = own;
        old->unref();
    }
    return {};
}

} // namespace

SysResult<Return> sys_fork(Lwp& lwp, const SystemCall&) {
    return child_pid(fork_process(lwp, {}));
}

SysResult<Return> sys_vfork(Lwp& lwp, const SystemCall&) {
    ForkRequest request;
    request.share_memory = request.wait_for_exec = true;
    return child_pid(fork_process(lwp, request));
}

SysResult<Return> sys_rfork(Lwp& lwp, const SystemCall& call) {
    Proc& proc = lwp.proc;
    std::uint32_t flags = call.natural(0);
    ForkRequest request;
    if (proc.abi->kind == AbiKind::freebsd && flags == freebsd_spawn) {
        request.share_memory = request.wait_for_exec = request.default_signals = true;
        return child_pid(fork_process(lwp, request));
    }
    TRY(check_flags(proc, flags));
    if (!(flags & rf_proc)) {
        TRY(divorce(proc, flags));
        return Return(0);
    }
    request.share_memory = (flags & rf_mem) != 0;
    request.share_files = !(flags & (rf_fdg | rf_cfdg));
    request.fresh_files = (flags & rf_cfdg) != 0;
    request.share_signals = (flags & rf_sigshare) != 0;
    request.no_wait = (flags & rf_nowait) != 0;
    if (flags & rf_linuxthpn)
        request.exit_signal = sigusr1;
    else if (proc.abi->kind == AbiKind::freebsd && (flags & freebsd_tsigzmb))
        request.exit_signal = static_cast<int>((flags & freebsd_tsig_mask) >> tsig_shift);
    return child_pid(fork_process(lwp, request));
}

} // namespace bsd
