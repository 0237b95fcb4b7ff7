// SPDX-License-Identifier: BSD-2-Clause
// Where a program finds itself: at random places in FreeBSD unless somebody does not want that, else always at the same ones.
#pragma once

struct places {
    word stack, code, mapped, stack_base, timekeep;
    long aslr;
};

static word auxiliary(word* stack, word type) {
    word* at = stack + stack[0] + 2;
    while (*at)
        at++;
    for (at++; at[0]; at += 2)
        if (at[0] == type)
            return at[1];
    return 0;
}

__attribute__((used)) void start(word* stack);
static void tell_places(word* stack) {
    struct places own = {(word)stack, (word)start, (word)map_some(3), (word)setting("kern.usrstack", 0), auxiliary(stack, 22), 0};
#if defined(OS_FREEBSD)
    int status = 0;
    expect("PROC_ASLR_STATUS", call6(call_procctl, 0, 0, 14, (word)&status, 0, 0), 0);
    own.aslr = status;
    expect("AT_USRSTACKBASE", (long)auxiliary(stack, 35), (long)own.stack_base);
#endif
    expect("the stack is in the stack", own.stack < own.stack_base && own.stack > own.stack_base - 0x100000, 1);
    expect("ps_strings", *(long*)setting("kern.ps_strings", 0), (long)(stack + 1));
    call(call_write, 3, &own, sizeof own);
    finish(failures != 0);
}

enum { as_it_is, forced_on, forced_off };

static struct places run(const char* program, int how) {
    struct places told = {0, 0, 0, 0, 0, 0};
    (void)how;
    struct answer ends = call_full(call_pipe, 0, 0, 0, 0, 0, 0);
    u32 pair[2] = {(u32)ends.value, (u32)ends.second};
#if defined(OS_FREEBSD)
    expect("pipe2", call(542, pair, 0), 0);
#endif
    long child = fork_process();
    if (child == 0) {
        const char* arguments[] = {program, "tell", 0};
        const char* environment[] = {0};
        call(call_dup2, pair[1], 3);
#if defined(OS_FREEBSD)
        if (how != as_it_is)
            expect("PROC_ASLR_CTL", call6(call_procctl, 0, 0, 13, (word)&how, 0, 0), 0);
#endif
        call(call_execve, program, arguments, environment);
        finish(98);
    }
    call(call_close, pair[1]);
    expect("what it told", call(call_read, pair[0], &told, sizeof told), sizeof told);
    call(call_close, pair[0]);
    expect_child(child, 0);
    return told;
}

// Which places differ between some runs: 1 stack, 2 code, 4 what is mapped, 8 the shared page.
static int vary(const char* program, int how) {
    struct places first = run(program, how);
    int differ = 0;
    for (int i = 0; i < 4; i++) {
        struct places next = run(program, how);
        differ |= (next.stack != first.stack) | (next.code != first.code) << 1 | (next.mapped != first.mapped) << 2 |
                  (next.timekeep != first.timekeep) << 3;
    }
    return differ;
}

#define FIXED "/bin/memory"
#define MOVABLE "/bin/memory-pie"
static void check_layout(void) {
#if defined(OS_FREEBSD)
    int shared = run(FIXED, as_it_is).timekeep ? 8 : 0; // not every host lets programs read the clock
    expect("by default", vary(FIXED, as_it_is), 5 | shared);
    expect("by default, position-independent", vary(MOVABLE, as_it_is), 7 | shared);
    expect("the status", run(FIXED, as_it_is).aslr, (int)0x80000003);
    expect("forced off", vary(FIXED, forced_off), 0);
    expect("forced off, position-independent", vary(MOVABLE, forced_off), 0);
    struct places still = run(MOVABLE, forced_off);
    expect("the status when forced off", still.aslr, 2);
    expect("the stack's base", (long)still.stack_base, 0x7fffffffe000);
    expect("where programs go", still.code >> 16, 0x102);
    set("kern.elf64.aslr.enable", 0);
    set("kern.elf64.aslr.pie_enable", 0);
    expect("when it is off", vary(FIXED, as_it_is), 0);
    expect("when it is off, position-independent", vary(MOVABLE, as_it_is), 0);
    expect("the status then", run(FIXED, as_it_is).aslr, 3);
    expect("forced on", vary(FIXED, forced_on), 5 | shared);
    expect("forced on, position-independent", vary(MOVABLE, forced_on), 7 | shared);
    expect("the status when forced on", run(FIXED, forced_on).aslr, (int)0x80000001);
    set("kern.elf64.aslr.enable", 1);
    set("kern.elf64.aslr.stack", 0);
    set("kern.elf64.aslr.shared_page", 0);
    expect("without the stack", vary(FIXED, as_it_is), 4);
    int bad = 4;
    expect("no such choice", call6(call_procctl, 0, 0, 13, (word)&bad, 0, 0), -einval);
    expect("nowhere", call6(call_procctl, 0, 0, 13, 8, 0, 0), -efault);
    expect("honor_sbrk", setting("kern.elf64.aslr.honor_sbrk", 0), 0);
#else
    // The gap below the strings is at random.
    expect("the gap", setting("kern.stackgap_random", 0), 1024);
    expect("by default", vary(FIXED, as_it_is), 1);
    expect("by default, position-independent", vary(MOVABLE, as_it_is), 1);
    int bad = 1000;
    expect("no power of two", setting("kern.stackgap_random", &bad), -einval);
    set("kern.stackgap_random", 0);
    expect("without the gap", vary(FIXED, as_it_is), 0);
    expect("position-independent", vary(MOVABLE, as_it_is), 0);
    expect("where programs go", run(MOVABLE, as_it_is).code >> 16, 0x102);
    expect("mmap", setting("vm.randomize_mmap", 0), 0);
    set("vm.randomize_mmap", 1);
    expect("mmap at random", vary(FIXED, as_it_is), 4);
    set("vm.randomize_mmap", 0);
    expect("the stack's base", (long)run(FIXED, as_it_is).stack_base, 0x7fffffe00000);
#endif
}
