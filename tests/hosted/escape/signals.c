// SPDX-License-Identifier: BSD-2-Clause
// Every signal: what it does by default, what comes of it when its handler's stack lies where the program has no
// memory of its own (the host's part of the process among it), and what sigreturn makes of hostile registers.
#include "bsd.h"

enum { call_sigaltstack = 53, call_sigreturn = 417, on_stack = 1, signals = 128 };
static const word stub = 0x600000000000;

struct Action {
    void (*handler)(int);
    int flags;
    unsigned mask[4];
};

static void by_default(word signal) {
    bsd(call_kill, bsd(call_getpid, 0, 0, 0, 0, 0, 0), signal, 0, 0, 0, 0);
    quit(0);
}

static void handler(int signal) {
    (void)signal;
    quit(77);
}

static void on_bad_stack(word what) {
    static const word stacks[] = {stub, stub + 0x100000, stub + 0x104000, 0x7fffffffe000, 0x8000000000000000, 0x10000};
    struct Action action = {handler, on_stack, {0}};
    word signal = what % 256;
    struct {
        word base, size;
        int flags;
    } stack = {stacks[what / 256], 0x4000, 0};
    bsd(call_sigaction, signal, (word)&action, 0, 0, 0, 0);
    bsd(call_sigaltstack, (word)&stack, 0, 0, 0, 0, 0);
    bsd(call_kill, bsd(call_getpid, 0, 0, 0, 0, 0, 0), signal, 0, 0, 0, 0);
    quit(78);
}

static word frame[256] __attribute__((aligned(64)));

// A ucontext whose registers are `value`, all of them or the one at `index`.
static void hostile_return(word what) {
    static const word values[] = {~0ul, 0x8000000000000000, 0xffffffff81000000, stub, stub + 0x104000, 0x10, 0};
    word value = values[what / 256], index = what % 256;
    limit_time(100000);
    for (word i = 0; i < sizeof frame / sizeof *frame; i++)
        frame[i] = index == 255 || i == index ? value : 0;
    bsd(call_sigreturn, (word)frame, 0, 0, 0, 0, 0);
    quit(1);
}

static int died, survived;
static void count(int status) {
    (status & 0x7f) != 0 ? died++ : survived++;
}

__attribute__((used)) void start(void) {
    for (word signal = 1; signal <= signals; signal++) {
        if (signal == 17 || signal == 18 || signal == 21 || signal == 22)
            continue;
        print("default ");
        print_number(signal);
        report("", in_child(by_default, signal));
    }
    for (word stack = 0; stack < 6; stack++)
        for (word signal = 1; signal <= signals; signal++)
            if (signal != 9 && signal != 17)
                count(in_child(on_bad_stack, stack * 256 + signal));
    print("stacks: ");
    print_number((word)survived);
    print(" survived, ");
    print_number((word)died);
    print(" died\n");
    for (word value = 0; value < 7; value++) {
        for (word index = 0; index < 110; index++)
            count(in_child(hostile_return, value * 256 + index));
        count(in_child(hostile_return, value * 256 + 255));
    }
    print("returns: done\n");
    print("done\n");
    quit(0);
}

__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2");
