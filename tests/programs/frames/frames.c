// SPDX-License-Identifier: BSD-2-Clause
// What a signal handler is given, field by field: the frame's place, siginfo, the machine context of a fault with general, flags and
// SSE registers, masks and stacks; and what becomes of a context that the handler changes. Prints what is not as it should be.
#include "../umtx/threads.h"

// Offsets from the frame and in the ucontext.
#if defined(OS_FREEBSD)
enum { frame_size = 976, context_at = 16, info_at = 896, registers_at = 16, trapno_at = 144, address_at = 152, error_at = 168,
       rip_at = 176, length_at = 216, format_at = 224, fpstate_at = 240, stack_at = 824, length_wanted = 800, user_code = 0x10001 };
enum { sigaction_ = 416, sigaltstack_ = 53, sigprocmask_ = 340 };
#else
enum { frame_size = 1600, context_at = 64, info_at = 1472, registers_at = 64, trapno_at = 200, address_at = 208, error_at = 224,
       rip_at = 232, length_at = 272, format_at = 276, fpstate_at = 320, stack_at = 1352, length_wanted = 1280 };
enum { sigaction_ = 342, sigaltstack_ = 53, sigprocmask_ = 340 };
#endif
enum { segv = 11, usr1 = 30, usr2 = 31, page_fault_trap = 12 };
#define NOWHERE 0xdead000ul
#define BIT(signal) (1ul << ((signal) - 1))

struct info {
    int signo, error, code, pid;
    u32 uid;
    int status;
    word address, value;
};
struct stack {
    word base, size;
    int flags;
};
struct action {
    void (*handler)(void);
    u32 flags, mask[4], padding;
};

static char other_stack[32768] __attribute__((aligned(16)));
static int seen;

static word at(const char* base, word offset) {
    return *(const word*)(base + offset);
}

// faulting(address): loads from it with a known number in every register. Gives the sum of what the registers hold afterwards.
extern const char at_fault[], after_fault[];
extern word faulting(word address);
extern void handler_entry(void);
__asm__("faulting: push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rdi, %rax\nmov %rsp, rsp_before\n"
        "mov $0x101, %rbx\nmov $0x102, %rcx\nmov $0x103, %rdx\nmov $0x104, %rsi\nmov $0x105, %rdi\nmov $0x106, %rbp\n"
        "mov $0x108, %r8\nmov $0x109, %r9\nmov $0x10a, %r10\nmov $0x10b, %r11\nmov $0x10c, %r12\nmov $0x10d, %r13\n"
        "mov $0x10e, %r14\nmov $0x10f, %r15\nmovq %r15, %xmm7\nstc\n"
        ".globl at_fault, after_fault\n"
        "at_fault: mov (%rax), %rdx\n"
        "after_fault: mov $0, %eax\nadc $0, %rax\n" // the carry flag came back
        "add %rbx, %rax\nadd %rcx, %rax\nadd %rdx, %rax\nadd %rsi, %rax\nadd %rdi, %rax\nadd %rbp, %rax\nadd %r8, %rax\n"
        "add %r9, %rax\nadd %r10, %rax\nadd %r11, %rax\nadd %r12, %rax\nadd %r13, %rax\nadd %r14, %rax\nadd %r15, %rax\n"
        "movq %xmm7, %rcx\nadd %rcx, %rax\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n"
        "handler_entry: mov %rsp, %r8\npxor %xmm7, %xmm7\nsub $8, %rsp\ncall handler\nadd $8, %rsp\nret\n"
        ".local rsp_before\n.comm rsp_before, 8\n");
extern word rsp_before __asm__("rsp_before");

// In the order of the machine contexts of both systems.
static const struct {
    const char* name;
    word value;
} registers[] = {{"rdi", 0x105}, {"rsi", 0x104}, {"rdx", 0x103}, {"rcx", 0x102}, {"r8", 0x108},
                 {"r9", 0x109}, {"rax", NOWHERE}, {"rbx", 0x101}, {"rbp", 0x106}, {"r10", 0x10a},
                 {"r11", 0x10b}, {"r12", 0x10c}, {"r13", 0x10d}, {"r14", 0x10e}, {"r15", 0x10f}};

static void check_fault(char* context, const struct info* info, word address, word frame) {
    expect("si_code", info->code, 1);
    expect("si_addr", (long)info->address, NOWHERE);
    expect("rcx is the address", (long)address, NOWHERE);
    for (word i = 0; i < sizeof registers / sizeof registers[0]; i++)
        expect(registers[i].name, (long)at(context, registers_at + 8 + 8 * i), (long)registers[i].value);
    expect("rip", (long)at(context, rip_at), (long)at_fault);
    expect("cs is the user's", at(context, rip_at + 8) & 3, 3);
    expect("rflags has carry and interrupts", at(context, rip_at + 16) & 0x201, 0x201);
    expect("rsp", (long)at(context, rip_at + 24), (long)rsp_before);
    expect("ss is the user's", at(context, rip_at + 32) & 3, 3);
    expect("below the red zone", frame + frame_size <= rsp_before - 128, 1);
    expect("mc_onstack", at(context, registers_at) & 1, 0);
    expect("mc_trapno", (u32)at(context, trapno_at), page_fault_trap);
    expect("mc_addr", (long)at(context, address_at), NOWHERE);
    expect("mc_err is of a read by the user", at(context, error_at) & 7, 4);
    expect("mc_len", (u32)at(context, length_at), length_wanted);
    expect("mc_fpformat is that of XMM", (u32)at(context, format_at), 0x10002);
    expect("xmm7", (long)at(context, fpstate_at + 160 + 16 * 7), 0x10f);
    // It goes on behind the fault, with another number in rdx.
    *(word*)(context + rip_at) = (word)after_fault;
    *(word*)(context + registers_at + 8 + 16) = 0x203;
}

static void check_sent(const char* context, const struct info* info, word frame) {
#if defined(OS_FREEBSD)
    expect("si_code of kill", info->code, user_code);
#endif
    expect("si_pid", info->pid, call(call_getpid));
    expect("si_uid", info->uid, 0);
    expect("on the other stack", frame >= (word)other_stack && frame < (word)other_stack + sizeof other_stack, 1);
    expect("uc_stack", (long)at(context, stack_at), (long)other_stack);
    expect("its size", (long)at(context, stack_at + 8), sizeof other_stack);
    struct stack now;
    expect("sigaltstack", call(sigaltstack_, 0, &now), 0);
    expect("it is in use", now.flags & 1, 1);
}

__attribute__((used)) static void handler(int signal, struct info* info, char* context, word address, word rsp) {
    const word frame = rsp + 8; // the trampoline's call has pushed
    seen++;
    expect("the frame is aligned", frame % 16, 0);
    expect("the frame begins with the handler", (long)*(word*)frame, (long)handler_entry);
    expect("where the context is", (word)context - frame, context_at);
    expect("where siginfo is", (word)info - frame, info_at);
    expect("si_signo", info->signo, signal);
    expect("si_errno", info->error, 0);
    expect("uc_sigmask is the mask before", (long)at(context, 0), BIT(usr1));
    word mask[2] = {0, 0};
    call(sigprocmask_, 1, 0, mask);
    expect("the mask in the handler", (long)mask[0], (long)(BIT(usr1) | BIT(signal) | BIT(5)));
    signal == segv ? check_fault(context, info, address, frame) : check_sent(context, info, frame);
}

__attribute__((used)) void start(word* stack) {
    (void)stack;
    const word blocked[2] = {BIT(usr1), 0};
    expect("sigprocmask", call(sigprocmask_, 3, blocked, 0), 0);
    struct action action = {handler_entry, 0x40, {BIT(5)}, 0}; // SA_SIGINFO
    expect("sigaction", call(sigaction_, segv, &action, 0), 0);
    word sum = 1 + 0x203 + 0x10f; // carry, the changed rdx, xmm7
    for (word i = 0; i < sizeof registers / sizeof registers[0]; i++)
        if (!same(registers[i].name, "rax") && !same(registers[i].name, "rdx"))
            sum += registers[i].value;
    expect("what the registers hold after the handler", (long)faulting(NOWHERE), (long)sum);
    expect("one handler ran", seen, 1);

    struct stack other = {(word)other_stack, sizeof other_stack, 0};
    expect("sigaltstack", call(sigaltstack_, &other, 0), 0);
    action.flags |= 1; // SA_ONSTACK
    expect("sigaction", call(sigaction_, usr2, &action, 0), 0);
    expect("kill", call(call_kill, call(call_getpid), usr2), 0);
    expect("another one ran", seen, 2);
    word mask[2] = {0, 0};
    call(sigprocmask_, 1, 0, mask);
    expect("the mask afterwards", (long)mask[0], BIT(usr1));
    print(failures ? "there are failures\n" : "all as it should be\n");
    finish(failures != 0);
}
