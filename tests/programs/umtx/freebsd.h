// SPDX-License-Identifier: BSD-2-Clause
// _umtx_op(object, operation, value, uaddr1, uaddr2). Errors come back as the negative errno.

enum {
    op_wait = 2,
    op_wake = 3,
    op_trylock = 4,
    op_lock = 5,
    op_unlock = 6,
    op_set_ceiling = 7,
    op_cv_wait = 8,
    op_cv_signal = 9,
    op_cv_broadcast = 10,
    op_wait_uint = 11,
    op_rdlock = 12,
    op_wrlock = 13,
    op_rw_unlock = 14,
    op_wait_uint_private = 15,
    op_wake_private = 16,
    op_mutex_wait = 17,
    op_sem_wait = 19,
    op_sem_wake = 20,
    op_nwake_private = 21,
    op_mutex_wake2 = 22,
    op_sem2_wait = 23,
    op_sem2_wake = 24,
    op_robust_lists = 26,
    op_get_min_timeout = 27,
};
#define CONTESTED 0x80000000u
#define OWNER_DEAD 0x80000010u
#define NOT_RECOVERABLE 0x80000011u
enum { shared_flag = 1, inherit_flag = 4, protect_flag = 8, robust_flag = 0x10, nonconsistent_flag = 0x20 };
enum { eownerdead = 96, enotrecoverable = 95 };

struct timespec_ {
    long seconds, nanoseconds;
};
struct umtx_time {
    struct timespec_ time;
    u32 flags, clock;
};
struct umutex {
    volatile u32 owner;
    u32 flags, ceilings[2];
    word robust_link;
    u32 spare[2];
};
struct ucond {
    volatile u32 has_waiters;
    u32 flags, clock, spare;
};
struct urwlock {
    volatile u32 state;
    u32 flags;
    volatile u32 blocked_readers, blocked_writers;
    u32 spare[4];
};

static long umtx(volatile void* object, int operation, word value, const void* first, const void* second) {
    return call(454, object, operation, value, first, second);
}
static const struct timespec_ short_time = {0, 2000000};
#define SHORT (const void*)sizeof short_time, &short_time

static volatile u32 done, results[4], ready;
static void settled(u32 count) { // until so many threads have said what became of them
    while (look(&done) < count)
        yield();
    put(&done, 0);
}
static __attribute__((noreturn)) void say(word index, long result) {
    put(&results[index], (u32)result);
    __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
    end_thread();
}

// --- words

static volatile u32 words[2];

static void word_sleeper(void* index) {
    say((word)index, umtx(&words[(word)index], op_wait_uint_private, 0, 0, 0));
}

static void check_words(void) {
    static volatile word wide = 5;
    expect("WAIT for another value", umtx(&wide, op_wait, 6, 0, 0), 0);
    expect("WAIT that times out", umtx(&wide, op_wait, 5, SHORT), -etimedout);
    wide = 5 | (word)1 << 32;
    expect("WAIT compares 64 bits", umtx(&wide, op_wait, 5, 0, 0), 0);
    expect("WAIT_UINT compares 32 bits", umtx(&wide, op_wait_uint, 5, SHORT), -etimedout);
    expect("WAIT_UINT_PRIVATE for another value", umtx(&wide, op_wait_uint_private, 6, 0, 0), 0);
    expect("WAIT_UINT at nothing", umtx((void*)0x10000, op_wait_uint, 5, 0, 0), -efault);
    expect("an operation that is none", umtx(&wide, 99, 0, 0, 0), -einval);

    struct umtx_time time = {{0, 2000000}, 0, 4};
    const void* size = (const void*)sizeof time;
    expect("a time limit of the monotonic clock", umtx(&wide, op_wait_uint, 5, size, &time), -etimedout);
    time = (struct umtx_time){{1, 0}, 1, 4};
    expect("a point of the monotonic clock that is over", umtx(&wide, op_wait_uint, 5, size, &time), -etimedout);
    time.clock = 0;
    expect("a point of the wall clock that is over", umtx(&wide, op_wait_uint, 5, size, &time), -etimedout);
    time.clock = 5;
    expect("a point of uptime that is over", umtx(&wide, op_wait_uint, 5, size, &time), -etimedout);
    time.time.nanoseconds = 1000000000;
    expect("too many nanoseconds", umtx(&wide, op_wait_uint, 5, size, &time), -einval);
    time.time = (struct timespec_){-1, 0};
    expect("negative seconds", umtx(&wide, op_wait_uint, 5, size, &time), -einval);
    expect("a time limit at nothing", umtx(&wide, op_wait_uint, 5, size, (void*)0x10000), -efault);

    start_thread(word_sleeper, (void*)0);
    while (look(&done) == 0) {
        expect("WAKE_PRIVATE", umtx(&words[0], op_wake_private, 1, 0, 0), 0);
        yield();
    }
    settled(1);
    expect("WAIT_UINT_PRIVATE that was woken", (int)results[0], 0);
    start_thread(word_sleeper, (void*)0);
    start_thread(word_sleeper, (void*)1);
    const volatile void* both[2] = {&words[0], &words[1]};
    while (look(&done) < 2) {
        expect("NWAKE_PRIVATE", umtx(both, op_nwake_private, 2, 0, 0), 0);
        yield();
    }
    settled(2);
    expect("NWAKE_PRIVATE wakes the first", (int)results[0], 0);
    expect("NWAKE_PRIVATE wakes the second", (int)results[1], 0);

    volatile u32* shared = shared_memory();
    long child = fork_process();
    if (child == 0) {
        put(shared + 1, 1);
        finish(umtx(shared, op_wait_uint, 0, 0, 0) == 0 ? 7 : 1);
    }
    wait_until_bits(shared + 1, 1);
    put(shared, 1);
    expect("WAKE of another process", umtx(shared, op_wake, 1, 0, 0), 0);
    expect_child(child, 7);
}

// --- mutexes

static struct umutex mutex;

static void locker(void* argument) {
    long got = umtx(&mutex, op_lock, 0, 0, 0);
    put(&results[1], mutex.owner);
    if (got == 0)
        got = umtx(&mutex, op_unlock, 0, 0, 0);
    say((word)argument, got);
}
static void waiter(void* argument) {
    say((word)argument, umtx(&mutex, op_mutex_wait, 0, 0, 0));
}

static void check_mutexes(u32 tid) {
    mutex = (struct umutex){0};
    expect("MUTEX_TRYLOCK", umtx(&mutex, op_trylock, 0, 0, 0), 0);
    expect("the owner", mutex.owner, tid);
    expect("MUTEX_TRYLOCK of a locked one", umtx(&mutex, op_trylock, 0, 0, 0), -ebusy);
    expect("MUTEX_LOCK that times out", umtx(&mutex, op_lock, 0, SHORT), -etimedout);
    expect("the owner is contested then", mutex.owner, tid | CONTESTED);
    start_thread(locker, 0);
    u32 other = (u32)last_tid;
    for (int i = 0; i < 20; i++)
        yield();
    expect("MUTEX_UNLOCK", umtx(&mutex, op_unlock, 0, 0, 0), 0);
    settled(1);
    expect("MUTEX_LOCK that had to wait", (int)results[0], 0);
    expect("its owner", results[1] & ~CONTESTED, other);
    expect("nobody owns it afterwards", mutex.owner & ~CONTESTED, 0);
    expect("MUTEX_UNLOCK of another's", umtx(&mutex, op_unlock, 0, 0, 0), -eperm);

    mutex.owner = 0;
    expect("MUTEX_WAIT for a free one", umtx(&mutex, op_mutex_wait, 0, 0, 0), 0);
    mutex.owner = tid;
    expect("MUTEX_WAIT that times out", umtx(&mutex, op_mutex_wait, 0, SHORT), -etimedout);
    mutex.owner = tid;
    start_thread(waiter, 0);
    wait_until_bits(&mutex.owner, CONTESTED);
    put(&mutex.owner, 0);
    while (look(&done) == 0) {
        expect("MUTEX_WAKE2", umtx(&mutex, op_mutex_wake2, 0, 0, 0), 0);
        yield();
    }
    settled(1);
    expect("MUTEX_WAIT that was woken", (int)results[0], 0);

    mutex = (struct umutex){.flags = inherit_flag};
    expect("MUTEX_LOCK, inheriting", umtx(&mutex, op_lock, 0, 0, 0), 0);
    expect("MUTEX_LOCK of one's own, inheriting", umtx(&mutex, op_lock, 0, 0, 0), -edeadlk);
    expect("MUTEX_TRYLOCK of one's own, inheriting", umtx(&mutex, op_trylock, 0, 0, 0), -edeadlk);
    start_thread(locker, 0);
    wait_until_bits(&mutex.owner, CONTESTED);
    expect("MUTEX_UNLOCK, inheriting", umtx(&mutex, op_unlock, 0, 0, 0), 0);
    settled(1);
    expect("MUTEX_LOCK that had to wait, inheriting", (int)results[0], 0);

    u32 old = 0;
    mutex = (struct umutex){.owner = CONTESTED, .flags = protect_flag, .ceilings = {20, (u32)-1}};
    expect("MUTEX_LOCK, protected", umtx(&mutex, op_lock, 0, 0, 0), 0);
    expect("a protected one is always contested", mutex.owner, tid | CONTESTED);
    expect("SET_CEILING of one's own", umtx(&mutex, op_set_ceiling, 12, &old, 0), 0);
    expect("the ceiling before", old, 20);
    expect("the ceiling now", mutex.ceilings[0], 12);
    expect("MUTEX_UNLOCK, protected", umtx(&mutex, op_unlock, 0, 0, 0), 0);
    expect("a free protected one is contested", mutex.owner, CONTESTED);
    expect("SET_CEILING of a free one", umtx(&mutex, op_set_ceiling, 10, &old, 0), 0);
    expect("it stays free", mutex.owner, CONTESTED);
    expect("SET_CEILING beyond the highest", umtx(&mutex, op_set_ceiling, 32, 0, 0), -einval);
    mutex.ceilings[0] = 99;
    expect("MUTEX_LOCK with a wrong ceiling", umtx(&mutex, op_lock, 0, 0, 0), -einval);
    mutex.flags = 0;
    expect("SET_CEILING without protection", umtx(&mutex, op_set_ceiling, 10, 0, 0), -einval);
}

// --- robust mutexes

static struct umutex robust[2];
static struct {
    word shared, private, inactive;
} lists;
static word list_head;

static void dies_with_a_lock(void* argument) {
    (void)argument;
    lists.private = (word)&list_head;
    if (umtx(0, op_robust_lists, sizeof lists, &lists, 0) != 0 || umtx(&robust[0], op_lock, 0, 0, 0) != 0)
        end_thread();
    robust[0].robust_link = 0;
    list_head = (word)&robust[0];
    put(&done, 1);
    end_thread();
}

static void check_robust(u32 tid) {
    robust[0] = (struct umutex){.flags = robust_flag};
    start_thread(dies_with_a_lock, 0);
    settled(1);
    expect("MUTEX_LOCK after its owner's end", umtx(&robust[0], op_lock, 0, 0, 0), -eownerdead);
    expect("it is ours all the same", robust[0].owner & ~CONTESTED, tid);
    robust[0].flags |= nonconsistent_flag;
    expect("MUTEX_UNLOCK without repair", umtx(&robust[0], op_unlock, 0, 0, 0), 0);
    expect("it is given up", robust[0].owner, NOT_RECOVERABLE);
    expect("MUTEX_LOCK of what is given up", umtx(&robust[0], op_lock, 0, 0, 0), -enotrecoverable);
    expect("ROBUST_LISTS that are too long", umtx(0, op_robust_lists, sizeof lists + 8, &lists, 0), -einval);
}

// --- condition variables

static struct ucond condition;

static void cv_waiter(void* index) {
    while (umtx(&mutex, op_lock, 0, 0, 0) != 0)
        ;
    __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
    say((word)index, umtx(&condition, op_cv_wait, 0, &mutex, 0));
}

static void check_conditions(void) {
    mutex = (struct umutex){0};
    condition = (struct ucond){0};
    expect("CV_WAIT without the mutex", umtx(&condition, op_cv_wait, 0, &mutex, 0), -eperm);
    umtx(&mutex, op_lock, 0, 0, 0);
    expect("CV_WAIT that times out", umtx(&condition, op_cv_wait, 0, &mutex, &short_time), -etimedout);
    expect("CV_WAIT returns without the mutex", mutex.owner, 0);
    expect("nobody waits any more", condition.has_waiters, 0);
    condition.has_waiters = 0;
    struct timespec_ past = {1, 0};
    condition.clock = 4;
    umtx(&mutex, op_lock, 0, 0, 0);
    expect("CV_WAIT until what is over", umtx(&condition, op_cv_wait, 2 | 4, &mutex, &past), -etimedout);

    start_thread(cv_waiter, (void*)0);
    wait_until_bits(&ready, 1);
    while (umtx(&mutex, op_lock, 0, 0, 0) != 0) // whoever waits has let go of it
        ;
    expect("somebody waits", look(&condition.has_waiters), 1);
    expect("CV_SIGNAL", umtx(&condition, op_cv_signal, 0, 0, 0), 0);
    umtx(&mutex, op_unlock, 0, 0, 0);
    settled(1);
    expect("CV_WAIT that was signalled", (int)results[0], 0);
    expect("CV_SIGNAL clears has_waiters", condition.has_waiters, 0);
    put(&ready, 0);
    start_thread(cv_waiter, (void*)0);
    start_thread(cv_waiter, (void*)1);
    while (look(&ready) < 2)
        yield();
    while (umtx(&mutex, op_lock, 0, 0, 0) != 0)
        ;
    expect("CV_BROADCAST", umtx(&condition, op_cv_broadcast, 0, 0, 0), 0);
    umtx(&mutex, op_unlock, 0, 0, 0);
    settled(2);
    expect("CV_BROADCAST wakes the first", (int)results[0], 0);
    expect("CV_BROADCAST wakes the second", (int)results[1], 0);
}

// --- read-write locks

static struct urwlock rwlock;

static void reader(void* index) {
    say((word)index, umtx(&rwlock, op_rdlock, 0, 0, 0));
}
static void writer(void* index) {
    say((word)index, umtx(&rwlock, op_wrlock, 0, 0, 0));
}

static void check_rwlocks(void) {
    rwlock = (struct urwlock){0};
    expect("RW_UNLOCK of nobody's", umtx(&rwlock, op_rw_unlock, 0, 0, 0), -eperm);
    expect("RW_RDLOCK", umtx(&rwlock, op_rdlock, 0, 0, 0), 0);
    expect("RW_RDLOCK again", umtx(&rwlock, op_rdlock, 0, 0, 0), 0);
    expect("two readers", rwlock.state, 2);
    expect("RW_WRLOCK that times out", umtx(&rwlock, op_wrlock, 0, SHORT), -etimedout);
    expect("no writer waits any more", rwlock.state, 2);
    start_thread(writer, (void*)0);
    wait_until_bits(&rwlock.state, 0x40000000);
    expect("a writer is counted", look(&rwlock.blocked_writers), 1);
    expect("RW_RDLOCK behind a writer", umtx(&rwlock, op_rdlock, 0, SHORT), -etimedout);
    expect("RW_RDLOCK before a writer", umtx(&rwlock, op_rdlock, 2, 0, 0), 0);
    for (int i = 0; i < 3; i++)
        expect("RW_UNLOCK of a reader", umtx(&rwlock, op_rw_unlock, 0, 0, 0), 0);
    settled(1);
    expect("RW_WRLOCK that had to wait", (int)results[0], 0);
    expect("a writer owns it", rwlock.state, 0x80000000);
    start_thread(reader, (void*)0);
    start_thread(reader, (void*)1);
    while (look(&rwlock.blocked_readers) < 2)
        yield();
    expect("RW_UNLOCK of a writer", umtx(&rwlock, op_rw_unlock, 0, 0, 0), 0);
    settled(2);
    expect("both readers have it", rwlock.state, 2);
}

// --- semaphores

static volatile u32 semaphore[3];

static void sem2_waiter(void* index) {
    say((word)index, umtx(semaphore, op_sem2_wait, 0, 0, 0));
}
static void sem_waiter(void* index) {
    say((word)index, umtx(semaphore, op_sem_wait, 0, 0, 0));
}

static void check_semaphores(void) {
    semaphore[0] = 1;
    expect("SEM2_WAIT with something there", umtx(semaphore, op_sem2_wait, 0, 0, 0), 0);
    expect("SEM2_WAIT takes nothing", semaphore[0], 1);
    semaphore[0] = 0;
    expect("SEM2_WAIT that times out", umtx(semaphore, op_sem2_wait, 0, SHORT), -etimedout);
    put(&semaphore[0], 0);
    start_thread(sem2_waiter, (void*)0);
    wait_until_bits(&semaphore[0], CONTESTED);
    while (look(&done) == 0) {
        __atomic_or_fetch(&semaphore[0], 1, __ATOMIC_SEQ_CST);
        expect("SEM2_WAKE", umtx(semaphore, op_sem2_wake, 0, 0, 0), 0);
        yield();
    }
    settled(1);
    expect("SEM2_WAIT that was woken", (int)results[0], 0);
    expect("SEM2_WAKE of the last clears the mark", semaphore[0], 1);

    semaphore[0] = semaphore[1] = semaphore[2] = 0;
    expect("SEM_WAIT that times out", umtx(semaphore, op_sem_wait, 0, SHORT), -etimedout);
    semaphore[0] = 0;
    start_thread(sem_waiter, (void*)0);
    wait_until_bits(&semaphore[0], 1);
    put(&semaphore[1], 1);
    while (look(&done) == 0) {
        expect("SEM_WAKE", umtx(semaphore, op_sem_wake, 0, 0, 0), 0);
        yield();
    }
    settled(1);
    expect("SEM_WAIT that was woken", (int)results[0], 0);
}

static void check_all(void) {
    u32 tid = (u32)own_tid();
    check_words();
    check_mutexes(tid);
    check_robust(tid);
    check_conditions();
    check_rwlocks();
    check_semaphores();
    long least = -1;
    expect("GET_MIN_TIMEOUT", umtx(0, op_get_min_timeout, sizeof least, &least, 0), 0);
    expect("the least time limit", least, 0);
    expect("GET_MIN_TIMEOUT without room", umtx(0, op_get_min_timeout, 4, &least, 0), -einval);
}
