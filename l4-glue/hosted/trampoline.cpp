// SPDX-License-Identifier: BSD-2-Clause
// How a BSD thread that reports its traps itself runs: the registers go into the signal frame on which it is
// parked, it is released, and it parks again. The frame, and all that says why it parked, lies in memory that
// the BSD process can write: it is read once, and addresses in it only name places in the slot.
#include "glue/fpu.hpp"
#include "l4-glue/hosted/agent.hpp"
#include "l4-glue/hosted/processors.hpp"
#include "l4-glue/hosted/trap.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace glue::hosted {

// What of a frame is looked at; copied out of the slot at once.
struct AgentProcess::Frame {
    std::byte* context;  // the ucontext in the slot
    std::byte* extended; // the XSAVE area in the slot
};

namespace {

constexpr std::uint64_t trapped_soon = 40'000; // ns: a trap that may be worth spinning for
constexpr unsigned least_spin = 1'000;
constexpr std::uint64_t tick = 20'000'000;   // ns between looks at a process that runs on and on
constexpr unsigned patience = 250;           // ticks after which a thread that ignores interruption is ended
constexpr std::uint64_t parked_spins = 3000; // of the BSD process's thread: 0.1 ms or less
constexpr std::size_t registers_offset = offsetof(ucontext_t, uc_mcontext.gregs);
thread_local Seat seat;
thread_local unsigned spin_nanoseconds; // how long to spin for a trap; follows how long that took before

std::uint64_t load(const std::uint64_t& word) {
    return __atomic_load_n(&word, __ATOMIC_RELAXED);
}

void futex(const std::uint32_t* word, int operation, std::uint32_t value, std::uint64_t nanoseconds) {
    timespec time{static_cast<time_t>(nanoseconds / 1'000'000'000),
                  static_cast<long>(nanoseconds % 1'000'000'000)};
    (void)syscall(SYS_futex, word, operation, value, operation == FUTEX_WAIT ? &time : nullptr, nullptr, 0);
}

// Order of the kernel's frame; the rest of UserContext follows from the signal.
struct RegisterPlace {
    int in_frame;
    abi::Word abi::Registers::*in_context;
};
constexpr RegisterPlace register_places[] = {
    {REG_R8, &abi::Registers::r8},   {REG_R9, &abi::Registers::r9},   {REG_R10, &abi::Registers::r10},
    {REG_R11, &abi::Registers::r11}, {REG_R12, &abi::Registers::r12}, {REG_R13, &abi::Registers::r13},
    {REG_R14, &abi::Registers::r14}, {REG_R15, &abi::Registers::r15}, {REG_RDI, &abi::Registers::rdi},
    {REG_RSI, &abi::Registers::rsi}, {REG_RBP, &abi::Registers::rbp}, {REG_RBX, &abi::Registers::rbx},
    {REG_RDX, &abi::Registers::rdx}, {REG_RAX, &abi::Registers::rax}, {REG_RCX, &abi::Registers::rcx},
    {REG_RSP, &abi::Registers::rsp}, {REG_RIP, &abi::Registers::rip}, {REG_EFL, &abi::Registers::rflags},
};

void write_frame(const UserContext& from, Slot& slot, std::byte* context, std::uint64_t stack) {
    gregset_t registers;
    std::memcpy(registers, context + registers_offset, sizeof registers);
    for (const RegisterPlace& each : register_places)
        registers[each.in_frame] = static_cast<greg_t>(from.*each.in_context);
    registers[REG_EFL] = static_cast<greg_t>((from.rflags & user_flags) | 0x202);
    registers[REG_CSGSFS] = static_cast<greg_t>(std::uint64_t{user_data} << 48 | user_code);
    std::memcpy(context + registers_offset, registers, sizeof registers);
    // What a BSD thread may have changed by returning from signals of its own making.
    const stack_t signal_stack{reinterpret_cast<void*>(stack), 0, hosted::stub_slot_size - SLOT_STACK};
    std::memcpy(context + offsetof(ucontext_t, uc_stack), &signal_stack, sizeof signal_stack);
    std::memset(context + offsetof(ucontext_t, uc_sigmask), 0, 8);
    __atomic_store_n(&slot.fs_base, from.fs_base, __ATOMIC_RELAXED);
    __atomic_store_n(&slot.gs_base, from.gs_base, __ATOMIC_RELAXED);
    __atomic_store_n(&slot.spins, seat.may_spin() ? parked_spins : 0, __ATOMIC_RELAXED);
}

// XSAVE's area without the 48 bytes that belong to the kernel of the host.
constexpr std::size_t host_bytes = 464, host_bytes_end = 512;
void copy_extended(std::byte* to, const std::byte* from) {
    std::memcpy(to, from, host_bytes);
    std::memcpy(to + host_bytes_end, from + host_bytes_end, Fpu::size() - host_bytes_end);
}

} // namespace

bool AgentProcess::find_frame(unsigned cpu, Frame& frame) {
    constexpr std::size_t context_size = offsetof(ucontext_t, uc_sigmask) + 8;
    frame.context = place(cpu, load(slot(cpu).context), context_size, 8);
    if (!frame.context)
        return false;
    std::uint64_t extended;
    std::memcpy(&extended, frame.context + offsetof(ucontext_t, uc_mcontext.fpregs), sizeof extended);
    frame.extended = place(cpu, extended, Fpu::size() + 4, 64);
    return frame.extended != nullptr;
}

bool AgentProcess::save(unsigned cpu, std::byte* area) {
    Frame frame;
    if (!find_frame(cpu, frame))
        return false;
    copy_extended(area, frame.extended);
    return true;
}

bool AgentProcess::resume(const Turn& turn) {
    Slot& slot = this->slot(turn.cpu);
    // One that has just been made comes to its first trap by itself.
    while (__atomic_load_n(&slot.state, __ATOMIC_ACQUIRE) == 0 && !dead()) {
        sched_yield();
        look();
    }
    Frame frame;
    if (dead() || !find_frame(turn.cpu, frame)) {
        kill();
        return false;
    }
    Busy::add(1);
    seat.choose(turn.cpu);
    write_frame(turn.context, slot, frame.context, stub_slots + turn.cpu * stub_slot_size + SLOT_STACK);
    if (turn.state)
        copy_extended(frame.extended, turn.state);
    if (__atomic_exchange_n(&slot.state, STATE_RUN, __ATOMIC_SEQ_CST) == STATE_ASLEEP)
        futex(&slot.state, FUTEX_WAKE, INT_MAX, 0);
    return true;
}

// Parked, or its process is dead; until then events and the deadline interrupt it.
void AgentProcess::await(const Turn& turn) {
    Slot& slot = this->slot(turn.cpu);
    std::uint64_t start = Clock::ticks().value;
    if (seat.may_spin()) {
        unsigned limit = std::max(spin_nanoseconds, least_spin);
        for (std::uint64_t now = start; now - start < limit && Busy::leaves_processors();
             now = Clock::ticks().value)
            for (unsigned i = 0; i != 16; ++i) {
                if (parked(turn.cpu)) {
                    spin_nanoseconds = trapped_soon;
                    return;
                }
                __builtin_ia32_pause();
            }
    }
    unsigned refused = 0;
    while (!parked(turn.cpu)) {
        std::uint64_t now = Clock::ticks().value, wait = tick;
        bool due = turn.deadline != no_deadline && now >= turn.deadline.value;
        if (due)
            interrupt(turn.cpu);
        else if (turn.deadline != no_deadline)
            wait = std::min(wait, turn.deadline.value - now);
        __atomic_store_n(&slot.sleeping, 1, __ATOMIC_SEQ_CST);
        if (!parked(turn.cpu))
            futex(&slot.state, FUTEX_WAIT, STATE_RUN, wait);
        __atomic_store_n(&slot.sleeping, 0, __ATOMIC_SEQ_CST);
        if (parked(turn.cpu))
            break;
        if (Clock::ticks().value - now >= tick) {
            if ((due || turn.vcpu.pending()) && ++refused > patience)
                kill();
            look();
        }
        if (dead())
            break;
    }
    if (std::uint64_t took = Clock::ticks().value - start; took < trapped_soon)
        spin_nanoseconds = trapped_soon;
    else
        spin_nanoseconds /= 2;
}

Trap AgentProcess::trap(const Turn& turn) {
    await(turn);
    Busy::add(-1);
    const unsigned cpu = turn.cpu;
    Frame frame;
    const std::byte* information = place(cpu, load(slot(cpu).information), sizeof(siginfo_t), 8);
    if (dead() || !information || !find_frame(cpu, frame)) {
        kill();
        return Trap::event;
    }
    UserContext& context = turn.context;
    gregset_t registers;
    Report report{};
    std::memcpy(registers, frame.context + registers_offset, sizeof registers);
    std::memcpy(&report.information, information, sizeof report.information);
    report.signal = static_cast<int>(load(slot(cpu).signal));
    for (const RegisterPlace& each : register_places)
        context.*each.in_context = static_cast<std::uint64_t>(registers[each.in_frame]);
    context.fs_base = load(slot(cpu).fs_base);
    context.gs_base = load(slot(cpu).gs_base);
    context.cs = user_code;
    context.ss = user_data;
    const bool offence = __atomic_exchange_n(&offences_[cpu], false, __ATOMIC_SEQ_CST);
    if (offence || static_cast<std::uint16_t>(registers[REG_CSGSFS]) != user_code)
        return protection_fault(context, 0); // it jumped into the trampoline, or to a segment of 32-bit code
    report.vector = static_cast<std::uint64_t>(registers[REG_TRAPNO]);
    report.error = static_cast<std::uint64_t>(registers[REG_ERR]);
    report.fault_address = static_cast<std::uint64_t>(registers[REG_CR2]);
    const auto trap = trap_of(context, report);
    if (!trap)
        kill();
    return trap.value_or(Trap::event);
}

} // namespace glue::hosted
