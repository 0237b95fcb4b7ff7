// SPDX-License-Identifier: BSD-2-Clause
// What only FreeBSD's debuggers can ask for: threads, stops at system calls, forks and exec.
#pragma once

#include "ptrace.h"

#if defined(OS_FREEBSD)
enum { lwp_info = 13, lwp_count = 14, lwp_list = 15, suspend = 18, resume = 19, to_entry = 20, to_exit = 21, syscall_stop = 22,
       follow_fork = 23, get_events = 25, set_events = 26, get_arguments = 27, get_result = 28, state_info = 66, get_state = 67,
       get_fs_base = 69, set_fs_base = 70 };
enum { flag_entry = 4, flag_exit = 8, flag_exec = 0x10, flag_signal = 0x20, flag_forked = 0x40, flag_child = 0x80 };

struct info {
    int tid, event, flags;
    u32 masks[9];
    int signal, error, code, sender;
    char rest[64];
    char name[20];
    int child;
    u32 call, arguments;
};
static struct info info_of(long id) {
    struct info info;
    expect("size of ptrace_lwpinfo", sizeof info, 160);
    asked("PT_LWPINFO", lwp_info, id, (word)&info, sizeof info);
    return info;
}

static volatile u32* counters;
static void count_up(void* argument) {
    for (;;)
        __atomic_fetch_add((u32*)argument, 1, __ATOMIC_SEQ_CST);
}
static void run_threads(void) {
    start_thread(count_up, (void*)&counters[0]);
    start_thread(count_up, (void*)&counters[1]);
    wait_until_bits(&counters[2], 1);
    finish(3);
}
static void threads(void) {
    print("threads\n");
    counters = shared_memory();
    long pid = debugged(run_threads);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    while (look(&counters[0]) == 0 || look(&counters[1]) == 0)
        yield();
    send(pid, sigstop);
    expect_stop("stops", pid, sigstop);
    expect("PT_GETNUMLWPS", ptrace(lwp_count, pid, 0, 0), 3);
    int tids[4] = {0};
    expect("PT_GETLWPLIST", ptrace(lwp_list, pid, (word)tids, 4), 3);
    u32 first = look(&counters[0]), second = look(&counters[1]);
    sleep_ms(50);
    expect("all stand still", look(&counters[0]) == first && look(&counters[1]) == second, 1);
    for (int i = 0; i < 3; i++)
        expect("each is known", info_of(tids[i]).tid, tids[i]);
    asked("registers of a thread", get_registers, tids[1], (word)registers, 0);
    asked("PT_SUSPEND", suspend, tids[1], 0, 0);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    while (look(&counters[1]) == second)
        yield();
    sleep_ms(50);
    expect("one stands still", look(&counters[0]) == first, 1);
    send(pid, sigstop);
    expect_stop("stops", pid, sigstop);
    asked("PT_RESUME", resume, tids[1], 0, 0);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    while (look(&counters[0]) == first)
        yield();
    put(&counters[2], 1);
    expect_end("its status", pid, 3 << 8);
}

static void make_calls(void) {
    call6(call_kill, 0x7fff0000, 0, 0, 0, 0, 0); // ESRCH
    finish((int)call(call_getppid) == 0);
}
static void calls(void) {
    print("calls\n");
    long pid = debugged(make_calls);
    // Out of the kill that stopped it, then into the next one.
    asked("PT_TO_SCE", to_entry, pid, 1, 0);
    expect_stop("at an entry", pid, sigtrap);
    struct info info = info_of(pid);
    expect("its flags", info.flags, flag_entry);
    expect("its call", info.call, call_kill);
    expect("its arguments", info.arguments, 2);
    word values[8] = {0};
    asked("PT_GET_SC_ARGS", get_arguments, pid, (word)values, sizeof values);
    expect("the first", (long)values[0], 0x7fff0000);
    expect("no result yet", ptrace(get_result, pid, (word)values, 24), -einval);
    int events = 4; // PTRACE_SCX
    asked("PT_SET_EVENT_MASK", set_events, pid, (word)&events, sizeof events);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_stop("at an exit", pid, sigtrap);
    expect("its flags", info_of(pid).flags, flag_exit);
    word result[3] = {0};
    asked("PT_GET_SC_RET", get_result, pid, (word)result, sizeof result);
    expect("its error", (int)result[2], esrch);
    asked("PT_TO_SCX", to_exit, pid, 1, 0);
    expect_stop("at the next exit", pid, sigtrap);
    expect("its call", info_of(pid).call, call_getppid);
    asked("PT_GET_SC_RET", get_result, pid, (word)result, sizeof result);
    expect("its result", (long)result[0], call(call_getpid));
    asked("PT_STEP", step, pid, 1, 0);
    expect_stop("a step", pid, sigtrap);
    events = 0;
    asked("PT_SET_EVENT_MASK", set_events, pid, (word)&events, sizeof events);
    asked("PT_GET_EVENT_MASK", get_events, pid, (word)&events, sizeof events);
    expect("no events", events, 0);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_end("its status", pid, 0);
}

static void make_child(void) {
    long pid = fork_process();
    if (pid == 0)
        finish(5);
    int status = 0;
    call(call_wait4, pid, &status, 0, 0);
    finish(status >> 8);
}
static void forks(void) {
    print("forks\n");
    long pid = debugged(make_child);
    asked("PT_FOLLOW_FORK", follow_fork, pid, 0, 1);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_stop("after fork", pid, sigtrap);
    struct info info = info_of(pid);
    expect("its flags", info.flags, flag_forked);
    expect_stop("the child", info.child, sigstop);
    expect("its flags", info_of(info.child).flags & flag_child, flag_child);
    asked("the child goes on", go_on, info.child, 1, 0);
    expect_end("its status", info.child, 5 << 8);
    asked("the parent goes on", go_on, pid, 1, 0);
    // The end of its child, of which it hears now, too.
    int status = wait_status(pid);
    while ((status & 0xff) == 0x7f) {
        asked("a signal", go_on, pid, 1, status >> 8);
        status = wait_status(pid);
    }
    expect("its status", status, 5 << 8);
}

static void stay(void) {
    __asm__ volatile("int3");
    finish(6);
}
static void states(void) {
    print("states\n");
    static char state[16384];
    struct {
        word mask;
        u32 size, padding;
    } about;
    long pid = debugged(stay);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_stop("at int3", pid, sigtrap);
    struct info info = info_of(pid);
    expect("its flags", info.flags, flag_signal);
    expect("si_signo", info.signal, sigtrap);
    expect("TRAP_BRKPT", info.code, 1);
    asked("PT_GETXSTATE_INFO", state_info, pid, (word)&about, sizeof about);
    expect("x87 and SSE", about.mask & 3, 3);
    expect("a size", about.size >= 576 && about.size <= sizeof state, 1);
    asked("PT_GETXSTATE", get_state, pid, (word)state, about.size);
    word base = 0x1000;
    asked("PT_SETFSBASE", set_fs_base, pid, (word)&base, 0);
    base = 0;
    asked("PT_GETFSBASE", get_fs_base, pid, (word)&base, 0);
    expect("the base", (long)base, 0x1000);
    base = 0xffff800000000000;
    expect("the kernel's", ptrace(set_fs_base, pid, (word)&base, 0), -einval);
    expect("no such request", ptrace(3, pid, 0, 0), -einval);
    asked("PT_CONTINUE", go_on, pid, 1, 0);
    expect_end("its status", pid, 6 << 8);
}

static void events(void) {
    threads();
    calls();
    forks();
    states();
}
#else
static void events(void) {
    long pid = debugged(end_thread);
    expect("requests of FreeBSD's", ptrace(13, pid, (word)registers, 4), -einval);
    asked("PT_KILL", kill_it, pid, 0, 0);
    expect_end("its status", pid, sigkill);
}
#endif
