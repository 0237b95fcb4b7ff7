// SPDX-License-Identifier: BSD-2-Clause
// Processes that end, or execute another program, at the very moment at which a thread of theirs makes
// further threads: a thread that is born late must not keep the process alive. `births ROUNDS` prints "ok",
// or never ends.
#include "../system.h"

enum {
    call_exit = 1,
    call_fork = 2,
    call_wait4 = 7,
    call_execve = 59,
    call_nanosleep = 240
};
enum { threads = 48, stack_size = 4096 };

static char stacks[threads][stack_size] __attribute__((aligned(16)));
static volatile int running;

static __attribute__((noreturn)) void sleeper(word number) {
    (void)number;
    for (;;) {
        long hour[2] = {3600, 0};
        call(call_nanosleep, hour, 0);
    }
}

static __attribute__((noreturn)) void mother(word number) {
    running = 1;
    for (word i = 1; i < threads; i++)
        make_thread(sleeper, i, stacks[i], stack_size);
    sleeper(number);
}

static __attribute__((noreturn)) void live(long round, char* self, char** environment) {
    make_thread(mother, 0, stacks[0], stack_size);
    while (!running)
        ;
    for (volatile long spin = round * 7919 % 30000; spin > 0; spin--)
        ;
    if (round % 2) {
        char* arguments[] = {self, "0", 0};
        call(call_execve, self, arguments, environment);
    }
    finish(0);
}

__attribute__((used)) void start(word* stack) {
    char** arguments = (char**)(stack + 1);
    long rounds = number_in(arguments[1]);
    for (long round = 0; round < rounds; round++) {
        long child = call(call_fork);
        if (child == 0)
            live(round, arguments[0], arguments + stack[0] + 1);
        int status = -1;
        if (call(call_wait4, child, &status, 0, 0) != child || status != 0) {
            print("wrong end\n");
            finish(1);
        }
    }
    if (rounds)
        print("ok\n");
    finish(0);
}
