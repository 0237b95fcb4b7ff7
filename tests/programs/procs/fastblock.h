// SPDX-License-Identifier: BSD-2-Clause
// sigfastblock and membarrier of FreeBSD.

enum { set_pointer = 1, unblock = 2, unset_pointer = 3, pending_mark = 1, one_block = 0x10 };

static long fast_block(int command, volatile u32* at) {
    return call(573, command, at);
}

static void check_fastblock(void) {
    static volatile u32 count __attribute__((aligned(4)));
    long own = call(call_getpid);
    catch_signal(sigusr1);
    expect("unblock without a word", fast_block(unblock, 0), -einval);
    expect("unset without a word", fast_block(unset_pointer, 0), -einval);
    expect("no such command", fast_block(9, &count), -einval);
    expect("not aligned", fast_block(set_pointer, (volatile u32*)((word)&count + 1)), -einval);
    expect("set", fast_block(set_pointer, &count), 0);
    expect("set twice", fast_block(set_pointer, &count), -ebusy);
    call(call_kill, own, sigusr1);
    expect("not blocked", signals_seen[sigusr1], 1);

    count = one_block;
    call(call_kill, own, sigusr1);
    expect("blocked", signals_seen[sigusr1], 1);
    expect("the mark", (long)count, one_block | pending_mark);
    expect("unset while blocked", fast_block(unset_pointer, 0), -ebusy);
    expect("unblock while blocked", fast_block(unblock, 0), -ebusy);
    count -= one_block;
    expect("unblock", fast_block(unblock, 0), 0);
    expect("delivered", signals_seen[sigusr1], 2);
    expect("the word", (long)count, 0);
    expect("unblock without a mark", fast_block(unblock, 0), -ebusy);

    // Sleeps are not ended by what is held up, and nothing is lost meanwhile.
    count = one_block;
    long child = fork_process();
    if (child == 0) {
        expect("inherited", fast_block(set_pointer, &count), -ebusy);
        pause_ms(30);
        call(call_kill, own, sigusr1);
        finish(failures != 0);
    }
    long before = clock_ms();
    pause_ms(300);
    expect("a whole sleep", clock_ms() - before >= 299, 1);
    expect("held up", signals_seen[sigusr1], 2);
    expect_child(child, 0);
    count -= one_block;
    if (count == pending_mark)
        fast_block(unblock, 0);
    expect("delivered after the sleep", signals_seen[sigusr1], 3);

    // What nobody can block ends a process all the same, and a fault that is blocked kills.
    child = fork_process();
    if (child == 0) {
        count = one_block;
        call(call_kill, call(call_getpid), sigkill);
        finish(0);
    }
    expect("SIGKILL", status_of(child), sigkill);
    child = fork_process();
    if (child == 0) {
        catch_signal(sigsegv);
        count = one_block;
        word nowhere = 8;
        __asm__("" : "+r"(nowhere));
        *(volatile int*)nowhere = 1;
        finish(0);
    }
    expect("a fault", status_of(child) & 0x7f, sigsegv);

    // A word that is gone is a fault, once.
    child = fork_process();
    if (child == 0) {
        catch_signal(sigsegv);
        volatile u32* gone = (volatile u32*)call(477, 0, 4096, 3, 0x1002, -1, 0);
        fast_block(unset_pointer, 0);
        expect("a word in a page", fast_block(set_pointer, gone), 0);
        call(call_munmap, gone, 4096);
        call(call_kill, call(call_getpid), sigusr1);
        expect("SIGSEGV", signals_seen[sigsegv], 1);
        expect("delivered without a word", signals_seen[sigusr1], 4);
        expect("forgotten", fast_block(unset_pointer, 0), -einval);
        finish(failures != 0);
    }
    expect_child(child, 0);
    expect("unset", fast_block(unset_pointer, 0), 0);
}

static volatile word sides[2], seen_by[2], round_number, rounds_done;
static void other_side(void* unused) {
    (void)unused;
    for (word round = 1; round <= 2000; round++) {
        while (__atomic_load_n(&round_number, __ATOMIC_ACQUIRE) < round)
            yield();
        __atomic_store_n(&sides[1], round, __ATOMIC_RELAXED);
        __asm__ volatile("" : : : "memory"); // the compiler's order only: the barrier is the other one's
        seen_by[1] = __atomic_load_n(&sides[0], __ATOMIC_RELAXED);
        __atomic_store_n(&rounds_done, round, __ATOMIC_RELEASE);
    }
    end_thread();
}

static void check_barriers(void) {
    enum { global = 1, register_private = 0x10, private_one = 8, sync_core = 0x20, register_sync = 0x40 };
    expect("query", call(584, 0, 0, 0), 0x7f);
    expect("flags", call(584, global, 1, 0), -einval);
    expect("no such command", call(584, 0x80, 0, 0), -einval);
    expect("two commands", call(584, 3, 0, 0), -einval);
    expect("global", call(584, global, 0, 0), 0);
    expect("not registered", call(584, private_one, 0, 0), -eperm);
    expect("register", call(584, register_private, 0, 0), 0);
    expect("private", call(584, private_one, 0, 0), 0);
    expect("sync core without", call(584, sync_core, 0, 0), -eperm);
    expect("register", call(584, register_sync, 0, 0), 0);
    expect("sync core", call(584, sync_core, 0, 0), 0);
    start_thread(other_side, 0);
    long lost = 0;
    for (word round = 1; round <= 2000; round++) {
        __atomic_store_n(&round_number, round, __ATOMIC_RELEASE);
        __atomic_store_n(&sides[0], round, __ATOMIC_RELAXED);
        call(584, private_one, 0, 0);
        seen_by[0] = __atomic_load_n(&sides[1], __ATOMIC_RELAXED);
        while (__atomic_load_n(&rounds_done, __ATOMIC_ACQUIRE) < round)
            yield();
        lost += seen_by[0] != round && seen_by[1] != round; // neither saw the other
    }
    expect("rounds in which neither saw the other", lost, 0);
}
