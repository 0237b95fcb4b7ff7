// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/sys/ptrace_request.hpp"

#include "bsd-personality/abi/freebsd/lwp_info.hpp"
#include "bsd-personality/kern/debug_access.hpp"
#include "bsd-personality/vm/usermem.hpp"
#include "glue/fpu.hpp"
#include "lwkt/slab.hpp"

#include <cstring>

namespace bsd {

namespace {

struct IoRequest { // struct ptrace_io_desc
    std::int32_t operation;
    std::uint64_t offset, address, length;
};
static_assert(sizeof(IoRequest) == 32);
struct StateInfo { // struct ptrace_xstate_info
    std::uint64_t mask;
    std::uint32_t size, padding;
};
struct CallResult { // struct ptrace_sc_ret
    std::uint64_t results[2];
    std::int32_t error, padding;
};

constexpr std::size_t legacy_state = 512; // struct fpreg of both systems

SysResult<Return> one_word(const PtraceRequest& request) {
    if (request.request == pt_read_text || request.request == pt_read_data) {
        std::int32_t word = 0;
        TRY(read_debugged(*request.target, request.address.value, &word, sizeof word));
        return Return(static_cast<std::uint64_t>(std::int64_t{word}));
    }
    TRY(write_debugged(*request.target, request.address.value, &request.data, sizeof request.data));
    return Return(0);
}

SysResult<Return> many_words(Lwp& lwp, const PtraceRequest& request) {
    constexpr std::int32_t read_data = 1, write_data = 2, read_text = 3, write_text = 4;
    VmSpace& own = *lwp.proc.vmspace;
    auto io = TRY(copyin<IoRequest>(own, request.address));
    bool write = io.operation == write_data || io.operation == write_text;
    if (!write && io.operation != read_data && io.operation != read_text)
        return Failure(Errno::einval);
    std::byte buffer[256];
    for (std::uint64_t done = 0; done < io.length;) {
        std::uint64_t count = least<std::uint64_t>(io.length - done, sizeof buffer);
        if (write) {
            TRY(copyin(own, UserAddress{io.address + done}, buffer, count));
            TRY(write_debugged(*request.target, io.offset + done, buffer, count));
        } else {
            TRY(read_debugged(*request.target, io.offset + done, buffer, count));
            TRY(copyout(own, buffer, UserAddress{io.address + done}, count));
        }
        done += count;
    }
    TRY(copyout(own, request.address, io)); // all of it was moved
    return Return(0);
}

SysResult<Return> registers(Lwp& lwp, const PtraceRequest& request) {
    const Abi& abi = *lwp.proc.abi;
    std::byte set[256];
    if (request.request == pt_get_registers) {
        abi.fill_registers(*request.thread, set);
        TRY(copyout(*lwp.proc.vmspace, set, request.address, abi.register_set_size));
    } else {
        TRY(copyin(*lwp.proc.vmspace, request.address, set, abi.register_set_size));
        TRY(abi.set_registers(*request.thread, set));
    }
    return Return(0);
}

// The extended state, or the first part of it.
SysResult<Return> extended_state(Lwp& lwp, const PtraceRequest& request, bool set, std::uint64_t size) {
    VmSpace& own = *lwp.proc.vmspace;
    if (!set) {
        TRY(copyout(own, request.thread->fpu, request.address, size));
        return Return(0);
    }
    auto* state = static_cast<std::byte*>(lwkt::allocate(size));
    if (!state)
        return Failure(Errno::enomem);
    auto copied = copyin(own, request.address, state, size);
    if (copied.ok())
        set_extended_state(*request.thread, state, size);
    lwkt::release(state, size);
    TRY(copied);
    return Return(0);
}

SysResult<Return> state_request(Lwp& lwp, const PtraceRequest& request) {
    auto size = static_cast<std::uint64_t>(request.data);
    switch (request.request) {
    case pt_get_state_info: {
        if (request.data != sizeof(StateInfo))
            return Failure(Errno::einval);
        StateInfo info{glue::Fpu::mask(), static_cast<std::uint32_t>(glue::Fpu::size()), 0};
        TRY(copyout(*lwp.proc.vmspace, request.address, info));
        return Return(0);
    }
    case pt_get_state:
        return extended_state(lwp, request, false, glue::Fpu::size());
    default:
        if (request.data < static_cast<std::int32_t>(legacy_state) || size > glue::Fpu::size())
            return Failure(Errno::einval);
        return extended_state(lwp, request, true, size);
    }
}

SysResult<Return> segment_base(Lwp& lwp, const PtraceRequest& request) {
    UserContext& frame = *request.thread->frame;
    bool fs = request.request == pt_get_fs_base || request.request == pt_set_fs_base;
    std::uint64_t& base = fs ? frame.fs_base : frame.gs_base;
    if (request.request == pt_get_fs_base || request.request == pt_get_gs_base) {
        TRY(copyout(*lwp.proc.vmspace, request.address, base));
        return Return(0);
    }
    auto wanted = TRY(copyin<std::uint64_t>(*lwp.proc.vmspace, request.address));
    if (wanted >= user_address_end)
        return Failure(Errno::einval);
    base = wanted;
    return Return(0);
}

SysResult<Return> lwp_info(Lwp& lwp, const PtraceRequest& request) {
    using namespace freebsd;
    Lwp& thread = *request.thread;
    if (request.data <= 0 || request.data > static_cast<std::int32_t>(sizeof(LwpInfoRecord)))
        return Failure(Errno::einval);
    LwpInfoRecord record{};
    record.tid = thread.tid;
    if (const DebugStop* stop = thread.stop) {
        record.flags = stop->flags;
        record.child = stop->child;
        if (stop->info) {
            record.event = event_signal;
            record.flags |= flag_signal_info;
            record.signal = to_record(*stop->info);
        }
        if (stop->flags & (stop_call_entry | stop_call_exit)) {
            record.call = stop->call;
            record.argument_count = stop->argument_count;
        }
    }
    SignalSet pending = thread.pending.set();
    std::memcpy(record.mask, &thread.mask, sizeof record.mask);
    std::memcpy(record.pending, &pending, sizeof record.pending);
    std::memcpy(record.name, thread.name[0] ? thread.name : thread.proc.command, sizeof record.name - 1);
    TRY(copyout(*lwp.proc.vmspace, &record, request.address, static_cast<std::uint64_t>(request.data)));
    return Return(0);
}

SysResult<Return> lwp_list(Lwp& lwp, const PtraceRequest& request) {
    const Proc& target = *request.target;
    if (request.request == pt_lwp_count)
        return Return(target.lwp_count);
    if (request.data <= 0)
        return Failure(Errno::einval);
    std::uint64_t count = 0;
    for (const Lwp* each = target.lwps.first(); each && count < static_cast<std::uint64_t>(request.data);
         each = target.lwps.next(each), count++)
        TRY(copyout(*lwp.proc.vmspace, UserAddress{request.address.value + count * sizeof each->tid},
                    each->tid));
    return Return(count);
}

// Of a thread that is stopped at a system call.
SysResult<Return> call_state(Lwp& lwp, const PtraceRequest& request) {
    const DebugStop* stop = request.thread->stop;
    bool result = request.request == pt_get_call_result;
    if (!stop || !(stop->flags & (stop_call_exit | (result ? 0 : stop_call_entry))) || request.data < 0)
        return Failure(Errno::einval);
    VmSpace& own = *lwp.proc.vmspace;
    if (result) {
        CallResult record{
            {stop->error ? 0 : stop->results[0], stop->error ? 0 : stop->results[1]}, stop->error, 0};
        TRY(copyout(own, &record, request.address,
                    least<std::uint64_t>(static_cast<std::uint64_t>(request.data), sizeof record)));
    } else if (stop->arguments) {
        TRY(copyout(own, stop->arguments, request.address,
                    least<std::uint64_t>(static_cast<std::uint64_t>(request.data),
                                         stop->argument_count * sizeof *stop->arguments)));
    }
    return Return(0);
}

} // namespace

SysResult<Return> ptrace_state(Lwp& lwp, const PtraceRequest& request) {
    switch (request.request) {
    case pt_read_text:
    case pt_read_data:
    case pt_write_text:
    case pt_write_data:
        return one_word(request);
    case pt_io:
        return many_words(lwp, request);
    case pt_get_registers:
    case pt_set_registers:
        return registers(lwp, request);
    case pt_get_fpu:
    case pt_set_fpu:
        return extended_state(lwp, request, request.request == pt_set_fpu, legacy_state);
    case pt_get_state_info:
    case pt_get_state:
    case pt_set_state:
        return state_request(lwp, request);
    case pt_get_fs_base:
    case pt_set_fs_base:
    case pt_get_gs_base:
    case pt_set_gs_base:
        return segment_base(lwp, request);
    case pt_lwp_info:
        return lwp_info(lwp, request);
    case pt_lwp_count:
    case pt_lwp_list:
        return lwp_list(lwp, request);
    case pt_get_call_arguments:
    case pt_get_call_result:
        return call_state(lwp, request);
    default:
        return Failure(Errno::einval);
    }
}

} // namespace bsd
