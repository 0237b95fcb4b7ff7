// SPDX-License-Identifier: BSD-2-Clause
// Checks, threads and processes for programs without a C library, on both BSDs.
#pragma once

#include "../system.h"

enum { etimedout = 60, eagain = 35, eperm = 1, eintr = 4, ebusy = 16, efault = 14, einval = 22, edeadlk = 11, esrch = 3 };

static int failures;

static void expect(const char* what, long got, long wanted) {
    if (got == wanted)
        return;
    failures++;
    print("FAILED ");
    print(what);
    print(": ");
    print_number(got);
    print(", wanted ");
    print_number(wanted);
    print("\n");
}

static inline u32 look(volatile u32* word) {
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}
static inline void put(volatile u32* word, u32 value) {
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

enum { call_wait4 = 7, call_getpid = 20, call_kill = 37, call_fork_ = 2, call_nanosleep = 240 };
#if defined(OS_FREEBSD)
enum { call_yield = 331, call_mmap_ = 477 };
#else
enum { call_yield = 321, call_mmap_ = 197 };
#endif

static void yield(void) {
    call(call_yield);
}
static void wait_until_bits(volatile u32* word, u32 bits) {
    while ((look(word) & bits) != bits)
        yield();
}

static char stacks[8][16384] __attribute__((aligned(16)));
static int used_stacks;
static long last_tid;

// function(argument) on a thread of its own; it must end by end_thread().
static void start_thread(void (*function)(void*), void* argument) {
    char* stack = stacks[used_stacks++ % 8];
#if defined(OS_FREEBSD)
    word parameters[13] = {(word)function, (word)argument, (word)stack, sizeof stacks[0], 0, 0, 0, (word)&last_tid};
    expect("thr_new", call(455, parameters, sizeof parameters), 0);
#else
    word parameters[5] = {(word)function, (word)argument, (word)(stack + sizeof stacks[0]), 0, (word)&last_tid};
    expect("lwp_create2", call(546, parameters, 0), 0);
#endif
}

static __attribute__((noreturn)) void end_thread(void) {
    for (;;)
#if defined(OS_FREEBSD)
        call(431, 0);
#else
        call(494, 0x10000, 0, 0);
#endif
}

static long own_tid(void) {
#if defined(OS_FREEBSD)
    long tid = 0;
    call(432, &tid);
    return tid;
#else
    return call(496);
#endif
}

static void* shared_memory(void) {
    return (void*)call(call_mmap_, 0, 4096, 3, 0x1001, -1); // shared, anonymous
}

static long fork_process(void) {
    struct answer made = call_full(call_fork_, 0, 0, 0, 0, 0, 0);
    return made.failed ? -1 : made.second == 1 ? 0 : (long)made.value; // rdx is 1 in the child
}
static void expect_child(long pid, int status) {
    int got = -1;
    call(call_wait4, pid, &got, 0, 0);
    expect("status of the child", got, status << 8);
}
