// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/abi/freebsd/signal.hpp"

#include "bsd-personality/kern/cpu.hpp"
#include "bsd-personality/vm/usermem.hpp"
#include "glue/fpu.hpp"
#include "lwkt/slab.hpp"

#include <cstring>

namespace bsd::freebsd {

namespace {

constexpr std::size_t legacy = 512; // of an XSAVE area; the rest lies above the frame
constexpr std::uint64_t longest_state = 16384;

// The frame is built in memory of its own: kernel stacks are small.
template <class T>
struct Scratch {
    T* pointer = lwkt::construct<T>();
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { lwkt::destroy(pointer); }
};

bool usable_base(std::uint64_t base) {
    return base < user_address_end;
}

} // namespace

// Runs the handler, then sigreturn(&frame->context).
const std::uint8_t trampoline[trampoline_size] = {
    0xff, 0x14, 0x24,                         // call *(%rsp)
    0x48, 0x8d, 0x7c, 0x24, 0x10,             // lea 16(%rsp), %rdi
    0x6a, 0x00,                               // push $0
    0x48, 0xc7, 0xc0, 0xa1, 0x01, 0x00, 0x00, // mov $417, %rax
    0x0f, 0x05,                               // syscall
    0x0f, 0x0b,                               // ud2: it does not come back
};

SignalInfoRecord to_record(const SignalInfo& info) {
    SignalInfoRecord record{};
    record.signal = info.signal;
    record.code = info.code;
    record.pid = info.pid;
    record.uid = info.uid;
    record.status = info.status;
    record.address = info.address;
    record.value = info.value;
    record.reason[0] = info.trap_number ? info.trap_number : info.timer_id;
    record.reason[1] = info.overrun;
    return record;
}

void signal_info(const SignalInfo& info, std::byte (&out)[80]) {
    SignalInfoRecord record = to_record(info);
    std::memcpy(out, &record, sizeof record);
}

void fill_context(Lwp& lwp, SignalSet mask, UserContextRecord& out) {
    const UserContext& c = *lwp.frame;
    std::memset(static_cast<void*>(&out), 0, sizeof out);
    out.mask = mask;
    MachineContext& m = out.machine;
    m.onstack = on_alternate_stack(lwp, c.rsp);
    m.registers = get_registers(c);
    m.fs = user_fs_selector, m.gs = user_gs_selector;
    m.es = m.ds = static_cast<std::uint16_t>(user_data_selector);
    m.flags = has_segments | has_bases;
    m.error = c.error;
    m.address = c.fault_address;
    m.rip = c.rip, m.cs = user_code_selector, m.rflags = c.rflags, m.rsp = c.rsp, m.ss = user_data_selector;
    m.length = sizeof m;
    m.fp_format = fp_format_xmm;
    m.owned_fp = fp_owned_fpu;
    std::memcpy(m.fp_state, read_fpu(lwp), legacy);
    m.fs_base = c.fs_base, m.gs_base = c.gs_base;
    out.stack = describe_stack(lwp, c.rsp);
}

SysResult<void> send_signal(Lwp& lwp, const SignalAction& action, const SignalInfo& info,
                            SignalSet return_mask) {
    Scratch<SignalFrame> scratch;
    if (!scratch.pointer)
        return Failure(Errno::enomem);
    SignalFrame& frame = *scratch.pointer;
    frame.handler = action.handler;
    frame.padding = 0;
    fill_context(lwp, return_mask, frame.context);
    frame.context.machine.trap_number = static_cast<std::uint32_t>(info.trap_number);
    frame.info = to_record(info);

    std::uint64_t extra = glue::Fpu::size() - legacy;
    std::uint64_t state = (frame_top(lwp, action) - extra) & ~std::uint64_t{63};
    std::uint64_t address = (state - sizeof frame) & ~std::uint64_t{15};
    frame.context.machine.flags |= has_xfpu;
    frame.context.machine.xfpu_state = state;
    frame.context.machine.xfpu_state_length = extra;
    VmSpace& space = *lwp.proc.vmspace;
    TRY(copyout(space, lwp.fpu + legacy, UserAddress{state}, extra));
    TRY(copyout(space, &frame, UserAddress{address}, sizeof frame));
    enter_trampoline(lwp, info, info.code, (action.flags & sa_siginfo) != 0, address,
                     address + offsetof(SignalFrame, context), address + offsetof(SignalFrame, info));
    return {};
}

SysResult<void> load_context(Lwp& lwp, const UserContextRecord& context) {
    const MachineContext& m = context.machine;
    if (m.length != sizeof m || (m.flags & ~std::uint32_t{has_segments | has_bases | has_xfpu}) ||
        !acceptable(m.rflags, m.cs))
        return Failure(Errno::einval);
    if ((m.flags & has_bases) && (!usable_base(m.fs_base) || !usable_base(m.gs_base)))
        return Failure(Errno::einval);
    if (m.fp_format != fp_format_none) {
        if (m.fp_format != fp_format_xmm)
            return Failure(Errno::einval);
        if (m.owned_fp == fp_owned_none) {
            reset_fpu(lwp);
        } else if (m.owned_fp == fp_owned_fpu || m.owned_fp == fp_owned_pcb) {
            std::byte* area = read_fpu(lwp);
            std::uint64_t extra = glue::Fpu::size() - legacy;
            if (m.flags & has_xfpu) {
                if (m.xfpu_state_length > longest_state)
                    return Failure(Errno::einval);
                std::uint64_t length = m.xfpu_state_length < extra ? m.xfpu_state_length : extra;
                std::memset(area + legacy, 0, extra);
                TRY(copyin(*lwp.proc.vmspace, UserAddress{m.xfpu_state}, area + legacy, length));
            } else {
                std::memset(area + legacy, 0, extra);
                area[legacy] = std::byte{3}; // x87 and SSE are in the first part
            }
            std::memcpy(area, m.fp_state, legacy);
            if (!write_fpu(lwp))
                return Failure(Errno::einval);
        } else {
            return Failure(Errno::einval);
        }
    }
    UserContext& c = *lwp.frame;
    set_registers(c, m.registers);
    c.rip = m.rip;
    c.rsp = m.rsp;
    c.rflags = clean_flags(m.rflags);
    if (m.flags & has_bases) {
        c.fs_base = m.fs_base;
        c.gs_base = m.gs_base;
    }
    set_signal_mask(lwp, context.mask);
    return {};
}

SysResult<void> signal_return(Lwp& lwp, UserAddress address) {
    Scratch<UserContextRecord> context;
    if (!context.pointer)
        return Failure(Errno::enomem);
    TRY(copyin(*lwp.proc.vmspace, address, context.pointer, sizeof *context.pointer));
    return load_context(lwp, *context.pointer);
}

} // namespace bsd::freebsd
