// SPDX-License-Identifier: BSD-2-Clause
// The pages that DragonFly's programs share with the kernel, as its C library finds its way in them.
#pragma once

#if defined(OS_DRAGONFLY)
enum { ticks = 0x8200, up_time = 0x8501, wall_time = 0x8502, tick_rate = 0x8304, fork_id = 0x311, own_pid = 0x212, title = 0xa13,
       vforks = 0x214, own_tid_ = 0x4214, own_title = 0x4a13, page_version = 0x201 };
enum { map_bytes = 65536 };

struct header {
    unsigned short type, offset;
};
// What the page has of a type; null if it is not there.
static volatile void* in_page(long at, int type) {
    for (const struct header* each = (const struct header*)at; each->type; each++)
        if (each->type == type)
            return (volatile char*)at + each->offset;
    return 0;
}
static long map_device(const char* name, int protection, int access) {
    long fd = call(call_open, name, access, 0);
    if (fd < 0)
        return fd;
    long at = map_at(0, map_bytes, protection, map_shared, (int)fd, 0);
    call(call_close, fd);
    return at;
}
static u32 number(long at, int type) {
    volatile u32* value = in_page(at, type);
    return value ? *value : 0xffffffff;
}

static void clock_page(void) {
    expect("kpmap to write", call(call_open, "/dev/kpmap", o_rdwr, 0), -eperm);
    long at = map_device("/dev/kpmap", readable, 0);
    expect("kpmap", at > 0, 1);
    expect("its version", number(at, page_version), 1);
    expect("ticks a second", number(at, tick_rate), 100);
    expect("is not to be written", dies_at(at, 1) != 0, 1);
    expect("mprotect", call(call_mprotect, at, page, read_write), -eacces);
    expect("its end", dies_at(at + 2 * page, 0), 10);
    volatile u32* tick = in_page(at, ticks);
    volatile long(*up)[2] = in_page(at, up_time);
    volatile long(*wall)[2] = in_page(at, wall_time);
    expect("all of it", tick && up && wall, 1);
    u32 before = *tick;
    long told[2], true_time[2], last = 0;
    for (int i = 0; i < 20; i++) {
        pause_ms(10);
        u32 at_tick;
        do {
            at_tick = *tick;
            told[0] = up[at_tick & 1][0], told[1] = up[at_tick & 1][1];
        } while (*tick - at_tick > 1);
        call(call_clock, 4, true_time); // later
        long now = told[0] * 1000 + told[1] / 1000000, real = true_time[0] * 1000 + true_time[1] / 1000000;
        expect("it does not go back", now >= last, 1);
        expect("it is not ahead", now <= real, 1);
        last = now;
    }
    expect("ticks", *tick - before >= 2, 1);
    expect("the wall clock's year", wall[*tick & 1][0] > 1700000000, 1);
    // A thread that computes sees time pass, too.
    u32 then = *tick;
    long start_time = clock_ms();
    while (*tick == then && clock_ms() - start_time < 20000) {
    }
    expect("a tick while it computes", *tick != then, 1);
}

static void process_page(void) {
    long at = map_device("/dev/upmap", read_write, o_rdwr);
    expect("upmap", at > 0, 1);
    expect("its pid", number(at, own_pid), call(call_getpid));
    expect("no vfork", number(at, vforks), 0);
    volatile word* told = shared_words();
    long second = map_device("/dev/upmap", read_write, o_rdwr);
    expect("mapped again it is the same", *(volatile word*)in_page(second, fork_id), *(volatile word*)in_page(at, fork_id));
    long child = fork_process();
    if (child == 0) {
        failures = 0;
        expect("the child's pid", number(at, own_pid), call(call_getpid));
        expect("in both mappings", number(second, own_pid), call(call_getpid));
        told[0] = *(volatile word*)in_page(at, fork_id);
        *(volatile u32*)in_page(at, own_pid) = 5;
        finish(failures != 0);
    }
    expect_child(child, 0);
    expect("another fork id", told[0] != *(volatile word*)in_page(at, fork_id), 1);
    expect("still its own pid", number(at, own_pid), call(call_getpid));
    struct answer made = call_full(call_vfork, 0, 0, 0, 0, 0, 0);
    if (!made.failed && made.second == 1) {
        told[1] = number(at, vforks);
        told[2] = number(at, own_pid);
        finish(0);
    }
    expect("in a vfork's child", (long)told[1], 1);
    expect("it is the parent's", (long)told[2], call(call_getpid));
    expect_child((long)made.value, 0);
    expect("after it", number(at, vforks), 0);
    volatile char* name = in_page(at, title);
    const char* wanted = "a title of its own";
    for (int i = 0; i == 0 || wanted[i - 1]; i++)
        name[i] = wanted[i];
    char shown[64] = "";
    word size = sizeof shown;
    int mib[4] = {1, 14, 7, (int)call(call_getpid)};
    expect("kern.proc.args", call6(call_sysctl, (word)mib, 4, (word)shown, (word)&size, 0, 0), 0);
    expect("shows it", same(shown, wanted), 1);
    long fd = call(call_open, "/dev/upmap", o_rdwr, 0);
    expect("a private mapping", map_at(0, page, readable, map_private, (int)fd, 0), -einval);
    call(call_close, fd);
}

static volatile u32 done;
static long other_tid;
static void other_thread(void* main_page) {
    long at = map_device("/dev/lpmap", read_write, o_rdwr);
    expect("its tid", number(at, own_tid_), own_tid());
    expect("the other one's", number((long)main_page, own_tid_) != number(at, own_tid_), 1);
    other_tid = number(at, own_tid_);
    put(&done, 1);
    end_thread();
}
static void thread_page(void) {
    long at = map_device("/dev/lpmap", read_write, o_rdwr);
    expect("lpmap", at > 0, 1);
    expect("its tid", number(at, own_tid_), own_tid());
    start_thread(other_thread, (void*)at);
    wait_until_bits(&done, 1);
    expect("two threads", other_tid != own_tid(), 1);
    volatile char* name = in_page(at, own_title);
    name[0] = 'n', name[1] = 0;
    char shown[20] = "";
    expect("lwp_getname", call(call_lwp_getname, own_tid(), shown, sizeof shown), 0);
    expect("what the page has", same(shown, "n"), 1);
    expect("lwp_setname", call(call_lwp_setname, own_tid(), "other"), 0);
    expect("is in the page", same((const char*)name, "other"), 1);
    long child = fork_process();
    if (child == 0) {
        failures = 0;
        expect("the child's tid", number(at, own_tid_), own_tid());
        finish(failures != 0);
    }
    expect_child(child, 0);
}

static void check_user_pages(void) {
    clock_page();
    process_page();
    thread_page();
}
#else
static void check_user_pages(void) {
    expect("kpmap", call(call_open, "/dev/kpmap", 0, 0), -enoent);
    expect("upmap", call(call_open, "/dev/upmap", 0, 0), -enoent);
    expect("lpmap", call(call_open, "/dev/lpmap", 0, 0), -enoent);
}
#endif
