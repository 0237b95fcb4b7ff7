// SPDX-License-Identifier: BSD-2-Clause
// mmap, munmap and mprotect: every flag, where things go, what is refused and how.
#pragma once

#define DENIED "/tmp/memory-file"
enum { o_rdonly = 0, o_wronly = 1 };

// What a child that touches the address dies of; 0 if it lives.
static int dies_at(long address, int write) {
    long child = fork_process();
    if (child == 0) {
        if (write)
            *AT(address) = 1;
        else
            (void)*AT(address);
        finish(0);
    }
    return (int)(status_of(child) & 0x7f);
}

static long file_of(const char* name, word size, int flags) {
    call(call_unlink, name);
    long fd = call(call_open, name, o_rdwr | o_creat | o_trunc, 0644);
    for (word i = 0; i < size; i++)
        call(call_write, fd, "x", 1);
    if (flags == o_rdwr)
        return fd;
    call(call_close, fd);
    return call(call_open, name, flags, 0);
}

static void where(void) {
    long at = map_some(4);
    expect("somewhere", at > 0, 1);
    unmap(at + page, 1);
    expect("a hint that is free", map_at((word)at + page, page, read_write, map_anonymous | map_private, -1, 0), at + page);
    expect("a hint that is not", map_at((word)at, page, read_write, map_anonymous | map_private, -1, 0) != at, 1);
    *AT(at) = 7;
    expect("MAP_FIXED replaces", map_at((word)at, page, read_write, map_anonymous | map_private | map_fixed, -1, 0), at);
    expect("with zeros", *AT(at), 0);
    expect("MAP_FIXED in a page", map_at((word)at + 1, page, read_write, map_anonymous | map_fixed, -1, 0), -einval);
    expect("MAP_FIXED outside", map_at(0x7ffffffff000, 2 * page, read_write, map_anonymous | map_fixed, -1, 0), -einval);
    expect("MAP_FIXED in the kernel", map_at(0xffff800000000000, page, read_write, map_anonymous | map_fixed, -1, 0), -einval);
    expect("a hint in the kernel", map_at(0xffff800000000000, page, read_write, map_anonymous, -1, 0) > 0, 1);
    expect("a hint in the program", map_at((word)start & ~4095ul, page, read_write, map_anonymous, -1, 0) > 0x40000000, 1);
    expect("without SHARED and PRIVATE", map_at(0, page, read_write, map_anonymous, -1, 0) > 0, 1);
    expect("as much as there is", map_at(0, 1ul << 47, none, map_anonymous, -1, 0), -enomem);
    expect("a length that wraps", map_at(0, ~0ul, none, map_anonymous, -1, 0), freebsd ? -enomem : -einval);
    expect("memory with a descriptor", map_at(0, page, read_write, map_anonymous, 0, 0), -einval);
    expect("memory with an offset", map_at(0, page, read_write, map_anonymous, -1, page), -einval);
    expect("a stack that is not writable", map_at(0, 4 * page, readable, map_stack, -1, 0), -einval);
    expect("a stack with a descriptor", map_at(0, 4 * page, read_write, map_stack, 1, 0), -einval);
#if defined(OS_FREEBSD)
    expect("nothing, as programs without a version may", map_at(0x1234, 0, read_write, map_anonymous, -1, 0), 0x1234);
    expect("SHARED and PRIVATE", map_at(0, page, read_write, map_anonymous | 3, -1, 0), -einval);
    expect("an unknown flag", map_at(0, page, read_write, map_anonymous | 0x80, -1, 0), -einval);
    expect("old flags", map_at(0, page, read_write, map_anonymous | 0x60, -1, 0) > 0, 1);
    expect("unknown protection", map_at(0, page, 8, map_anonymous, -1, 0), -einval);
    expect("MAP_FIXED at 0", map_at(0, page, read_write, map_anonymous | map_fixed, -1, 0), -einval);
    expect("MAP_EXCL alone", map_at((word)at, page, read_write, map_anonymous | map_excl, -1, 0), -einval);
    expect("MAP_EXCL", map_at((word)at, page, read_write, map_anonymous | map_excl | map_fixed, -1, 0), -enomem);
    unmap(at, 1);
    expect("MAP_EXCL where it is free", map_at((word)at, page, read_write, map_anonymous | map_excl | map_fixed, -1, 0), at);
    long low = map_at(0, page, read_write, map_anonymous | map_32bit, -1, 0);
    expect("MAP_32BIT", low > 0 && low < 0x80000000l, 1);
    low = map_at((word)at, page, read_write, map_anonymous | map_32bit, -1, 0);
    expect("MAP_32BIT with a hint too high", low > 0 && low < 0x80000000l, 1);
    expect("MAP_32BIT too high", map_at((word)at, page, read_write, map_anonymous | map_32bit | map_fixed, -1, 0), -einval);
    for (int shift = 12; shift < 30; shift++) {
        long aligned = map_at(0, page, none, map_anonymous | shift << 24, -1, 0);
        expect("MAP_ALIGNED", aligned > 0 && (aligned & ((1l << shift) - 1)) == 0, 1);
    }
    expect("MAP_ALIGNED_SUPER", map_at(0, page, none, map_anonymous | map_super, -1, 0) & 0x1fffff, 0);
    expect("MAP_ALIGNED less than a page", map_at(0, page, none, map_anonymous | 11 << 24, -1, 0), -einval);
    expect("MAP_ALIGNED beyond a word", map_at(0, page, none, map_anonymous | 64 << 24, -1, 0), -einval);
    expect("MAP_ALIGNED beyond memory", map_at(0, page, none, map_anonymous | 63 << 24, -1, 0), -enomem);
#else
    expect("nothing", map_at(0, 0, read_write, map_anonymous, -1, 0), -einval);
    long both = map_at(0, page, read_write, map_anonymous | 3, -1, 0);
    expect("SHARED and PRIVATE", both > 0, 1);
    expect("an unknown flag", map_at(0, page, read_write, map_anonymous | 0x60 | 0x8000000, -1, 0) > 0, 1);
    expect("unknown protection", map_at(0, page, 8 | read_write, map_anonymous, -1, 0) > 0, 1);
    expect("MAP_TRYFIXED", map_at((word)at, page, read_write, map_anonymous | map_tryfixed, -1, 0), -enomem);
    expect("MAP_TRYFIXED in a page", map_at((word)at + 1, page, read_write, map_anonymous | map_tryfixed, -1, 0), -einval);
    expect("MAP_TRYFIXED and MAP_FIXED", map_at((word)at, page, read_write, map_anonymous | map_tryfixed | map_fixed, -1, 0), -enomem);
    unmap(at, 1);
    expect("MAP_TRYFIXED where it is free", map_at((word)at, page, read_write, map_anonymous | map_tryfixed, -1, 0), at);
    long aligned = map_at(0, 16 * page, none, map_anonymous | map_sizealign, -1, 0);
    expect("MAP_SIZEALIGN", aligned > 0 && (aligned & 0xffff) == 0, 1);
    expect("MAP_SIZEALIGN of no power of two", map_at(0, 3 * page, none, map_anonymous | map_sizealign, -1, 0), -einval);
    expect("large ones are aligned", map_at(0, 0x200000, none, map_anonymous, -1, 0) & 0x1fffff, 0);
    expect("virtual page tables", map_at(0, page, read_write, map_anonymous | map_guard, -1, 0), -eopnotsupp);
#endif
}

static void files(void) {
    const char* name = DENIED;
    long fd = file_of(name, 6000, o_rdwr);
    long shared = map_at(0, 6000, read_write, map_shared, (int)fd, 0), own = map_at(0, 6000, read_write, map_private, (int)fd, 0);
    expect("shared and private", shared > 0 && own > 0, 1);
    *AT(own) = 'p';
    *AT(shared + 1) = 's';
    char got[2];
    call(call_lseek, fd, 0, 0);
#if defined(OS_DRAGONFLY)
    call(call_lseek, fd, 0, 0, 0);
#endif
    expect("read", call(call_read, fd, got, 2), 2);
    expect("what was written to the private one", got[0], 'x');
    expect("what was written to the shared one", got[1], 's');
    expect("the other mapping sees it", *AT(own + 1), 'x'); // its page is its own by now
    expect("behind the end in the last page", *AT(shared + 6001), 0);
    long far = map_at(0, 3 * page, readable, map_shared, (int)fd, 0);
    expect("behind the last page", dies_at(far + 2 * page, 0), 10);
    long within = map_at(0, 100, readable, map_shared, (int)fd, 4096 + 3);
    expect("an offset in a page", within & 4095, 3);
    expect("and its byte", *AT(within), 'x');
    expect("MAP_FIXED needs the same", map_at((word)far, page, readable, map_shared | map_fixed, (int)fd, 3), -einval);
    expect("MAP_FIXED with the same", map_at((word)far + 3, page, readable, map_shared | map_fixed, (int)fd, 3), far + 3);
    expect("a negative offset", map_at(0, page, readable, map_shared, (int)fd, -4096ul), -einval);
    long quiet = map_at(0, page, none, map_shared, (int)fd, 0);
    expect("nothing allowed", dies_at(quiet, 0) != 0, 1);
    expect("nothing said is private", map_at(0, page, read_write, 0, (int)fd, 0) > 0, 1);
    call(call_close, fd);
    expect("no descriptor", map_at(0, page, readable, map_shared, (int)fd, 0), -ebadf);
    fd = file_of(name, 10, o_rdonly);
    expect("to write, shared", map_at(0, page, read_write, map_shared, (int)fd, 0), -eacces);
    expect("to write, private", map_at(0, page, read_write, map_private, (int)fd, 0) > 0, 1);
    shared = map_at(0, page, readable, map_shared, (int)fd, 0);
    expect("mprotect beyond the descriptor", call(call_mprotect, shared, page, read_write), -eacces);
    call(call_close, fd);
    fd = file_of(name, 10, o_wronly);
    expect("to read what can be written", map_at(0, page, readable, map_shared, (int)fd, 0), -eacces);
    expect("to do nothing with it", map_at(0, page, none, map_shared, (int)fd, 0) > 0, 1);
    call(call_close, fd);
    call(call_unlink, name);
    fd = call(call_open, "/dev/zero", o_rdwr, 0);
    shared = map_at(0, page, read_write, map_shared, (int)fd, 0);
    expect("/dev/zero", shared > 0 && *AT(shared) == 0, 1);
    call(call_close, fd);
    fd = call(call_open, "/dev/null", o_rdwr, 0);
    expect("/dev/null", map_at(0, page, readable, map_shared, (int)fd, 0), -einval);
    call(call_close, fd);
    fd = call(call_open, "/tmp", o_rdonly, 0);
    expect("a directory", map_at(0, page, readable, map_shared, (int)fd, 0), -einval);
    call(call_close, fd);
    fd = call(call_kqueue);
    expect("a kqueue", map_at(0, page, readable, map_shared, (int)fd, 0), freebsd ? -enodev : -einval);
    call(call_close, fd);
}

#if defined(OS_FREEBSD)
static void guards(void) {
    long at = map_at(0, 4 * page, none, map_guard, -1, 0);
    expect("MAP_GUARD", at > 0, 1);
    expect("touched", dies_at(at, 0), sigsegv);
    expect("mprotect passes it over", call(call_mprotect, at, page, read_write), 0);
    expect("touched again", dies_at(at, 1), sigsegv);
    expect("MAP_FIXED replaces it", map_at((word)at, page, read_write, map_anonymous | map_fixed, -1, 0), at);
    expect("MAP_EXCL does not", map_at((word)at + page, page, read_write, map_anonymous | map_fixed | map_excl, -1, 0), -enomem);
    expect("MAP_GUARD readable", map_at(0, page, readable, map_guard, -1, 0), -einval);
    expect("MAP_GUARD with memory", map_at(0, page, none, map_guard | map_anonymous, -1, 0), -einval);
    expect("MAP_GUARD private", map_at(0, page, none, map_guard | map_private, -1, 0), -einval);
    expect("MAP_GUARD with an offset", map_at(0, page, none, map_guard, -1, page), -einval);
    long stack = map_at(0, 8 * page, read_write, map_stack, -1, 0);
    expect("MAP_STACK", dies_at(stack + 8 * page - 1, 1), 0);
    expect("down to its guard", dies_at(stack + page, 1), 0);
    expect("which is its first page", dies_at(stack, 1), sigsegv);
    expect("MAP_STACK that is a guard alone", map_at(0, page, read_write, map_stack, -1, 0), -enomem);
}

static void maxima(void) {
    long at = map_at(0, page, readable | read_write << 16, map_anonymous, -1, 0);
    expect("PROT_MAX", at > 0, 1);
    expect("up to it", call(call_mprotect, at, page, read_write), 0);
    expect("beyond it", call(call_mprotect, at, page, executable), -eacces);
    expect("less", call(call_mprotect, at, page, readable | readable << 16), 0);
    expect("which was too much", call(call_mprotect, at, page, read_write), -eacces);
    expect("more again", call(call_mprotect, at, page, readable | read_write << 16), -eacces);
    expect("more than the maximum", map_at(0, page, read_write | readable << 16, map_anonymous, -1, 0), -eopnotsupp);
    expect("in mprotect", call(call_mprotect, at, page, read_write | readable << 16), -eopnotsupp);
    expect("unknown protection", call(call_mprotect, at, page, 8), -einval);
    int on = 1, status = 0;
    expect("PROC_PROTMAX_CTL", call6(call_procctl, 0, 0, 15, (word)&on, 0, 0), 0);
    at = map_some(1);
    expect("implied", call(call_mprotect, at, page, read_write | executable), -eacces);
    at = map_at(0, page, none, map_anonymous, -1, 0);
    expect("not by none", call(call_mprotect, at, page, read_write), 0);
    expect("PROC_PROTMAX_STATUS", call6(call_procctl, 0, 0, 16, (word)&status, 0, 0), 0);
    expect("is active", status, (int)0x80000001);
}
#endif

static void changes(void) {
    long at = map_some(6);
    expect("to read only", call(call_mprotect, at, page, readable), 0);
    expect("a write", dies_at(at, 1) != 0, 1);
    expect("to none", call(call_mprotect, at, page, none), 0);
    expect("a read", dies_at(at, 0) != 0, 1);
    expect("mprotect that wraps", call(call_mprotect, -4096l, 8192, readable), -einval);
    expect("mprotect of nothing", call(call_mprotect, at, 0, readable), 0);
    unmap(at + 2 * page, 1);
    expect("mprotect over a hole", call(call_mprotect, at, 6 * page, read_write), 0);
    expect("in a page", call(call_mprotect, at + 17, 1, read_write), 0);
    expect("munmap over a hole", unmap(at, 6), freebsd ? 0 : -einval);
    if (!freebsd)
        expect("munmap of what is there", unmap(at, 2), 0);
    expect("munmap twice", unmap(at, 1), freebsd ? 0 : -einval);
    expect("munmap of nothing", call(call_munmap, at, 0), freebsd ? -einval : 0);
    expect("munmap that wraps", call(call_munmap, -4096l, 8192), -einval);
    expect("munmap outside", call(call_munmap, 0x7ffffffff000, 8192), -einval);
    expect("munmap at 0", call(call_munmap, 0, 4096), -einval);
}

static void check_mapping(void) {
    where();
    files();
    changes();
#if defined(OS_FREEBSD)
    guards();
    maxima();
#endif
}
