// SPDX-License-Identifier: BSD-2-Clause
/* rawbench: freestanding raw-syscall micro-benchmarks for x86-64 Linux, FreeBSD, DragonFly, NetBSD.
 * No libc, no runtime: what is timed is the kernel path. One object per OS: -DOS_LINUX etc.
 * Usage: rawbench [factor]    Output: raw_<name>\titerations\tns_per_op   (best of 3 rounds) */
typedef unsigned long u64;
typedef long i64;
typedef unsigned u32;
// clang-format off
enum {
#if defined(OS_LINUX)
  READ=0, WRITE=1, OPEN=2, CLOSE=3, POLL=7, MMAP=9, MUNMAP=11, YIELD=24, PIPE=293, GETPPID=110, GETPID=39, SOCKETPAIR=53,
  FORK=57, VFORK=58, EXECVE=59, EXIT=231, WAIT4=61, KILL=62, CLOCK=228, MONO=1, MAP_AS=0x21, MAP_AP=0x22, UNLINK=87
#elif defined(OS_FREEBSD)
  READ=3, WRITE=4, OPEN=5, CLOSE=6, POLL=209, MMAP=477, MUNMAP=73, YIELD=331, PIPE=542, GETPPID=39, GETPID=20, SOCKETPAIR=135,
  FORK=2, VFORK=66, EXECVE=59, EXIT=1, WAIT4=7, KILL=37, CLOCK=232, MONO=4, MAP_AS=0x1001, MAP_AP=0x1002, UNLINK=10
#elif defined(OS_DRAGONFLY)
  READ=3, WRITE=4, OPEN=5, CLOSE=6, POLL=209, MMAP=197, MUNMAP=73, YIELD=331, PIPE=538, GETPPID=39, GETPID=20, SOCKETPAIR=135,
  FORK=2, VFORK=66, EXECVE=59, EXIT=1, WAIT4=7, KILL=37, CLOCK=232, MONO=4, MAP_AS=0x1001, MAP_AP=0x1002, UNLINK=10
#elif defined(OS_NETBSD)
  READ=3, WRITE=4, OPEN=5, CLOSE=6, POLL=209, MMAP=197, MUNMAP=73, YIELD=350, PIPE=453, GETPPID=39, GETPID=20, SOCKETPAIR=135,
  FORK=2, VFORK=66, EXECVE=59, EXIT=1, WAIT4=449, KILL=37, CLOCK=427, MONO=3, MAP_AS=0x1001, MAP_AP=0x1002, UNLINK=10
#endif
};
// clang-format on

/* six arguments in registers; the four words pushed serve the seventh argument (BSD pad/pos
 * convention: stack arguments start one slot above the return address). Returns -errno. */
static inline i64 sc(i64 n, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
    register i64 r10 __asm__("r10") = d;
    register i64 r8 __asm__("r8") = e;
    register i64 r9 __asm__("r9") = f;
    i64 rdx = c;
#ifdef OS_LINUX
    __asm__ volatile("syscall"
                     : "+a"(n), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9)
                     : "D"(a), "S"(b)
                     : "rcx", "r11", "memory");
#else
    __asm__ volatile(
        "pushq $0; pushq $0; pushq $0; pushq $0; syscall; jnc 1f; negq %0; 1: leaq 32(%%rsp),%%rsp"
        : "+a"(n), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9)
        : "D"(a), "S"(b)
        : "rcx", "r11", "memory", "cc");
#endif
    return n;
}
#define S0(n) sc(n, 0, 0, 0, 0, 0, 0)
#define S1(n, a) sc(n, (i64)(a), 0, 0, 0, 0, 0)
#define S2(n, a, b) sc(n, (i64)(a), (i64)(b), 0, 0, 0, 0)
#define S3(n, a, b, c) sc(n, (i64)(a), (i64)(b), (i64)(c), 0, 0, 0)
#define S4(n, a, b, c, d) sc(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), 0, 0)
#define S6(n, a, b, c, d, e, f) sc(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), (i64)(e), (i64)(f))

/* vfork must not return through a frame that the child reuses: keep everything in one asm block */
static inline i64 vfork_exec(const char* path, char** argv, char** envp) {
    i64 r;
    __asm__ volatile("syscall\n"
#ifndef OS_LINUX
                     "jnc 1f; negq %%rax; jmp 2f\n1:\n"
#endif
                     "testq %%rax,%%rax; jnz 2f\n"
                     "movq %2,%%rdi; movq %3,%%rsi; movq %4,%%rdx; movl %5,%%eax; syscall\n"
                     "movl $99,%%edi; movl %6,%%eax; syscall; hlt\n2:\n"
                     : "=a"(r)
                     : "0"((i64)VFORK), "r"(path), "r"(argv), "r"(envp), "i"(EXECVE), "i"(EXIT)
                     : "rcx", "r11", "rdi", "rsi", "rdx", "r8", "r9", "r10", "memory", "cc");
    return r;
}

/* DragonFly's pipe2 returns the two descriptors in rax and rdx; the others store them through the pointer */
static i64 mkpipe(int* fds) {
#ifdef OS_DRAGONFLY
    i64 n = PIPE, rdx = 0;
    __asm__ volatile("syscall; jnc 1f; negq %0; 1:"
                     : "+a"(n), "+d"(rdx)
                     : "D"((i64)0), "S"((i64)0)
                     : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
    fds[0] = (int)n;
    fds[1] = (int)rdx;
    return n < 0 ? n : 0;
#else
    return S2(PIPE, fds, 0);
#endif
}
static u64 now(void) {
    i64 ts[2];
    S2(CLOCK, MONO, ts);
    return (u64)ts[0] * 1000000000ul + (u64)ts[1];
}
static void wr(const char* s) {
    u64 n = 0;
    while (s[n])
        n++;
    S3(WRITE, 1, s, n);
}
static void wn(u64 v) {
    char b[24];
    int i = 23;
    b[i] = 0;
    do
        b[--i] = '0' + v % 10;
    while (v /= 10);
    wr(b + i);
}
static void die(const char* m) {
    wr("raw FAIL ");
    wr(m);
    wr("\n");
    S1(EXIT, 1);
}
static void* map(u64 len, int fl) {
#ifdef OS_LINUX
    i64 p = S6(MMAP, 0, len, 3, fl, -1, 0);
#else
    i64 p =
        S6(MMAP, 0, len, 3, fl, -1, 0); /* FreeBSD: pos=0 in r9; DragonFly/NetBSD: pad in r9, pos on stack */
#endif
    if (p < 0 && p > -4096)
        die("mmap");
    return (void*)p;
}
static char** g_envp;
static const char* g_self;
static void waitchild(i64 pid) {
    int st = -1;
    if (S4(WAIT4, pid, &st, 0, 0) != pid || st != 0)
        die("wait");
}

/* futex on shared memory between two processes */
#if defined(OS_LINUX)
static inline void fwait(volatile u32* p, u32 v) {
    sc(202, (i64)p, 0, v, 0, 0, 0);
}
static inline void fwake(volatile u32* p) {
    sc(202, (i64)p, 1, 1, 0, 0, 0);
}
#define HAVE_FUTEX 1
#elif defined(OS_FREEBSD)
static inline void fwait(volatile u32* p, u32 v) {
    sc(454, (i64)p, 11, v, 0, 0, 0);
}
static inline void fwake(volatile u32* p) {
    sc(454, (i64)p, 3, 1, 0, 0, 0);
}
#define HAVE_FUTEX 1
#elif defined(OS_DRAGONFLY)
static inline void fwait(volatile u32* p, u32 v) {
    sc(469, (i64)p, v, 0, 0, 0, 0);
}
static inline void fwake(volatile u32* p) {
    sc(470, (i64)p, 1, 0, 0, 0, 0);
}
#define HAVE_FUTEX 1
#endif

/* signals */
__attribute__((unused)) static volatile u32 hits;
__attribute__((unused)) static void handler(int s) {
    (void)s;
    hits++;
}
#if defined(OS_LINUX)
extern void restorer(void);
__asm__(".globl restorer\nrestorer: movl $15,%eax\n syscall\n");
static int siginstall(int s) {
    struct {
        void* h;
        u64 fl;
        void* r;
        u64 m;
    } sa = {handler, 0x04000000, restorer, 0};
    return (int)S4(13, s, &sa, 0, 8);
}
#define SIGU 10
#define HAVE_SIG 1
#elif defined(OS_FREEBSD) || defined(OS_DRAGONFLY)
static int siginstall(int s) {
    struct {
        void* h;
        int fl;
        u32 m[4];
        int pad;
    } sa = {handler, 0, {0}, 0};
#ifdef OS_FREEBSD
    return (int)S3(416, s, &sa, 0);
#else
    return (int)S3(342, s, &sa, 0);
#endif
}
#define SIGU 30
#define HAVE_SIG 1
#endif

static void b_null(u64 n) {
    while (n--)
        S0(GETPPID);
}
static void b_clock(u64 n) {
    while (n--)
        now();
}
static int fz, fn;
static char buf1[8];
static void b_read(u64 n) {
    while (n--)
        S3(READ, fz, buf1, 1);
}
static void b_write(u64 n) {
    while (n--)
        S3(WRITE, fn, buf1, 1);
}
static void b_poll(u64 n) {
    struct {
        int fd;
        short ev, re;
    } p = {fn, 4, 0};
    while (n--)
        if (S3(POLL, &p, 1, 0) < 0)
            die("poll");
}
static void b_yield(u64 n) {
    while (n--)
        S0(YIELD);
}
static void b_open(u64 n) {
    while (n--) {
        i64 f = S3(OPEN, "/dev/null", 0, 0);
        if (f < 0)
            die("open");
        S1(CLOSE, f);
    }
}
static void rtt(u64 n, int* a, int* b, int rd, int wrr) {
    /* parent writes a[wrr], child reads a[rd]; child writes b[wrr], parent reads b[rd] */
    i64 pid = S0(FORK);
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        char c;
        while (n-- && S3(READ, a[rd], &c, 1) == 1)
            S3(WRITE, b[wrr], &c, 1);
        S1(EXIT, 0);
    }
    char c = 0;
    while (n--) {
        if (S3(WRITE, a[wrr], &c, 1) != 1 || S3(READ, b[rd], &c, 1) != 1)
            die("rtt");
    }
    waitchild(pid);
}
static void b_pipe(u64 n) {
    int a[2] = {0}, b[2] = {0};
    if (mkpipe(a) < 0 || mkpipe(b) < 0)
        die("pipe");
    rtt(n, a, b, 0, 1);
    S1(CLOSE, a[0]);
    S1(CLOSE, a[1]);
    S1(CLOSE, b[0]);
    S1(CLOSE, b[1]);
}
static void b_sock(u64 n) {
    int a[2];
    if (S4(SOCKETPAIR, 1, 1, 0, a) < 0)
        die("socketpair");
    i64 pid = S0(FORK);
    if (pid == 0) {
        char c;
        while (n-- && S3(READ, a[1], &c, 1) == 1)
            S3(WRITE, a[1], &c, 1);
        S1(EXIT, 0);
    }
    char c = 0;
    while (n--)
        if (S3(WRITE, a[0], &c, 1) != 1 || S3(READ, a[0], &c, 1) != 1)
            die("sock");
    waitchild(pid);
    S1(CLOSE, a[0]);
    S1(CLOSE, a[1]);
}
#ifdef HAVE_FUTEX
static void b_futex(u64 n) {
    volatile u32* m = map(4096, MAP_AS);
    m[0] = 0;
    m[16] = 0;
    i64 pid = S0(FORK);
    if (pid == 0) {
        for (u64 i = 1; i <= n; i++) {
            while (m[0] != i)
                fwait(m, (u32)i - 1);
            m[16] = (u32)i;
            fwake(m + 16);
        }
        S1(EXIT, 0);
    }
    for (u64 i = 1; i <= n; i++) {
        m[0] = (u32)i;
        fwake(m);
        while (m[16] != i)
            fwait(m + 16, (u32)i - 1);
    }
    waitchild(pid);
    S2(MUNMAP, m, 4096);
}
#endif
#ifdef HAVE_SIG
static void b_sig(u64 n) {
    hits = 0;
    if (siginstall(SIGU) < 0)
        die("sigaction");
    i64 pid = S0(GETPID);
    u64 k = n;
    while (k--)
        S2(KILL, pid, SIGU);
    if (hits != n)
        die("signals");
}
#endif
static void b_fork(u64 n) {
    while (n--) {
        i64 pid = S0(FORK);
        if (pid < 0)
            die("fork");
        if (pid == 0)
            S1(EXIT, 0);
        waitchild(pid);
    }
}
static void b_vexec(u64 n) {
    char* av[3] = {(char*)g_self, "noop", 0};
    while (n--) {
        i64 pid = vfork_exec(g_self, av, g_envp);
        if (pid < 0)
            die("vfork");
        waitchild(pid);
    }
}
static void b_fexec(u64 n) {
    char* av[3] = {(char*)g_self, "noop", 0};
    while (n--) {
        i64 pid = S0(FORK);
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            S3(EXECVE, g_self, av, g_envp);
            S1(EXIT, 9);
        }
        waitchild(pid);
    }
}
static void b_map(u64 n) {
    while (n--) {
        void* p = map(65536, MAP_AP);
        S2(MUNMAP, p, 65536);
    }
}
/* n pages, in 1 MiB maps (below the huge-page size, so 4 KiB faults everywhere) */
static void b_fault(u64 n) {
    for (u64 i = 0; i < n; i += 256) {
        char* p = map(1 << 20, MAP_AP);
        for (u64 j = 0; j < 1 << 20; j += 4096)
            *(volatile char*)(p + j) = 1;
        S2(MUNMAP, p, 1 << 20);
    }
}
static void b_cow(u64 n) {
    static char* p;
    if (!p) {
        p = map(1 << 20, MAP_AP);
    }
    for (u64 j = 0; j < 1 << 20; j += 4096)
        p[j] = 1;
    for (u64 i = 0; i < n; i += 256) {
        i64 pid = S0(FORK);
        if (pid == 0) {
            for (u64 j = 0; j < 1 << 20; j += 4096)
                *(volatile char*)(p + j) = 2;
            S1(EXIT, 0);
        }
        waitchild(pid);
    }
}

static u64 factor1000 = 1000;
static void run(const char* name, void (*f)(u64), u64 n) {
    n = n * factor1000 / 1000;
    if (!n)
        n = 1;
    u64 best = ~0ul;
    for (int r = 0; r < 3; r++) {
        u64 t = now();
        f(n);
        t = now() - t;
        if (t < best)
            best = t;
    }
    u64 x = best * 10 / n;
    wr("raw_");
    wr(name);
    wr("\t");
    wn(n);
    wr("\t");
    wn(x / 10);
    wr(".");
    wn(x % 10);
    wr("\n");
}
void cmain(i64* sp) {
    i64 argc = sp[0];
    char** argv = (char**)(sp + 1);
    g_envp = argv + argc + 1;
    g_self = argv[0];
    if (argc > 1 && argv[1][0] == 'n')
        S1(EXIT, 0);
    if (argc > 1) {
        u64 v = 0, d = 0;
        for (char* p = argv[1]; *p; p++) {
            if (*p == '.') {
                d = 1;
                continue;
            }
            v = v * 10 + (u64)(*p - '0');
            if (d)
                d *= 10;
        }
        factor1000 = v * 1000 / (d ? d : 1);
    }
    if (argc > 2)
        g_self = argv[2];
    fz = (int)S3(OPEN, "/dev/zero", 0, 0);
    fn = (int)S3(OPEN, "/dev/null", 1, 0);
    run("null_syscall", b_null, 300000);
    run("clock_gettime_syscall", b_clock, 200000);
    if (fz >= 0)
        run("read_zero_1b", b_read, 200000);
    if (fn >= 0) {
        run("write_null_1b", b_write, 200000);
        run("poll_1fd", b_poll, 100000);
    }
    run("open_close_devnull", b_open, 30000);
    run("sched_yield", b_yield, 100000);
    run("pipe_rtt_2proc", b_pipe, 10000);
    run("socketpair_rtt_2proc", b_sock, 10000);
#ifdef HAVE_FUTEX
    run("futex_rtt_2proc", b_futex, 10000);
#endif
#ifdef HAVE_SIG
    run("signal_self_handler", b_sig, 20000);
#endif
    run("mmap_munmap_64k", b_map, 20000);
    run("pagefault_4k", b_fault, 25600);
    run("cow_fault_4k", b_cow, 25600);
    run("fork_exit_wait", b_fork, 500);
    run("vfork_exec_wait", b_vexec, 300);
    run("fork_exec_wait", b_fexec, 300);
    S1(EXIT, 0);
}
#if defined(OS_LINUX) || defined(OS_NETBSD)
__asm__(".globl _start\n_start: xorl %ebp,%ebp\n movq %rsp,%rdi\n andq $-16,%rsp\n call cmain\n hlt\n");
#else /* FreeBSD and DragonFly pass the argument block in rdi */
__asm__(".globl _start\n_start: xorl %ebp,%ebp\n andq $-16,%rsp\n call cmain\n hlt\n");
#endif
#if defined(OS_FREEBSD)
__asm__(".section .note.tag,\"a\",@note\n .p2align 2\n .long 8,4,1\n .asciz \"FreeBSD\"\n .long 1400097\n "
        ".previous");
#elif defined(OS_DRAGONFLY)
__asm__(".section .note.ABI-tag,\"a\",@note\n .p2align 2\n .long 10,4,1\n .asciz \"DragonFly\"\n .p2align "
        "2\n .long 600400\n .previous");
#elif defined(OS_NETBSD)
__asm__(".section .note.netbsd.ident,\"a\",@note\n .p2align 2\n .long 7,4,1\n .asciz \"NetBSD\"\n .p2align "
        "2\n .long 900000000\n .previous");
#endif
void* memset(void* p, int c, u64 n) {
    char* q = p;
    while (n--)
        *q++ = (char)c;
    return p;
}
