// SPDX-License-Identifier: BSD-2-Clause
// How a vCPU runs a BSD thread: it puts the registers into the signal frame on which its thread in the BSD
// process is parked, releases that thread, and waits until it parks again. The frame, and all that says why
// it parked, lies in memory that the BSD process can write: it is read once, and addresses in it only name
// places in the slot.
#include "glue/fpu.hpp"
#include "glue/vcpu.hpp"
#include "l4-glue/hosted/space.hpp"

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include <cpuid.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace glue {

using hosted::Slot;
using hosted::Space;

namespace {

constexpr std::uint64_t trapped_soon = 40'000; // ns: a trap that may be worth spinning for
constexpr unsigned least_spin = 1'000;
constexpr std::uint64_t tick = 20'000'000;  // ns between looks at a process that runs on and on
constexpr unsigned patience = 250;          // ticks after which a thread that ignores interruption is ended
constexpr std::uint64_t parked_spins = 400; // of the BSD process's thread, while the personality works
constexpr int code_seccomp = 1;             // SYS_SECCOMP
constexpr std::uint64_t user_flags = 0x24'0dd5; // carry … overflow, trap, direction, AC, ID
constexpr std::uint16_t user_code = 0x33, user_data = 0x2b;
constexpr std::uint64_t vsyscall_page = 0xffff'ffff'ff60'0000;

// What of a frame is looked at; copied out of the slot at once.
struct Frame {
    std::byte* context;  // the ucontext in the slot
    std::byte* extended; // the XSAVE area in the slot; null if there is none
};
constexpr std::size_t registers_offset = offsetof(ucontext_t, uc_mcontext.gregs);

std::uint64_t load(const std::uint64_t& word) {
    return __atomic_load_n(&word, __ATOMIC_RELAXED);
}

// The place in the slot that an address in the BSD process names; null if it is not `size` bytes on the
// slot's stack.
std::byte* place(Space& space, unsigned cpu, std::uint64_t address, std::size_t size, std::uint64_t align) {
    std::uint64_t start = hosted::stub_slots + cpu * hosted::stub_slot_size;
    if (address % align != 0 || address < start + SLOT_STACK ||
        address > start + hosted::stub_slot_size - size)
        return nullptr;
    return space.slot_bytes(cpu) + (address - start);
}

bool find_frame(Space& space, unsigned cpu, Frame& frame) {
    constexpr std::size_t context_size = offsetof(ucontext_t, uc_sigmask) + 8;
    frame.context = place(space, cpu, load(space.slot(cpu).context), context_size, 8);
    if (!frame.context)
        return false;
    std::uint64_t extended;
    std::memcpy(&extended, frame.context + offsetof(ucontext_t, uc_mcontext.fpregs), sizeof extended);
    frame.extended = place(space, cpu, extended, Fpu::size() + 4, 64);
    return frame.extended != nullptr;
}

bool parked(const Slot& slot) {
    return __atomic_load_n(&slot.state, __ATOMIC_ACQUIRE) != STATE_RUN;
}

void futex(const std::uint32_t* word, int operation, std::uint32_t value, std::uint64_t nanoseconds) {
    timespec time{static_cast<time_t>(nanoseconds / 1'000'000'000),
                  static_cast<long>(nanoseconds % 1'000'000'000)};
    (void)syscall(SYS_futex, word, operation, value, operation == FUTEX_WAIT ? &time : nullptr, nullptr, 0);
}

// Spinning is for processors that have nothing else to do: each vCPU that is in a BSD process needs one for
// it and one for who waits.
std::uint32_t in_guests; // atomic: vCPUs that run a BSD thread now
bool processors_to_spare() {
    static const unsigned processors = [] {
        cpu_set_t set;
        return sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 1u;
    }();
    return 2 * __atomic_load_n(&in_guests, __ATOMIC_RELAXED) <= processors;
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

void write_frame(const UserContext& from, Slot& slot, const Frame& frame, std::uint64_t stack) {
    gregset_t registers;
    std::memcpy(registers, frame.context + registers_offset, sizeof registers);
    for (const RegisterPlace& each : register_places)
        registers[each.in_frame] = static_cast<greg_t>(from.*each.in_context);
    registers[REG_EFL] = static_cast<greg_t>((from.rflags & user_flags) | 0x202);
    registers[REG_CSGSFS] = static_cast<greg_t>(std::uint64_t{user_data} << 48 | user_code);
    std::memcpy(frame.context + registers_offset, registers, sizeof registers);
    // What a BSD thread may have changed by returning from signals of its own making.
    const stack_t signal_stack{reinterpret_cast<void*>(stack), 0, hosted::stub_slot_size - SLOT_STACK};
    std::memcpy(frame.context + offsetof(ucontext_t, uc_stack), &signal_stack, sizeof signal_stack);
    std::memset(frame.context + offsetof(ucontext_t, uc_sigmask), 0, 8);
    __atomic_store_n(&slot.fs_base, from.fs_base, __ATOMIC_RELAXED);
    __atomic_store_n(&slot.gs_base, from.gs_base, __ATOMIC_RELAXED);
    __atomic_store_n(&slot.spins, processors_to_spare() ? parked_spins : 0, __ATOMIC_RELAXED);
}

// XSAVE's area without the 48 bytes that belong to the kernel of the host.
constexpr std::size_t host_bytes = 464, host_bytes_end = 512;
void copy_extended(std::byte* to, const std::byte* from) {
    std::memcpy(to, from, host_bytes);
    std::memcpy(to + host_bytes_end, from + host_bytes_end, Fpu::size() - host_bytes_end);
}

std::uint64_t extended_mask() {
    unsigned low, high;
    asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    constexpr std::uint64_t on_request = std::uint64_t{3}
                                         << 17; // AMX: a process without a permission has none
    return (std::uint64_t{high} << 32 | low) & ~on_request;
}

} // namespace

// --- extended state
// ---------------------------------------------------------------------------------------------
std::size_t Fpu::size() {
    static const std::size_t size = [] {
        std::size_t end = 576;
        for (unsigned each = 2; each != 63; ++each) {
            unsigned a, b, c, d;
            if ((extended_mask() >> each & 1) != 0 && __get_cpuid_count(0xd, each, &a, &b, &c, &d))
                end = std::max(end, std::size_t{a} + b);
        }
        return (end + 63) & ~std::size_t{63};
    }();
    return size;
}

std::uint64_t Fpu::mask() {
    return extended_mask();
}

void Fpu::initialize(std::byte* area) {
    std::memset(area, 0, size());
    area[0] = std::byte{0x7f};
    area[1] = std::byte{0x03};
    area[24] = std::byte{0x80};
    area[25] = std::byte{0x1f};
    area[512] = std::byte{3};
}

void Fpu::save(std::byte* area) {
    Vcpu* vcpu = hosted::this_vcpu;
    if (!vcpu)
        return;
    if (vcpu->next_state_) {
        if (vcpu->next_state_ != area)
            std::memcpy(area, vcpu->next_state_, size());
        return;
    }
    Frame frame;
    Space* space = __atomic_load_n(&vcpu->live_, __ATOMIC_SEQ_CST);
    if (!space || !find_frame(*space, hosted::index_of(*vcpu), frame))
        return initialize(area);
    copy_extended(area, frame.extended);
    std::memset(area + host_bytes, 0, host_bytes_end - host_bytes);
    // A BSD process can write anything there; what is kept is what a processor would take.
    std::uint64_t header[8];
    std::memcpy(header, area + 512, sizeof header);
    header[0] &= extended_mask();
    std::memset(header + 1, 0, sizeof header - sizeof *header);
    std::memcpy(area + 512, header, sizeof header);
    area[26] = area[27] = std::byte{0}; // reserved bits of MXCSR
}

bool Fpu::restore(const std::byte* area) {
    std::uint32_t mxcsr;
    std::uint64_t header[8];
    std::memcpy(&mxcsr, area + 24, sizeof mxcsr);
    std::memcpy(header, area + 512, sizeof header);
    bool good = !(mxcsr & ~0xffffu) && !(header[0] & ~extended_mask());
    for (unsigned i = 1; i < 8; ++i)
        good = good && header[i] == 0; // no compaction, nothing reserved
    alignas(64) static std::byte reset[16384];
    if (!good && reset[0] == std::byte{0})
        initialize(reset);
    if (hosted::this_vcpu)
        hosted::this_vcpu->next_state_ = good ? area : reset;
    return good;
}

// --- running
// ----------------------------------------------------------------------------------------------------
// Parked, or its process is dead; until then events and the deadline interrupt it.
Trap Vcpu::await(Space& space, unsigned cpu) {
    Slot& slot = space.slot(cpu);
    std::uint64_t start = Clock::ticks().value;
    if (processors_to_spare()) {
        unsigned limit = std::max(spin_nanoseconds_, least_spin);
        for (std::uint64_t now = start; now - start < limit && processors_to_spare();
             now = Clock::ticks().value)
            for (unsigned i = 0; i != 16; ++i) {
                if (parked(slot)) {
                    spin_nanoseconds_ = trapped_soon;
                    return Trap::system_call;
                }
                __builtin_ia32_pause();
            }
    }
    unsigned refused = 0;
    while (!parked(slot)) {
        std::uint64_t now = Clock::ticks().value, wait = tick;
        bool due = deadline_ != no_deadline && now >= deadline_.value;
        if (due)
            space.interrupt(cpu);
        else if (deadline_ != no_deadline)
            wait = std::min(wait, deadline_.value - now);
        __atomic_store_n(&slot.sleeping, 1, __ATOMIC_SEQ_CST);
        if (!parked(slot))
            futex(&slot.state, FUTEX_WAIT, STATE_RUN, wait);
        __atomic_store_n(&slot.sleeping, 0, __ATOMIC_SEQ_CST);
        if (parked(slot))
            break;
        if (Clock::ticks().value - now >= tick) {
            if ((due || pending()) && ++refused > patience)
                space.kill();
            space.look();
        }
        if (space.dead())
            break;
    }
    if (std::uint64_t took = Clock::ticks().value - start; took < trapped_soon)
        spin_nanoseconds_ = trapped_soon;
    else
        spin_nanoseconds_ /= 2;
    return Trap::system_call;
}

// A process that is gone looks like one whose next page cannot be had: that ends it.
static Trap gone(UserContext& context) {
    context.vector = 14;
    context.error = 4;
    context.fault_address = context.rip;
    return Trap::page_fault;
}

static Trap fetch_fault(UserContext& context, std::uint64_t address) {
    context.vector = 14;
    context.error = 4 | 16;
    context.fault_address = address;
    return Trap::page_fault;
}

static Trap protection_fault(UserContext& context, std::uint64_t error) {
    context.vector = 13;
    context.error = error;
    return Trap::exception;
}

// The thread that ran last need not wait for its next turn: its processor goes to this one's, which has been
// woken and is waiting for one. The other way round the processor would be idle between the two.
void Vcpu::make_live(Space& space, unsigned cpu) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (live_)
        __atomic_store_n(&live_->slot(cpu).spins, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&live_, &space, __ATOMIC_SEQ_CST);
}

Trap Vcpu::run(Space& space) {
    unsigned cpu = hosted::index_of(*this);
    Slot& slot = space.slot(cpu);
    if (context_.rip >= abi::user_end || context_.fs_base >= abi::user_end ||
        context_.gs_base >= abi::user_end)
        return protection_fault(context_, 0);
    space.prepare();
    // One that has just been made comes to its first trap by itself.
    while (__atomic_load_n(&slot.state, __ATOMIC_ACQUIRE) == 0 && !space.dead()) {
        sched_yield();
        space.look();
    }
    Frame frame;
    if (space.dead() || !find_frame(space, cpu, frame)) {
        space.kill();
        return gone(context_);
    }
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (pending())
            return Trap::event;
        guest_ = &space;
    }
    __atomic_fetch_add(&in_guests, 1, __ATOMIC_RELAXED);
    write_frame(context_, slot, frame, hosted::stub_slots + cpu * hosted::stub_slot_size + SLOT_STACK);
    if (next_state_) {
        copy_extended(frame.extended, next_state_);
        next_state_ = nullptr;
    }
    if (__atomic_exchange_n(&slot.state, STATE_RUN, __ATOMIC_SEQ_CST) == STATE_ASLEEP)
        futex(&slot.state, FUTEX_WAKE, INT_MAX, 0);
    if (__atomic_load_n(&live_, __ATOMIC_RELAXED) != &space)
        make_live(space, cpu);
    await(space, cpu);
    __atomic_fetch_sub(&in_guests, 1, __ATOMIC_RELAXED);
    {
        std::lock_guard<std::mutex> lock(mutex_);
        guest_ = nullptr;
    }
    return space.dead() ? gone(context_) : take_trap(space, cpu);
}

Trap Vcpu::take_trap(Space& space, unsigned cpu) {
    Slot& slot = space.slot(cpu);
    Frame frame;
    std::uint64_t start = hosted::stub_slots + cpu * hosted::stub_slot_size;
    const std::byte* information = place(space, cpu, load(slot.information), sizeof(siginfo_t), 8);
    if (!information || !find_frame(space, cpu, frame) || start == 0) {
        space.kill();
        return gone(context_);
    }
    gregset_t registers;
    siginfo_t reason;
    std::memcpy(registers, frame.context + registers_offset, sizeof registers);
    std::memcpy(&reason, information, sizeof reason);
    std::uint64_t signal = load(slot.signal);
    for (const RegisterPlace& each : register_places)
        context_.*each.in_context = static_cast<std::uint64_t>(registers[each.in_frame]);
    context_.fs_base = load(slot.fs_base);
    context_.gs_base = load(slot.gs_base);
    auto code = static_cast<std::uint16_t>(registers[REG_CSGSFS]);
    context_.cs = user_code;
    context_.ss = user_data;
    bool offence = space.take_offence(cpu);
    if (offence || code != user_code) // it jumped into the trampoline, or to a segment of 32-bit code
        return protection_fault(context_, 0);
    if (signal == SIGSYS && reason.si_code == code_seccomp) {
        auto address = reinterpret_cast<std::uint64_t>(reason.si_call_addr);
        if (address >= vsyscall_page) { // the host has emulated the return of a call that did not happen
            context_.rip = address;
            context_.rsp -= 8;
            return fetch_fault(context_, address);
        }
        if (reason.si_arch != AUDIT_ARCH_X86_64) { // int 0x80
            context_.rip -= 2;
            return protection_fault(context_, 0x80 * 8 + 2);
        }
        context_.vector = abi::vector_system_call;
        return Trap::system_call;
    }
    // Linux lets this one number pass every filter since 6.14 (uretprobe), and answers it by a signal.
    if (signal == SIGILL && reason.si_code == SI_KERNEL) {
        constexpr std::uint64_t passed_number = 335;
        context_.rax = passed_number;
        context_.vector = abi::vector_system_call;
        return Trap::system_call;
    }
    if (signal == SIGUSR1 || signal == SIGSYS)
        return deadline_ != no_deadline && Clock::ticks() >= deadline_ && !pending() ? Trap::deadline
                                                                                     : Trap::event;
    if (context_.rip >= vsyscall_page) // the host does not say then which exception it was
        return fetch_fault(context_, context_.rip);
    auto vector = static_cast<std::uint64_t>(registers[REG_TRAPNO]);
    context_.vector = vector < 32 ? vector : 13;
    context_.error = static_cast<std::uint64_t>(registers[REG_ERR]);
    if (vector == 14 && signal == SIGBUS) { // memory that is mapped and not there: the host has run out
        space.kill();
        return gone(context_);
    }
    if (vector == 14) {
        context_.fault_address = static_cast<std::uint64_t>(registers[REG_CR2]);
        return Trap::page_fault;
    }
    return Trap::exception;
}

} // namespace glue
