// SPDX-License-Identifier: BSD-2-Clause
// The zygote: a process with nothing in it but this, from which the processes of BSD address spaces are
// forked. Each one maps its shared memory, installs its handlers and its filter, sends its listener to the
// personality, starts one thread a vCPU, and becomes its own agent. Freestanding: no libc, no TLS. Its system
// calls are allowed while its page exists: the first thing that the personality asks of the agent is to unmap
// it.
#include "l4-glue/hosted/stub/layout.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#pragma GCC visibility push(hidden) // no global offset table
extern "C" {
long stub_clone_runner(unsigned long flags, unsigned cpu);
[[noreturn]] void stub_become_agent();
void stub_handler();
extern const char stub_after_wake[], stub_after_wait[], stub_after_return[], stub_after_call[];
extern const char stub_after_close_ram[], stub_after_close_image[], stub_after_next[];
[[noreturn]] void stub_main();

void* memset(void* to, int value, std::size_t size) {
    void* at = to;
    asm volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
    return to;
}
}
#pragma GCC visibility pop

namespace {

using namespace glue::hosted;
using Word = std::uint64_t;

long call(std::uint32_t number, Word a = 0, Word b = 0, Word c = 0, Word d = 0, Word e = 0, Word f = 0) {
    register Word r10 asm("r10") = d;
    register Word r8 asm("r8") = e;
    register Word r9 asm("r9") = f;
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

enum : std::uint32_t {
    call_mmap = 9,
    call_mprotect = 10,
    call_munmap = 11,
    call_sigaction = 13,
    call_sigprocmask = 14,
    call_sigreturn = 15,
    call_getpid = 39,
    call_sendmsg = 46,
    call_recvmsg = 47,
    call_clone = 56,
    call_close = 3,
    call_prctl = 157,
    call_setrlimit = 160,
    call_exit_group = 231,
    call_seccomp = 317,
    call_pidfd_open = 434,
    call_close_range = 436,
    call_futex = 202,
};

constexpr int socket_descriptor = 3;
constexpr Word task_size = 0x7fff'ffff'f000;
constexpr int signal_kill = 9, signal_child = 17, signal_user = 10;

struct Vector {
    void* base;
    Word size;
};
struct MessageHeader { // struct msghdr
    void* name;
    std::uint32_t name_size, pad;
    Vector* vector;
    Word vectors;
    void* control;
    Word control_size;
    std::uint32_t flags, pad2;
};
struct Descriptors { // struct cmsghdr and what follows it
    Word size;
    std::int32_t level, type; // SOL_SOCKET, SCM_RIGHTS
    std::int32_t descriptor[2];
};
struct SignalAction { // the kernel's struct sigaction
    void (*handler)();
    Word flags;
    void (*restorer)();
    Word mask;
};

// --- the filter
// -----------------------------------------------------------------------------------------------
// Decides by the address that follows a SYSCALL instruction, which nobody can forge; see trampoline.S.
class Filter {
public:
    Filter() {
        load(offsetof(seccomp_data, arch));
        require(AUDIT_ARCH_X86_64); // so int 0x80 and 32-bit code never get further
        load(offsetof(seccomp_data, instruction_pointer) + 4);
        require(static_cast<std::uint32_t>(stub_base >> 32));
        load(offsetof(seccomp_data, instruction_pointer));
        futex(stub_after_wait, 0);
        futex(stub_after_wake, 1);
        begin(stub_after_return);
        require_number(call_sigreturn);
        end(SECCOMP_RET_ALLOW);
        begin(stub_after_call);
        load(offsetof(seccomp_data, nr));
        emit(BPF_JMP | BPF_JEQ | BPF_K, call_mmap, 3, 0);
        emit(BPF_JMP | BPF_JEQ | BPF_K, call_mprotect, 2, 0);
        emit(BPF_JMP | BPF_JEQ | BPF_K, call_munmap, 1, 0);
        emit(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
        end(SECCOMP_RET_USER_NOTIF);
        begin(stub_after_next);
        require_number(CALL_NEXT);
        end(SECCOMP_RET_USER_NOTIF);
        close(stub_after_close_ram, RAM_DESCRIPTOR);
        close(stub_after_close_image, IMAGE_DESCRIPTOR);
        // The set-up code, while it is there.
        at_least(STUB_SETUP_OFFSET);
        below(STUB_SETUP_END_OFFSET);
        emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    long install() {
        sock_fprog program{count_, code_};
        return call(call_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                    reinterpret_cast<Word>(&program));
    }

private:
    void emit(unsigned code, std::uint32_t k, std::uint8_t yes = 0, std::uint8_t no = 0) {
        if (count_ == sizeof code_ / sizeof *code_)
            asm volatile("ud2");
        code_[count_++] = {static_cast<std::uint16_t>(code), yes, no, k};
    }
    void load(std::size_t offset) { emit(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
    // Each goes on if it holds, and traps otherwise.
    void require(std::uint32_t value) {
        emit(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
        emit(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    }
    void at_least(std::uint32_t value) {
        emit(BPF_JMP | BPF_JGE | BPF_K, value, 1, 0);
        emit(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    }
    void below(std::uint32_t value) {
        emit(BPF_JMP | BPF_JGE | BPF_K, value, 0, 1);
        emit(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    }
    void require_number(std::uint32_t number) {
        load(offsetof(seccomp_data, nr));
        require(number);
    }
    void load_argument(unsigned n, bool high) { load(offsetof(seccomp_data, args) + 8 * n + (high ? 4 : 0)); }
    // Up to end() it is about the call before `address`.
    void begin(const char* address) {
        start_ = count_;
        emit(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(reinterpret_cast<Word>(address)));
    }
    void end(std::uint32_t action) {
        emit(BPF_RET | BPF_K, action);
        code_[start_].jf = static_cast<std::uint8_t>(count_ - start_ - 1);
    }
    void futex(const char* address, std::uint32_t operation) {
        begin(address);
        require_number(call_futex);
        load_argument(0, true);
        require(static_cast<std::uint32_t>(stub_base >> 32));
        load_argument(0, false);
        at_least(STUB_SLOTS_OFFSET);
        below(STUB_END_OFFSET);
        load_argument(1, false);
        require(operation);
        load_argument(3, false); // no timeout, which would be an address
        require(0);
        load_argument(3, true);
        require(0);
        end(SECCOMP_RET_ALLOW);
    }
    void close(const char* address, std::uint32_t descriptor) {
        begin(address);
        require_number(call_close);
        load_argument(0, false);
        require(descriptor);
        end(SECCOMP_RET_ALLOW);
    }

    sock_filter code_[128];
    std::uint16_t count_ = 0, start_ = 0;
};

// --- messages
// -------------------------------------------------------------------------------------------------
bool receive(CreateMessage& message, int& descriptor) {
    Vector vector{&message, sizeof message};
    Descriptors received{};
    MessageHeader header{};
    header.vector = &vector;
    header.vectors = 1;
    header.control = &received;
    header.control_size = sizeof received;
    long size;
    do
        size = call(call_recvmsg, socket_descriptor, reinterpret_cast<Word>(&header), 0);
    while (size == -4);
    descriptor = received.descriptor[0];
    return size == sizeof message && received.size >= 16 + sizeof(int);
}

void send(std::int32_t error, std::uint32_t step, int first = -1, int second = -1) {
    CreatedMessage message{error, step};
    Vector vector{&message, sizeof message};
    Descriptors sent{16 + 2 * sizeof(int), 1, 1, {first, second}};
    MessageHeader header{};
    header.vector = &vector;
    header.vectors = 1;
    if (error == 0) {
        header.control = &sent;
        header.control_size = sizeof sent;
    }
    (void)call(call_sendmsg, socket_descriptor, reinterpret_cast<Word>(&header), 0x4000); // MSG_NOSIGNAL
}

[[noreturn]] void fail(long error, std::uint32_t step) {
    send(static_cast<std::int32_t>(error), step);
    for (;;)
        call(call_exit_group, 1);
}

void must(long result, std::uint32_t step) {
    if (result < 0 && result > -4096)
        fail(result, step);
}

void set_handler(int signal, void (*handler)(), Word flags) {
    constexpr Word restorer = 0x0400'0000;
    SignalAction action{handler, flags | restorer, stub_handler, ~Word{0}};
    must(call(call_sigaction, static_cast<Word>(signal), reinterpret_cast<Word>(&action), 0, 8), 1);
}

// In the new process.
[[noreturn]] void become_space(unsigned vcpus, int memory) {
    constexpr Word map_shared_fixed = 0x11;
    must(call(call_prctl, 1, signal_kill),
         2); // PR_SET_PDEATHSIG; the zygote cannot have died: it is our init
    must(call(call_mmap, stub_control, 4096, 1, map_shared_fixed, static_cast<Word>(memory), 0), 3);
    must(call(call_mmap, stub_slots, vcpus * stub_slot_size, 3, map_shared_fixed, static_cast<Word>(memory),
              stub_slots - stub_control),
         4);
    constexpr Word with_information_on_stack = 0x0800'0004;
    constexpr int signals[] = {4, 5, 7, 8, signal_user, 11, 31};
    for (int signal : signals)
        set_handler(signal, stub_handler, with_information_on_stack);
    Word all = ~Word{0};
    must(call(call_sigprocmask, 2, reinterpret_cast<Word>(&all), 0, 8), 5);
    long pidfd = call(call_pidfd_open, static_cast<Word>(call(call_getpid)), 0);
    must(pidfd, 6);
    Filter filter;
    long listener = filter.install();
    must(listener, 7);
    send(0, 0, static_cast<int>(pidfd), static_cast<int>(listener));
    call(call_close_range, 0, ~0u, 0);
    // CLONE_VM | FS | FILES | SIGHAND | THREAD | SYSVSEM
    constexpr Word thread_flags = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000;
    for (unsigned cpu = 0; cpu < vcpus; ++cpu)
        if (stub_clone_runner(thread_flags, cpu) < 0)
            call(call_exit_group, 1);
    stub_become_agent();
}

} // namespace

void stub_main() {
    must(call(call_prctl, 1, signal_kill), 10);
    must(call(call_prctl, 38, 1, 0, 0, 0), 11); // PR_SET_NO_NEW_PRIVS
    call(call_close_range, 0, 2, 0);
    call(call_close_range, socket_descriptor + 1, ~0u, 0);
    Word no_core[2] = {0, 0};
    must(call(call_setrlimit, 4, reinterpret_cast<Word>(no_core)), 12);
    // First stack, vDSO and the like: nothing but the stub remains.
    must(call(call_munmap, 0, stub_base), 13);
    must(call(call_munmap, stub_setup_end, task_size - stub_setup_end), 14);
    SignalAction ignore{reinterpret_cast<void (*)()>(1), 0, nullptr, 0};
    must(call(call_sigaction, signal_child, reinterpret_cast<Word>(&ignore), 0, 8), 15);
    for (;;) {
        CreateMessage message{};
        int memory = -1;
        if (!receive(message, memory))
            call(call_exit_group, 0);
        long pid = call(call_clone, signal_child);
        if (pid == 0)
            become_space(message.vcpus, memory);
        call(call_close, static_cast<Word>(memory));
        if (pid < 0)
            send(static_cast<std::int32_t>(pid), 16);
    }
}
