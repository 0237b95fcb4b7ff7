// SPDX-License-Identifier: BSD-2-Clause
// What test programs without a C library have instead: system calls of the system that OS_FREEBSD, OS_DRAGONFLY or OS_LINUX
// names, the entry point (a program defines `void start(word* stack)`, stack pointing at argc), and a little output.
#pragma once

typedef unsigned long word;
typedef unsigned int u32;
#if defined(OS_LINUX)
enum { number_exit = 60, number_write = 1 };
#else
enum { number_exit = 1, number_write = 4 };
#if defined(OS_DRAGONFLY)
__asm__(".section .note.tag, \"a\", @note\n.long 10, 4, 1\n.asciz \"DragonFly\"\n.balign 4\n.long 500901\n.text");
#endif
#endif

struct answer {
    word value, second; // rax and rdx
    int failed;         // then value is the errno
};

static struct answer call_full(word number, word a, word b, word c, word d, word e, word f) {
    register word r10 __asm__("r10") = d;
    register word r8 __asm__("r8") = e;
    register word r9 __asm__("r9") = f;
    unsigned char carry;
    // Arguments from the seventh on are on the stack: zeros (DragonFly's mmap takes a padding word before its offset).
    __asm__ volatile("push $0\npush $0\nsyscall\nsetc %1\nlea 16(%%rsp), %%rsp"
                     : "+a"(number), "=&b"(carry), "+r"(r10), "+r"(r8), "+r"(r9), "+D"(a), "+S"(b), "+d"(c)
                     :
                     : "rcx", "r11", "memory", "cc");
#if defined(OS_LINUX)
    carry = (long)number < 0 && (long)number > -4096;
#endif
    return (struct answer){number, c, carry};
}

// The result, or the negative errno.
static long call6(word number, word a, word b, word c, word d, word e, word f) {
    struct answer got = call_full(number, a, b, c, d, e, f);
    return got.failed ? -(long)(u32)got.value : (long)got.value;
}
#define CALL_PICK(_1, _2, _3, _4, _5, _6, _7, name, ...) name
#define call(...) CALL_PICK(__VA_ARGS__, call6, call5, call4, call3, call2, call1, call0)(__VA_ARGS__)
#define call5(n, a, b, c, d, e) call6(n, (word)(a), (word)(b), (word)(c), (word)(d), (word)(e), 0)
#define call4(n, a, b, c, d) call5(n, a, b, c, d, 0)
#define call3(n, a, b, c) call4(n, a, b, c, 0)
#define call2(n, a, b) call3(n, a, b, 0)
#define call1(n, a) call2(n, a, 0)
#define call0(n) call1(n, 0)

static __attribute__((unused)) word length_of(const char* text) {
    word size = 0;
    while (text[size])
        size++;
    return size;
}

static __attribute__((unused)) void print(const char* text) {
    call(number_write, 1, text, length_of(text));
}

static __attribute__((unused)) void print_number(long value) {
    char digits[24];
    char* at = digits + sizeof digits - 1;
    word rest = value < 0 ? -(word)value : (word)value;
    *at = '\0';
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--at = '-';
    print(at);
}

static __attribute__((unused)) long number_in(const char* text) {
    long value = 0;
    while (*text >= '0' && *text <= '9')
        value = value * 10 + (*text++ - '0');
    return value;
}

static __attribute__((unused)) int same(const char* a, const char* b) {
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static __attribute__((unused, noreturn)) void finish(int status) {
    for (;;)
        call(number_exit, status);
}

#if !defined(OS_LINUX)
// Another thread that begins in `function`; nothing if the system will not have one.
static __attribute__((unused)) void make_thread(void (*function)(word), word argument, char* stack, word stack_size) {
#if defined(OS_FREEBSD)
    struct {
        void (*function)(word);
        word argument;
        char* stack;
        word size, tls_base, tls_size, child_tid, parent_tid, flags, rtprio, spare[3];
    } parameters = {function, argument, stack, stack_size, 0, 0, 0, 0, 0, 0, {0, 0, 0}};
    (void)call(455 /* thr_new */, &parameters, sizeof parameters);
#else
    struct {
        void (*function)(word);
        word argument;
        char* stack;
        word tid1, tid2;
    } parameters = {function, argument, stack + stack_size, 0, 0};
    (void)call(495 /* lwp_create */, &parameters);
#endif
}
#endif

// What compilers ask for where there is no library.
__attribute__((used, weak)) void* memcpy(void* to, const void* from, word size) {
    for (word i = 0; i < size; i++)
        ((char*)to)[i] = ((const char*)from)[i];
    return to;
}
__attribute__((used, weak)) void* memset(void* to, int value, word size) {
    for (word i = 0; i < size; i++)
        ((char*)to)[i] = (char)value;
    return to;
}

#if defined(OS_LINUX)
__asm__(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall start\nud2");
#else
__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2"); // rdi points at argc
#endif
