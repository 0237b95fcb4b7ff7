// SPDX-License-Identifier: BSD-2-Clause
// A debugger and what it debugs, for both systems: memory, registers, breakpoints, steps, signals, attaching, permissions, and the
// end of one of the two. FreeBSD's threads, events and system-call stops are in events.h.
#include "events.h"

static volatile long number = 5;
static volatile u32 handled;
static volatile word shared_flag;

// marked(): leaves a number in rbx's place of its exit.
extern const char at_break[], after_break[], at_two[];
extern long marked(void);
__asm__("marked: push %rbx\nmov $3, %rbx\n"
        ".globl at_break, after_break, at_two\n"
        "at_break: mov $4, %eax\n" // five bytes
        "after_break: nop\n"
        "at_two: add %rbx, %rax\npop %rbx\nret\n");

static void exit_with_number(void) {
    finish((int)number);
}
static void exit_with_marked(void) {
    finish((int)marked());
}

static void memory(void) {
    print("memory\n");
    long pid = debugged(exit_with_number);
    expect("PT_READ_D", ptrace(read_data, pid, (word)&number, 0), 5);
    asked("PT_WRITE_D", write_data, pid, (word)&number, 6);
    expect("PT_READ_I", ptrace(read_text, pid, (word)&number, 0), 6);
    long value = 0;
    struct {
        int operation;
        word offset, address, length;
    } request = {1, (word)&number, (word)&value, sizeof value};
    asked("PT_IO reads", io, pid, (word)&request, 0);
    expect("what it read", value, 6);
    expect("how much", (long)request.length, sizeof value);
    value = 7;
    request.operation = 2;
    asked("PT_IO writes", io, pid, (word)&request, 0);
    request.operation = 9;
    expect("PT_IO of another kind", ptrace(io, pid, (word)&request, 0), -einval);
    request.operation = 1, request.offset = 0xdead000;
    expect("PT_IO of nothing", ptrace(io, pid, (word)&request, 0), -efault);
    request.offset = ~0ul - 3;
    expect("PT_IO at the end", ptrace(io, pid, (word)&request, 0), -efault);
    expect("PT_READ_D of nothing", ptrace(read_data, pid, 0xdead000, 0), -efault);
    expect("PT_READ_D of the kernel", ptrace(read_data, pid, 0xffff800000000000, 0), -efault);
    expect("PT_WRITE_D at the end of the address space", ptrace(write_data, pid, 0x7ffffffffffe, 0), -efault);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_end("its status", pid, 7 << 8);
    expect("ours is unchanged", number, 5);
}

static void register_sets(void) {
    print("registers\n");
    long pid = debugged(exit_with_marked);
    rip_of(pid);
    word flags = *in_registers(at_rflags), segment = *in_registers(at_cs);
    *in_registers(at_rflags) = flags | 0x3000;
    expect("IOPL", ptrace(set_registers, pid, (word)registers, 0), -einval);
    *in_registers(at_rflags) = flags & ~0x200ul;
    expect("no interrupts", ptrace(set_registers, pid, (word)registers, 0), -einval);
    *in_registers(at_rflags) = flags, *in_registers(at_cs) = 8;
    expect("the kernel's segment", ptrace(set_registers, pid, (word)registers, 0), -einval);
    *in_registers(at_cs) = segment;
    expect("PT_SETREGS from nowhere", ptrace(set_registers, pid, 0xdead000, 0), -efault);
    // A breakpoint in text that neither process may write to.
    long old = ptrace(read_text, pid, (word)at_break, 0);
    asked("a breakpoint", write_text, pid, (word)at_break, (old & ~0xffl) | 0xcc);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_stop("at the breakpoint", pid, sigtrap);
    expect("rip", (long)rip_of(pid), (long)at_break + 1);
    expect("rbx", (long)*in_registers(at_rbx), 3);
    expect("no breakpoint of ours", *(const unsigned char*)at_break, 0xb8);
    asked("without the breakpoint", write_text, pid, (word)at_break, old);
    *in_registers(at_rip) = (word)at_break, *in_registers(at_rbx) = 30;
    asked("PT_SETREGS", set_registers, pid, (word)registers, 0);
    asked("PT_STEP", step, pid, 1, 0);
    expect_stop("after a step", pid, sigtrap);
    expect("rip", (long)rip_of(pid), (long)after_break);
    asked("PT_STEP", step, pid, 1, 0);
    expect_stop("after another", pid, sigtrap);
    expect("rip", (long)rip_of(pid), (long)at_two);
    expect("no trap flag", *in_registers(at_rflags) & 0x100, 0);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_end("its status", pid, 34 << 8);
}

static void run_fpu(void) {
    word low;
    __asm__ volatile("mov $0x55, %%rax\nmovq %%rax, %%xmm7\nint3\nmovq %%xmm7, %0" : "=r"(low) : : "rax", "xmm7");
    finish((int)low);
}
static void fpu(void) {
    print("fpu\n");
    static char state[512];
    long pid = debugged(run_fpu);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_stop("at int3", pid, sigtrap);
    asked("PT_GETFPREGS", get_fpu, pid, (word)state, 0);
    expect("xmm7", *(long*)(state + 160 + 16 * 7), 0x55);
    *(long*)(state + 160 + 16 * 7) = 0x66;
    *(u32*)(state + 24) = 0xffffffff & ~0x1f80u; // reserved bits of MXCSR, and no exception masked
    *(u32*)(state + 24) |= 0x1f80;
    asked("PT_SETFPREGS", set_fpu, pid, (word)state, 0);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_end("its status", pid, 0x66 << 8);
}

static void handler(int signal) {
    handled += signal == sigusr1 ? 1 : 16;
}
static void handle_signals(void) {
    struct {
        void (*handler)(int);
        int flags;
        u32 mask[4], padding;
    } action = {handler, 0, {0}, 0};
    call(call_sigaction, sigusr1, &action, 0);
    call(call_sigaction, sigusr2, &action, 0);
    for (int i = 0; i < 3; i++)
        send_itself(sigusr1);
    send_itself(20); // SIGCHLD, which nobody handles: the debugger sees it all the same
    finish((int)handled);
}
static void signals(void) {
    print("signals\n");
    long pid = debugged(handle_signals);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_stop("the first", pid, sigusr1);
    expect("no such signal", ptrace(go_on, pid, 1, 129), -einval);
    asked("kept from it", go_on, pid, 1, 0);
    expect_stop("the second", pid, sigusr1);
    asked("given to it", go_on, pid, 1, sigusr1);
    expect_stop("the third", pid, sigusr1);
    asked("as another", go_on, pid, 1, sigusr2);
    expect_stop("one that is ignored", pid, 20);
    asked("given to it", go_on, pid, 1, 20);
    expect_end("what it handled", pid, 17 << 8);
    pid = debugged(exit_with_number);
    asked("a fatal one", go_on, pid, 1, sigterm);
    expect_end("its status", pid, sigterm);
    pid = debugged(exit_with_number);
    asked("PT_KILL", kill_it, pid, 0, 0);
    expect_end("its status", pid, sigkill);
    pid = debugged(exit_with_number);
    send(pid, sigkill);
    expect_end("SIGKILL needs no debugger", pid, sigkill);
}

static void spin(void) {
    volatile word* flag = (volatile word*)shared_flag;
    while (*flag == 0)
        yield();
    finish(8);
}
static void nap(void) {
    word time[2] = {0, 400000000};
    finish(call(call_nanosleep, time, 0) == 0 ? 9 : 1);
}
static long started(void (*body)(void)) {
    long pid = fork_process();
    if (pid == 0) {
        body();
        finish(99);
    }
    return pid;
}
static void attaching(void) {
    print("attaching\n");
    shared_flag = (word)shared_memory();
    long pid = started(spin);
    expect("to itself", ptrace(attach, call(call_getpid), 0, 0), -einval);
    expect("to nobody", ptrace(attach, 99998, 0, 0), -esrch);
    expect("not debugged", ptrace(read_data, pid, (word)&number, 0), -eperm);
    asked("PT_ATTACH", attach, pid, 0, 0);
    expect("twice", ptrace(attach, pid, 0, 0), -ebusy);
    expect_stop("stops", pid, sigstop);
    asked("PT_WRITE_D", write_data, pid, (word)&number, 1);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect("it runs", ptrace(read_data, pid, (word)&number, 0), -ebusy);
    send(pid, sigstop);
    expect_stop("stops again", pid, sigstop);
    asked("PT_DETACH", detach, pid, 1, 0);
    expect("no longer", ptrace(read_data, pid, (word)&number, 0), -eperm);
    *(volatile word*)shared_flag = 1;
    expect_end("its status", pid, 8 << 8);
    pid = started(nap);
    sleep_ms(100);
    asked("PT_ATTACH to a sleeper", attach, pid, 0, 0);
    expect_stop("stops", pid, sigstop);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_end("its sleep went on", pid, 9 << 8);
}

static void permissions(void) {
    print("permissions\n");
    *(volatile word*)shared_flag = 0;
    long victim = started(spin);
    long other = fork_process();
    if (other == 0) {
        call(call_setuid, 1001);
        expect("root's process", ptrace(attach, victim, 0, 0), -eperm);
        finish(failures != 0);
    }
    expect_end("another user", other, 0);
    other = fork_process();
    if (other == 0) {
        asked("PT_ATTACH", attach, victim, 0, 0);
        expect_stop("stops", victim, sigstop);
        send(call(call_getppid), sigusr1); // as a sign
        sleep_ms(100);
        finish(failures != 0); // and nobody lets it go on
    }
    // It is a child all the same, but reports to its debugger; when that ends it dies.
    expect_end("what became of it", victim, sigkill);
    expect_end("the debugger", other, 0);
}

static void run_program(void) {
    const char* arguments[] = {"/bin/debug", "exit", 0};
    call(call_execve, "/bin/debug", arguments, arguments + 2);
    finish(1);
}
static void exec(void) {
    print("exec\n");
    long pid = debugged(run_program);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_stop("after exec", pid, sigtrap);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_end("its status", pid, 42 << 8);
}

static void nothing(int signal) {
    (void)signal;
}

__attribute__((used)) void start(word* stack) {
    char** arguments = (char**)(stack + 1);
    if (stack[0] > 1 && same(arguments[1], "exit"))
        finish(42);
    struct {
        void (*handler)(int);
        int flags;
        u32 mask[4], padding;
    } action = {nothing, 2, {0}, 0};
    call(call_sigaction, sigusr1, &action, 0);
    memory();
    register_sets();
    fpu();
    signals();
    attaching();
    permissions();
    exec();
    events();
    print(failures ? "failed\n" : "all as it should be\n");
    finish(failures != 0);
}
