// SPDX-License-Identifier: BSD-2-Clause
// Priorities that mutexes lend on FreeBSD: an idle-class thread holds a mutex beside a process that computes all the time, and
// gets to its unlocking only with a priority that somebody lends.

enum { umtx_lock = 5, umtx_unlock = 6, inherit = 4, protect = 8, rtp_realtime = 2, rtp_normal = 3, rtp_idle = 4 };
struct mutex_ {
    volatile u32 owner;
    u32 flags, ceilings[2];
    word robust_link;
    u32 spare[2];
};
static struct mutex_ inner = {0, inherit, {0, 0}, 0, {0, 0}}, outer = {0, inherit, {0, 0}, 0, {0, 0}},
                     protected_one = {0, protect, {20, 0}, 0, {0, 0}};
static volatile word steps, ready, hold_steps, middle_ready;

static long lock(struct mutex_* mutex) {
    long span[2] = {20, 0};
    return call(454, mutex, umtx_lock, 0, sizeof span, span);
}
static long unlock(struct mutex_* mutex) {
    return call(454, mutex, umtx_unlock, 0, 0, 0);
}
static void set_own_class(int type, int level) {
    unsigned short record[2] = {(unsigned short)type, (unsigned short)level};
    expect("rtprio_thread", call(466, 1, 0, record), 0);
}
// Holds a mutex for so many steps, as an idle-class thread.
static void hold(void* mutex) {
    set_own_class(rtp_normal, 0);
    expect("lock", lock(mutex), 0);
    set_own_class(rtp_idle, 31);
    __atomic_store_n(&ready, 1, __ATOMIC_SEQ_CST);
    for (word i = 0; i < hold_steps; i++)
        steps++;
    expect("unlock", unlock(mutex), 0);
    for (;;) // with its own priority again: nothing, as long as others compute
        steps++;
}
// Holds the outer mutex and waits for the inner one.
static void stand_between(void* unused) {
    (void)unused;
    set_own_class(rtp_normal, 0);
    expect("lock outer", lock(&outer), 0);
    set_own_class(rtp_idle, 30);
    __atomic_store_n(&middle_ready, 1, __ATOMIC_SEQ_CST);
    expect("lock inner", lock(&inner), 0);
    expect("unlock inner", unlock(&inner), 0);
    expect("unlock outer", unlock(&outer), 0);
    end_thread();
}
static long start_hog(void) {
    long pid = fork_process();
    if (pid == 0) {
        set_own_class(rtp_normal, 0);
        for (;;)
            __asm__ volatile("");
    }
    return pid;
}

// One case in a process of its own: the threads it makes go with it.
static void lends(int chain) {
    ready = steps = middle_ready = 0;
    hold_steps = 60000000;
    set_own_class(rtp_realtime, 5);
    start_thread(hold, &inner);
    wait_for_word(&ready, 1);
    if (chain) {
        start_thread(stand_between, 0);
        wait_for_word(&middle_ready, 1);
    }
    long hog = start_hog();
    pause_ms(100);
    word before = steps;
    pause_ms(200);
    expect("an idle thread beside a busy process", (long)(steps - before) < 20000 && steps < hold_steps, 1);
    expect("lock of what it holds", lock(chain ? &outer : &inner), 0);
    expect("it came to its end", steps >= hold_steps, 1);
    pause_ms(50);
    before = steps;
    pause_ms(200);
    expect("and gave back what was lent", (long)(steps - before) < 20000, 1);
    call(call_kill, hog, sigkill);
    status_of(hog);
}
static void lends_directly(void) {
    lends(0);
}
static void lends_along_a_chain(void) {
    lends(1);
}
static void ceiling(void) {
    hold_steps = ~0ul;
    set_own_class(rtp_realtime, 5);
    start_thread(hold, &protected_one);
    wait_for_word(&ready, 1);
    long hog = start_hog();
    word before = steps;
    pause_ms(300);
    expect("a thread with a ceiling goes on", steps - before > 100000, 1);
    expect("above the ceiling", lock(&protected_one), -einval);
    call(call_kill, hog, sigkill);
    status_of(hog);
}

static void check_lending(void) {
    each_limit(lends_directly);
    each_limit(lends_along_a_chain);
    each_limit(ceiling);
}
