// SPDX-License-Identifier: BSD-2-Clause
// The calls that are tried, and their numbers.
#pragma once

enum { call_msync = 65, call_madvise = 75, call_mincore = 78, call_mlock = 203, call_munlock = 204, call_dup2 = 90 };
enum { call_mlockall = 324, call_munlockall = 325, call_procctl = 544, call_lwp_setname = 542, call_lwp_getname = 549 };
enum { map_shared = 1, map_private = 2, map_fixed = 0x10, map_stack = 0x400, map_nosync = 0x800, map_anonymous = 0x1000, map_guard = 0x2000,
       map_excl = 0x4000, map_nocore = 0x20000, map_prefault_read = 0x40000, map_32bit = 0x80000, map_super = 0x1000000 };
enum { map_tryfixed = 0x10000, map_sizealign = 0x40000 }; // of DragonFly
enum { none = 0, readable = 1, writable = 2, executable = 4, read_write = 3, page = 4096 };
#define AT(address) ((volatile unsigned char*)(address))

// DragonFly's mmap takes a word before the offset: it comes from the stack, where the offset is.
static long map_at(word address, word size, int protection, int flags, int fd, word offset) {
#if defined(OS_FREEBSD)
    return call6(call_mmap_, address, size, (word)protection, (word)flags, (word)fd, offset);
#else
    register word r10 __asm__("r10") = (word)flags;
    register word r8 __asm__("r8") = (word)fd;
    register word r9 __asm__("r9") = 0;
    word result = call_mmap_;
    unsigned char failed;
    __asm__ volatile("push %[offset]\npush $0\nsyscall\nsetc %1\nlea 16(%%rsp), %%rsp"
                     : "+a"(result), "=&b"(failed), "+r"(r10), "+r"(r8), "+r"(r9)
                     : [offset] "r"(offset), "D"(address), "S"(size), "d"((word)protection)
                     : "rcx", "r11", "memory", "cc");
    return failed ? -(long)(u32)result : (long)result;
#endif
}
static long map_some(word pages) {
    return map_at(0, pages * page, read_write, map_anonymous | map_private, -1, 0);
}
static long unmap(long address, word pages) {
    return call(call_munmap, address, pages * page);
}

// A sysctl by its name: its value, or -errno; `wanted` is set if it is not null.
static long setting(const char* name, const int* wanted) {
    int find[2] = {0, 3}, mib[24];
    word length = sizeof mib;
    long found = call6(call_sysctl, (word)find, 2, (word)mib, (word)&length, (word)name, length_of(name));
    if (found < 0)
        return found;
    long value = 0;
    word size = sizeof value;
    found = call6(call_sysctl, (word)mib, length / sizeof *mib, (word)&value, (word)&size, (word)wanted, wanted ? sizeof *wanted : 0);
    return found < 0 ? found : size == sizeof(int) ? (int)value : value;
}
static void set(const char* name, int value) {
    expect(name, setting(name, &value) < 0, 0);
}
