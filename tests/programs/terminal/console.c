// SPDX-License-Identifier: BSD-2-Clause
// The jail's console as a terminal: says what it is, echoes a line, waits for another window size and for ^C.
#include "system.h"

static volatile int winches, interrupts;
static void count(int number) { number == sig_winch ? winches++ : interrupts++; }
static void say(const char* what, long value) { print(what), print_number(value), print("\n"); }
static void say_window(void) {
    struct winsize size = {0, 0, 0, 0};
    call(call_ioctl, 0, TIOCGWINSZ, &size);
    say("rows ", size.rows);
    say("columns ", size.columns);
}
static void until(volatile int* flag) {
    for (int i = 0; i < 6000 && !*flag; i++)
        nap(10);
}

__attribute__((used)) void start(void) {
    char line[100];
    struct termios settings;
    int group = -1;
    on_signal(sig_winch, count, 0);
    on_signal(sig_int, count, 0);
    for (int i = 0; i < 3; i++)
        say("terminal ", call(call_ioctl, i, TIOCGETA, &settings));
    call(call_ioctl, 2, TIOCGPGRP, &group);
    say("its group is in the foreground ", group == call(call_getpid));
    int terminal = (int)call(call_open, "/dev/tty", o_read_write, 0), console = (int)call(call_open, "/dev/console", o_read_write, 0);
    put_text(terminal, "by way of /dev/tty\n");
    put_text(console, "by way of /dev/console\n");
    say_window();
    print("a line?\n");
    long size = call(call_read, 0, line, sizeof line);
    print("read "), call(call_write, 1, line, size);
    print("another size?\n");
    until(&winches);
    say_window();
    print("an interrupt?\n");
    until(&interrupts);
    say("interrupts ", interrupts);
    call(call_exit, 3);
}
__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2");
