// SPDX-License-Identifier: BSD-2-Clause
// fork, vfork and rfork with their flags, and how a parent learns of each.

enum { rf_fdg = 4, rf_proc = 0x10, rf_mem = 0x20, rf_nowait = 0x40, rf_cfdg = 0x1000, rf_thread = 0x2000, rf_sigshare = 0x4000 };
enum { rf_linuxthpn = 0x10000, rf_tsigzmb = 0x80000, rf_procdesc = 0x10000000 };
#define RF_SPAWN 0x80000000u

// A child that runs `function` on a stack of its own when it shares memory; the answer as rfork gives it.
static char child_stack[16384] __attribute__((aligned(16)));
static long rfork_child(u32 flags, void (*function)(void)) {
    word number = call_rfork, second = 1;
    unsigned char carry;
    __asm__ volatile("syscall\nsetc %1\njc 1f\ntest %%edx, %%edx\njz 1f\ntest %%rax, %%rax\njnz 1f\nmov %4, %%rsp\ncall *%5\nud2\n1:"
                     : "+a"(number), "=&r"(carry), "+d"(second)
                     : "D"((word)flags), "r"(child_stack + sizeof child_stack), "r"(function)
                     : "rcx", "r11", "memory", "cc");
    return carry ? -(long)(u32)number : (long)number;
}

static volatile word mark;
static void store_and_leave(void) {
    mark = 5;
    finish(3);
}
static void leave(void) {
    finish(4);
}
static void close_output(void) {
    call(call_close, 9);
    finish(0);
}
static void change_action(void) {
    on_signal(sigusr2, (word)count_signal);
    finish(0);
}
static word handler_of(int signal) {
    struct action now = {7, 0, {0}};
    call(call_sigaction, signal, 0, &now);
    return now.handler;
}
static volatile word* fork_words;
static void tell_parent(void) {
    fork_words[0] = (word)call(call_getppid);
    finish(0);
}

static void check_forks(void) {
    int status = 0;
    fork_words = shared_words();
    expect("both descriptor flags", call(call_rfork, rf_proc | rf_fdg | rf_cfdg), -einval);
    if (freebsd) {
        expect("kernel's flags", call(call_rfork, rf_proc | rf_procdesc), -einval);
        expect("RFSPAWN and another", call(call_rfork, RF_SPAWN | rf_proc), -einval);
        expect("an unknown flag", call(call_rfork, rf_proc | 1), -einval);
        expect("a signal without RFTSIGZMB", call(call_rfork, rf_proc | 30 << 20), -einval);
        expect("a signal beyond", call(call_rfork, rf_proc | rf_tsigzmb | 129 << 20), -einval);
    } else {
        expect("RFPPWAIT", call(call_rfork, RF_SPAWN | rf_proc), -einval);
    }

    expect("memory of its own", status_of(rfork_child(rf_proc | rf_fdg, store_and_leave)), 3 << 8);
    expect("not stored", (long)mark, 0);
    expect("shared memory", status_of(rfork_child(rf_proc | rf_fdg | rf_mem | rf_thread, store_and_leave)), 3 << 8);
    expect("stored", (long)mark, 5);

    expect("dup2", call(90, 1, 9), 9);
    expect("copied descriptors", status_of(rfork_child(rf_proc | rf_fdg, close_output)), 0);
    expect("still open", call(92, 9, 1, 0), 0);
    expect("shared descriptors", status_of(rfork_child(rf_proc, close_output)), 0);
    expect("closed", call(92, 9, 1, 0), -ebadf);
    long child = rfork_child(rf_proc | rf_cfdg, leave);
    expect("no descriptors", status_of(child), 4 << 8);

    expect("signal actions of its own", status_of(rfork_child(rf_proc | rf_fdg, change_action)), 0);
    expect("the default", (long)handler_of(sigusr2), 0);
    expect("shared signal actions", status_of(rfork_child(rf_proc | rf_fdg | rf_sigshare, change_action)), 0);
    expect("the child's", (long)handler_of(sigusr2), (long)(word)count_signal);
    call(call_kill, call(call_getpid), sigusr2);
    expect("taken", signals_seen[sigusr2], 1);

    child = rfork_child(rf_proc | rf_fdg | rf_nowait, tell_parent);
    expect("not ours", call(call_wait4, child, &status, 0, 0), -echild);
    wait_for_word(&fork_words[0], 1);

    // Another signal than SIGCHLD at the end: only a wait for such children finds them.
    catch_signal(sigusr1), catch_signal(sigchld);
    signals_seen[sigusr1] = signals_seen[sigchld] = 0;
    child = rfork_child(rf_proc | rf_fdg | rf_linuxthpn, leave);
    expect("no child of the usual kind", call(call_wait4, child, &status, 0, 0), -echild);
    expect("a clone", call(call_wait4, child, &status, 0x80000000, 0), child);
    expect("its status", status, 4 << 8);
    expect("SIGUSR1 and SIGCHLD", signals_seen[sigusr1] * 10 + signals_seen[sigchld], 10);
#if defined(OS_FREEBSD)
    child = rfork_child(rf_proc | rf_fdg | rf_tsigzmb | (word)sigusr2 << 20, leave);
    expect("another one", call(call_wait4, child, &status, 0x80000000, 0), child);
    expect("SIGUSR2", signals_seen[sigusr2], 2);
    child = rfork_child(rf_proc | rf_fdg | rf_tsigzmb, leave);
    expect("a silent one", call(call_wait4, child, &status, 0x80000000, 0), child);
    expect("no signal", signals_seen[sigusr1] * 10 + signals_seen[sigchld], 10);
    child = rfork_child(RF_SPAWN, store_and_leave); // the parent waits for it
    mark = 0;
    expect("spawn", status_of(child), 3 << 8);
#endif

    // The caller alone.
    expect("dup2", call(90, 1, 9), 9);
    expect("its own table", call(call_rfork, rf_fdg), 0);
    expect("still open", call(92, 9, 1, 0), 0);
    child = fork_process();
    if (child == 0) {
        expect("an empty table", call(call_rfork, rf_cfdg), 0);
        finish(call(92, 1, 1, 0) == -ebadf ? 0 : 1);
    }
    expect_child(child, 0);
    on_signal(sigchld, 0);
}
