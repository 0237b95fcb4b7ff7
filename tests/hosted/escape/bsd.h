// SPDX-License-Identifier: BSD-2-Clause
// The few FreeBSD calls that the hostile programs make, without a C library.
#pragma once

typedef unsigned long word;

enum {
    call_exit = 1,
    call_fork = 2,
    call_read = 3,
    call_write = 4,
    call_wait4 = 7,
    call_getpid = 20,
    call_kill = 37,
    call_munmap = 73,
    call_mprotect = 74,
    call_setitimer = 83,
    call_nanosleep = 240,
    call_sigaction = 416,
    call_sched_yield = 331,
    call_thr_exit = 431,
    call_thr_new = 455,
    call_mmap = 477,
};

static word bsd_failed; // the last call's carry flag

static inline word bsd(word number, word a, word b, word c, word d, word e, word f) {
    register word r10 __asm__("r10") = d;
    register word r8 __asm__("r8") = e;
    register word r9 __asm__("r9") = f;
    unsigned char carry;
    __asm__ volatile("syscall\nsetc %1"
                     : "+a"(number), "=&b"(carry), "+r"(r10), "+r"(r8), "+r"(r9), "+D"(a), "+S"(b), "+d"(c)
                     :
                     : "rcx", "r11", "memory", "cc");
    bsd_failed = carry;
    return number;
}

static inline void quit(int status) {
    for (;;)
        bsd(call_exit, (word)status, 0, 0, 0, 0, 0);
}

static inline void print(const char* text) {
    word size = 0;
    while (text[size])
        size++;
    bsd(call_write, 1, (word)text, size, 0, 0, 0);
}

static inline void print_number(word number) {
    char text[24], *at = text + sizeof text;
    *--at = 0;
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    print(at);
}

static inline char* map_memory(word address, word size, int protection, int flags) {
    enum { map_private_anonymous = 0x1002 };
    return (char*)bsd(call_mmap, address, size, (word)protection, (word)(flags | map_private_anonymous), (word)-1, 0);
}

// SIGALRM ends the process after so many microseconds.
static inline void limit_time(word microseconds) {
    word timer[4] = {0, 0, 0, microseconds};
    bsd(call_setitimer, 0, (word)timer, 0, 0, 0, 0);
}

// Runs `what` in a child and gives its wait status.
static inline int in_child(void (*what)(word), word argument) {
    word pid = bsd(call_fork, 0, 0, 0, 0, 0, 0);
    if (bsd_failed)
        return -1;
    if (pid == 0) {
        what(argument);
        quit(0);
    }
    int status = -1;
    bsd(call_wait4, pid, (word)&status, 0, 0, 0, 0);
    return status;
}

// "name: exit N" or "name: signal N"
static inline void report(const char* name, int status) {
    print(name);
    print((status & 0x7f) ? ": signal " : ": exit ");
    print_number((word)((status & 0x7f) ? status & 0x7f : status >> 8 & 0xff));
    print("\n");
}
