// SPDX-License-Identifier: BSD-2-Clause
// Job control on a pty, as FreeBSD and DragonFly do it: sessions, controlling terminals, foreground and background
// groups, stops and continues, orphaned groups, and what happens when a session's leader ends.
#include "system.h"

enum { untraced = 2, continued = 4 };
static char buffer[256];
static int master, slave, to_parent[2];
static int signals[32];
static void count(int number) { signals[number]++; }
static long get(int descriptor) { return call(call_read, descriptor, buffer, sizeof buffer); }

// A child's own checks: their number and failures reach the parent as its exit status.
static void end_child(void) { call(call_exit, failures > 100 ? 100 : failures); }
static long child(void (*run)(void)) {
    long pid = call(call_fork);
    if (pid == 0) {
        checks = failures = 0;
        run();
        end_child();
    }
    return pid;
}
static int wait_for(long pid, int options) {
    int status = -1;
    call(call_wait4, pid, &status, options, 0);
    return status;
}
static int stopped_by(int signal) { return signal << 8 | 0x7f; }
static int foreground(void) {
    int group = -1;
    call(call_ioctl, slave, TIOCGPGRP, &group);
    return group;
}
static long put_in_foreground(long group) {
    int value = (int)group;
    return call(call_ioctl, slave, TIOCSPGRP, &value);
}
static void own_group(void) { call(call_setpgid, 0, 0); }
static void until(volatile int* flag) {
    for (int i = 0; i < 1000 && !*flag; i++)
        nap(10);
}

// --- jobs of the session's leader --------------------------------------------------------------------------
static void reader(void) { // stopped until it is in the foreground
    own_group();
    same_text("a job in the foreground reads", buffer, get(slave), "for the job\n");
}
static void deaf_reader(void) {
    own_group();
    on_signal(sig_ttin, (void (*)(int))1, 0);
    equal("who ignores SIGTTIN gets EIO", get(slave) < 0 ? error : 0, e_io);
}
static void writer(void) {
    own_group();
    equal("output of a continued job", put_text(slave, "out\n"), 4);
}
static void setter(void) { // changes the terminal's settings from the background
    own_group();
    set_local(slave, 0, l_tostop);
}
static void interrupted(void) { // ^C reaches the foreground group only
    own_group();
    on_signal(sig_int, count, 0);
    on_signal(sig_winch, count, 0);
    on_signal(sig_info, count, 0);
    put_text(to_parent[1], "!");
    until(&signals[sig_int]);
    until(&signals[sig_info]);
    until(&signals[sig_winch]);
    equal("SIGINT", signals[sig_int], 1);
    equal("SIGINFO", signals[sig_info], 1);
    equal("SIGWINCH", signals[sig_winch], 1);
}
static void suspended(void) {
    own_group();
    put_text(to_parent[1], "!");
    for (;;)
        nap(1000);
}
static void signal_self(int number) {
    long self = call(call_getpid);
    call(call_kill, self, number);
}
static void grandchild(void) { // its group loses its only link to the session: SIGHUP, SIGCONT
    on_signal(sig_hup, count, 0);
    on_signal(sig_cont, count, 0);
    signal_self(sig_stop);
    equal("an orphaned stopped group is told", signals[sig_hup], 1);
    equal("and continued", signals[sig_cont], 1);
    equal("it cannot read", get(slave) < 0 ? error : 0, e_io);
    signal_self(sig_tstp); // does not stop it: nobody would continue it
    put_text(to_parent[1], failures ? "F" : "ok");
}
static void middle(void) {
    own_group();
    long pid = child(grandchild);
    wait_for(pid, untraced);
}

static void expect_stop(const char* what, long pid, int signal) {
    equal(what, wait_for(pid, untraced), stopped_by(signal));
}
static void expect_end(const char* what, long pid) { equal(what, wait_for(pid, 0), 0); }
static void resume(long pid) {
    call(call_kill, pid, sig_cont);
    equal("it was continued", wait_for(pid, continued), 0x13);
}

static void leader(void) {
    long self = call(call_getpid);
    equal("setsid", call(call_setsid), self);
    slave = open_slave();
    equal("opening does not make it the controlling terminal", call(call_open, "/dev/tty", o_read_write, 0), -1);
    equal("TIOCSCTTY", call(call_ioctl, slave, TIOCSCTTY, 0), 0);
    int session = 0;
    equal("TIOCGSID", call(call_ioctl, slave, TIOCGSID, &session), 0);
    equal("session", session, self);
    equal("foreground group", foreground(), self);
    int terminal = (int)call(call_open, "/dev/tty", o_read_write, 0);
    equal("/dev/tty", put_text(terminal, "hi\n"), 3);
    call(call_close, terminal);
    same_text("is the slave", buffer, get(master), "hi\r\n");
    equal("a group of another session", put_in_foreground(1) < 0 ? error : 0, e_perm);
    on_signal(sig_ttou, (void (*)(int))1, 0);

    long job = child(reader);
    expect_stop("a background reader is stopped", job, sig_ttin);
    put_text(master, "for the job\n");
    equal("TIOCSPGRP", put_in_foreground(job), 0);
    equal("now it is", foreground(), job);
    resume(job);
    expect_end("reader", job);
    put_in_foreground(self);
    get(master);
    expect_end("deaf reader", child(deaf_reader));

    on_signal(sig_ttou, 0, 0);
    set_local(slave, l_tostop, 0);
    job = child(writer);
    expect_stop("TOSTOP stops a background writer", job, sig_ttou);
    put_in_foreground(job);
    resume(job);
    expect_end("writer", job);
    on_signal(sig_ttou, (void (*)(int))1, 0);
    put_in_foreground(self);
    on_signal(sig_ttou, 0, 0);
    same_text("its output", buffer, get(master), "out\r\n");
    job = child(setter);
    expect_stop("changing settings in the background", job, sig_ttou);
    put_in_foreground(job);
    resume(job);
    expect_end("setter", job);
    on_signal(sig_ttou, (void (*)(int))1, 0);
    put_in_foreground(self);

    on_signal(sig_int, count, 0);
    job = child(interrupted);
    get(to_parent[0]);
    put_in_foreground(job);
    put_text(master, "\3\x14");
    struct winsize size = {50, 100, 0, 0};
    call(call_ioctl, master, TIOCSWINSZ, &size);
    expect_end("interrupted job", job);
    equal("the background hears nothing", signals[sig_int], 0);
    put_in_foreground(self);
    get(master);

    job = child(suspended);
    get(to_parent[0]);
    put_in_foreground(job);
    put_text(master, "\x1a");
    expect_stop("^Z", job, sig_tstp);
    resume(job);
    put_text(master, "\x1c");
    equal("^\\", wait_for(job, 0) & 0x7f, 3);
    put_in_foreground(self);
    get(master);

    job = child(middle);
    expect_end("middle", job);
    long size_read = get(to_parent[0]);
    same_text("the orphan", buffer, size_read, "ok");

    // The leader ends with a job in the foreground: that job gets SIGHUP, and the terminal is gone.
    job = call(call_fork);
    if (job == 0) {
        own_group();
        on_signal(sig_hup, count, 0);
        put_text(to_parent[1], "!");
        until(&signals[sig_hup]);
        equal("SIGHUP when the leader ends", signals[sig_hup], 1);
        equal("its terminal has ended", get(slave), 0);
        equal("no controlling terminal", call(call_open, "/dev/tty", o_read_write, 0) < 0 ? error : 0, e_nxio);
        put_text(to_parent[1], failures ? "F" : "ok");
        end_child();
    }
    get(to_parent[0]);
    put_in_foreground(job);
}

__attribute__((used)) void start(void) {
    long pid;
    // pipe(2) of both systems: FreeBSD's is pipe2 now.
    if (is_freebsd) {
        call(call_pipe2_freebsd, to_parent, 0);
    } else {
        register word second __asm__("rdx") = 0;
        word first = call_pipe;
        __asm__ volatile("syscall" : "+a"(first), "+d"(second) : : "rcx", "r11", "memory", "cc");
        to_parent[0] = (int)first, to_parent[1] = (int)second;
    }
    master = open_master();
    pid = child(leader);
    expect_end("the session", pid);
    long size = get(to_parent[0]);
    same_text("who is left of it", buffer, size, "ok");
    get(master);
    slave = open_slave();
    equal("the terminal is free", slave >= 0, 1);
    call(call_close, slave);
    // Hanging up tells the leader.
    pid = call(call_fork);
    if (pid == 0) {
        on_signal(sig_hup, count, 0);
        call(call_setsid);
        slave = open_slave();
        call(call_ioctl, slave, TIOCSCTTY, 0);
        call(call_close, master);
        put_text(to_parent[1], "!");
        until(&signals[sig_hup]);
        equal("SIGHUP when the master goes", signals[sig_hup], 1);
        end_child();
    }
    get(to_parent[0]);
    call(call_close, master);
    expect_end("leader", pid);
    finish();
}
__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2");
