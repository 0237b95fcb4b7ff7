// SPDX-License-Identifier: BSD-2-Clause
// A request of ptrace(2), decoded. Numbers of FreeBSD; DragonFly's are the same as far as it has them.
#pragma once

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/debug.hpp"

namespace bsd {

enum PtraceNumber : int {
    pt_trace_me = 0,
    pt_read_text,
    pt_read_data,
    pt_write_text = 4,
    pt_write_data,
    pt_continue = 7,
    pt_kill,
    pt_step,
    pt_attach,
    pt_detach,
    pt_io,
    pt_lwp_info, // from here on FreeBSD
    pt_lwp_count,
    pt_lwp_list,
    pt_clear_step,
    pt_set_step,
    pt_suspend,
    pt_resume,
    pt_to_entry,
    pt_to_exit,
    pt_syscall,
    pt_follow_fork,
    pt_lwp_events,
    pt_get_events,
    pt_set_events,
    pt_get_call_arguments,
    pt_get_call_result,
    pt_get_registers = 33, // both
    pt_set_registers,
    pt_get_fpu,
    pt_set_fpu,
    pt_get_state_info = 66, // FreeBSD
    pt_get_state,
    pt_set_state,
    pt_get_fs_base,
    pt_set_fs_base,
    pt_get_gs_base,
    pt_set_gs_base,
};

struct PtraceRequest {
    AbiKind kind = AbiKind::freebsd; // the debugger's system
    int request = 0;
    Proc* target = nullptr;
    Lwp* thread = nullptr; // of it
    UserAddress address{};
    std::int32_t data = 0;
};

/// Requests that read and write what a stopped process has. Errors: EINVAL, EFAULT.
SysResult<Return> ptrace_state(Lwp& lwp, const PtraceRequest& request);

} // namespace bsd
