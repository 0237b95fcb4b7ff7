// SPDX-License-Identifier: BSD-2-Clause
// What a program without a C library needs of FreeBSD or DragonFly (OS_FREEBSD, OS_DRAGONFLY), from the systems'
// own headers: calls, numbers and layouts are written down here once more, so that they check ours.
#pragma once
typedef unsigned long word;
typedef unsigned int u32;
#if defined(OS_DRAGONFLY)
__asm__(".section .note.tag, \"a\", @note\n.long 10, 4, 1\n.asciz \"DragonFly\"\n.balign 4\n.long 500901\n.text");
enum { call_sigaction = 342, is_freebsd = 0 };
#else
enum { call_sigaction = 416, is_freebsd = 1 };
#endif
enum {
    call_exit = 1, call_fork = 2, call_read = 3, call_write = 4, call_open = 5, call_close = 6, call_wait4 = 7, call_getpid = 20,
    call_setuid = 23, call_kill = 37, call_pipe = 42, call_ioctl = 54, call_revoke = 56, call_setpgid = 82, call_fcntl = 92,
    call_setsid = 147, call_sysctl = 202, call_poll = 209, call_nanosleep = 240, call_sigprocmask = 340,
    call_kqueue = 362, call_kevent = 363, call_posix_openpt = 504, call_pipe2_freebsd = 542
};
enum { o_read_write = 2, o_nonblock = 4, f_setfl = 4, f_getfl = 3 };
enum { e_perm = 1, e_io = 5, e_nxio = 6, e_busy = 16, e_inval = 22, e_notty = 25, e_again = 35 };
enum { sig_hup = 1, sig_int = 2, sig_kill = 9, sig_stop = 17, sig_tstp = 18, sig_cont = 19, sig_ttin = 21, sig_ttou = 22, sig_winch = 28, sig_info = 29 };

static int error; // of the last call, 0 if none

static long call6(word number, word a, word b, word c, word d, word e, word f) {
    register word r10 __asm__("r10") = d;
    register word r8 __asm__("r8") = e;
    register word r9 __asm__("r9") = f;
    unsigned char carry;
    __asm__ volatile("syscall\nsetc %1"
                     : "+a"(number), "=&q"(carry), "+r"(r10), "+r"(r8), "+r"(r9), "+D"(a), "+S"(b), "+d"(c)
                     :
                     : "rcx", "r11", "memory", "cc");
    error = carry ? (int)number : 0;
    return carry ? -1 : (long)number;
}
#define call(number, ...) call_(number, ##__VA_ARGS__, 0, 0, 0, 0)
#define call_(number, a, b, c, d, ...) call6(number, (word)(a), (word)(b), (word)(c), (word)(d), 0, 0)

static word length(const char* text) {
    word size = 0;
    while (text[size])
        size++;
    return size;
}
static void print(const char* text) { call(call_write, 1, text, length(text)); }
static void print_number(long number) {
    char digits[24];
    int at = 23, negative = number < 0;
    digits[at] = 0;
    word rest = negative ? -(word)number : (word)number;
    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (negative)
        digits[--at] = '-';
    print(digits + at);
}
static int checks, failures;
// Says which check failed, and what it got.
static void equal(const char* what, long got, long wanted) {
    checks++;
    if (got == wanted)
        return;
    failures++;
    print("FAILED "), print(what), print(": got "), print_number(got), print(", wanted "), print_number(wanted);
    print(" (error "), print_number(error), print(")\n");
}
static void same_text(const char* what, const char* got, long size, const char* wanted) {
    int same = size == (long)length(wanted);
    for (long i = 0; same && i < size; i++)
        same = got[i] == wanted[i];
    if (!same && size > 0)
        print("["), call(call_write, 1, got, size), print("]\n");
    equal(what, same, 1);
}
static void finish(void) {
    print_number(checks), print(" checks, "), print_number(failures), print(" failed\n");
    call(call_exit, failures != 0);
}

struct action { void (*handler)(int); int flags; u32 mask[4]; int padding; };
static void on_signal(int number, void (*handler)(int), int flags) {
    struct action action = {handler, flags, {0}, 0};
    call(call_sigaction, number, &action, 0);
}
static void nap(long milliseconds) {
    long span[2] = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    call(call_nanosleep, span, 0);
}

// --- terminals
struct termios { u32 input, output, control, local; unsigned char cc[20]; u32 input_speed, output_speed; };
_Static_assert(sizeof(struct termios) == 44, "struct termios");
struct winsize { unsigned short rows, columns, width, height; };
enum { veof, verase = 3, vintr = 8, vmin = 16, vtime = 17 };
enum { i_canon = 0x100, i_echo = 8, i_sig = 0x80, o_post = 1, l_tostop = 0x400000 };
#define TIOC(direction, number, size) ((word)(direction) | (word)(size) << 16 | 't' << 8 | (number))
#define IO_(n) TIOC(0x20000000, n, 0)
#define IOR(n, type) TIOC(0x40000000, n, sizeof(type))
#define IOW(n, type) TIOC(0x80000000, n, sizeof(type))
#define TIOCEXCL IO_(13)
#define TIOCFLUSH IOW(16, int)
#define TIOCGETA IOR(19, struct termios)
#define TIOCSETA IOW(20, struct termios)
#define TIOCSETAW IOW(21, struct termios)
#define TIOCSETAF IOW(22, struct termios)
#define TIOCGETD IOR(26, int)
#define TIOCPTMASTER IO_(28)
#define TIOCISPTMASTER IO_(85)
#define TIOCGPTN IOR(15, int)
#define TIOCDRAIN IO_(94)
#define TIOCEXT IOW(96, int)
#define TIOCSCTTY IO_(97)
#define TIOCGSID IOR(99, int)
#define TIOCSTAT IO_(101)
#define TIOCSWINSZ IOW(103, struct winsize)
#define TIOCGWINSZ IOR(104, struct winsize)
#define TIOCSTART IO_(110)
#define TIOCSTOP IO_(111)
#define TIOCPKT IOW(112, int)
#define TIOCNOTTY IO_(113)
#define TIOCSTI IOW(114, char)
#define TIOCOUTQ IOR(115, int)
#define TIOCSPGRP IOW(118, int)
#define TIOCGPGRP IOR(119, int)
#define TIOCSBRK IO_(123)
enum { fionread = 0x4004667f, fiodtype = 0x4004667a };
#define FIODNAME 0x80106678ul

static char slave_name[64];

// Opens a pair as the system's C library does, and leaves the slave's path in slave_name.
static int open_master(void) {
    int master = is_freebsd ? (int)call(call_posix_openpt, o_read_write | 0x8000) : (int)call(call_open, "/dev/ptmx", o_read_write, 0);
    equal("it is a master", call(call_ioctl, master, is_freebsd ? TIOCPTMASTER : TIOCISPTMASTER, 0), 0);
    char* name = slave_name + 5;
    for (int i = 0; i < 5; i++)
        slave_name[i] = "/dev/"[i];
    struct { int length; void* buffer; } freebsd = {40, name};
    struct { void* buffer; u32 length; } dragonfly = {name, 40};
    equal("its name", call(call_ioctl, master, FIODNAME, is_freebsd ? (void*)&freebsd : (void*)&dragonfly), 0);
    if (!is_freebsd)
        name[2] = 's'; // ptm/N becomes pts/N
    return master;
}
static int open_slave(void) { return (int)call(call_open, slave_name, o_read_write | 0x8000, 0); }
static long put_text(int descriptor, const char* text) { return call(call_write, descriptor, text, length(text)); }
static void set_local(int descriptor, u32 on, u32 off) {
    struct termios settings;
    call(call_ioctl, descriptor, TIOCGETA, &settings);
    settings.local = (settings.local | on) & ~off;
    equal("TIOCSETA", call(call_ioctl, descriptor, TIOCSETA, &settings), 0);
}
