// SPDX-License-Identifier: BSD-2-Clause
// ptrace(2) and what the debugger of these tests needs around it.
#pragma once

#include "../umtx/threads.h"

enum { call_ptrace = 26, call_setuid = 23, call_execve = 59, call_getppid = 39 };
enum { trace_me = 0, read_text = 1, read_data = 2, write_text = 4, write_data = 5, go_on = 7, kill_it = 8, step = 9, attach = 10, detach = 11,
       io = 12, get_registers = 33, set_registers = 34, get_fpu = 35, set_fpu = 36 };
enum { sigtrap = 5, sigkill = 9, sigterm = 15, sigstop = 17, sigusr1 = 30, sigusr2 = 31 };
#if defined(OS_FREEBSD)
enum { register_bytes = 176, at_rbx = 88, at_rip = 136, at_cs = 144, at_rflags = 152, call_sigaction = 416 };
#else
enum { register_bytes = 200, at_rbx = 56, at_rip = 160, at_cs = 168, at_rflags = 176, call_sigaction = 342 };
#endif

static long ptrace(long request, long pid, word address, long data) {
    return call6(call_ptrace, (word)request, (word)pid, address, (word)data, 0, 0);
}
static void asked(const char* what, long request, long pid, word address, long data) {
    expect(what, ptrace(request, pid, address, data), 0);
}
static int wait_status(long pid) {
    int status = -1;
    expect("wait4", call(call_wait4, pid, &status, 0, 0), pid);
    return status;
}
static void expect_stop(const char* what, long pid, int signal) {
    expect(what, wait_status(pid), signal << 8 | 0x7f);
}
static void expect_end(const char* what, long pid, int status) {
    expect(what, wait_status(pid), status);
}

static char registers[256];
static word* in_registers(int offset) {
    return (word*)(registers + offset);
}
static word rip_of(long pid) {
    asked("PT_GETREGS", get_registers, pid, (word)registers, 0);
    return *in_registers(at_rip);
}

static void send(long pid, int signal) {
    call(call_kill, pid, signal);
}
static void send_itself(int signal) {
    send(call(call_getpid), signal);
}
static void sleep_ms(word milliseconds) {
    word time[2] = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    call(call_nanosleep, time, 0);
}

// A child that asks to be debugged and stops, and its first stop.
static long debugged(void (*body)(void)) {
    long pid = fork_process();
    if (pid == 0) {
        expect("PT_TRACE_ME", ptrace(trace_me, 0, 0, 0), 0);
        send_itself(sigstop);
        body();
        finish(99);
    }
    expect_stop("its first stop", pid, sigstop);
    return pid;
}
