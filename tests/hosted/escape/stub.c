// SPDX-License-Identifier: BSD-2-Clause
// Attacks on the stub that the hosted platform keeps in a BSD process: jumps to every byte of it with hostile registers,
// writes to all its pages, calls of BSD that name it. Each in a child; the parent must live, and says what came of them.
#include "bsd.h"

#define page 4096ul
static const word stub = 0x600000000000, control = stub + 0x100000, slots = stub + 0x104000, trampoline_bytes = 512;

struct Registers {
    word rax, rdi, rsi, rdx, r10, r8, r9, rbp, rsp, rbx, r12, r14;
};

static void jump(word target, const struct Registers* r) {
    __asm__ volatile("mov %0, %%r11\n"
                     "mov 8(%1), %%rdi\nmov 16(%1), %%rsi\nmov 24(%1), %%rdx\nmov 32(%1), %%r10\nmov 40(%1), %%r8\n"
                     "mov 48(%1), %%r9\nmov 64(%1), %%rsp\nmov 72(%1), %%rbx\nmov 80(%1), %%r12\nmov 88(%1), %%r14\n"
                     "mov 56(%1), %%rbp\nmov (%1), %%rax\njmp *%%r11" ::"r"(target),
                     "a"(r)
                     : "memory");
    __builtin_unreachable();
}

static char own_frame[8192] __attribute__((aligned(64)));

// What the registers hold when the stub's code is entered in the middle: calls of Linux that would matter.
static struct Registers hostile(word pattern) {
    static const char path[] = "/tmp/libelle-escaped";
    word memory = (word)own_frame;
    struct Registers r = {9, 0x10000000, 0x100000, 7, 0x11, 3, 0, slots, memory + 4096, 1, memory, 3};
    switch (pattern) {
    case 0: break; // mmap of descriptor 3
    case 1: // open
        r.rax = 2, r.rdi = (word)path, r.rsi = 0101, r.rdx = 0666;
        break;
    case 2: // a slot as stack, as in a handler: what lies there is returned to
        r.rsp = slots + 0x2000, r.rbp = slots, r.rax = 59, r.rdi = (word)path;
        break;
    case 3: // futex with a timeout, on our own memory
        r.rax = 202, r.rdi = memory, r.rsi = 0, r.rdx = 0, r.r10 = memory, r.rbp = memory;
        break;
    case 4: // as the agent
        r.rdi = 0x100, r.rax = 39, r.r12 = control, r.rbp = slots;
        break;
    default: // mprotect of the trampoline
        r.rax = 10, r.rdi = stub, r.rsi = page, r.rdx = 7;
    }
    return r;
}
enum { patterns = 6 };

static void jump_in(word which) {
    limit_time(20000);
    struct Registers r = hostile(which % patterns);
    jump(stub + which / patterns, &r);
}

// rt_sigreturn from a frame of our own making: 32-bit code, all signals blocked, a stack elsewhere.
static void fake_return(word kind) {
    limit_time(200000);
    word* frame = (word*)own_frame; // struct ucontext
    for (word i = 0; i < sizeof own_frame / 8; i++)
        frame[i] = 0;
    frame[0] = kind == 3 ? 7 : 0;                       // flags
    frame[2] = kind == 2 ? (word)own_frame + 4096 : 0;  // signal stack
    frame[4] = kind == 2 ? 4096 : 0;
    word* registers = frame + 5;
    registers[15] = (word)own_frame + 4096; // rsp
    registers[16] = kind == 4 ? 0xffffffff81000000 : (word)&quit;
    registers[17] = kind == 5 ? 0x3ffffff : 2;                    // flags of the processor
    registers[18] = kind == 0 ? 0x002b000000000023 : kind == 6 ? 0x0018000000000010 : 0x002b000000000033; // cs, ss
    registers[23] = kind == 3 ? (word)own_frame + 1 : 0;          // extended state
    frame[37] = kind == 1 ? ~0ul : 0;                             // mask
    if (kind == 1)
        registers[16] = stub + 1; // runs into a fault with its signal blocked
    struct Registers r = hostile(0);
    r.rax = 15;
    r.rsp = (word)own_frame;
    for (word at = stub; at < stub + trampoline_bytes; at++) // mov $15, %eax; syscall
        if (*(const unsigned char*)at == 0xb8 && *(const unsigned*)(at + 1) == 15 && *(const unsigned short*)(at + 5) == 0x050f)
            jump(at, &r);
    quit(9);
}

static void poke(word address) {
    limit_time(200000);
    *(volatile char*)address = 1;
    quit(0);
}

// Nothing of the slots is left as it was, and then the process goes on.
static void scribble(word pattern) {
    limit_time(300000);
    for (word at = slots; at < slots + 0x4000; at += 8)
        *(volatile word*)at = pattern == 0 ? 0 : pattern == 1 ? ~0ul : pattern == 2 ? 0x200000003 : at * 0x9e3779b97f4a7c15;
    for (word i = 0; i < 1000; i++)
        bsd(call_getpid, 0, 0, 0, 0, 0, 0);
    quit(0);
}

static int survived, exits, signals[128];

static void count(int status) {
    if (status == -1)
        return;
    survived++;
    if ((status & 0x7f) != 0)
        signals[status & 0x7f]++;
    else
        exits++;
}

__attribute__((used)) void start(word* stack) {
    int full = stack[0] > 1;
    print("mmap over the stub: ");
    map_memory(stub, page, 3, 0x10);
    print(bsd_failed ? "refused\n" : "done\n");
    print("mmap across the stub: ");
    map_memory(stub - page, 0x400000, 3, 0x10);
    print(bsd_failed ? "refused\n" : "done\n");
    print("read into the stub: ");
    bsd(call_write, 1, stub, 16, 0, 0, 0);
    print(bsd_failed ? "refused\n" : "done\n");
    bsd(call_munmap, stub, 0x200000, 0, 0, 0, 0);
    bsd(call_mprotect, stub, page, 7, 0, 0, 0);
    report("write to the trampoline", in_child(poke, stub));
    report("write to the set-up page", in_child(poke, stub + page));
    report("write to the agent's page", in_child(poke, control));
    for (word kind = 0; kind < 7; kind++)
        count(in_child(fake_return, kind));
    for (word pattern = 0; pattern < 4; pattern++)
        count(in_child(scribble, pattern));
    for (word which = 0; which < trampoline_bytes * patterns; which += full ? 1 : 7)
        count(in_child(jump_in, which));
    print("attacks: ");
    print_number((word)survived);
    print("\n");
    for (int signal = 0; signal < 128; signal++)
        if (signals[signal]) {
            print("signal ");
            print_number((word)signal);
            print(": ");
            print_number((word)signals[signal]);
            print("\n");
        }
    print("exits: ");
    print_number((word)exits);
    print("\ndone\n");
    quit(0);
}

__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2");
