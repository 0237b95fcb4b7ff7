// SPDX-License-Identifier: BSD-2-Clause
// Checks the socket calls as a program of FreeBSD or DragonFly sees them: numbers, layouts, flags, errors. Without a C
// library, for the system that OS_FREEBSD or OS_DRAGONFLY names. Prints each check that fails, and how many there were.
typedef unsigned long word;
typedef unsigned int u32;
typedef unsigned char byte;
#if defined(OS_FREEBSD)
enum { freebsd = 1 };
#else
enum { freebsd = 0 };
__asm__(".section .note.tag, \"a\", @note\n.long 10, 4, 1\n.asciz \"DragonFly\"\n.balign 4\n.long 500901\n.text");
#endif
enum {
    sys_exit = 1, sys_fork = 2, sys_read = 3, sys_write = 4, sys_close = 6, sys_wait4 = 7, sys_unlink = 10, sys_getpid = 20, sys_recvmsg = 27,
    sys_sendmsg = 28, sys_recvfrom = 29, sys_accept = 30, sys_getpeername = 31, sys_getsockname = 32, sys_dup = 41,
    sys_pipe = 42, sys_ioctl = 54, sys_setitimer = 83, sys_fcntl = 92, sys_socket = 97, sys_connect = 98, sys_bind = 104, sys_setsockopt = 105,
    sys_listen = 106, sys_getsockopt = 118, sys_sendto = 133, sys_shutdown = 134, sys_socketpair = 135, sys_poll = 209,
    sys_sigaction = freebsd ? 416 : 342, sys_extaccept = 482, sys_extconnect = 483, sys_bindat = 538, sys_connectat = 539, sys_accept4 = 541,
};
enum { local = 1, stream = 1, dgram = 2, seqpacket = 5, cloexec = 0x10000000, nonblock = 0x20000000, level = 0xffff };
enum { msg_peek = 2, msg_eor = 8, msg_trunc = 16, msg_ctrunc = 32, msg_waitall = 64, msg_dontwait = 128 };
static const long msg_nosignal = freebsd ? 0x20000 : 0x400, msg_cmsg_cloexec = freebsd ? 0x40000 : 0x1000;
enum {
    ENOENT = 2, EINTR = 4, EBADF = 9, EFAULT = 14, EINVAL = 22, EPIPE = 32, EAGAIN = 35, ENOTSOCK = 38, EDESTADDRREQ = 39, EMSGSIZE = 40,
    EPROTOTYPE = 41, ENOPROTOOPT = 42, EPROTONOSUPPORT = 43, EOPNOTSUPP = 45, EAFNOSUPPORT = 47, EADDRINUSE = 48, EISCONN = 56,
    ENOTCONN = 57, ECONNREFUSED = 61, ENAMETOOLONG = 63,
};

// The result, or minus the error.
static long call(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    byte carry;
    __asm__ volatile("syscall\nsetc %1"
                     : "+a"(number), "=&q"(carry), "+r"(r10), "+r"(r8), "+r"(r9), "+D"(a), "+S"(b), "+d"(c)
                     :
                     : "rcx", "r11", "memory", "cc");
    return carry ? -number : number;
}
#define CALL6(n, a, b, c, d, e, f, ...) call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL(...) CALL6(__VA_ARGS__, 0, 0, 0, 0, 0, 0)

void* memset(void* to, int value, word size) {
    for (word i = 0; i < size; i++)
        ((volatile byte*)to)[i] = (byte)value;
    return to;
}
static int same(const void* a, const void* b, word size) {
    for (word i = 0; i < size; i++)
        if (((const byte*)a)[i] != ((const byte*)b)[i])
            return 0;
    return 1;
}
static void print(const char* text) {
    word size = 0;
    while (text[size])
        size++;
    CALL(sys_write, 1, text, size);
}
static void print_number(long value) {
    char digits[24], *at = digits + 23;
    *at = 0;
    word left = value < 0 ? -value : value;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--at = '-';
    print(at);
}
static int checks, failures;
static void check(int line, long got, long wanted) {
    checks++;
    if (got == wanted)
        return;
    failures++;
    print("line ");
    print_number(line);
    print(": ");
    print_number(got);
    print(", wanted ");
    print_number(wanted);
    print("\n");
}
#define IS(got, wanted) check(__LINE__, (long)(got), (long)(wanted))

struct name {
    byte length, family;
    char path[104];
};
_Static_assert(sizeof(struct name) == 106, "sockaddr_un");
struct vector {
    void* base;
    word size;
};
struct message {
    void* name;
    u32 name_length;
    struct vector* vectors;
    int count;
    void* control;
    u32 control_length;
    int flags;
};
_Static_assert(sizeof(struct message) == 48, "msghdr");
struct control {
    u32 length;
    int level, type;
    int padding;
    int data[60];
};
_Static_assert(__builtin_offsetof(struct control, data) == 16, "CMSG_DATA");

static struct name named(const char* path, u32* length) {
    struct name name;
    memset(&name, 0, sizeof name);
    name.length = 77; // the kernel looks at the argument
    name.family = local;
    u32 size = 0;
    while ((name.path[size] = path[size]))
        size++;
    *length = size + 3; // with the NUL
    return name;
}
static long with_name(long number, long fd, const char* path) {
    u32 length;
    struct name name = named(path, &length);
    return CALL(number, fd, &name, length);
}
static int integer_option(long fd, long name) {
    int value = -1;
    u32 length = sizeof value;
    long result = CALL(sys_getsockopt, fd, level, name, &value, &length);
    return result < 0 ? (int)result : value;
}

static void making(void) {
    IS(CALL(sys_socket, 2, stream, 0), freebsd ? -EAFNOSUPPORT : -EPROTONOSUPPORT);
    IS(CALL(sys_socket, 28, dgram, 0), freebsd ? -EAFNOSUPPORT : -EPROTONOSUPPORT);
    IS(CALL(sys_socket, local, 3, 0), freebsd ? -EPROTOTYPE : -EPROTONOSUPPORT);
    IS(CALL(sys_socket, local, stream, 6), -EPROTONOSUPPORT);
    long fd = CALL(sys_socket, local, stream | cloexec | nonblock, 0);
    IS(fd >= 0, 1);
    IS(CALL(sys_fcntl, fd, 1, 0), 1);
    IS(CALL(sys_fcntl, fd, 3, 0), 6);
    IS(CALL(sys_recvfrom, fd, 0, 0, 0, 0, 0), -ENOTCONN);
    IS(CALL(sys_write, fd, "x", 1), -ENOTCONN);
    struct name name;
    memset(&name, 0x55, sizeof name);
    u32 length = sizeof name;
    IS(CALL(sys_getsockname, fd, &name, &length), 0);
    IS(length, freebsd ? 16 : 0);
    if (freebsd) {
        IS(name.length, 16);
        IS(name.family, local);
        IS(name.path[0], 0);
    }
    IS(CALL(sys_getpeername, fd, &name, &length), -ENOTCONN);
    IS(CALL(sys_shutdown, fd, 2), -ENOTCONN);
    IS(CALL(sys_shutdown, fd, 3), -EINVAL);
    IS(CALL(sys_getsockname, 1, &name, &length), -ENOTSOCK);
    IS(CALL(sys_getsockname, 99, &name, &length), -EBADF);
    IS(CALL(sys_getsockname, fd, &name, 0), -EFAULT);
    IS(CALL(sys_accept, fd, 0, 0), -EINVAL);
    IS(CALL(sys_close, fd), 0);
    IS(CALL(sys_socketpair, local, stream, 0, 8), -EFAULT);
    IS(CALL(sys_socket, local, stream, 0), fd); // neither end was left open
    IS(CALL(sys_close, fd), 0);
}

static void connecting(void) {
    long server = CALL(sys_socket, local, stream, 0), client = CALL(sys_socket, local, stream, 0);
    IS(with_name(sys_connect, client, "/tmp/s"), -ENOENT);
    IS(with_name(sys_connect, client, "/tmp"), -ENOTSOCK);
    IS(CALL(sys_listen, server, 1), freebsd ? -EDESTADDRREQ : -EINVAL);
    u32 length;
    struct name name = named("/tmp/s", &length);
    IS(CALL(sys_bind, server, &name, 1), -EINVAL);
    IS(CALL(sys_bind, server, &name, 256), -ENAMETOOLONG);
    IS(CALL(sys_bind, server, 8, length), -EFAULT);
    IS(CALL(sys_bind, server, &name, length), 0);
    IS(CALL(sys_bind, server, &name, length), -EINVAL);
    IS(CALL(sys_bind, client, &name, length), -EADDRINUSE);
    IS(with_name(sys_connect, client, "/tmp/s"), -ECONNREFUSED);
    IS(CALL(sys_listen, server, 1), 0);
    struct name back;
    u32 room = sizeof back;
    IS(CALL(sys_getsockname, server, &back, &room), 0);
    IS(room, 9);
    IS(back.length, 9);
    IS(back.family, local);
    IS(same(back.path, "/tmp/s", 7), 1);
    room = 4;
    IS(CALL(sys_getsockname, server, &back, &room), 0);
    IS(room, 4);
    IS(with_name(sys_connect, client, "/tmp/s"), 0);
    IS(with_name(sys_connect, client, "/tmp/s"), -EISCONN);
    IS(with_name(sys_connect, server, "/tmp/s"), -EOPNOTSUPP);
    IS(integer_option(server, 2), freebsd ? 2 : -ENOPROTOOPT);
    IS(CALL(sys_accept4, server, 0, 0, 1), -EINVAL);
    room = sizeof back;
    long end = CALL(sys_accept4, server, &back, &room, cloexec | nonblock);
    IS(end >= 0, 1);
    IS(room, 16);
    IS(CALL(sys_fcntl, end, 1, 0), 1);
    IS(CALL(sys_fcntl, end, 3, 0), 6);
    IS(CALL(sys_read, end, &back, 1), -EAGAIN);
    room = sizeof back;
    IS(CALL(sys_getpeername, client, &back, &room), 0);
    IS(room, 9);
    IS(CALL(sys_fcntl, server, 4, 4), 0); // O_NONBLOCK
    IS(CALL(sys_accept, server, 0, 0), -EAGAIN);
    long second = CALL(sys_socket, local, stream, 0), third;
    if (freebsd) {
        struct name relative = named("tmp/s", &length);
        IS(CALL(sys_connectat, -100, second, &relative, length), 0);
        IS(CALL(sys_bindat, 99, client, &relative, length), -EBADF);
    } else {
        IS(CALL(sys_extconnect, second, 0x80000, &name, length), 0);
        IS(CALL(sys_fcntl, server, 4, 0), 0);
        long first = CALL(sys_extaccept, server, 0x80000, 0, 0);
        IS(first >= 0, 1);
        IS(CALL(sys_extaccept, server, 0x80000, 0, 0), -EAGAIN);
        IS(CALL(sys_close, first), 0);
        IS(CALL(sys_close, second), 0);
        IS(CALL(sys_fcntl, server, 4, 4), 0);
        second = CALL(sys_socket, local, stream, 0);
        IS(with_name(sys_connect, second, "/tmp/s"), 0);
    }
    third = CALL(sys_accept, server, 0, 0);
    IS(CALL(sys_fcntl, third, 3, 0), 6); // as its listener
    IS(CALL(sys_close, server), 0);
    IS(CALL(sys_close, third), 0);
    IS(CALL(sys_close, second), 0);
    IS(CALL(sys_close, end), 0);
    IS(CALL(sys_sendto, client, "x", 1, msg_nosignal, 0, 0), -EPIPE);
    int on = 1;
    IS(CALL(sys_setsockopt, client, level, 0x800, &on, sizeof on), 0);
    IS(CALL(sys_write, client, "x", 1), -EPIPE);
    IS(CALL(sys_close, client), 0);
    IS(CALL(sys_unlink, "/tmp/s"), 0);
}

static long transfer(long number, long fd, const char* bytes, u32 size, void* control, u32 control_length, long flags,
                     struct message* out) {
    static char buffer[100];
    struct vector vector = {bytes ? (void*)bytes : buffer, size};
    struct message message = {0, 0, &vector, 1, control, control_length, 0x7777};
    long result = CALL(number, fd, &message, flags);
    if (out)
        *out = message;
    return result;
}

static void passing(void) {
    int pair[2];
    IS(CALL(sys_socketpair, local, stream, 0, pair), 0);
    struct control sent, got;
    memset(&sent, 0, sizeof sent);
    sent.length = 16 + 2 * sizeof(int);
    sent.level = level;
    sent.type = 1;
    sent.data[0] = sent.data[1] = 1;
    struct message message;
    IS(transfer(sys_sendmsg, pair[0], "a", 1, &sent, 24, 0, 0), 1);
    memset(&got, 0x55, sizeof got);
    IS(transfer(sys_recvmsg, pair[1], 0, 10, &got, sizeof got, msg_cmsg_cloexec, &message), 1);
    IS(message.control_length, 24);
    IS(message.flags & ~msg_cmsg_cloexec, 0);
    IS(got.length, 24);
    IS(got.level, level);
    IS(got.type, 1);
    IS(got.data[0] > 2 && got.data[1] == got.data[0] + 1, 1);
    IS(CALL(sys_fcntl, got.data[0], 1, 0), 1);
    IS(CALL(sys_write, got.data[1], "", 0), 0);
    long first = got.data[0];
    IS(CALL(sys_close, got.data[0]), 0);
    IS(CALL(sys_close, got.data[1]), 0);
    // No room: they are closed again.
    IS(transfer(sys_sendmsg, pair[0], "a", 1, &sent, 24, 0, 0), 1);
    IS(transfer(sys_recvmsg, pair[1], 0, 10, &got, 20, 0, &message), 1);
    IS(message.flags, msg_ctrunc);
    IS(message.control_length, 0);
    IS(CALL(sys_dup, 1), first);
    IS(CALL(sys_close, first), 0);
    sent.data[1] = 99;
    IS(transfer(sys_sendmsg, pair[0], "a", 1, &sent, 24, 0, 0), -EBADF);
    sent.length = 300;
    IS(transfer(sys_sendmsg, pair[0], "a", 1, &sent, 24, 0, 0), -EINVAL);
    sent.length = 24;
    sent.type = 77;
    IS(transfer(sys_sendmsg, pair[0], "a", 1, &sent, 24, 0, 0), -EINVAL);
    IS(transfer(sys_sendmsg, pair[0], "a", 1, &sent, 8, 0, 0), -EINVAL);
    // Credentials: struct cmsgcred.
    sent.type = 3;
    sent.length = 16 + 84;
    IS(transfer(sys_sendmsg, pair[0], "a", 1, &sent, 104, 0, 0), 1);
    IS(transfer(sys_recvmsg, pair[1], 0, 10, &got, sizeof got, 0, &message), 1);
    IS(got.length, 100);
    IS(got.type, 3);
    IS(got.data[0], CALL(sys_getpid));
    IS(got.data[1] | got.data[2] | got.data[3], 0);
    IS((short)got.data[4] >= 1 && (short)got.data[4] <= 16, 1);
    // struct xucred.
    int xucred[22];
    u32 length = sizeof xucred;
    IS(CALL(sys_getsockopt, pair[0], 0, 1, xucred, &length), 0);
    IS(length, 88);
    IS(xucred[0] | xucred[1], 0);
    IS((short)xucred[2] >= 1, 1);
    IS(xucred[20], freebsd ? CALL(sys_getpid) : 0);
    int on = 1;
    IS(CALL(sys_setsockopt, pair[1], 0, 2, &on, sizeof on), freebsd ? 0 : -EOPNOTSUPP);
    if (freebsd) {
        IS(CALL(sys_write, pair[0], "a", 1), 1);
        IS(transfer(sys_recvmsg, pair[1], 0, 10, &got, sizeof got, 0, &message), 1);
        IS(got.type, 3); // struct sockcred
        IS(got.length, 16 + 20 + 4 * got.data[4]);
        on = 0;
        IS(CALL(sys_setsockopt, pair[1], 0, 2, &on, sizeof on), 0);
        on = 1;
        IS(CALL(sys_setsockopt, pair[1], 0, 3, &on, sizeof on), 0);
        IS(CALL(sys_write, pair[0], "a", 1), 1);
        IS(transfer(sys_recvmsg, pair[1], 0, 10, &got, sizeof got, 0, &message), 1);
        IS(got.type, 8); // struct sockcred2
        IS(got.length, 16 + 28 + 4 * got.data[6]);
        IS(got.data[1], CALL(sys_getpid));
        sent.type = 2; // struct timeval
        sent.length = 32;
        IS(transfer(sys_sendmsg, pair[1], "a", 1, &sent, 32, 0, 0), 1);
        IS(transfer(sys_recvmsg, pair[0], 0, 10, &got, sizeof got, 0, &message), 1);
        IS(got.length, 32);
        IS(got.data[0] > 1600000000, 1);
    }
    // A socket in its own buffer goes when its last descriptor does.
    sent.type = 1;
    sent.length = 20;
    sent.data[0] = pair[1];
    IS(transfer(sys_sendmsg, pair[0], "a", 1, &sent, 24, 0, 0), 1);
    IS(CALL(sys_close, pair[1]), 0);
    IS(CALL(sys_sendto, pair[0], "a", 1, msg_nosignal, 0, 0), -EPIPE);
    IS(CALL(sys_close, pair[0]), 0);
}

static char big[70000];
static void messages(void) {
    for (long type = dgram; type <= seqpacket; type += seqpacket - dgram) {
        int pair[2];
        struct message message;
        IS(CALL(sys_socketpair, local, type | nonblock, 0, pair), 0);
        IS(transfer(sys_sendmsg, pair[0], "four", 4, 0, 0, msg_eor, 0), 4);
        IS(transfer(sys_recvmsg, pair[1], 0, 3, 0, 0, msg_peek, &message), 3);
        IS(message.flags, msg_trunc | msg_peek);
        IS(transfer(sys_recvmsg, pair[1], 0, 4, 0, 0, 0, &message), 4);
        IS(message.flags, msg_eor);
        IS(CALL(sys_recvfrom, pair[1], big, 1, 0, 0, 0), -EAGAIN);
        IS(CALL(sys_write, pair[0], big, freebsd ? 8193 : 65537), -EMSGSIZE);
        IS(CALL(sys_write, pair[0], big, freebsd ? 8192 : 65536), freebsd ? 8192 : 65536);
        struct name from;
        u32 length = sizeof from;
        IS(CALL(sys_recvfrom, pair[1], big, sizeof big, 0, &from, &length), freebsd ? 8192 : 65536);
        IS(length, 16);
        IS(CALL(sys_recvfrom, pair[1], big, sizeof big, 1, 0, 0), -EOPNOTSUPP);
        IS(CALL(sys_close, pair[0]), 0);
        IS(CALL(sys_close, pair[1]), 0);
    }
    long fd = CALL(sys_socket, local, dgram, 0);
    IS(CALL(sys_write, fd, "x", 1), freebsd ? -ENOTCONN : -EDESTADDRREQ);
    IS(CALL(sys_listen, fd, 1), -EOPNOTSUPP);
    IS(CALL(sys_close, fd), 0);
}

static int polled(int fd) {
    struct {
        int fd;
        short events, revents;
    } record = {fd, 5, 0};
    CALL(sys_poll, &record, 1, 0);
    return record.revents;
}

static void options(void) {
    int pair[2], value = 0;
    IS(CALL(sys_socketpair, local, stream, 0, pair), 0);
    IS(integer_option(pair[0], 0x1008), stream);
    IS(integer_option(pair[0], 0x1007), 0);
    IS(integer_option(pair[0], 0x1004), 1);
    IS(integer_option(pair[0], 0x7777), -ENOPROTOOPT);
    IS(CALL(sys_setsockopt, pair[0], level, 0x1001, &value, 4), -EINVAL);
    IS(CALL(sys_setsockopt, pair[0], level, 0x1001, &value, 3), -EINVAL);
    IS(CALL(sys_setsockopt, pair[0], level, 0x1001, 0, 4), -EFAULT);
    long time[2] = {0, 20000};
    IS(CALL(sys_setsockopt, pair[0], level, 0x1006, time, sizeof time), 0);
    time[1] = 0;
    u32 length = sizeof time;
    IS(CALL(sys_getsockopt, pair[0], level, 0x1006, time, &length), 0);
    IS(time[1], 20000);
    IS(CALL(sys_read, pair[0], big, 1), -EAGAIN);
    IS(polled(pair[0]), 4);
    IS(CALL(sys_write, pair[1], "abc", 3), 3);
    IS(CALL(sys_ioctl, pair[0], 0x4004667f, &value), 0);
    IS(value, 3);
    IS(polled(pair[0]), 5);
    IS(CALL(sys_shutdown, pair[1], 1), 0);
    IS(CALL(sys_read, pair[0], big, 10), 3);
    IS(CALL(sys_read, pair[0], big, 10), 0);
    IS(polled(pair[0]), 5);
    IS(CALL(sys_write, pair[0], "x", 1), 1);
    IS(CALL(sys_close, pair[1]), 0);
    IS(polled(pair[0]), 0x11);
    value = 1;
    IS(CALL(sys_ioctl, pair[0], 0x8004667e, &value), 0);
    IS(CALL(sys_fcntl, pair[0], 3, 0), 6);
    IS(CALL(sys_close, pair[0]), 0);
    IS(CALL(sys_getsockopt, 1, level, 0x1008, &value, &length), -ENOTSOCK);
}

// Threads of control that wait for each other in accept, send and receive.
enum { block = 60000, blocks = 4 };
static void waiting(void) {
    long server = CALL(sys_socket, local, stream, 0), status;
    u32 length;
    struct name name = named("/tmp/s", &length);
    IS(CALL(sys_bind, server, &name, length), 0);
    IS(CALL(sys_listen, server, 5), 0);
    long child = CALL(sys_fork);
    if (child == 0) {
        long end = CALL(sys_accept, server, 0, 0);
        CALL(sys_exit, end < 0 || CALL(sys_recvfrom, end, big, sizeof big, msg_waitall, 0, 0) != sizeof big);
    }
    long client = CALL(sys_socket, local, stream, 0);
    IS(CALL(sys_connect, client, &name, length), 0);
    IS(CALL(sys_write, client, big, sizeof big), sizeof big); // more than the buffer holds
    IS(CALL(sys_wait4, child, &status, 0, 0), child);
    IS((int)status, 0);
    IS(CALL(sys_close, client), 0);
    IS(CALL(sys_close, server), 0);
    IS(CALL(sys_unlink, "/tmp/s"), 0);
    // What several write at the same time arrives one after the other.
    int pair[2];
    IS(CALL(sys_socketpair, local, stream, 0, pair), 0);
    for (int i = 0; i < blocks; i++)
        if (CALL(sys_fork) == 0) {
            memset(big, 'a' + i, block);
            CALL(sys_exit, CALL(sys_write, pair[0], big, block) != block);
        }
    int mixed = 0;
    for (int i = 0; i < blocks; i++) {
        IS(CALL(sys_recvfrom, pair[1], big, block, msg_waitall, 0, 0), block);
        for (int at = 1; at < block; at++)
            mixed += big[at] != big[0];
    }
    IS(mixed, 0);
    for (int i = 0; i < blocks; i++)
        CALL(sys_wait4, -1, &status, 0, 0);
    IS(CALL(sys_close, pair[0]), 0);
    IS(CALL(sys_close, pair[1]), 0);
}

static int interrupted[2];
static void handler(int signal) {
    (void)signal;
    CALL(sys_write, interrupted[1], "r", interrupted[0] >= 0);
}
static void signals(void) {
    struct {
        void (*handler)(int);
        int flags;
        u32 mask[4];
    } action = {handler, 0, {0}};
    long often[4] = {0, 20000, 0, 20000}, never[4] = {0};
    int pair[2];
    IS(CALL(sys_socketpair, local, stream, 0, pair), 0);
    interrupted[0] = -1; // the handler only comes
    interrupted[1] = pair[1];
    IS(CALL(sys_sigaction, 14, &action, 0), 0);
    IS(CALL(sys_setitimer, 0, often, 0), 0);
    IS(CALL(sys_read, pair[0], big, 1), -EINTR);
    IS(CALL(sys_setitimer, 0, never, 0), 0);
    interrupted[0] = 0; // the handler sends what is waited for
    action.flags = 2;   // SA_RESTART
    IS(CALL(sys_sigaction, 14, &action, 0), 0);
    IS(CALL(sys_setitimer, 0, often, 0), 0);
    IS(CALL(sys_read, pair[0], big, 1), 1);
    IS(CALL(sys_setitimer, 0, never, 0), 0);
    IS(big[0], 'r');
    IS(CALL(sys_close, pair[0]), 0);
    IS(CALL(sys_close, pair[1]), 0);
}

__attribute__((force_align_arg_pointer)) void _start(void) {
    making();
    connecting();
    passing();
    messages();
    options();
    waiting();
    signals();
    print_number(checks);
    print(" checks, ");
    print_number(failures);
    print(" failed\n");
    CALL(sys_exit, failures != 0);
}
