// SPDX-License-Identifier: BSD-2-Clause
// Misbehaves as its first argument says: wild, ud2, kernel, hog, spin, stack, badcall. Without a C library, for the
// operating system that OS_FREEBSD, OS_DRAGONFLY or OS_LINUX names. Says what it is about to do first.
typedef unsigned long word;
#if defined(OS_LINUX)
enum { call_write = 1, call_exit = 60, call_mmap = 9, map_flags = 0x22 };
#elif defined(OS_FREEBSD)
enum { call_write = 4, call_exit = 1, call_mmap = 477, map_flags = 0x1002 };
#else
enum { call_write = 4, call_exit = 1, call_mmap = 197, map_flags = 0x1002 };
__asm__(".section .note.tag, \"a\", @note\n.long 10, 4, 1\n.asciz \"DragonFly\"\n.balign 4\n.long 500901\n.text");
#endif

static word syscall6(word number, word a, word b, word c, word d, word e, word f, int* failed) {
    register word r10 __asm__("r10") = d;
    register word r8 __asm__("r8") = e;
    register word r9 __asm__("r9") = f;
    unsigned char carry;
    // DragonFly's mmap takes a padding word before its offset: the offset is the seventh argument, on the stack.
    __asm__ volatile("push $0\npush $0\nsyscall\nsetc %1\nlea 16(%%rsp), %%rsp"
                     : "+a"(number), "=&b"(carry), "+r"(r10), "+r"(r8), "+r"(r9), "+D"(a), "+S"(b), "+d"(c)
                     :
                     : "rcx", "r11", "memory", "cc");
#if defined(OS_LINUX)
    carry = (long)number < 0 && (long)number > -4096;
#endif
    *failed = carry;
    return number;
}

static void print(const char* text) {
    word size = 0;
    int failed;
    while (text[size])
        size++;
    syscall6(call_write, 1, (word)text, size, 0, 0, 0, &failed);
}

static int same(const char* a, const char* b) {
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static void finish(int status) {
    int failed;
    syscall6(call_exit, status, 0, 0, 0, 0, 0, &failed);
}

static int deep(volatile char* above) {
    volatile char page[4096];
    page[0] = *above;
    return deep(page) + page[1];
}

static void hog(void) {
    const word piece = 1 << 20;
    for (int n = 0; n < 1 << 16; n++) {
        int failed;
        volatile char* got = (volatile char*)syscall6(call_mmap, 0, piece, 3, map_flags, (word)-1, 0, &failed);
        if (failed) {
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
        int failed;
        const word error = syscall6(60000, 0, 0, 0, 0, 0, 0, &failed);
        print(failed && error != 0 ? "refused\n" : "accepted\n");
        finish(!failed);
    }
    finish(99);
}

#if defined(OS_LINUX)
__asm__(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall start\nud2");
#else
__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2"); // rdi points at argc
#endif
