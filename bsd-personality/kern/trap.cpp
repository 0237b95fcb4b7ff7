// SPDX-License-Identifier: BSD-2-Clause
// The loop of a BSD thread: run it in user mode, take what made it stop, look at signals and at the time
// slice, run it again. Runs on the lwp's own LWKT thread. The vCPU page holds the registers of the lwp that
// ran last on this core; they are exchanged only when another one is about to enter user mode.
//
// Upcalls are off from the last look at `ast` until enter() has returned: an event in between sets `pending`,
// so that enter() returns at once and nothing is overlooked. System calls marked nogiant run in that state,
// too: they neither block nor allocate.
#include "bsd-personality/kern/trap.hpp"
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/counters.hpp"
#include "bsd-personality/kern/cpu.hpp"
#include "bsd-personality/kern/debug.hpp"
#include "bsd-personality/kern/hold.hpp"
#include "bsd-personality/kern/ktrace.hpp"
#include "bsd-personality/kern/rest.hpp"
#include "bsd-personality/kern/timekeep.hpp"
#include "bsd-personality/kern/trace.hpp"
#include "bsd-personality/kern/usched.hpp"
#include "bsd-personality/vm/usermem.hpp"
#include "glue/fpu.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

namespace {

constexpr std::uint64_t carry_flag = 1;
// Per vCPU; owned by its core.
struct alignas(64) CpuState {
    Lwp* owner = nullptr; // whose registers are in the vCPU page and the FPU
};
CpuState cpus[abi::max_cores];

CpuState& here() {
    return cpus[lwkt::current_cpu().value];
}
glue::Vcpu& this_vcpu() {
    return glue::Vcpu::of(lwkt::current_cpu());
}

[[gnu::always_inline]] inline void finish_call(Lwp& lwp, const SysResult<Return>& result) {
    UserContext& registers = *lwp.frame;
    if (result.ok()) {
        const Return& value = const_cast<SysResult<Return>&>(result).value();
        registers.rax = value.rax;
        if (value.has_rdx)
            registers.rdx = value.rdx;
        registers.rflags &= ~carry_flag;
        return;
    }
    switch (result.error()) {
    case Errno::ejustreturn:
        return;
    case Errno::erestart:
        lwp.restart = true;
        __atomic_fetch_or(&lwp.ast, ast_signal, __ATOMIC_SEQ_CST); // settled with the signals
        return;
    default:
        registers.rax = static_cast<std::uint64_t>(lwp.proc.abi->errno_number(result.error()));
        registers.rflags |= carry_flag;
    }
}

SysResult<void> fetch_stack_words(Lwp& lwp, const SystemCallEntry& entry, SystemCall& call, unsigned shift) {
    constexpr unsigned registers = 6;
    if (entry.words + shift <= registers)
        return {};
    unsigned count = least(entry.words + shift - registers, SystemCall::stack_words);
    return copyin(*lwp.proc.vmspace, UserAddress{lwp.frame->rsp + 8}, call.stack(),
                  count * sizeof(std::uint64_t));
}

SysResult<Return> call_handler(Lwp& lwp, const SystemCallEntry& entry, SystemCall& call, unsigned shift) {
    TRY(fetch_stack_words(lwp, entry, call, shift));
    return entry.handler(lwp, call);
}

// With giant shared (giant.hpp). False: nothing has happened, giant is needed exclusively.
bool call_shared_mode(Lwp& lwp, const SystemCallEntry& entry, SystemCall& call, unsigned shift) {
    lwkt::SharedTokenGuard guard(giant);
    auto result = call_handler(lwp, entry, call, shift);
    if (!result.ok() && result.error() == Errno::eexclusive)
        return false;
    finish_call(lwp, result);
    return true;
}

// The one place where calls are looked at: by who traces the jail, by ktrace, and by the process's debugger.
// Every call is made exclusively then, also those that need not.
[[gnu::noinline]] void observed_call(Lwp& lwp, const SystemCallEntry& entry, SystemCall& call, unsigned shift,
                                     std::uint32_t number) {
    lwkt::TokenGuard guard(giant);
    (void)fetch_stack_words(lwp, entry, call, shift); // reported by call_handler
    CallStop stop(lwp, entry, call, number);
    stop.enter();
    if (lwp.observers & observe_truss) {
        TracedCall traced(lwp, entry, call);
        auto result = call_handler(lwp, entry, call, shift);
        finish_call(lwp, result);
        traced.finish(result);
        return stop.leave(result);
    }
    auto result = call_handler(lwp, entry, call, shift);
    finish_call(lwp, result);
    stop.leave(result);
}

// True: upcalls are still off.
bool system_call(Lwp& lwp, glue::Vcpu& vcpu) {
    UserContext& registers = *lwp.frame;
    auto number = static_cast<std::uint32_t>(registers.rax);
    unsigned shift = 0;
    if (number == 0 || number == 198) { // syscall(2) and __syscall(2)
        number = static_cast<std::uint32_t>(registers.rdi);
        shift = 1;
    }
    const SystemCallTable& table = lwp.proc.abi->calls;
    const SystemCallEntry* entry = number < table.count ? &table.entries[number] : nullptr;
    if (!entry || !entry->handler) [[unlikely]] {
        vcpu.enable_upcalls();
        lwkt::TokenGuard guard(giant);
        count_unknown_call(lwp, number, entry ? entry->name : nullptr);
        if (lwp.observers & observe_ktrace) {
            ktrace_call(lwp, number, nullptr, 0);
            ktrace_return(lwp, number, Failure(Errno::enosys));
        }
        finish_call(lwp, Failure(Errno::enosys));
        return false;
    }
    SystemCall call(lwp.frame, shift);
    std::uint8_t observers = __atomic_load_n(&lwp.observers, __ATOMIC_RELAXED);
    if (entry->flags & call_nogiant && !observers) {
        finish_call(lwp, entry->handler(lwp, call));
        return true;
    }
    vcpu.enable_upcalls();
    lwp.cpu_time.leave_user(glue::Clock::ticks(), lwp.thread->switches);
    if (observers) [[unlikely]] {
        observed_call(lwp, *entry, call, shift, number);
    } else if (!(entry->flags & call_shared) || !call_shared_mode(lwp, *entry, call, shift)) {
        lwkt::TokenGuard guard(giant);
        finish_call(lwp, call_handler(lwp, *entry, call, shift));
    }
    lwp.cpu_time.enter_user(glue::Clock::ticks(), lwp.thread->switches);
    return false;
}

// Everything that must be settled before user mode. False: the thread ends.
bool return_to_user(Lwp& lwp) {
    lwkt::TokenGuard guard(giant);
    for (;;) {
        std::uint32_t bits = __atomic_fetch_and(&lwp.ast, ~std::uint32_t{ast_signal | ast_stop | ast_resched},
                                                __ATOMIC_SEQ_CST);
        if (bits & ast_exit) {
            finish_lwp(lwp);
            return false;
        }
        if (bits & ast_resched)
            obey_scheduling(lwp);
        if ((bits & ast_suspend) || must_hold(lwp)) {
            hold(lwp);
            __atomic_fetch_or(&lwp.ast, ast_signal, __ATOMIC_SEQ_CST);
            continue;
        }
        if (bits & ast_debug) {
            __atomic_fetch_and(&lwp.ast, ~std::uint32_t{ast_debug}, __ATOMIC_SEQ_CST);
            report_debug_events(lwp);
            continue;
        }
        deliver_signals(lwp);
        if (lwp.ast == 0)
            return true;
    }
}

// Counts processor time up to now, which was the kernel's.
void account(Lwp& lwp) {
    lwp.cpu_time.enter_user(glue::Clock::ticks(), lwp.thread->switches);
}

void sample_and_end_slice(Lwp& lwp) {
    {
        lwkt::TokenGuard guard(giant);
        time_sample(lwp);
    }
    end_slice(lwp);
    if (lwkt::should_yield()) {
        lwp.cpu_time.involuntary_switches++;
        yield_core(lwp);
    }
}

} // namespace

void take_vcpu(Lwp& lwp) {
    CpuState& cpu = here();
    UserContext& registers = this_vcpu().context();
    if (Lwp* old = cpu.owner) {
        old->saved = registers;
        old->frame = &old->saved;
        glue::Fpu::save(old->fpu);
    }
    registers = lwp.saved;
    lwp.frame = &registers;
    (void)glue::Fpu::restore(lwp.fpu); // saved by us, or checked when it was set
    cpu.owner = &lwp;
}

void put_away_registers(Lwp& lwp) {
    if (here().owner != &lwp)
        return;
    lwp.saved = this_vcpu().context();
    lwp.frame = &lwp.saved;
    glue::Fpu::save(lwp.fpu);
    here().owner = nullptr;
}

void abandon_vcpu(Lwp& lwp) {
    leave_user_mode(lwp);
    if (here().owner == &lwp)
        here().owner = nullptr;
}

std::byte* read_fpu(Lwp& lwp) {
    if (here().owner == &lwp)
        glue::Fpu::save(lwp.fpu);
    return lwp.fpu;
}

bool write_fpu(Lwp& lwp) {
    // The processor is the judge of what a program gave, so the state goes through it even when another owns
    // it now.
    if (here().owner != &lwp)
        take_vcpu(lwp);
    if (glue::Fpu::restore(lwp.fpu))
        return true;
    glue::Fpu::initialize(lwp.fpu);
    return false;
}

void reset_fpu(Lwp& lwp) {
    glue::Fpu::initialize(lwp.fpu);
    if (here().owner == &lwp)
        (void)glue::Fpu::restore(lwp.fpu);
}

namespace {

// Takes the registers along, for a vCPU that the calling thread is about to leave.
[[gnu::noinline]] void leave_vcpu(Lwp& lwp) {
    put_away_registers(lwp);
    leave_user_mode(lwp);
    lwkt::TokenGuard guard(giant);
    lwps_on_cpu[lwkt::current_cpu().value]--;
    lwps_on_cpu[lwp.moves_to.value]++;
    lwp.moves = false;
}

// False: the thread ends. True: it goes to another vCPU, lwp.moves_to. Not inlined: what it knows of this one
// is over then.
[[gnu::noinline]] bool run_on_this_vcpu(Lwp& lwp) {
    glue::Vcpu& vcpu = this_vcpu();
    CpuState& cpu = here();
    UserCpu& user = user_cpus[lwkt::current_cpu().value];
    std::uint64_t turn = 0;
    lwp.arrived = glue::Clock::now().value;
    for (bool upcalls_off = false;;) {
        if (!upcalls_off) {
            if (lwp.moves) [[unlikely]] {
                leave_vcpu(lwp);
                return true;
            }
            vcpu.disable_upcalls();
            // The slice may have ended by an upcall: then nothing but this look lets the others run.
            if (user.slice_armed && lwkt::take_slice_expired()) [[unlikely]] {
                vcpu.enable_upcalls();
                sample_and_end_slice(lwp);
                continue;
            }
        }
        if (__atomic_load_n(&lwp.ast, __ATOMIC_RELAXED) != 0) {
            vcpu.enable_upcalls();
            upcalls_off = false;
            if (!return_to_user(lwp))
                return false;
            continue;
        }
        if (user.current != &lwp) [[unlikely]] {
            vcpu.enable_upcalls();
            upcalls_off = false;
            acquire_user_mode(lwp);
            continue;
        }
        if (lwp.thread->switches != turn) { // it has lost the core since
            if (has_rested(*lwp.proc.vmspace)) {
                vcpu.enable_upcalls();
                leave_rest(*lwp.proc.vmspace);
                continue;
            }
            if (timekeep_rests()) [[unlikely]] {
                vcpu.enable_upcalls();
                wake_timekeep();
                continue;
            }
            turn = lwp.thread->switches;
            account(lwp);
        }
        if (!upcalls_off && lwkt::should_yield() && !user.hurried) [[unlikely]] {
            vcpu.enable_upcalls();
            hurry(lwp);
            continue;
        }
        upcalls_off = false;
        if (cpu.owner != &lwp)
            take_vcpu(lwp);
        glue::Trap trap = vcpu.enter(lwp.proc.vmspace->hardware());
        if (trap == glue::Trap::system_call) [[likely]] {
            upcalls_off = system_call(lwp, vcpu);
            continue;
        }
        vcpu.enable_upcalls();
        lwp.cpu_time.leave_user(glue::Clock::ticks(), lwp.thread->switches);
        if (trap == glue::Trap::page_fault || trap == glue::Trap::exception) {
            {
                lwkt::TokenGuard guard(giant);
                trap == glue::Trap::page_fault ? page_fault(lwp) : exception(lwp);
            }
            account(lwp);
            continue;
        }
        bool yield = lwkt::vcpu_event(trap);
        if (lwkt::take_slice_expired()) {
            sample_and_end_slice(lwp);
        } else if (yield) {
            lwp.cpu_time.involuntary_switches++;
            yield_core(lwp);
        }
        account(lwp);
    }
}

} // namespace

void lwp_main(void* argument) {
    Lwp& lwp = *static_cast<Lwp*>(argument);
    while (run_on_this_vcpu(lwp))
        lwkt::migrate(lwp.moves_to);
}

} // namespace bsd
