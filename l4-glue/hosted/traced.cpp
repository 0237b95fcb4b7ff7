// SPDX-License-Identifier: BSD-2-Clause
#include "l4-glue/hosted/traced.hpp"

#include "glue/fpu.hpp"
#include "l4-glue/hosted/deadline_signal.hpp"
#include "l4-glue/hosted/trap.hpp"
#include "l4-glue/hosted/zygote.hpp"

#include <cerrno>
#include <cstring>
#include <vector>

#include <elf.h>
#include <poll.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>

namespace glue::hosted {

namespace {

constexpr int call_stop = SIGTRAP | 0x80; // PTRACE_O_TRACESYSGOOD
constexpr std::uint64_t no_call = ~std::uint64_t{0};
constexpr std::uint64_t interrupts_on = 0x202;
constexpr std::uint64_t call_size = 2; // of a SYSCALL instruction

bool trace(int request, pid_t thread, unsigned long address, const void* data) {
    return ptrace(static_cast<__ptrace_request>(request), thread, address, data) != -1;
}

bool go_on(int request, pid_t thread, int signal = 0) {
    return trace(request, thread, 0, reinterpret_cast<const void*>(static_cast<long>(signal)));
}

struct Place {
    unsigned long long user_regs_struct::*in_host;
    abi::Word abi::Registers::*in_context;
};
constexpr Place places[] = {
    {&user_regs_struct::r8, &abi::Registers::r8},   {&user_regs_struct::r9, &abi::Registers::r9},
    {&user_regs_struct::r10, &abi::Registers::r10}, {&user_regs_struct::r11, &abi::Registers::r11},
    {&user_regs_struct::r12, &abi::Registers::r12}, {&user_regs_struct::r13, &abi::Registers::r13},
    {&user_regs_struct::r14, &abi::Registers::r14}, {&user_regs_struct::r15, &abi::Registers::r15},
    {&user_regs_struct::rdi, &abi::Registers::rdi}, {&user_regs_struct::rsi, &abi::Registers::rsi},
    {&user_regs_struct::rbp, &abi::Registers::rbp}, {&user_regs_struct::rbx, &abi::Registers::rbx},
    {&user_regs_struct::rdx, &abi::Registers::rdx}, {&user_regs_struct::rax, &abi::Registers::rax},
    {&user_regs_struct::rcx, &abi::Registers::rcx}, {&user_regs_struct::rsp, &abi::Registers::rsp},
    {&user_regs_struct::rip, &abi::Registers::rip}, {&user_regs_struct::eflags, &abi::Registers::rflags},
};

// Of user mode, and as if no system call had been: the host then restarts none.
user_regs_struct fresh_registers() {
    user_regs_struct registers{};
    registers.cs = user_code;
    registers.ss = user_data;
    registers.eflags = interrupts_on;
    registers.orig_rax = no_call;
    return registers;
}

// Extended state as the host has it, which may be more than ours.
class Extended {
public:
    bool read(pid_t thread) {
        iovec vector{bytes_.data(), bytes_.size()};
        if (!trace(PTRACE_GETREGSET, thread, NT_X86_XSTATE, &vector))
            return false;
        size_ = vector.iov_len;
        return size_ >= Fpu::size();
    }
    bool write(pid_t thread) {
        iovec vector{bytes_.data(), size_};
        return trace(PTRACE_SETREGSET, thread, NT_X86_XSTATE, &vector);
    }
    std::byte* bytes() { return bytes_.data(); }
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    std::vector<std::byte> bytes_ = std::vector<std::byte>(32 << 10);
    std::size_t size_ = 0;
};

Extended& extended() {
    thread_local Extended own;
    return own;
}

bool is_fault(int signal) {
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP;
}

// Signals from outside that ask for nothing, or for a stop, which only the personality gives.
bool is_ignored(int signal) {
    return signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT ||
           signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

} // namespace

std::unique_ptr<Process> TracedProcess::create() {
    std::unique_ptr<TracedProcess> process(new TracedProcess);
    return process->start() ? std::move(process) : nullptr;
}

bool TracedProcess::start() {
    const int files[] = {make_memory(), ram_file, image_file};
    if (files[0] < 0)
        return false;
    CreatedMessage created;
    const bool made =
        zygote.create({glue::start().vcpus, 1}, {files, image_file >= 0 ? 3u : 2u}, created, {&pidfd_, 1});
    close(files[0]);
    return made && find_threads(pidfd_, created, pid_, sleeping_);
}

// One instruction, or the entry of the handler of `signal`. Stops from outside may come before its trap, as
// may an interruption that is late: passed on they would leave the trap for BSD code.
bool TracedProcess::step(pid_t thread, int signal) {
    for (int status = 0; go_on(PTRACE_SINGLESTEP, thread, signal) && wait(thread, status); signal = 0) {
        const bool event = status >> 16 != 0;
        const int stop = WSTOPSIG(status);
        if (!event && stop == SIGTRAP)
            return true;
        if (!event && stop != SIGUSR1 && !is_ignored(stop))
            break;
    }
    return false;
}

// Waits for a stop of a thread; false: it is no more.
bool TracedProcess::wait(pid_t thread, int& status) {
    while (waitpid(thread, &status, __WALL) < 0)
        if (errno != EINTR || dead())
            return false;
    return WIFSTOPPED(status);
}

// Who traces a thread must take note of its end, and any thread of ours may.
void TracedProcess::bury() {
    for (unsigned cpu = 0; cpu != glue::start().vcpus; ++cpu)
        if (thread_[cpu] > 0)
            for (int status = 0; waitpid(thread_[cpu], &status, __WALL) >= 0 || errno == EINTR;)
                if (WIFEXITED(status) || WIFSIGNALED(status))
                    break;
}

// All have been set up; nothing of the set-up code will run any more.
bool TracedProcess::await_threads() {
    const auto await = [this](const std::uint32_t& said) {
        pollfd gone{pidfd_, POLLIN, 0};
        while (__atomic_load_n(&said, __ATOMIC_ACQUIRE) == 0) {
            if (poll(&gone, 1, 0) > 0)
                return false;
            sched_yield();
        }
        return true;
    };
    bool done = await(slot(0).sleeping); // the first thread
    for (unsigned cpu = 0; cpu != glue::start().vcpus; ++cpu)
        done = done && await(slot(cpu).state);
    return done;
}

bool TracedProcess::attach_locked(unsigned cpu) {
    if (thread_[cpu] > 0)
        return true;
    const pid_t thread = sleeping_[cpu];
    if (dead() || (!clean_ && !await_threads())) // BSD code has not run yet
        return false;
    const auto options = reinterpret_cast<const void*>(long{PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD});
    int status = 0;
    if (!trace(PTRACE_SEIZE, thread, 0, options))
        return false;
    __atomic_store_n(&thread_[cpu], thread, __ATOMIC_SEQ_CST); // from here on signals stop it
    if (!trace(PTRACE_INTERRUPT, thread, 0, nullptr) || !wait(thread, status))
        return false;
    if (!clean_) {
        const Request no_set_up{SYS_munmap, {stub_setup, stub_setup_end - stub_setup, 0, 0, 0, 0}};
        long result = -1;
        clean_ = call_locked(cpu, no_set_up, result) && result == 0;
    }
    return clean_;
}

// By one step over a SYSCALL instruction that nobody can change, with registers that nobody else can.
bool TracedProcess::call_locked(unsigned cpu, const Request& request, long& result) {
    const pid_t thread = thread_[cpu];
    user_regs_struct registers = fresh_registers();
    registers.rip = stub_base;
    registers.rax = request.number;
    unsigned long long* const arguments[] = {&registers.rdi, &registers.rsi, &registers.rdx,
                                             &registers.r10, &registers.r8,  &registers.r9};
    for (unsigned i = 0; i != 6; ++i)
        *arguments[i] = request.arguments[i];
    if (!trace(PTRACE_SETREGS, thread, 0, &registers))
        return false;
    while (step(thread) && trace(PTRACE_GETREGS, thread, 0, &registers)) {
        if (registers.rip == stub_base + call_size) {
            result = static_cast<long>(registers.rax);
            return true;
        }
        if (registers.rip != stub_base) // else the trap was one that is late
            break;
    }
    return false;
}

bool TracedProcess::perform(const Request* requests, unsigned count, bool& failed) {
    const unsigned cpu = index_of(*this_vcpu);
    std::lock_guard<std::mutex> lock(mutex_);
    if (!attach_locked(cpu)) {
        kill_locked();
        return false;
    }
    failed = false;
    for (unsigned i = 0; i != count; ++i) {
        long result = 0;
        if (!call_locked(cpu, requests[i], result)) {
            kill_locked();
            return false;
        }
        failed = failed || (result < 0 && result > -4096);
    }
    return true;
}

bool TracedProcess::resume(const Turn& turn) {
    bool attached;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        attached = attach_locked(turn.cpu);
    }
    if (attached && turn.vcpu.pending()) // perhaps it came before the thread could be interrupted
        interrupt(turn.cpu);
    const pid_t thread = thread_[turn.cpu];
    user_regs_struct registers = fresh_registers();
    for (const Place& each : places)
        registers.*each.in_host = turn.context.*each.in_context;
    registers.fs_base = turn.context.fs_base;
    registers.gs_base = turn.context.gs_base;
    registers.eflags = (turn.context.rflags & user_flags) | interrupts_on;
    bool good = attached && trace(PTRACE_SETREGS, thread, 0, &registers);
    if (turn.state && good) {
        Extended& state = extended();
        good = state.read(thread);
        if (good) {
            std::memset(state.bytes(), 0, state.size());
            std::memcpy(state.bytes(), turn.state, Fpu::size());
            good = state.write(thread);
        }
    }
    good = good && DeadlineSignal::set(turn.deadline, pid_, thread) && go_on(PTRACE_SYSEMU, thread);
    if (!good)
        kill();
    return good;
}

bool TracedProcess::save(unsigned cpu, std::byte* area) {
    Extended& state = extended();
    if (thread_[cpu] == 0 || dead() || !state.read(thread_[cpu]))
        return false;
    std::memcpy(area, state.bytes(), Fpu::size());
    return true;
}

Trap TracedProcess::trap(const Turn& turn) {
    const pid_t thread = thread_[turn.cpu];
    std::optional<Trap> trap;
    for (int status = 0; wait(thread, status);) {
        const int signal = WSTOPSIG(status);
        if (status >> 16 != 0 || is_ignored(signal)) { // its other threads were stopped from outside
            if (!go_on(PTRACE_SYSEMU, thread))
                break;
            continue;
        }
        trap = signal == call_stop ? take_call(turn) : take_signal(turn, signal);
        break;
    }
    DeadlineSignal::forget();
    if (!trap)
        kill();
    return trap.value_or(Trap::event);
}

// `number`: of the system call at which it stopped, if any. False: it is in a segment of 32-bit code, or
// gone.
bool TracedProcess::read_registers(const Turn& turn, std::uint64_t& number) {
    user_regs_struct registers{};
    if (!trace(PTRACE_GETREGS, thread_[turn.cpu], 0, &registers))
        return false;
    for (const Place& each : places)
        turn.context.*each.in_context = registers.*each.in_host;
    turn.context.fs_base = registers.fs_base;
    turn.context.gs_base = registers.gs_base;
    turn.context.cs = user_code;
    turn.context.ss = user_data;
    number = registers.orig_rax;
    return static_cast<std::uint16_t>(registers.cs) == user_code;
}

std::optional<Trap> TracedProcess::take_call(const Turn& turn) {
    std::uint64_t number = 0;
    if (!read_registers(turn, number))
        return protection_fault(turn.context, 0);
    turn.context.rax = number;
    if (turn.context.rcx != turn.context.rip) // SYSCALL leaves its return address there, `int 0x80` does not
        return foreign_call(turn.context);
    turn.context.vector = abi::vector_system_call;
    return Trap::system_call;
}

std::optional<Trap> TracedProcess::take_signal(const Turn& turn, int signal) {
    const pid_t thread = thread_[turn.cpu];
    Report report{};
    report.signal = signal;
    std::uint64_t number = 0;
    if (!trace(PTRACE_GETSIGINFO, thread, 0, &report.information))
        return std::nullopt;
    const bool plain_code = read_registers(turn, number);
    const bool own = report.information.si_code > 0; // else somebody has sent it
    if (signal != SIGUSR1 && !(own && (signal == SIGSYS || is_fault(signal))))
        return std::nullopt;
    if (!plain_code)
        return protection_fault(turn.context, 0);
    if (is_fault(signal) && !read_fault(turn.cpu, report))
        return std::nullopt;
    return trap_of(turn.context, report);
}

// What the processor told the host of a fault is in a signal's frame only. So the signal goes to its handler
// in the stub, of which not one instruction runs.
bool TracedProcess::read_fault(unsigned cpu, Report& report) {
    const pid_t thread = thread_[cpu];
    Extended& state = extended();
    user_regs_struct registers{};
    if (!state.read(thread) || !step(thread, report.signal) || !trace(PTRACE_GETREGS, thread, 0, &registers))
        return false;
    constexpr std::size_t context_size = offsetof(ucontext_t, uc_sigmask);
    const std::byte* context = place(cpu, registers.rdx, context_size, 8);
    if (!context || !state.write(thread))
        return false;
    gregset_t frame;
    std::memcpy(frame, context + offsetof(ucontext_t, uc_mcontext.gregs), sizeof frame);
    report.vector = static_cast<std::uint64_t>(frame[REG_TRAPNO]);
    report.error = static_cast<std::uint64_t>(frame[REG_ERR]);
    report.fault_address = static_cast<std::uint64_t>(frame[REG_CR2]);
    return true;
}

const char* cannot_trace(pid_t process) {
    int status = 0;
    if (!trace(PTRACE_SEIZE, process, 0, nullptr))
        return "does not let libelle trace its processes (CAP_SYS_PTRACE, kernel.yama.ptrace_scope)";
    if (!trace(PTRACE_INTERRUPT, process, 0, nullptr) || waitpid(process, &status, __WALL) != process ||
        !trace(PTRACE_DETACH, process, 0, nullptr))
        return "does not trace processes as it should";
    return nullptr;
}

} // namespace glue::hosted
