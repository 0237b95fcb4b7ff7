// SPDX-License-Identifier: BSD-2-Clause
// Resource limits: the rules of setrlimit, what happens at each, and what a process is told to have used.

enum { limit_cpu, limit_fsize, limit_data, limit_stack, limit_core, limit_rss, limit_memlock, limit_nproc, limit_nofile };
enum { limit_sbsize = 9, limit_vmem = 10, limit_npts = 11, limit_kqueues = 13, map_anon = 0x1002, pages = 4096 };
#define NO_LIMIT 0x7fffffffffffffffl

static long set_limit(int which, word current, word maximum) {
    word limit[2] = {current, maximum};
    return call(call_setrlimit, which, limit);
}
static long current_limit(int which) {
    word limit[2] = {0, 0};
    call(call_getrlimit, which, limit);
    return (long)limit[0];
}
static long map_bytes(word size) {
#if defined(OS_FREEBSD)
    return call(477, 0, size, 3, map_anon, -1, 0);
#else
    return call(197, 0, size, 3, map_anon, -1, 0);
#endif
}

// Each in a process of its own, which has 0 as its status when all was right.
static void each_limit(void (*check)(void)) {
    long child = fork_process();
    if (child == 0) {
        failures = 0;
        check();
        finish(failures != 0);
    }
    expect_child(child, 0);
}

static void rules(void) {
    word limit[2] = {5, 6};
    expect("no such limit", call(call_setrlimit, freebsd ? 15 : 12, limit), -einval);
    expect("nowhere", call(call_getrlimit, 0, 1), -efault);
    expect("less", set_limit(limit_core, 5, 10), 0);
    expect("what was set", current_limit(limit_core), 5);
    expect("more than the maximum is the maximum", set_limit(limit_core, 20, 10), 0);
    expect("what it became", current_limit(limit_core), 10);
    expect("negative is none", set_limit(limit_core, ~0ul, ~0ul), 0);
    expect("none", current_limit(limit_core), NO_LIMIT);
    set_limit(limit_core, 5, 10);
    call(call_setuid, 1001);
    expect("up to the maximum", set_limit(limit_core, 10, 10), 0);
    expect("beyond it", set_limit(limit_core, 11, 11), -eperm);
    expect("a lower maximum", set_limit(limit_core, 3, 3), 0);
    expect("raised again", set_limit(limit_core, 3, 4), -eperm);
    expect("no processes at all", set_limit(limit_nproc, 0, 5), 0);
    expect("is one", current_limit(limit_nproc), 1);
}

static void file_size(void) {
    char bytes[100] = "";
    catch_signal(sigxfsz);
    long fd = call(call_open, "/tmp/limited", o_rdwr | o_creat | o_trunc, 0644);
    set_limit(limit_fsize, 150, NO_LIMIT);
    expect("below", call(call_write, fd, bytes, 100), 100);
    if (freebsd) {
        expect("up to the limit", call(call_write, fd, bytes, 100), 50);
        expect("no signal yet", signals_seen[sigxfsz], 0);
    } else {
        expect("beyond", call(call_write, fd, bytes, 100), -efbig);
        expect("SIGXFSZ", signals_seen[sigxfsz], 1);
        signals_seen[sigxfsz] = 0;
        expect("exactly", call(call_write, fd, bytes, 50), 50);
    }
    expect("at the limit", call(call_write, fd, bytes, 1), -efbig);
    expect("SIGXFSZ", signals_seen[sigxfsz], 1);
#if defined(OS_FREEBSD)
    expect("ftruncate", call(480, fd, 151), -efbig);
#else
    expect("ftruncate", call(201, fd, 0, 151), -efbig);
#endif
    expect("SIGXFSZ", signals_seen[sigxfsz], 2);
    on_signal(sigxfsz, 0);
    call(call_write, fd, bytes, 1);
    expect("killed", 0, 1);
}

static void memory(void) {
    expect("no limit", map_bytes(64 << 20) > 0, 1);
    set_limit(limit_vmem, 32 << 20, NO_LIMIT);
    expect("RLIMIT_AS", map_bytes(32 << 20), -enomem);
    set_limit(limit_vmem, NO_LIMIT, NO_LIMIT);
    set_limit(limit_data, 1 << 20, NO_LIMIT);
#if defined(OS_FREEBSD)
    long heap = call(17, 0);
    expect("RLIMIT_DATA", call(17, heap + (2 << 20)), -enomem);
    expect("within", call(17, heap + (1 << 19)) > 0, 1);
#else
    long heap = call(69, 0);
    expect("RLIMIT_DATA", call(17, heap + (2 << 20)), -enomem);
    expect("within", call(17, heap + (1 << 19)), 0);
#endif
}

static void locked(void) {
    long at = map_bytes(16 * pages);
    set_limit(limit_memlock, 8 * pages, 8 * pages);
    expect("mlock", call(203, at, 8 * pages), 0);
    // DragonFly's manual: "The per-process resource limit is not currently supported"; its kernel has no MCL_CURRENT.
    expect("beyond", call(203, at + 8 * pages, pages), freebsd ? -enomem : 0);
    expect("munlock", call(204, at, 4 * pages), 0);
    expect("again", call(203, at + 8 * pages, 4 * pages), 0);
    expect("beyond again", call(203, at + 12 * pages, pages), freebsd ? -enomem : 0);
    expect("all", call(324, 1), freebsd ? -enomem : -enosys);
    expect("munlockall", call(325), 0);
    expect("all from now on", call(324, 2), 0);
    expect("a mapping that fits", map_bytes(8 * pages) > 0, 1);
    expect("one that does not", map_bytes(pages), -enomem);
    expect("mlockall without a flag", call(324, 0), -einval);
}

static void processes(void) {
    call(call_setuid, 1002);
    set_limit(limit_nproc, 3, 3);
    volatile word* words = shared_words();
    for (int i = 0; i < 2; i++)
        if (fork_process() == 0) {
            while (!words[0])
                pause_ms(1);
            finish(0);
        }
    expect("one too many", call(call_fork_), -eagain);
    words[0] = 1;
    int status;
    expect("wait", call(call_wait4, -1, &status, 0, 0) > 0, 1);
    long child = fork_process();
    if (child == 0)
        finish(0);
    expect("room again", child > 0, 1);
}

static void descriptors(void) {
    set_limit(limit_nofile, 5, 5);
    expect("the last one", call(41, 1) <= 4, 1);
    while (call(41, 1) >= 0)
        ;
    expect("beyond", call(41, 1), -emfile);
    expect("dup2 beyond", call(90, 1, 5), -ebadf);
    expect("getdtablesize", call(89), 5);
#if defined(OS_FREEBSD)
    call(call_close, 3), call(call_close, 4);
    set_limit(limit_kqueues, 1, 1);
    expect("a kqueue", call(call_kqueue) >= 0, 1);
    expect("RLIMIT_KQUEUES", call(call_kqueue), -enomem);
#endif
}

static void burn(void) {
    for (volatile word i = 0;; i++)
        ;
}
static void processor_time(void) {
    set_limit(limit_cpu, 1, freebsd ? 2 : 1);
    catch_signal(sigxcpu);
    while (!signals_seen[sigxcpu])
        ;
    burn();
}

static void check_limits(void) {
    each_limit(rules);
    each_limit(memory);
    each_limit(locked);
    each_limit(processes);
    each_limit(descriptors);
    long child = fork_process();
    if (child == 0)
        failures = 0, file_size(), finish(1);
    expect("SIGXFSZ kills", status_of(child) & 0x7f, sigxfsz);
    long before = clock_ms();
    child = fork_process();
    if (child == 0)
        processor_time(), finish(1);
    expect("the hard limit kills", status_of(child), sigkill);
    expect("not before its time", clock_ms() - before >= (freebsd ? 2000 : 6000), 1);
    child = fork_process();
    if (child == 0)
        set_limit(limit_cpu, 1, NO_LIMIT), burn();
    expect("SIGXCPU kills", status_of(child) & 0x7f, sigxcpu);
}

// --- usage -----------------------------------------------------------------------------------------------
enum { user_seconds, user_micro, system_seconds, system_micro, maxrss, minflt = 8, nsignals = 15, nvcsw, nivcsw };
static long micro(const long* usage, int which) {
    return usage[which] * 1000000 + usage[which + 1];
}

static void check_usage(void) {
    long before[18] = {0}, after[18] = {0};
    expect("getrusage", call(call_getrusage, 0, before), 0);
    expect("no such one", call(call_getrusage, 7, before), -einval);
    expect("nowhere", call(call_getrusage, 0, 1), -efault);
    long end = clock_ms() + 300;
    for (volatile word i = 0; clock_ms() < end;) // mostly for itself
        for (int turn = 0; turn < 20000; turn++)
            i++;
    call(call_getrusage, 0, after);
    long user = micro(after, user_seconds) - micro(before, user_seconds);
    long kernel = micro(after, system_seconds) - micro(before, system_seconds);
    expect("user time of a computation", user > 5 * kernel && user > 50000 && user < 600000, 1);
    call(call_getrusage, 0, before);
    end = clock_ms() + 300;
    enum { large = 2 << 20 };
    long buffer = map_bytes(large);
    long fd = call(call_open, "/dev/zero", 0, 0);
    while (clock_ms() < end) // mostly for the kernel
        for (int turn = 0; turn < 10; turn++)
            call(call_read, fd, buffer, large);
    call(call_close, fd), call(call_munmap, buffer, large);
    call(call_getrusage, 0, after);
    user = micro(after, user_seconds) - micro(before, user_seconds);
    kernel = micro(after, system_seconds) - micro(before, system_seconds);
    expect("system time of calls", kernel > user / 4 && kernel > 20000, 1);

    call(call_getrusage, 0, before);
    enum { size = 4 << 20 };
    volatile char* at = (volatile char*)map_bytes(size);
    for (int i = 0; i < size; i += pages)
        at[i] = 1;
    call(call_munmap, at, size);
    pause_ms(2), pause_ms(2), pause_ms(2);
    catch_signal(sigusr1);
    call(call_kill, call(call_getpid), sigusr1);
    call(call_getrusage, 0, after);
    expect("the most memory", after[maxrss] >= size / 1024 && after[maxrss] < 4 * size / 1024, 1);
    expect("faults", after[minflt] > before[minflt] && after[minflt] - before[minflt] <= size / pages + 100, 1);
    expect("signals", after[nsignals] - before[nsignals], 1);
    expect("voluntary switches", after[nvcsw] - before[nvcsw] >= 3 && after[nvcsw] - before[nvcsw] < 20, 1);

    long child = fork_process();
    if (child == 0) {
        volatile char* more = (volatile char*)map_bytes(2 * size);
        for (int i = 0; i < 2 * size; i += pages)
            more[i] = 1;
        end = clock_ms() + 100;
        while (clock_ms() < end)
            ;
        finish(0);
    }
    long children[18] = {0}, waited[18] = {0};
    call(call_getrusage, -1, children);
    expect("nothing waited for", micro(children, user_seconds) + micro(children, system_seconds), 0);
    int status;
    expect("wait4", call(call_wait4, child, &status, 0, waited), child);
    call(call_getrusage, -1, children);
    expect("the child's time", micro(waited, user_seconds) + micro(waited, system_seconds) > 20000, 1);
    expect("the child's memory", waited[maxrss] >= 2 * size / 1024, 1);
    for (int i = 0; i < 18; i++)
        expect("what is told of children", children[i], waited[i]);
}
