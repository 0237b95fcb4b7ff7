// SPDX-License-Identifier: BSD-2-Clause
// Processes of several threads that make any system calls with any arguments, all on the same memory, which changes under
// the calls. `chaos SEED MILLISECONDS` prints "ok" in the end. With an even seed none has privileges; with an odd one half
// of them do, and may end or stop the program itself. What counts is that the personality lives and that the jail ends.
#include "../system.h"

#include "chaos_calls.h" // generated (scripts/gen-syscalls): number and kinds of arguments of what there is

enum {
    call_exit = 1,
    call_fork = 2,
    call_wait4 = 7,
    call_setuid = 23,
    call_kill = 37,
    call_mmap = 477,
    call_mmap_dragonfly = 197,
    call_nanosleep = 240,
    call_clock_gettime = 232
};
enum { workers = 4, threads = 3, calls_a_thread = 400, most_processes = 48, stack_size = 8192, scratch_size = 64 << 10 };

static char stacks[threads][stack_size] __attribute__((aligned(16)));
static unsigned char scratch[scratch_size] __attribute__((aligned(4096)));
static volatile int* born; // processes that workers made, of all of them: shared memory
static word seed;

static word next(word* state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static const char* const paths[] = {"/",         ".",        "..",      "a",          "/tmp/a",   "/tmp/b",    "/tmp/d",
                                    "/tmp/d/a",  "/tmp/d/b", "/bin/sh", "/bin/count", "/dev/fd/3", "/dev/null", "/dev/zero",
                                    "/dev/ptmx", "/dev/tty", "",        "/nowhere/x", "/bin",     "/tmp/fifo", "/tmp/socket"};
static const word telling[] = {0,          1,           2,          3,      0x1000, 0x1002,  0x1012, 0x200,    0x202,      0x601,
                               0x20000,    4096,        4095,       65536,  511,    0777,    65,     128,      0x7fffffff, 0x80000000,
                               0xffffffff, 0xffffff9c,  1ul << 46,  1000,   100000, 100000000, ~0ul, 1ul << 63, 0x8004667e, 0x40147210};

static word number(word* state) {
    word kind = next(state) % 16;
    if (kind < 9)
        return next(state) % 40 - 4; // descriptors, signals, processes, counts
    if (kind < 14)
        return telling[next(state) % (sizeof telling / sizeof *telling)];
    return kind == 14 ? (word)scratch + next(state) % scratch_size : next(state);
}

static word pointer(word* state) {
    word at = next(state) % (scratch_size / 64) * 64;
    word kind = next(state) % 16;
    if (kind == 0)
        return number(state);
    if (kind < 8) // what others left there, or are writing
        return (word)scratch + at;
    if (kind == 8)
        return (word)scratch + scratch_size - next(state) % 64;
    word* words = (word*)(scratch + at);
    for (word i = 0; i < 8; i++)
        words[i] = next(state) % 4 ? number(state) : (word)scratch + next(state) % scratch_size;
    return (word)words;
}

static void one_call(word* state) {
    const struct shape* shape = &shapes[next(state) % (sizeof shapes / sizeof *shapes)];
    if (shape->number == call_exit && next(state) % 16)
        return;
    word values[8] = {0};
    for (int i = 0; i < 8 && shape->arguments[i]; i++)
        values[i] = shape->arguments[i] == 's' && next(state) % 8 ? (word)paths[next(state) % (sizeof paths / sizeof *paths)]
                    : shape->arguments[i] == 'i'                  ? number(state)
                                                                  : pointer(state);
    call(shape->number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

static __attribute__((noreturn)) void work(word which) {
    word state = seed * 0x9e3779b97f4a7c15 + which * 0xbf58476d1ce4e5b9 + 1;
    long self = call(20 /* getpid */);
    for (int i = 0; i < calls_a_thread; i++) {
        one_call(&state);
        long now = call(20);
        if (now != self) { // a child
            self = now;
            state += (word)now * 0x94d049bb133111eb;
            if (__atomic_add_fetch(born, 1, __ATOMIC_SEQ_CST) > most_processes)
                break;
        }
    }
    for (;;)
        call(call_exit, 0);
}

static long milliseconds(void) {
    long time[2] = {0, 0};
    call(call_clock_gettime, 4, time);
    return time[0] * 1000 + time[1] / 1000000;
}

__attribute__((used)) void start(word* stack) {
    char** arguments = (char**)(stack + 1);
    if (stack[0] != 3) {
        print("usage: chaos SEED MILLISECONDS\n");
        finish(2);
    }
    seed = (word)number_in(arguments[1]);
    int privileged = seed % 2;
    long end = milliseconds() + number_in(arguments[2]);
#if defined(OS_FREEBSD)
    born = (volatile int*)call(call_mmap, 0, 4096, 3, 0x1001, -1, 0);
#else
    born = (volatile int*)call(call_mmap_dragonfly, 0, 4096, 3, 0x1001, -1, 0);
#endif
    long children[workers] = {0};
    for (word round = 0; milliseconds() < end; round++) {
        word slot = round % workers;
        if (children[slot] > 0)
            call(call_kill, children[slot], 9);
        if (slot == 0) { // whoever is left of the last ones, too
            call(call_kill, -1, 9);
            *born = 0;
        }
        while (call(call_wait4, -1, 0, 1 /* WNOHANG */, 0) > 0)
            ;
        seed += 1000003;
        children[slot] = call(call_fork);
        if (children[slot] == 0) {
            if (slot % 2 || !privileged)
                call(call_setuid, 65534);
            for (word i = 1; i < threads; i++)
                make_thread(work, i, stacks[i], stack_size);
            work(0);
        }
        long pause[2] = {0, 20000000};
        call(call_nanosleep, pause, 0);
    }
    print("ok\n");
    finish(0);
}
