// SPDX-License-Identifier: BSD-2-Clause
// Many threads. race: while one makes the personality map memory without a pause, another makes the same calls at the
// stub's notified instructions with arguments of its own. many: as many threads as there may be, then as many processes.
#include "bsd.h"

static const word stub = 0x600000000000;

struct ThreadParameters {
    void (*function)(void*);
    void* argument;
    char* stack;
    word stack_size;
    char* tls;
    word tls_size;
    long *child_tid, *parent_tid;
    int flags, pad;
    void* priority;
};

static int start_thread(word stack_size, void (*function)(void*), void* argument) {
    char* stack = map_memory(0, stack_size, 3, 0);
    if (bsd_failed)
        return 0;
    struct ThreadParameters p = {function, argument, stack, stack_size - 64, 0, 0, 0, 0, 0, 0, 0};
    bsd(call_thr_new, (word)&p, sizeof p, 0, 0, 0, 0);
    return !bsd_failed;
}

static word notified_call; // address of the agent's SYSCALL: the one after six loads of registers

static void find_call(void) {
    for (word at = stub; at < stub + 512; at++) // mov 48(%r12), %r9; syscall
        if (*(const unsigned*)at == 0x244c8b4d && *(const unsigned short*)(at + 5) == 0x050f)
            notified_call = at + 5;
}

static void intrude(void* argument) {
    word kind = (word)argument;
    for (;;) { // back here when a signal ends it
        register word r10 __asm__("r10") = 0x11;
        register word r8 __asm__("r8") = 3;
        register word r9 __asm__("r9") = 0;
        __asm__ volatile("jmp *%5" ::"a"(kind == 0 ? 9 : kind == 1 ? 10 : 11), "D"(0x20000000), "S"(0x1000000), "d"(3), "r"(r10),
                         "r"(notified_call), "r"(r8), "r"(r9)
                         : "memory", "rcx", "r11");
    }
}

// Signals are not enough to end these: they try again on top of each one's frame, until the stack is full.
static void again_mmap(void* unused) {
    (void)unused;
    intrude((void*)0);
}
static void again_mprotect(void* unused) {
    (void)unused;
    intrude((void*)1);
}
static void again_munmap(void* unused) {
    (void)unused;
    intrude((void*)2);
}
static void (*const again[])(void*) = {again_mmap, again_mprotect, again_munmap};

static void race(word kind) {
    struct {
        void (*handler)(void*);
        int flags, mask[4], pad;
    } action = {again[kind], 0x10 /* SA_NODEFER */, {0}, 0};
    limit_time(900000);
    static const word answers[] = {4, 10, 11}; // what comes of an attempt
    for (int i = 0; i < 3; i++)
        bsd(call_sigaction, answers[i], (word)&action, 0, 0, 0, 0);
    if (!notified_call || !start_thread(1 << 20, intrude, (void*)kind))
        quit(7);
    for (;;) {
        char* memory = map_memory(0, 1 << 20, 3, 0);
        for (word at = 0; at < 1 << 20; at += 4096)
            memory[at] = 1;
        bsd(call_munmap, (word)memory, 1 << 20, 0, 0, 0, 0);
    }
}

static void sleep_for_ever(void* argument) {
    word time[2] = {1000, 0};
    (void)argument;
    for (;;)
        bsd(call_nanosleep, (word)time, 0, 0, 0, 0, 0);
}

static void many_threads(word unused) {
    (void)unused;
    word made = 0;
    while (made < 100000 && start_thread(16384, sleep_for_ever, 0))
        made++;
    quit(made > 1000 ? 0 : 1);
}

static void many_processes(word unused) {
    (void)unused;
    word made = 0;
    for (; made < 200; made++) {
        word pid = bsd(call_fork, 0, 0, 0, 0, 0, 0);
        if (bsd_failed)
            break;
        if (pid == 0)
            sleep_for_ever(0);
    }
    quit(made == 200 ? 0 : 1);
}

__attribute__((used)) void start(word* stack) {
    const char* what = stack[0] > 1 ? (const char*)stack[2] : "race";
    find_call();
    if (what[0] == 'r') {
        for (word kind = 0; kind < 3; kind++)
            report("race", in_child(race, kind));
    } else {
        report("many threads", in_child(many_threads, 0));
        report("many processes", in_child(many_processes, 0));
    }
    print("done\n");
    quit(0);
}

__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2");
