// SPDX-License-Identifier: BSD-2-Clause
// Ptys and termios as the facts of FreeBSD and DragonFly have them: layouts, command numbers, canonical and raw reads,
// window sizes, packet mode, ends of file and hang-ups.
#include "system.h"

static char buffer[256];
static long get(int descriptor) { return call(call_read, descriptor, buffer, sizeof buffer); }
static int winches;
static void count_winch(int number) { winches += number == sig_winch; }

static void settings(int master, int slave) {
    struct termios now;
    for (unsigned i = 0; i < sizeof now; i++)
        ((char*)&now)[i] = 0x55;
    equal("TIOCGETA", call(call_ioctl, slave, TIOCGETA, &now), 0);
    equal("c_iflag", now.input, 0x2b02); // BRKINT ICRNL IMAXBEL IXON IXANY
    equal("c_oflag", now.output, 3);     // OPOST ONLCR
    equal("c_cflag", now.control, 0x4b00); // CREAD CS8 HUPCL
    equal("c_lflag", now.local, 0x5cb);  // ICANON ISIG IEXTEN ECHO ECHOE ECHOKE ECHOCTL
    static const unsigned char characters[20] = {4, 255, 255, 127, 23, 21, 18, 8, 3, 28, 26, 25, 17, 19, 22, 15, 1, 0, 20, 255};
    for (int i = 0; i < 20; i++)
        equal("c_cc", now.cc[i], characters[i]);
    equal("the master shows them, too", call(call_ioctl, master, TIOCGETA, &now), 0);
    struct termios wanted = now;
    wanted.cc[vintr] = 7, wanted.local &= ~8u;
    equal("TIOCSETAW", call(call_ioctl, slave, TIOCSETAW, &wanted), 0);
    call(call_ioctl, slave, TIOCGETA, &now);
    equal("changed character", now.cc[vintr], 7);
    equal("changed flag", now.local & i_echo, 0);
    wanted.cc[vintr] = 3, wanted.local |= i_echo;
    equal("TIOCSETAF", call(call_ioctl, slave, TIOCSETAF, &wanted), 0);
    int value = 9;
    equal("TIOCGETD", call(call_ioctl, slave, TIOCGETD, &value), 0);
    equal("line discipline", value, 0);
    equal("FIODTYPE", call(call_ioctl, slave, fiodtype, &value), 0);
    equal("D_TTY", value, 4);
    equal("no modem", call(call_ioctl, slave, TIOCSBRK, 0) < 0 ? error : 0, e_notty);
    equal("a pipe is none", (call(call_ioctl, 1, TIOCGPGRP, &value), error), e_notty);
    if (is_freebsd) {
        equal("TIOCGPTN", call(call_ioctl, master, TIOCGPTN, &value), 0);
        equal("number", value, slave_name[9] - '0');
    }
}

static void lines(int master, int slave) {
    put_text(master, "hello wrold\x17world\r");
    same_text("canonical line", buffer, get(slave), "hello world\n");
    same_text("its echo", buffer, get(master), is_freebsd ? "hello wrold\b \b\b \b\b \b\b \b\b \bworld\r\n"
                                                          : "hello wrold\b \b\b \b\b \b\b \b\b \bworld\r\n");
    put_text(slave, "a\tb\n");
    same_text("processed output", buffer, get(master), "a\tb\r\n");
    put_text(master, "\4");
    equal("end of file", get(slave), 0);
    get(master);
    int waiting = -1;
    put_text(master, "12345\n");
    equal("FIONREAD", call(call_ioctl, slave, fionread, &waiting), 0);
    equal("waiting input", waiting, 6);
    equal("TIOCOUTQ", call(call_ioctl, slave, TIOCOUTQ, &waiting), 0);
    equal("waiting output", waiting, 7);
    int both = 0;
    equal("TIOCFLUSH", call(call_ioctl, slave, TIOCFLUSH, &both), 0);
    call(call_ioctl, slave, fionread, &waiting);
    equal("flushed input", waiting, 0);
    call(call_ioctl, master, fionread, &waiting);
    equal("flushed output", waiting, 0);
    char simulated = 'x';
    equal("TIOCSTI", call(call_ioctl, slave, TIOCSTI, &simulated), 0);
    put_text(master, "\n");
    same_text("simulated input", buffer, get(slave), "x\n");
    get(master);
    call(call_ioctl, slave, TIOCSTOP, 0);
    put_text(slave, "held");
    call(call_ioctl, master, fionread, &waiting);
    equal("stopped output", waiting, 0);
    call(call_ioctl, slave, TIOCSTART, 0);
    same_text("output goes on", buffer, get(master), "held");
    equal("TIOCDRAIN", call(call_ioctl, slave, TIOCDRAIN, 0), 0);
}

static void raw(int master, int slave) {
    struct termios settings;
    set_local(slave, 0, i_canon | i_echo | i_sig);
    call(call_ioctl, slave, TIOCGETA, &settings);
    settings.cc[vmin] = 3, settings.cc[vtime] = 0;
    call(call_ioctl, slave, TIOCSETA, &settings);
    put_text(master, "\3\4z");
    same_text("raw bytes", buffer, get(slave), "\3\4z");
    settings.cc[vmin] = 0;
    call(call_ioctl, slave, TIOCSETA, &settings);
    equal("VMIN 0, VTIME 0", get(slave), 0);
    settings.cc[vtime] = 1;
    call(call_ioctl, slave, TIOCSETA, &settings);
    equal("VMIN 0, VTIME 1", get(slave), 0);
    settings.cc[vmin] = 5;
    call(call_ioctl, slave, TIOCSETA, &settings);
    put_text(master, "ab");
    same_text("VMIN 5, VTIME 1", buffer, get(slave), "ab");
    call(call_fcntl, slave, f_setfl, o_nonblock);
    equal("nothing there", get(slave) < 0 ? error : 0, e_again);
    call(call_fcntl, slave, f_setfl, 0);
    settings.cc[vmin] = 1, settings.cc[vtime] = 0;
    settings.local |= i_canon | i_echo | i_sig;
    call(call_ioctl, slave, TIOCSETAF, &settings);
}

static void window(int master, int slave) {
    struct winsize size = {40, 132, 1, 2}, now = {0, 0, 0, 0};
    equal("TIOCSWINSZ", call(call_ioctl, master, TIOCSWINSZ, &size), 0);
    equal("TIOCGWINSZ", call(call_ioctl, slave, TIOCGWINSZ, &now), 0);
    equal("rows", now.rows, 40);
    equal("columns", now.columns, 132);
    equal("pixels", now.width * 10 + now.height, 12);
}

static void events(int master, int slave) {
    struct { int descriptor; short events, got; } polled[2] = {{master, 5, 0}, {slave, 5, 0}};
    equal("poll", call(call_poll, polled, 2, 0), 2);
    equal("master is writable", polled[0].got, 4);
    equal("slave is writable", polled[1].got, 4);
    put_text(master, "x\n");
    call(call_poll, polled, 2, 0);
    equal("master has the echo", polled[0].got, 5);
    equal("slave has the line", polled[1].got, 5);
    struct { word ident; short filter; unsigned short flags; u32 fflags; long data; void* cookie; } change = {(word)slave, -1, 1, 0, 0, 0}, got;
    int queue = (int)call(call_kqueue);
    long zero[2] = {0, 0};
    equal("kevent", call6(call_kevent, (word)queue, (word)&change, 1, (word)&got, 1, (word)zero), 1);
    equal("its data", got.data, 2);
    get(slave), get(master);
    equal("no event", call6(call_kevent, (word)queue, 0, 0, (word)&got, 1, (word)zero), 0);
    call(call_close, queue);
}

static void packets(int master, int slave) {
    int on = 1, off = 0, both = 3;
    equal("TIOCPKT", call(call_ioctl, master, TIOCPKT, &on), 0);
    put_text(slave, "data");
    equal("a data packet", get(master), 5);
    equal("its type", buffer[0], 0);
    call(call_ioctl, slave, TIOCFLUSH, &both);
    equal("an event", get(master), 1);
    equal("both queues were flushed", buffer[0], 3);
    call(call_ioctl, slave, TIOCSTOP, 0);
    get(master);
    equal("stopped", buffer[0], 4);
    call(call_ioctl, slave, TIOCSTART, 0);
    get(master);
    equal("started", buffer[0], 8);
    struct termios settings;
    call(call_ioctl, slave, TIOCGETA, &settings);
    settings.input &= ~0x200u; // IXON
    call(call_ioctl, slave, TIOCSETA, &settings);
    get(master);
    equal("^S means nothing now", buffer[0], 0x10);
    settings.input |= 0x200;
    call(call_ioctl, slave, TIOCSETA, &settings);
    get(master);
    equal("^S stops again", buffer[0], 0x20);
    if (!is_freebsd) {
        call(call_ioctl, master, TIOCEXT, &on);
        equal("TIOCEXT", get(master), 1 + (long)sizeof settings);
        equal("settings have changed", buffer[0], 0x40);
        call(call_ioctl, master, TIOCEXT, &off);
        get(master);
    }
    equal("TIOCPKT off", call(call_ioctl, master, TIOCPKT, &off), 0);
}

static void ends(void) {
    int master = open_master(), slave = open_slave();
    put_text(slave, "last words");
    call(call_close, slave);
    same_text("output of a closed slave", buffer, get(master), "last words");
    equal("the master's end of file", get(master), 0);
    equal("no terminal to type on", put_text(master, "x") < 0 ? error : 0, e_io);
    slave = open_slave();
    equal("it opens again", put_text(master, "again\n"), 6);
    same_text("and is read", buffer, get(slave), "again\n");
    equal("revoke", call(call_revoke, slave_name), 0);
    equal("a revoked terminal has ended", get(slave), 0);
    equal("and takes nothing", put_text(slave, "x") < 0 ? error : 0, e_io);
    get(master);
    equal("for the master it was closed", get(master), 0);
    call(call_close, slave);
    slave = open_slave();
    call(call_close, master);
    equal("hung up: end of file", get(slave), 0);
    equal("hung up: nobody reads", put_text(slave, "x") < 0 ? error : 0, is_freebsd ? e_nxio : e_io);
    struct { int descriptor; short events, got; } polled = {slave, 1, 0};
    call(call_poll, &polled, 1, 0);
    equal("hung up: poll", polled.got, 0x11);
    equal("its name is gone", call(call_open, slave_name, o_read_write, 0), -1);
    call(call_close, slave);
}

__attribute__((used)) void start(void) {
    int master = open_master(), slave = open_slave();
    equal("the slave opens", slave >= 0, 1);
    on_signal(sig_winch, count_winch, 0);
    settings(master, slave);
    lines(master, slave);
    raw(master, slave);
    window(master, slave);
    events(master, slave);
    packets(master, slave);
    equal("no controlling terminal", call(call_open, "/dev/tty", o_read_write, 0) < 0 ? error : 0, e_nxio);
    equal("no window signal without a group", winches, 0);
    call(call_ioctl, slave, TIOCEXCL, 0);
    equal("the superuser opens it nevertheless", call(call_close, open_slave()), 0);
    if (call(call_fork) == 0) {
        call(call_setuid, 1001);
        call(call_exit, open_slave() < 0 && (error == e_busy || error == 13) ? 0 : 1);
    }
    int status = -1;
    call(call_wait4, -1, &status, 0, 0);
    equal("others do not", status, 0);
    ends();
    finish();
}
__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2");
