// SPDX-License-Identifier: BSD-2-Clause
// The zygote: a process with nothing in it but this, from which the processes of BSD address spaces are
// forked. Each one maps its shared memory, installs its handlers and its filter, sends its listener to the
// personality, starts one thread a vCPU, and becomes its own agent; if it is to be traced it needs no
// listener and no agent, and its first thread is that of the first vCPU. Freestanding: no libc, no TLS. Its
// system calls are allowed while its page exists: the first thing that the personality asks of the agent is
// to unmap it.
#include "l4-glue/hosted/stub/layout.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#pragma GCC visibility push(hidden) // no global offset table
extern "C" {
long stub_clone_runner(unsigned long flags, unsigned cpu, void (*entry)());
[[noreturn]] void stub_become_sleeper();
[[noreturn]] void stub_become_agent();
void stub_handler();
void stub_runner();
void stub_await_tracer();
extern const char stub_after_wake[], stub_after_wait[], stub_after_return[], stub_after_call[];
extern const char stub_after_close_ram[], stub_after_close_image[], stub_after_next[], stub_after_ordered[];
extern const char stub_after_pause[];
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
    call_dup2 = 33,
    call_pause = 34,
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
constexpr long error_invalid = 22;
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
    std::int32_t descriptor[3];
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
    // Of a traced process: the host asks who traces it first, and what gets here has been ordered. The
    // vsyscall page is the exception, where the host asks nobody else.
    explicit Filter(bool traced) {
        load(offsetof(seccomp_data, arch));
        require(AUDIT_ARCH_X86_64); // so int 0x80 and 32-bit code never get further
        load(offsetof(seccomp_data, instruction_pointer) + 4);
        require(static_cast<std::uint32_t>(stub_base >> 32));
        load(offsetof(seccomp_data, instruction_pointer));
        if (traced) {
            mapping(stub_after_ordered, SECCOMP_RET_ALLOW);
            begin(stub_after_pause);
            require_number(call_pause);
            end(SECCOMP_RET_ALLOW);
        } else {
            futex(stub_after_wait, 0);
            futex(stub_after_wake, 1);
            begin(stub_after_return);
            require_number(call_sigreturn);
            end(SECCOMP_RET_ALLOW);
            mapping(stub_after_call, SECCOMP_RET_USER_NOTIF);
            begin(stub_after_next);
            require_number(CALL_NEXT);
            end(SECCOMP_RET_USER_NOTIF);
            close(stub_after_close_ram, RAM_DESCRIPTOR);
            close(stub_after_close_image, IMAGE_DESCRIPTOR);
        }
        // The set-up code, while it is there.
        at_least(STUB_SETUP_OFFSET);
        below(STUB_SETUP_END_OFFSET);
        emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    // With a listener, whose descriptor is the result. A stop from outside does not end a call that has been
    // received; hosts before Linux 5.19 make it another notification, and the process is lost.
    long install_notifying() {
        sock_fprog program{count_, code_};
        auto listen = [&](Word flags) {
            return call(call_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags,
                        reinterpret_cast<Word>(&program));
        };
        const long listener = listen(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
        return listener == -error_invalid ? listen(0) : listener;
    }
    long install() {
        sock_fprog program{count_, code_};
        return call(call_prctl, 22, SECCOMP_MODE_FILTER, reinterpret_cast<Word>(&program)); // PR_SET_SECCOMP
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
    void mapping(const char* address, std::uint32_t action) {
        begin(address);
        load(offsetof(seccomp_data, nr));
        emit(BPF_JMP | BPF_JEQ | BPF_K, call_mmap, 3, 0);
        emit(BPF_JMP | BPF_JEQ | BPF_K, call_mprotect, 2, 0);
        emit(BPF_JMP | BPF_JEQ | BPF_K, call_munmap, 1, 0);
        emit(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
        end(action);
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
bool receive(CreateMessage& message, Descriptors& received) {
    Vector vector{&message, sizeof message};
    received = {0, 0, 0, {-1, -1, -1}};
    MessageHeader header{};
    header.vector = &vector;
    header.vectors = 1;
    header.control = &received;
    header.control_size = sizeof received;
    long size;
    do
        size = call(call_recvmsg, socket_descriptor, reinterpret_cast<Word>(&header), 0);
    while (size == -4);
    return size == sizeof message && received.size >= 16 + sizeof(int);
}

void send(const CreatedMessage& message, int first = -1, int second = -1) {
    Vector vector{const_cast<CreatedMessage*>(&message), sizeof message};
    const Word count = second >= 0 ? 2 : 1;
    Descriptors sent{16 + count * sizeof(int), 1, 1, {first, second, -1}};
    MessageHeader header{};
    header.vector = &vector;
    header.vectors = 1;
    if (message.error == 0) {
        header.control = &sent;
        header.control_size = 16 + 8; // a whole word
    }
    (void)call(call_sendmsg, socket_descriptor, reinterpret_cast<Word>(&header), 0x4000); // MSG_NOSIGNAL
}

void send_error(long error, std::uint32_t step) {
    send({static_cast<std::int32_t>(error), step, {}});
}

[[noreturn]] void fail(long error, std::uint32_t step) {
    send_error(error, step);
    for (;;)
        call(call_exit_group, 1);
}

void must(long result, std::uint32_t step) {
    if (result < 0 && result > -4096)
        fail(result, step);
}

// Linux 5.9 has a call for it.
void close_from(int first) {
    constexpr long no_such_call = -38;
    constexpr int most = 1024;
    if (call(call_close_range, static_cast<Word>(first), ~0u, 0) == no_such_call)
        for (int each = first; each != most; ++each)
            call(call_close, static_cast<Word>(each));
}

void set_handler(int signal, void (*handler)(), Word flags, Word mask) {
    constexpr Word restorer = 0x0400'0000;
    SignalAction action{handler, flags | restorer, stub_handler, mask};
    must(call(call_sigaction, static_cast<Word>(signal), reinterpret_cast<Word>(&action), 0, 8), 1);
}

// CLONE_VM | FS | FILES | SIGHAND | THREAD | SYSVSEM
constexpr Word thread_flags = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000;

[[noreturn]] void become_agent(unsigned vcpus, int pidfd) {
    Filter filter(false);
    long listener = filter.install_notifying();
    must(listener, 7);
    send({}, pidfd, static_cast<int>(listener));
    close_from(0);
    for (unsigned cpu = 0; cpu < vcpus; ++cpu)
        if (stub_clone_runner(thread_flags, cpu, stub_runner) < 0)
            call(call_exit_group, 1);
    stub_become_agent();
}

// The files stay open: no call of this process's own reaches the host. The first thread is none of the
// vCPUs': the host would tell of its end only when all others have been taken note of.
[[noreturn]] void become_traced(unsigned vcpus, int pidfd, int ram, int image) {
    Filter filter(true);
    must(filter.install(), 7);
    CreatedMessage created{};
    for (unsigned cpu = 0; cpu < vcpus; ++cpu) {
        long thread = stub_clone_runner(thread_flags, cpu, stub_await_tracer);
        must(thread, 8);
        created.thread[cpu] = static_cast<std::int32_t>(thread);
    }
    send(created, pidfd);
    call(call_dup2, static_cast<Word>(ram), RAM_DESCRIPTOR); // it was the socket
    if (image >= 0)
        call(call_dup2, static_cast<Word>(image), IMAGE_DESCRIPTOR);
    close_from(IMAGE_DESCRIPTOR + 1);
    stub_become_sleeper();
}

// In the new process.
[[noreturn]] void become_space(const CreateMessage& message, const int (&descriptor)[3]) {
    constexpr Word map_shared_fixed = 0x11;
    const auto memory = static_cast<Word>(descriptor[0]);
    must(call(call_prctl, 1, signal_kill),
         2); // PR_SET_PDEATHSIG; the zygote cannot have died: it is our init
    must(call(call_mmap, stub_control, 4096, 1, map_shared_fixed, memory, 0), 3);
    must(call(call_mmap, stub_slots, message.vcpus * stub_slot_size, 3, map_shared_fixed, memory,
              stub_slots - stub_control),
         4);
    constexpr Word with_information_on_stack = 0x0800'0004, no_defer = 0x4000'0000;
    constexpr int signals[] = {4, 5, 7, 8, signal_user, 11, 31};
    for (int signal : signals) // a traced thread never returns from a handler: it must block nothing
        set_handler(signal, stub_handler, with_information_on_stack | (message.traced ? no_defer : 0),
                    message.traced ? 0 : ~Word{0});
    Word all = ~Word{0};
    must(call(call_sigprocmask, 2, reinterpret_cast<Word>(&all), 0, 8), 5);
    long pidfd = call(call_pidfd_open, static_cast<Word>(call(call_getpid)), 0);
    must(pidfd, 6);
    if (message.traced)
        become_traced(message.vcpus, static_cast<int>(pidfd), descriptor[1], descriptor[2]);
    become_agent(message.vcpus, static_cast<int>(pidfd));
}

} // namespace

void stub_main() {
    must(call(call_prctl, 1, signal_kill), 10);
    must(call(call_prctl, 38, 1, 0, 0, 0), 11); // PR_SET_NO_NEW_PRIVS
    for (Word each = 0; each != socket_descriptor; ++each)
        call(call_close, each);
    close_from(socket_descriptor + 1);
    Word no_core[2] = {0, 0};
    must(call(call_setrlimit, 4, reinterpret_cast<Word>(no_core)), 12);
    // First stack, vDSO and the like: nothing but the stub remains.
    must(call(call_munmap, 0, stub_base), 13);
    must(call(call_munmap, stub_setup_end, task_size - stub_setup_end), 14);
    SignalAction ignore{reinterpret_cast<void (*)()>(1), 0, nullptr, 0};
    must(call(call_sigaction, signal_child, reinterpret_cast<Word>(&ignore), 0, 8), 15);
    for (;;) {
        CreateMessage message{};
        Descriptors received{};
        if (!receive(message, received))
            call(call_exit_group, 0);
        long pid = call(call_clone, signal_child);
        if (pid == 0)
            become_space(message, received.descriptor);
        for (int each : received.descriptor)
            if (each >= 0)
                call(call_close, static_cast<Word>(each));
        if (pid < 0)
            send_error(pid, 16);
    }
}
