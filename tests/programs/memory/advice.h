// SPDX-License-Identifier: BSD-2-Clause
// What fork makes of memory (minherit), advice, residency, and locking.
#pragma once

enum { share = 0, copy = 1, leave_out = 2, zero = 3 };

// What is at the address in a child that has written there, and here afterwards: child * 256 + here; -1 if the child died.
static int after_fork(long at) {
    *AT(at) = 'p';
    volatile word* told = shared_words();
    long child = fork_process();
    if (child == 0) {
        *told = *AT(at) + 1;
        *AT(at) = 'c';
        finish(0);
    }
    int status = (int)status_of(child);
    int got = status != 0 ? -1 : (int)(*told - 1) * 256 + *AT(at);
    unmap((long)told, 1);
    return got;
}

static void inheritance(void) {
    long at = map_some(3);
    expect("copied", after_fork(at + page), 'p' * 256 + 'p');
    expect("INHERIT_SHARE", call(call_minherit, at + page, page, share), 0);
    expect("shared", after_fork(at + page), 'p' * 256 + 'c');
    expect("its neighbour", after_fork(at), 'p' * 256 + 'p');
    expect("INHERIT_NONE", call(call_minherit, at + page, page, leave_out), 0);
    expect("left out", after_fork(at + page), -1);
    expect("the other neighbour", after_fork(at + 2 * page), 'p' * 256 + 'p');
    expect("INHERIT_ZERO", call(call_minherit, at + page, page, zero), freebsd ? 0 : -einval);
    if (freebsd)
        expect("zeros", after_fork(at + page), 0 * 256 + 'p');
    expect("INHERIT_COPY", call(call_minherit, at, 3 * page, copy), 0);
    expect("copied again", after_fork(at + page), 'p' * 256 + 'p');
    expect("no such inheritance", call(call_minherit, at, page, 4), -einval);
    expect("a negative one", call(call_minherit, at, page, -1), -einval);
    expect("one that wraps", call(call_minherit, -4096l, 8192, copy), -einval);
    unmap(at + page, 1);
    expect("over a hole", call(call_minherit, at, 3 * page, copy), 0);
    long shared = map_at(0, page, read_write, map_anonymous | map_shared, -1, 0);
    expect("shared memory", after_fork(shared), 'p' * 256 + 'c');
    expect("to be copied", call(call_minherit, shared, page, copy), 0);
    expect("is copied", after_fork(shared), 'p' * 256 + 'p');
    // A grandchild shares it, too.
    long at2 = map_some(1);
    call(call_minherit, at2, page, share);
    long child = fork_process();
    if (child == 0) {
        long grandchild = fork_process();
        if (grandchild == 0)
            *AT(at2) = 'g', finish(0);
        finish((int)status_of(grandchild));
    }
    expect_child(child, 0);
    expect("a grandchild's", *AT(at2), 'g');
}

static void advice(void) {
    long at = map_some(4);
    for (int i = 0; i < 4; i++)
        *AT(at + i * page) = 'a';
    for (int i = 0; i <= 4; i++)
        expect("advice", call(call_madvise, at, 4 * page, i), 0);
    expect("MADV_DONTNEED keeps it", *AT(at), 'a');
    expect("MADV_FREE", call(call_madvise, at, page, 5), 0);
    unsigned char kept = *AT(at);
    expect("what it was, or zeros", kept == 'a' || kept == 0, 1);
    *AT(at) = 'b';
    expect("and then what is written", *AT(at), 'b');
    expect("the next page", *AT(at + page), 'a');
    for (int i = 6; i <= 9; i++)
        expect("more advice", call(call_madvise, at, page, i), 0);
    expect("the tenth", call(call_madvise, at, page, 10), 0);
    expect("none such", call(call_madvise, at, page, 11), -einval);
    expect("a negative one", call(call_madvise, at, page, -1), -einval);
    expect("one that wraps", call(call_madvise, -4096l, 8192, 0), -einval);
    expect("outside", call(call_madvise, 0x7ffffffff000, 8192, 0), -einval);
    expect("at 0", call(call_madvise, 0, 4096, 0), freebsd ? -einval : 0);
    unmap(at + page, 1);
    expect("over a hole", call(call_madvise, at, 4 * page, 4), 0);
    expect("free over a hole", call(call_madvise, at, 4 * page, 5), 0);
    long child = fork_process();
    if (child == 0) {
        failures = 0;
        call(call_setuid, 1001);
        expect("MADV_PROTECT of others", call(call_madvise, at, page, 10), freebsd ? -eperm : 0);
        finish(failures != 0);
    }
    expect_child(child, 0);
}

static void residency(void) {
    unsigned char seen[8];
    long at = map_some(200); // far apart: a fault may bring in what is around
    memset(seen, 9, sizeof seen);
    expect("mincore", call(call_mincore, at, 2 * page, seen), 0);
    expect("not touched", seen[0], 0);
    expect("nothing more is written", seen[2], 9);
    *AT(at) = 1;
    expect("mincore", call(call_mincore, at, page, seen), 0);
    expect("written to", seen[0] & 7, 7);
    expect("of 1 byte", call(call_mincore, at + 100, page, seen + 4), 0);
    expect("is one page", seen[5], 9);
    expect("MADV_FREE", call(call_madvise, at, 200 * page, 5), 0);
    expect("mincore", call(call_mincore, at + 190 * page, page, seen), 0);
    expect("untouched", seen[0], 0);
    expect("nothing", call(call_mincore, at, 0, seen), 0);
    expect("no vector", call(call_mincore, at, page, 8), -efault);
    unmap(at + page, 1);
    expect("a hole", call(call_mincore, at, 3 * page, seen), freebsd ? -enomem : 0);
    unmap(at, 3);
    expect("where nothing is", call(call_mincore, at, page, seen), freebsd ? -enomem : 0);
    expect("one that wraps", call(call_mincore, -4096l, 8192, seen), freebsd ? -enomem : -einval);
    expect("outside", call(call_mincore, 0x7ffffffff000, 8192, seen), freebsd ? -enomem : -einval);
    expect("the program", call(call_mincore, (word)start & ~4095ul, page, seen), 0);
    expect("is there", seen[0] & 3, 3);
    long lost = freebsd ? -enomem : -einval;
    long there = map_some(3);
    expect("msync", call(call_msync, there, 3 * page, 0), 0);
    expect("MS_ASYNC", call(call_msync, there, page, 1), 0);
    expect("MS_INVALIDATE", call(call_msync, there, page, 2), 0);
    expect("both", call(call_msync, there, page, 3), -einval);
    expect("of all of it", call(call_msync, there, 0, 0), 0);
    expect("that wraps", call(call_msync, -4096l, 8192, 0), -einval);
    expect("in a page", call(call_msync, there + 5, 1, 0), 0);
    unmap(there + page, 1);
    expect("over a hole", call(call_msync, there, 3 * page, 0), lost);
    expect("in the hole", call(call_msync, there + page, 0, 0), lost);
}

static void locking(void) {
    unsigned char seen[4] = {0, 0, 0, 0};
    long at = map_some(3);
    expect("mlock", call(call_mlock, at, 2 * page), 0);
    call(call_mincore, at, page, seen);
    expect("brings in", seen[0] & 1, 1);
    if (freebsd)
        expect("MS_INVALIDATE of it", call(call_msync, at, page, 2), -ebusy);
    expect("munlock", call(call_munlock, at, 2 * page), 0);
    expect("nothing", call(call_mlock, at, 0), 0);
    expect("one that wraps", call(call_mlock, -4096l, 8192), -einval);
    expect("munlock that wraps", call(call_munlock, -4096l, 8192), -einval);
    long closed = map_at(0, page, none, map_anonymous, -1, 0);
    expect("what may not be touched", call(call_mlock, closed, page), -enomem);
    unmap(at + page, 1);
    expect("a hole", call(call_mlock, at, 3 * page), -enomem);
    expect("munlock of one", call(call_munlock, at, 3 * page), -enomem);
    long huge = map_at(0, 1ul << 40, read_write, map_anonymous, -1, 0);
    expect("more than there is", call(call_mlock, huge, 1ul << 40), freebsd ? -enomem : -eagain);
    expect("mlockall of nothing", call(call_mlockall, 0), -einval);
    expect("mlockall of what is not known", call(call_mlockall, 4), -einval);
    expect("MCL_CURRENT", call(call_mlockall, 1), freebsd ? -eagain : -enosys); // the huge one does not fit
    call(call_munmap, huge, 1ul << 40);
    expect("MCL_CURRENT", call(call_mlockall, 1), freebsd ? 0 : -enosys);
    expect("MCL_FUTURE", call(call_mlockall, 2), 0);
    long later = map_some(40);
    seen[0] = 0;
    call(call_mincore, later + 39 * page, page, seen);
    expect("brings in what is mapped", seen[0] & 1, 1);
    long child = fork_process();
    if (child == 0) {
        failures = 0;
        long next = map_some(200);
        seen[0] = 0;
        call(call_mincore, next + 190 * page, page, seen);
        expect("not in a child", seen[0], 0);
        expect("MCL_CURRENT", call(call_mlockall, 1), freebsd ? 0 : -enosys);
        call(call_munlockall);
        word limit[2] = {16 * page, 16 * page};
        call(call_setrlimit, 6, limit);
        long some = map_some(20);
        expect("up to the limit", call(call_mlock, some, 16 * page), 0);
        expect("beyond it", call(call_mlock, some + 16 * page, page), freebsd ? -enomem : 0);
        expect("all beyond it", call(call_mlockall, 1), freebsd ? -enomem : -enosys);
        call(call_munlock, some, 16 * page);
        call(call_setuid, 1001);
        expect("another user", call(call_mlock, some, page), freebsd ? 0 : -eperm);
        expect("all of another user", call(call_mlockall, 2), freebsd ? 0 : -eperm);
        finish(failures != 0);
    }
    expect_child(child, 0);
    expect("munlockall", call(call_munlockall), 0);
}

// What bounds how much there is: RLIMIT_AS, RLIMIT_DATA and the break, RLIMIT_STACK.
static int deep(int depth) {
    volatile char room[4096];
    room[0] = 0;
    return depth == 0 ? 0 : room[deep(depth - 1)]; // no loop can be made of this
}
static int dies_deep(int pages) {
    long child = fork_process();
    if (child == 0)
        finish(deep(pages));
    return (int)(status_of(child) & 0x7f);
}
static void limits(void) {
#if defined(OS_FREEBSD)
    long at = call(17, 0);
    expect("the break", call(17, at + 5 * page), at + 5 * page);
    expect("is memory", dies_at(at + 5 * page - 1, 1), 0);
    expect("and back", call(17, at + page), at + page);
    expect("is no more", dies_at(at + 3 * page, 1), sigsegv);
#else
    long at = call(69, 0);
    expect("sbrk", call(69, 100), at);
    expect("sbrk in the page", call(69, 100), at + 100);
    expect("sbrk out of it", call(69, 5 * page), at + page);
    expect("is memory", dies_at(at + 6 * page - 1, 1), 0);
    expect("sbrk back", call(69, -4096l), -enomem);
    expect("obreak back", call(17, at + page), 0);
    expect("is no more", dies_at(at + 3 * page, 1), sigsegv);
    expect("obreak below the heap", call(17, at - page), -einval);
#endif
    long child = fork_process();
    if (child == 0) {
        failures = 0;
        word data[2] = {16 * page, 16 * page};
        call(call_setrlimit, 2, data);
        expect("up to RLIMIT_DATA", call(17, at + 16 * page), freebsd ? at + 16 * page : 0);
        expect("beyond it", call(17, at + 17 * page), -enomem);
        word total[2] = {1 << 30, 1 << 30};
        call(call_setrlimit, 10, total);
        long some = map_at(0, 300 << 20, none, map_anonymous, -1, 0);
        expect("below RLIMIT_AS", some > 0, 1);
        expect("beyond RLIMIT_AS", map_at(0, 800 << 20, none, map_anonymous, -1, 0), -enomem);
        call(call_munmap, some, 300 << 20);
        expect("after munmap", map_at(0, 300 << 20, none, map_anonymous, -1, 0) > 0, 1);
        finish(failures != 0);
    }
    expect_child(child, 0);
    expect("a deep stack", dies_deep(600), 0);
    child = fork_process();
    if (child == 0) {
        word stack[2] = {2 << 20, 2 << 20};
        failures = 0;
        call(call_setrlimit, 3, stack);
        expect("below RLIMIT_STACK", dies_deep(300), 0);
        expect("beyond it", dies_deep(600), sigsegv);
        finish(failures != 0);
    }
    expect_child(child, 0);
}

static void check_advice(void) {
    inheritance();
    advice();
    residency();
}
static void check_locking(void) {
    locking();
    limits();
}
