// SPDX-License-Identifier: BSD-2-Clause
// Misbehaves as its first argument says: wild, ud2, kernel, hog, spin, stack, badcall. Without a C library, for the
// operating system that OS_FREEBSD, OS_DRAGONFLY or OS_LINUX names. Says what it is about to do first.
#include "../system.h"

#if defined(OS_LINUX)
enum { call_mmap = 9, map_flags = 0x22 };
#elif defined(OS_FREEBSD)
enum { call_mmap = 477, map_flags = 0x1002 };
#else
enum { call_mmap = 197, map_flags = 0x1002 };
#endif

static int deep(volatile char* above) {
    volatile char page[4096];
    page[0] = *above;
    return deep(page) + page[1];
}

static void hog(void) {
    const word piece = 1 << 20;
    for (int n = 0; n < 1 << 16; n++) {
        long got_or_error = call(call_mmap, 0, piece, 3, map_flags, -1);
        volatile char* got = (volatile char*)got_or_error;
        if (got_or_error < 0) {
            print("refused\n");
            finish(0);
        }
        for (word at = 0; at < piece; at += 4096)
            got[at] = 1;
    }
    print("never refused\n");
    finish(1);
}

__attribute__((used)) void start(word* stack) {
    const char* what = stack[0] > 1 ? (const char*)stack[2] : "";
    print(what);
    print("\n");
    if (same(what, "wild"))
        *(volatile int*)0xdead000 = 1;
    if (same(what, "noncanonical"))
        *(volatile int*)0x8000000000000000 = 1;
    if (same(what, "ud2"))
        __asm__ volatile("ud2");
    if (same(what, "kernel"))
        ((void (*)(void))0xffffffff80200000)();
    if (same(what, "privileged"))
        __asm__ volatile("cli");
    if (same(what, "stack"))
        finish(deep((volatile char*)&stack));
    if (same(what, "hog"))
        hog();
    if (same(what, "spin"))
        for (;;)
            ;
    if (same(what, "badcall")) {
        const long refused = call(60000);
        print(refused < 0 ? "refused\n" : "accepted\n");
        finish(refused >= 0);
    }
    finish(99);
}
