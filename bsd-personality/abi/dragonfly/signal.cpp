// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/abi/dragonfly/signal.hpp"

#include "bsd-personality/kern/cpu.hpp"
#include "bsd-personality/vm/usermem.hpp"
#include "glue/fpu.hpp"
#include "lwkt/slab.hpp"

#include <cstring>

namespace bsd::dragonfly {

namespace {

// An XSAVE area of the standard form: 512 bytes of x87 and SSE, a 64-byte header that begins with the bits of
// what is there, AVX at 576. More than the frame's 1024 bytes (AVX-512) is left out.
constexpr std::size_t header_offset = 512, end_of_avx = 832;
constexpr std::uint64_t bits_up_to_avx = 7;

std::size_t state_in_frame() {
    return glue::Fpu::size() <= 1024 ? glue::Fpu::size() : end_of_avx;
}

template <class T>
struct Scratch {
    T* pointer = lwkt::construct<T>();
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { lwkt::destroy(pointer); }
};

SignalInfoRecord to_record(const SignalInfo& info) {
    SignalInfoRecord record{};
    record.signal = info.signal;
    record.code = signal_code(info.code);
    record.pid = info.pid;
    record.uid = info.uid;
    record.status = info.status;
    record.address = info.address;
    record.value = info.value;
    return record;
}

void fill_context(Lwp& lwp, SignalSet mask, UserContextRecord& out) {
    const UserContext& c = *lwp.frame;
    out.mask = mask;
    MachineContext& m = out.machine;
    m.onstack = on_alternate_stack(lwp, c.rsp);
    m.registers = get_registers(c);
    m.error = c.error;
    m.address = c.fault_address;
    m.rip = c.rip, m.cs = user_code_selector, m.rflags = c.rflags, m.rsp = c.rsp, m.ss = user_data_selector;
    m.length = sizeof m;
    m.fp_format = fp_format_xmm;
    m.owned_fp = fp_owned_fpu;
    std::memcpy(m.fp_state, read_fpu(lwp), state_in_frame());
    if (glue::Fpu::size() > 1024) {
        std::uint64_t bits;
        std::memcpy(&bits, m.fp_state + header_offset, sizeof bits);
        bits &= bits_up_to_avx;
        std::memcpy(m.fp_state + header_offset, &bits, sizeof bits);
    }
    out.stack = describe_stack(lwp, c.rsp);
}

} // namespace

// Runs the handler, then sigreturn(&frame->context).
const std::uint8_t trampoline[trampoline_size] = {
    0xff, 0x14, 0x24,                         // call *(%rsp)
    0x48, 0x8d, 0x7c, 0x24, 0x40,             // lea 64(%rsp), %rdi
    0x6a, 0x00,                               // push $0
    0x48, 0xc7, 0xc0, 0x58, 0x01, 0x00, 0x00, // mov $344, %rax
    0x0f, 0x05,                               // syscall
    0x0f, 0x0b,                               // ud2: it does not come back
};

int signal_code(int code) {
    switch (code) {
    case si_user:
    case si_lwp:
    case si_kernel:
        return 0;
    case si_queue:
        return -1;
    case si_timer:
        return -2;
    case si_mesgq:
        return -3;
    case si_asyncio:
        return -4;
    default:
        return code;
    }
}

void signal_info(const SignalInfo& info, std::byte (&out)[80]) {
    SignalInfoRecord record = to_record(info);
    std::memcpy(out, &record, sizeof record);
}

SysResult<void> send_signal(Lwp& lwp, const SignalAction& action, const SignalInfo& info,
                            SignalSet return_mask) {
    Scratch<SignalFrame> scratch;
    if (!scratch.pointer)
        return Failure(Errno::enomem);
    SignalFrame& frame = *scratch.pointer;
    std::memset(static_cast<void*>(&frame), 0, sizeof frame);
    frame.handler = action.handler;
    fill_context(lwp, return_mask, frame.context);
    frame.context.machine.trap_number = static_cast<std::uint64_t>(info.trap_number);
    frame.info = to_record(info);
    std::uint64_t address = (frame_top(lwp, action) - sizeof frame) & ~std::uint64_t{63};
    TRY(copyout(*lwp.proc.vmspace, &frame, UserAddress{address}, sizeof frame));
    enter_trampoline(lwp, info, signal_code(info.code), (action.flags & sa_siginfo) != 0, address,
                     address + offsetof(SignalFrame, context), address + offsetof(SignalFrame, info));
    return {};
}

SysResult<void> signal_return(Lwp& lwp, UserAddress address) {
    Scratch<UserContextRecord> scratch;
    if (!scratch.pointer)
        return Failure(Errno::enomem);
    UserContextRecord& context = *scratch.pointer;
    TRY(copyin(*lwp.proc.vmspace, address, &context, sizeof context));
    const MachineContext& m = context.machine;
    if (!acceptable(m.rflags, m.cs))
        return Failure(Errno::einval);
    if (m.owned_fp == fp_owned_fpu || m.owned_fp == fp_owned_pcb) {
        std::byte* area = read_fpu(lwp);
        std::memset(area + header_offset, 0, glue::Fpu::size() - header_offset);
        std::memcpy(area, m.fp_state, state_in_frame());
        if (!write_fpu(lwp))
            return Failure(Errno::einval);
    } else if (m.owned_fp == fp_owned_none) {
        reset_fpu(lwp);
    }
    UserContext& c = *lwp.frame;
    set_registers(c, m.registers);
    c.rip = m.rip;
    c.rsp = m.rsp;
    c.rflags = clean_flags(m.rflags);
    set_signal_mask(lwp, context.mask);
    return {};
}

} // namespace bsd::dragonfly
