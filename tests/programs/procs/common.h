// SPDX-License-Identifier: BSD-2-Clause
// What the topics have in common.
#pragma once

enum { call_read = 3, call_write = 4, call_open = 5, call_close = 6, call_unlink = 10, call_chmod = 15, call_getppid = 39 };
enum { call_setuid = 23, call_getuid = 24, call_geteuid = 25, call_execve = 59, call_umask = 60, call_munmap = 73, call_mprotect = 74 };
enum { call_vfork = 66, call_poll = 209, call_minherit = 250, call_rfork = 251, call_sigprocmask = 340, call_sysctl = 202 };
enum { call_getrlimit = 194, call_setrlimit = 195, call_getrusage = 117, call_wait4_ = 7, call_setitimer = 83, call_pipe = 42 };
#if defined(OS_FREEBSD)
enum { freebsd = 1, call_sigaction = 416, call_fstat = 551, call_kqueue = 362, call_kevent = 560, call_lseek = 478, call_truncate = 480 };
enum { o_cloexec = 0x100000, call_clock = 232 };
#else
enum { freebsd = 0, call_sigaction = 342, call_fstat = 476, call_kqueue = 362, call_kevent = 363, call_lseek = 199, call_truncate = 201 };
enum { o_cloexec = 0x20000, call_clock = 232 };
#endif
enum { enoent = 2, enoexec = 8, ebadf = 9, echild = 10, enomem = 12, eacces = 13, eexist = 17, enodev = 19, emfile = 24, enotty = 25 };
enum { efbig = 27, espipe = 29, eopnotsupp = 45, eloop = 62, enametoolong = 63, eproclim = 67, enosys = 78 };
enum { sigkill = 9, sigsegv = 11, sigterm = 15, sigstop = 17, sigcont = 19, sigchld = 20, sigxcpu = 24, sigxfsz = 25, sigusr1 = 30, sigusr2 = 31 };
enum { o_rdwr = 2, o_creat = 0x200, o_trunc = 0x400, o_excl = 0x800, wnohang = 1 };

static void pause_ms(long milliseconds) {
    long span[2] = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    call(call_nanosleep, span, 0);
}
static long clock_ms(void) {
    long now[2] = {0, 0};
    call(call_clock, 4, now);
    return now[0] * 1000 + now[1] / 1000000;
}

// Signals: a count of each, and a handler that only counts.
static volatile int signals_seen[33];
static void count_signal(int signal) {
    signals_seen[signal]++;
}
struct action {
    word handler;
    int flags;
    u32 mask[4];
};
static void on_signal(int signal, word handler) {
    struct action wanted = {handler, 2, {0}}; // SA_RESTART
    expect("sigaction", call(call_sigaction, signal, &wanted, 0), 0);
}
static void catch_signal(int signal) {
    on_signal(signal, (word)count_signal);
}

// A child's wait status; -errno if there is none.
static long status_of(long pid) {
    int status = -1;
    long got = call(call_wait4, pid, &status, 0, 0);
    return got == pid ? status : got;
}

// A word that parent and children share.
static volatile word* shared_words(void) {
    return (volatile word*)shared_memory();
}
static void wait_for_word(volatile word* at, word value) {
    for (int i = 0; i < 2000 && __atomic_load_n(at, __ATOMIC_SEQ_CST) != value; i++)
        pause_ms(1);
    expect("the other one's word", (long)*at, (long)value);
}
