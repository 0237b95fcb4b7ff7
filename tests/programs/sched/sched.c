// SPDX-License-Identifier: BSD-2-Clause
// How a BSD kernel shares processors, seen from processes that compute. Without a C library, for FreeBSD or DragonFly.
// usage: sched nice|idle|realtime|interactive|affinity|turns|signals|calls. Each says "ok" at its end, or what was wrong. Judged by
// work that was done beside other work, not by time.
typedef unsigned long word;

enum { call_exit = 1, call_fork = 2, call_read = 3, call_write = 4, call_wait4 = 7, call_getpid = 20, call_kill = 37 };
enum { call_setitimer = 83, call_setpriority = 96, call_getpriority = 100, call_rtprio = 166, call_sysctl = 202, call_setuid = 23 };
enum { call_nanosleep = 240, call_setparam = 327, call_getparam = 328, call_setscheduler = 329, call_getscheduler = 330 };
enum { call_priority_max = 332, call_priority_min = 333, call_rr_interval = 334, call_yield = 331 };
#if defined(OS_FREEBSD)
enum { call_mmap = 477, call_sigaction = 416, freebsd = 1, realtime = 2, normal = 3, idle = 4, other_max = 103, other_min = 0 };
enum { call_getcpu = 581, call_getaffinity = 487, call_setaffinity = 488, call_cpuset = 484, call_setid = 485, call_getid = 486 };
enum { record_size = 1088, nice_at = 389, percent_at = 308, estimate_at = 312 };
#else
enum { call_mmap = 197, call_sigaction = 342, freebsd = 0, realtime = 0, normal = 1, idle = 2, other_max = 20, other_min = -20 };
enum { call_usched = 481, call_setaffinity = 544, call_getaffinity = 545 };
enum { record_size = 992, nice_at = 300, percent_at = 736, estimate_at = 748 };
__asm__(".section .note.tag, \"a\", @note\n.long 10, 4, 1\n.asciz \"DragonFly\"\n.balign 4\n.long 500901\n.text");
#endif
enum { eperm = 1, esrch = 3, edeadlk = 11, eacces = 13, efault = 14, einval = 22, erange = 34 };

// The result, or the negative errno.
static long call(word number, word a, word b, word c, word d, word e, word f) {
    register word r10 __asm__("r10") = d;
    register word r8 __asm__("r8") = e;
    register word r9 __asm__("r9") = f;
    unsigned char carry;
    word second = c;
    // DragonFly's mmap takes a padding word before its offset: the offset is the seventh argument, on the stack.
    __asm__ volatile("push $0\npush $0\nsyscall\nsetc %1\nlea 16(%%rsp), %%rsp"
                     : "+a"(number), "=&b"(carry), "+r"(r10), "+r"(r8), "+r"(r9), "+D"(a), "+S"(b), "+d"(second)
                     :
                     : "rcx", "r11", "memory", "cc");
    return carry ? -(long)number : (long)number;
}
#define CALL3(number, a, b, c) call(number, (word)(a), (word)(b), (word)(c), 0, 0, 0)

static void print(const char* text) {
    word size = 0;
    while (text[size])
        size++;
    CALL3(call_write, 1, text, size);
}
static void print_number(long value) {
    char digits[24], *at = digits + sizeof digits - 1;
    word rest = value < 0 ? -(word)value : (word)value;
    *at = 0;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--at = '-';
    print(at);
}
static void finish(int status) {
    CALL3(call_exit, status, 0, 0);
}
static void check(int good, const char* what, long first, long second) {
    if (good)
        return;
    print("wrong: "), print(what), print(" "), print_number(first), print(" "), print_number(second), print("\n");
    CALL3(call_kill, 0, 9, 0); // the hogs too
}
static int same(const char* a, const char* b) {
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}
static void pause_ms(long milliseconds) {
    long span[2] = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    CALL3(call_nanosleep, span, 0, 0);
}

// Shared with the children.
struct shared {
    volatile word work[8];  // of the hogs; changes of processor in `turns`
    volatile word where[2]; // how often one was on which processor
    volatile word signals;
}* shared;

static long set_class(long pid, int type, int level) {
    unsigned short record[2] = {(unsigned short)type, (unsigned short)level};
    return CALL3(call_rtprio, 1, pid, record);
}
static int current_cpu(void) {
#if defined(OS_FREEBSD)
    return (int)call(call_getcpu, 0, 0, 0, 0, 0, 0);
#else
    int cpu = -1;
    call(call_usched, 0, 4, (word)&cpu, sizeof cpu, 0, 0);
    return cpu;
#endif
}
static long set_mask(word pid, word mask) {
    word wide[16] = {mask};
#if defined(OS_FREEBSD)
    return call(call_setaffinity, 3, 2, pid ? pid : (word)-1, sizeof wide, (word)wide, 0);
#else
    return call(call_setaffinity, pid, (word)-1, (word)wide, 0, 0, 0);
#endif
}
static long get_mask(word pid, word* mask) {
    word wide[16] = {0};
#if defined(OS_FREEBSD)
    long result = call(call_getaffinity, 3, 2, pid ? pid : (word)-1, sizeof wide, (word)wide, 0);
#else
    long result = call(call_getaffinity, pid, (word)-1, (word)wide, 0, 0, 0);
#endif
    *mask = wide[0];
    return result;
}

// A child that computes for ever. It sets its own priority, so that a better one is not held up by its parent.
static long hog(int number, int nice, int type, int level) {
    long pid = call(call_fork, 0, 0, 0, 0, 0, 0);
    if (pid != 0)
        return pid;
    if (nice)
        CALL3(call_setpriority, 0, 0, nice);
    if (type != normal)
        set_class(0, type, level);
    for (;;)
        shared->work[number]++;
}
static void end(long pid) {
    int status = 0;
    CALL3(call_kill, pid, 9, 0);
    check(CALL3(call_wait4, pid, &status, 0) == pid, "wait", pid, status);
}

static void test_nice(void) {
    long plain = hog(0, 0, normal, 0), nicest = hog(1, 20, normal, 0);
    pause_ms(3000);
    word a = shared->work[0], b = shared->work[1];
    check(a > 2 * b, "nice 20 beside nice 0", (long)a, (long)b);
    check(b > a / 50, "nice 20 starves", (long)a, (long)b);
    end(plain), end(nicest);
}

static void test_idle(void) {
    long plain = hog(0, 0, normal, 0);
    pause_ms(100);
    long idler = hog(1, 0, idle, 0);
    pause_ms(200); // it may have run before it had set its class
    word a = shared->work[0], b = shared->work[1];
    pause_ms(500);
    a = shared->work[0] - a, b = shared->work[1] - b;
    check(a > 0 && b < a / 100, "idprio beside a normal one", (long)a, (long)b);
    end(idler); // it must end though it never gets user mode
    idler = hog(1, 0, idle, 0);
    pause_ms(200);
    end(plain);
    b = shared->work[1];
    pause_ms(100);
    check(shared->work[1] > b, "idprio with nobody else", (long)shared->work[1], (long)b);
    end(idler);
}

static void test_realtime(void) {
    check(set_class(0, realtime, 0) == 0, "rtprio 0", 0, 0);
    long plain = hog(0, -20, normal, 0); // inherits realtime 0 first
    set_class(plain, normal, 0);
    pause_ms(200);
    long urgent = hog(1, 0, realtime, 10);
    pause_ms(200);
    word a = shared->work[0], b = shared->work[1];
    check(a > 0, "the normal one ran alone", (long)a, 0);
    pause_ms(500);
    a = shared->work[0] - a, b = shared->work[1] - b;
    check(b > 0 && a < b / 100, "rtprio before all", (long)a, (long)b);
    end(urgent), end(plain);
}

static void on_alarm(int number) {
    (void)number;
    shared->signals++;
}
// Signals that come when a time slice ends: who then waits for a turn, and must handle a signal first, waits after it.
static void test_signals(void) {
    struct {
        void (*handler)(int);
        int flags;
        unsigned mask[4];
    } action = {on_alarm, 0, {0}};
    long interval[4] = {0, 2500, 0, 2500}, pids[3];
    check(CALL3(call_sigaction, 14, &action, 0) == 0, "sigaction", 0, 0);
    for (int i = 0; i < 3; i++) {
        pids[i] = call(call_fork, 0, 0, 0, 0, 0, 0);
        for (; pids[i] == 0; shared->work[i]++)
            if (shared->work[i] == 0)
                CALL3(call_setitimer, 0, interval, 0);
    }
    pause_ms(3000);
    word a = shared->work[0], b = shared->work[1], c = shared->work[2];
    for (int i = 0; i < 3; i++)
        end(pids[i]);
    check(shared->signals > 100, "signals", (long)shared->signals, 0);
    check(a > b / 3 && b > c / 3 && c > a / 3, "work beside signals", (long)(a * 100 / (b + 1)), (long)(c * 100 / (b + 1)));
}

static void make_pipe(int ends[2]) {
#if defined(OS_FREEBSD)
    CALL3(542, ends, 0, 0);
#else
    word number = 42, second = 0;
    __asm__ volatile("syscall" : "+a"(number), "+d"(second) : : "rcx", "r11", "memory", "cc");
    ends[0] = (int)number, ends[1] = (int)second;
#endif
}
// Two that mostly sleep exchange bytes beside three that compute.
static void test_interactive(void) {
    int there[2], back[2];
    make_pipe(there), make_pipe(back);
    long partner = call(call_fork, 0, 0, 0, 0, 0, 0);
    if (partner == 0)
        for (char byte;;)
            if (CALL3(call_read, there[0], &byte, 1) == 1)
                CALL3(call_write, back[1], &byte, 1);
    long hogs[3];
    for (int i = 0; i < 3; i++)
        hogs[i] = hog(i, 0, normal, 0);
    pause_ms(500);
    word during = 0, begin = shared->work[0] + shared->work[1] + shared->work[2];
    for (int trip = 0; trip < 100; trip++) {
        char byte = 1;
        pause_ms(10);
        word before = shared->work[0] + shared->work[1] + shared->work[2];
        CALL3(call_write, there[1], &byte, 1);
        CALL3(call_read, back[0], &byte, 1);
        during += shared->work[0] + shared->work[1] + shared->work[2] - before;
    }
    word all = shared->work[0] + shared->work[1] + shared->work[2] - begin;
    // If each byte waited for a hog's slice once, half of all work would be done meanwhile.
    check(during < all / 5 * 2, "work while a byte went to and fro", (long)during, (long)all);
    for (int i = 0; i < 3; i++)
        end(hogs[i]);
    end(partner);
}

static void test_affinity(void) {
    word mask = 0;
    check(get_mask(0, &mask) == 0 && mask == 3, "the first mask", (long)mask, 3);
    long pid = call(call_fork, 0, 0, 0, 0, 0, 0);
    if (pid == 0) {
        set_mask(0, 2);
        for (;;)
            shared->where[current_cpu() & 1]++;
    }
    while (shared->where[1] < 1000)
        pause_ms(10);
    word first = shared->where[0];
    long neighbour = hog(0, 0, normal, 0), another = hog(1, 0, normal, 0);
    while (shared->where[1] < 20000)
        pause_ms(10);
    check(shared->where[0] == first, "left its processor", (long)first, (long)shared->where[0]);
    check(set_mask((word)pid, 1) == 0, "setaffinity of another", 0, 0);
    check(get_mask((word)pid, &mask) == 0 && mask == 1, "the mask read back", (long)mask, 1);
    while (shared->where[0] < first + 1000)
        pause_ms(10);
    word second = shared->where[1];
    while (shared->where[0] < first + 20000)
        pause_ms(10);
    check(shared->where[1] == second, "came back", (long)second, (long)shared->where[1]);
    check(set_mask(0, 0) == (freebsd ? -edeadlk : -eperm), "an empty mask", set_mask(0, 0), 0);
    check(set_mask(99999, 1) == -esrch, "nobody's mask", set_mask(99999, 1), 0);
#if defined(OS_FREEBSD)
    check(set_mask(0, 4) == -einval, "a processor that is not there", set_mask(0, 4), 0);
    int id = 0, own = 0;
    check(CALL3(call_cpuset, &id, 0, 0) == 0 && id > 1, "cpuset", id, 0);
    check(call(call_getid, 2, 2, (word)-1, (word)&own, 0, 0) == 0 && own == id, "getid", own, id);
    word wide[16] = {2};
    check(call(call_setaffinity, 2, 3, (word)id, sizeof wide, (word)wide, 0) == 0, "the set's mask", 0, 0);
    check(current_cpu() == 1, "moved with the set", current_cpu(), 1);
    check(call(call_setaffinity, 1, 2, (word)-1, sizeof wide, (word)wide, 0) == -eperm, "the root set", 0, 0);
    check(call(call_setid, 2, (word)-1, 1, 0, 0, 0) == 0, "setid", 0, 0);
    check(get_mask(0, &mask) == 0 && mask == 3, "back in the default set", (long)mask, 3);
    check(call(call_setid, 2, (word)-1, (word)id, 0, 0, 0) == -esrch, "a set that has gone", id, 0);
    check(call(call_setid, 1, (word)-1, 1, 0, 0, 0) == -einval, "a thread's set", 0, 0);
    check(call(call_getaffinity, 3, 2, (word)-1, 4, (word)wide, 0) == -erange, "a short mask", 0, 0);
#endif
    end(pid), end(neighbour), end(another);
}

// Three that compute on two processors take turns: each of them comes to be on both, time and again.
static void test_turns(void) {
    long pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = call(call_fork, 0, 0, 0, 0, 0, 0);
        for (int last = current_cpu(); pids[i] == 0;) {
            int now = current_cpu();
            shared->work[i] += now != last;
            last = now;
        }
    }
    while (shared->work[0] < 4 || shared->work[1] < 4 || shared->work[2] < 4)
        pause_ms(20);
    for (int i = 0; i < 3; i++)
        end(pids[i]);
}

static void test_calls(void) {
    long own = call(call_getpid, 0, 0, 0, 0, 0, 0);
    unsigned short record[2] = {0, 0};
    long span[2] = {-1, -1};
    int priority = 7;
    check(CALL3(call_rtprio, 0, 0, record) == 0 && record[0] == normal && record[1] == 0, "class", record[0], record[1]);
    check(set_class(0, realtime, 32) == -einval, "a level beyond", 0, 0);
    check(set_class(0, 77, 0) == -einval, "no class", 0, 0);
    check(set_class(99999, idle, 0) == -esrch, "nobody's class", 0, 0);
    check(CALL3(call_rtprio, 0, 0, 1) == -efault, "class to nowhere", 0, 0);
    check(CALL3(call_setscheduler, 0, 1, &priority) == 0, "fifo", 0, 0);
    check(CALL3(call_getscheduler, own, 0, 0) == 1, "is fifo", CALL3(call_getscheduler, own, 0, 0), 1);
    check(CALL3(call_rtprio, 0, 0, record) == 0 && record[1] == 24, "fifo's level", record[1], 24);
    priority = 9;
    check(CALL3(call_setparam, 0, &priority, 0) == 0, "setparam", 0, 0);
    priority = 0;
    check(CALL3(call_getparam, 0, &priority, 0) == 0 && priority == 9, "getparam", priority, 9);
    priority = 32;
    check(CALL3(call_setparam, 0, &priority, 0) == -einval, "a priority beyond", 0, 0);
    priority = 0;
    check(CALL3(call_setscheduler, 0, 2, &priority) == 0 && CALL3(call_getscheduler, 0, 0, 0) == 2, "other", 0, 0);
    check(CALL3(call_setscheduler, 0, 4, &priority) == -einval, "no policy", 0, 0);
    check(CALL3(call_priority_max, 1, 0, 0) == 31 && CALL3(call_priority_min, 3, 0, 0) == 0, "range", 0, 0);
    check(CALL3(call_priority_max, 2, 0, 0) == other_max && (int)CALL3(call_priority_min, 2, 0, 0) == other_min, "other's range",
          CALL3(call_priority_max, 2, 0, 0), CALL3(call_priority_min, 2, 0, 0));
    check(CALL3(call_priority_max, 0, 0, 0) == -einval, "no policy's range", 0, 0);
    check(CALL3(call_rr_interval, 0, span, 0) == 0 && span[0] == 0 && span[1] > 0, "slice", span[0], span[1]);
    check(CALL3(call_yield, 0, 0, 0) == 0, "yield", 0, 0);

    check(CALL3(call_setpriority, 0, 0, 99) == 0 && CALL3(call_getpriority, 0, 0, 0) == 20, "clipped", 0, 0);
    check(CALL3(call_setpriority, 1, 0, -5) == 0 && (int)CALL3(call_getpriority, 2, 0, 0) == -5, "group and user", 0, 0);
    check(CALL3(call_setpriority, 3, 0, 0) == -einval && CALL3(call_setpriority, 0, 99999, 0) == -esrch, "whom", 0, 0);
    CALL3(call_setpriority, 0, own, 3);
    long child = call(call_fork, 0, 0, 0, 0, 0, 0);
    if (child == 0) { // inherits; an ordinary user may only be nicer
        check(CALL3(call_getpriority, 0, 0, 0) == 3, "inherited", CALL3(call_getpriority, 0, 0, 0), 3);
        CALL3(call_setuid, 1001, 0, 0);
        check(CALL3(call_setpriority, 0, 0, 4) == 0 && CALL3(call_setpriority, 0, 0, 3) == -eacces, "less nice", 0, 0);
        check(CALL3(call_setpriority, 0, own, 19) == -eperm, "another's", 0, 0);
        check(set_class(0, realtime, 5) == -eperm && set_class(0, normal, 0) == 0, "realtime", 0, 0);
        priority = 1;
        check(CALL3(call_setscheduler, 0, 1, &priority) == -eperm, "fifo for all", 0, 0);
        finish(0);
    }
    int status = 1;
    CALL3(call_wait4, child, &status, 0);
    check(status == 0, "the child", status, 0);

    child = hog(0, 0, normal, 0);
    pause_ms(1000);
    unsigned char info[record_size];
    int name[4] = {1, 14, 1, (int)child};
    word size = sizeof info;
    check(call(call_sysctl, (word)name, 4, (word)info, (word)&size, 0, 0) == 0 && size == record_size, "kern.proc", (long)size, 0);
    check((signed char)info[nice_at] == 3, "nice in kern.proc", (signed char)info[nice_at], 3);
    unsigned percent = *(unsigned*)(info + percent_at), estimate = *(unsigned*)(info + estimate_at);
    check(percent > 2048 / 4 && percent <= 2048 && estimate > 0, "percent in kern.proc", percent, estimate);
    end(child);
}

__attribute__((used)) void start(word* stack) {
    const char* what = stack[0] > 1 ? (const char*)stack[2] : "";
    shared = (struct shared*)call(call_mmap, 0, 4096, 3, 0x1001, (word)-1, 0);
    static const struct {
        const char* name;
        void (*run)(void);
    } tests[] = {{"nice", test_nice},         {"idle", test_idle},   {"realtime", test_realtime}, {"interactive", test_interactive},
                 {"affinity", test_affinity}, {"turns", test_turns}, {"signals", test_signals}, {"calls", test_calls}};
    for (word i = 0; i < sizeof tests / sizeof *tests; i++)
        if (same(what, tests[i].name)) {
            tests[i].run();
            print("ok\n");
            finish(0);
        }
    finish(99);
}

__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2"); // rdi points at argc
