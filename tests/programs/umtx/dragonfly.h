// SPDX-License-Identifier: BSD-2-Clause
// umtx_sleep(word, value, microseconds) and umtx_wakeup(word, count).

enum { umtx_sleep_ = 469, umtx_wakeup_ = 470, sigaction_ = 342 };

static volatile u32 word_, done_, results[4];

static void sleeper(void* index) {
    put(&results[(word)index], (u32)-call(umtx_sleep_, &word_, 1, 0));
    __atomic_add_fetch(&done_, 1, __ATOMIC_SEQ_CST);
    end_thread();
}

static void handler(int signal) {
    (void)signal;
}

static void wake_until(u32 count, long how_many) {
    while (look(&done_) < count) {
        call(umtx_wakeup_, &word_, how_many);
        yield();
    }
}

static void check_all(void) {
    word_ = 1;
    expect("sleep on another value", call(umtx_sleep_, &word_, 2, 0), -ebusy);
    expect("sleep that times out", call(umtx_sleep_, &word_, 1, 1000), -eagain);
    expect("sleep with a negative limit", call(umtx_sleep_, &word_, 1, -1), -einval);
    expect("sleep on half a word", call(umtx_sleep_, (word)&word_ + 2, 1, 0), -efault);
    expect("sleep on nothing", call(umtx_sleep_, 0x10000, 1, 0), -einval);
    expect("wake with nobody there", call(umtx_wakeup_, &word_, 1), 0);
    expect("wake all with nobody there", call(umtx_wakeup_, &word_, 0), 0);
    expect("wake on half a word", call(umtx_wakeup_, (word)&word_ + 1, 1), -efault);
    expect("wake on nothing", call(umtx_wakeup_, 0x10000, 1), -einval);

    start_thread(sleeper, (void*)0);
    wake_until(1, 1);
    expect("a woken sleep", look(&results[0]), 0);
    put(&done_, 0);
    for (word i = 1; i < 4; i++)
        start_thread(sleeper, (void*)i);
    wake_until(3, 0);
    for (int i = 1; i < 4; i++)
        expect("a sleep woken with others", look(&results[i]), 0);

    // Between processes: the word lies at the same place of shared memory.
    volatile u32* shared = shared_memory();
    put(shared, 1);
    long child = fork_process();
    if (child == 0) {
        put(shared + 1, 1);
        long got = call(umtx_sleep_, shared, 1, 0);
        finish(got == 0 || got == -ebusy ? 7 : 1);
    }
    wait_until_bits(shared + 1, 1);
    put(shared, 0);
    call(umtx_wakeup_, shared, 1);
    expect_child(child, 7);

    // A signal ends the sleep with EINTR, restartable or not.
    put(shared, 1), put(shared + 1, 0);
    child = fork_process();
    if (child == 0) {
        struct {
            void (*handler)(int);
            u32 flags, mask[4], padding;
        } action = {handler, 2, {0}, 0}; // SA_RESTART
        call(sigaction_, 30, &action, 0);
        put(shared + 1, 1);
        finish(call(umtx_sleep_, shared, 1, 0) == -eintr ? 7 : 1);
    }
    wait_until_bits(shared + 1, 1);
    int status = -1;
    do { // a signal before the sleep does not end it
        call(call_kill, child, 30);
        yield();
    } while (call(call_wait4, child, &status, 1, 0) == 0);
    expect("sleep that a signal ends", status, 7 << 8);
}
