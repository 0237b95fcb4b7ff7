// SPDX-License-Identifier: BSD-2-Clause
// POSIX shared memory of FreeBSD: shm_open2, shm_unlink, shm_rename, memfd with seals; pages of umtx words.

enum { allow_sealing = 1, grow_on_write = 2, large_page = 4, no_replace = 1, exchange = 2 };
enum { f_add_seals = 19, f_get_seals = 20, seal_seal = 1, seal_shrink = 2, seal_grow = 4, seal_write = 8 };
enum { map_shared = 1, map_private = 2, prot_rw = 3 };

static long shm_open2(const char* name, int flags, int mode, int kind) {
    return call(571, name, flags, mode, kind, 0);
}
static word* map_file(long fd, int protection, int flags) {
    return (word*)call(477, 0, 4096, protection, flags, fd, 0);
}
static int failed(const void* address) {
    return (word)address > (word)-4096;
}

static void check_shared_memory(void) {
    char name[32] = "/procs-test-1", bytes[8] = "seven..";
    long fd = shm_open2(name, o_rdwr | o_creat | o_excl | o_cloexec, 0600, 0);
    expect("create", fd >= 0, 1);
    expect("create again", shm_open2(name, o_rdwr | o_creat | o_excl, 0600, 0), -eexist);
    expect("without a slash", shm_open2("nothing", o_rdwr | o_creat, 0600, 0), -einval);
    expect("write only", shm_open2(name, 1, 0600, 0), -einval);
    expect("another flag", shm_open2(name, o_rdwr | 8, 0600, 0), -einval);
    expect("another kind", shm_open2(name, o_rdwr, 0600, 8), -einval);
    expect("large pages", shm_open2(name, o_rdwr, 0600, large_page), -enotty);
    expect("nowhere", shm_open2((char*)16, o_rdwr, 0600, 0), -efault);
    expect("no such", shm_open2("/procs-test-2", o_rdwr, 0600, 0), -enoent);
    expect("beyond its size", call(call_write, fd, bytes, 4), 0);
    expect("size", call(call_truncate, fd, 4100), 0);
    expect("write", call(call_write, fd, bytes, 7), 7);
    expect("seek", call(call_lseek, fd, 4098, 0), 4098);
    expect("cut at the end", call(call_write, fd, bytes, 7), 2);
    expect("seek beyond", call(call_lseek, fd, 5000, 0), -einval);
    word* memory = map_file(fd, prot_rw, map_shared);
    expect("map", failed(memory), 0);
    expect("what was written", ((char*)memory)[3], 'e');
    ((char*)memory)[3] = 'E';
    long child = fork_process();
    if (child == 0) { // another process finds it by its name
        char got[8] = "";
        long other = shm_open2(name, 0, 0, 0);
        expect("open in another process", other >= 0, 1);
        expect("read", call(call_read, other, got, 7), 7);
        expect("what was stored", got[3], 'E');
        expect("a shared writable mapping", failed(map_file(other, prot_rw, map_shared)), 1);
        word* copy = map_file(other, prot_rw, map_private);
        expect("a private one", failed(copy), 0);
        copy[0] = 0;
        call(call_setuid, 1001);
        expect("another user", shm_open2(name, o_rdwr, 0, 0), -eacces);
        expect("another user unlinks", call(483, name), -eacces);
        finish(failures != 0);
    }
    expect_child(child, 0);
    expect("untouched by the copy", ((char*)memory)[3], 'E');
    word stat[28] = {0};
    expect("fchmod", call(124, fd, 0640), 0);
    expect("fstat", call(call_fstat, fd, stat), 0);
    expect("mode", *(unsigned short*)((char*)stat + 24), 0100640);
    expect("size in fstat", (long)stat[14], 4100);

    long second = shm_open2("/procs-test-2", o_rdwr | o_creat, 0600, 0);
    expect("rename over nothing", call(572, name, "/procs-test-3", exchange), -enoent);
    expect("rename with both flags", call(572, name, "/procs-test-2", 3), -einval);
    expect("rename that may not replace", call(572, name, "/procs-test-2", no_replace), -eexist);
    expect("exchange", call(572, name, "/procs-test-2", exchange), 0);
    long found = shm_open2("/procs-test-2", 0, 0, 0);
    char got[8] = "";
    call(call_read, found, got, 7);
    expect("exchanged", got[3], 'E');
    expect("rename over the other", call(572, "/procs-test-2", name, 0), 0);
    expect("the old name", shm_open2("/procs-test-2", 0, 0, 0), -enoent);
    expect("truncated when opened", shm_open2(name, o_rdwr | o_trunc, 0, 0) >= 0, 1);
    call(call_fstat, fd, stat);
    expect("no size", (long)stat[14], 0);
    expect("unlink", call(483, name), 0);
    expect("unlink again", call(483, name), -enoent);
    expect("its descriptor lives", call(call_truncate, fd, 10), 0);
    call(call_close, second), call(call_close, found), call(call_close, fd);
}

static void check_seals(void) {
    char bytes[16] = "fifteen letters";
    long fd = shm_open2((char*)1, o_rdwr, 0, allow_sealing | grow_on_write);
    expect("memfd", fd >= 0, 1);
    expect("read only", shm_open2((char*)1, 0, 0, 0), -einval);
    expect("write makes it grow", call(call_write, fd, bytes, 15), 15);
    expect("no seals", call(92, fd, f_get_seals, 0), 0);
    word* memory = map_file(fd, prot_rw, map_shared);
    expect("sealed while mapped", call(92, fd, f_add_seals, seal_write), -ebusy);
    call(call_munmap, memory, 4096);
    expect("shrink and grow", call(92, fd, f_add_seals, seal_shrink | seal_grow), 0);
    expect("shrinks", call(call_truncate, fd, 3), -eperm);
    expect("grows", call(call_truncate, fd, 30), -eperm);
    expect("grows by writing", call(call_write, fd, bytes, 1), -eperm);
    expect("write", call(92, fd, f_add_seals, seal_write), 0);
    expect("seek", call(call_lseek, fd, 0, 0), 0);
    expect("write when sealed", call(call_write, fd, bytes, 1), -eperm);
    expect("a writable mapping", (long)map_file(fd, prot_rw, map_shared), -eacces);
    memory = map_file(fd, 1, map_shared);
    expect("a readable one", failed(memory), 0);
    expect("made writable", call(call_mprotect, memory, 4096, prot_rw), -eacces);
    expect("seal seals", call(92, fd, f_add_seals, seal_seal), 0);
    expect("sealed", call(92, fd, f_add_seals, 0), -eperm);
    expect("all seals", call(92, fd, f_get_seals, 0), 15);
    expect("of a pipe", call(92, 1, f_get_seals, 0), -einval);
    long plain = shm_open2((char*)1, o_rdwr, 0, 0);
    expect("not sealable", call(92, plain, f_get_seals, 0), seal_seal);
    expect("not to be sealed", call(92, plain, f_add_seals, seal_write), -eperm);
    call(call_close, plain), call(call_close, fd);
}

static long shared_page(word flags, const volatile void* at) {
    return call(454, 0, 25, flags, at, 0);
}
static void check_pages(void) {
    enum { create = 1, lookup = 2, destroy = 4, alive = 8 };
    volatile word* words = shared_words();
    expect("no page yet", shared_page(lookup, words), -esrch);
    expect("two flags", shared_page(create | lookup, words), -einval);
    expect("nothing there", shared_page(create, (void*)16), -efault);
    long fd = shared_page(create, words + 1);
    expect("create", fd >= 0, 1);
    expect("close on exec", call(92, fd, 1, 0), 1);
    word* page = map_file(fd, prot_rw, map_shared);
    page[0] = 42;
    expect("alive", shared_page(alive, page), 0);
    expect("another word has none", shared_page(lookup, words + 2), -esrch);
    long child = fork_process();
    if (child == 0) { // the same word in another process has the same page
        long other = shared_page(lookup, words + 1);
        word* mine = map_file(other, prot_rw, map_shared);
        expect("the other's store", failed(mine) ? 0 : (long)mine[0], 42);
        expect("create again finds it", (long)map_file(shared_page(create, words + 1), 1, map_shared)[0], 42);
        expect("destroy", shared_page(destroy, words + 1), 0);
        finish(failures != 0);
    }
    expect_child(child, 0);
    expect("not alive", shared_page(alive, page), -enotty);
    expect("destroyed", shared_page(lookup, words + 1), -esrch);
    expect("destroy again", shared_page(destroy, words + 1), -esrch);

    // A page goes with the memory of its word.
    fd = shared_page(create, words);
    page = map_file(fd, prot_rw, map_shared);
    call(call_munmap, words, 4096);
    expect("its word is gone", shared_page(alive, page), -enotty);
    static word private_words[8];
    expect("a word of one's own", shared_page(create, private_words) >= 0, 1);
    expect("a second one", shared_page(lookup, private_words) >= 0, 1);

    word limit[2] = {2, 2};
    expect("RLIMIT_UMTXP", call(call_setrlimit, 14, limit), 0);
    expect("the second", shared_page(create, private_words + 1) >= 0, 1);
    expect("beyond the limit", shared_page(create, private_words + 2), -enomem);

    // The least time that a wait takes.
    long least = -1, span[2] = {0, 1000};
    u32 value = 0;
    expect("negative", call(454, 0, 28, -1, 0, 0), -einval);
    expect("set", call(454, 0, 28, 50000000, 0, 0), 0);
    expect("get", call(454, 0, 27, sizeof least, &least, 0), 0);
    expect("what was set", least, 50000000);
    long before = clock_ms();
    expect("a short wait", call(454, &value, 11, 0, sizeof span, span), -etimedout);
    expect("takes longer", clock_ms() - before >= 49, 1);
}
