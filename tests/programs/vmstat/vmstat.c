// SPDX-License-Identifier: BSD-2-Clause
// Asks what vmstat -i asks, as it does: on FreeBSD with more room until it is enough, on DragonFly after asking for the
// size. Prints who has interrupted; with an argument, how often, too. First it reads its input to the end, and sleeps:
// so something has. Without a C library, for the operating system that OS_FREEBSD or OS_DRAGONFLY names.
typedef unsigned long word;
enum { call_read = 3, call_write = 4, call_exit = 1, call_sysctl = 202, call_nanosleep = 240 };
#if defined(OS_DRAGONFLY)
__asm__(".section .note.tag, \"a\", @note\n.long 10, 4, 1\n.asciz \"DragonFly\"\n.balign 4\n.long 500901\n.text");
#endif
enum { no_memory = 12 };

static long call(word number, word a, word b, word c, word d, word e, word f) {
    register word r10 __asm__("r10") = d;
    register word r8 __asm__("r8") = e;
    register word r9 __asm__("r9") = f;
    unsigned char carry;
    __asm__ volatile("syscall\nsetc %1"
                     : "+a"(number), "=&b"(carry), "+r"(r10), "+r"(r8), "+r"(r9), "+D"(a), "+S"(b), "+d"(c)
                     :
                     : "rcx", "r11", "memory", "cc");
    return carry ? -(long)number : (long)number;
}

static word length(const char* text) {
    word size = 0;
    while (text[size])
        size++;
    return size;
}
static void print(const char* text) {
    call(call_write, 1, (word)text, length(text), 0, 0, 0);
}
static void print_number(word value) {
    char text[21];
    unsigned at = sizeof text - 1;
    text[at] = 0;
    do
        text[--at] = (char)('0' + value % 10);
    while (value /= 10);
    print(text + at);
}
static void finish(const char* why, int status) {
    print(why);
    call(call_exit, (word)status, 0, 0, 0, 0, 0);
}

// sysctlbyname(3): first the number of the name.
static long by_name(const char* name, void* to, word* size) {
    int name_to_number[2] = {0, 3}, mib[24];
    word bytes = sizeof mib;
    long error = call(call_sysctl, (word)name_to_number, 2, (word)mib, (word)&bytes, (word)name, length(name));
    if (error < 0)
        return error;
    return call(call_sysctl, (word)mib, bytes / sizeof *mib, (word)to, (word)size, 0, 0);
}

static char names[1 << 16];
static word counts[1 << 13];

// As each system's vmstat asks.
static word ask(const char* name, void* to, word room) {
    word size = 0;
#if defined(OS_FREEBSD)
    long error = -no_memory;
    for (word next = 64; error == -no_memory && next <= room; next *= 2) {
        size = next;
        error = by_name(name, to, &size);
    }
#else
    long error = by_name(name, 0, &size);
    if (error == 0 && size <= room)
        error = by_name(name, to, &size);
#endif
    if (error != 0)
        finish("refused\n", 1);
    return size;
}

__attribute__((used)) void start(const word* stack) {
    static const struct {
        long seconds, nanoseconds;
    } nap = {0, 20000000};
    while (call(call_read, 0, (word)names, sizeof names, 0, 0, 0) > 0)
        ;
    call(call_nanosleep, (word)&nap, 0, 0, 0, 0, 0);
    word bytes = ask("hw.intrnames", names, sizeof names);
    word size = ask("hw.intrcnt", counts, sizeof counts), rows = 0, total = 0;
    if (bytes == 0 || names[bytes - 1] != 0)
        finish("the names have no end\n", 1);
    for (const char* name = names; name < names + bytes; name += length(name) + 1, rows++) {
        if (rows >= size / sizeof *counts)
            finish("fewer counters than names\n", 1);
        total += counts[rows];
        if (counts[rows] == 0)
            continue;
        print(name);
        if (stack[0] > 1) {
            print(" ");
            print_number(counts[rows]);
        }
        print("\n");
    }
    if (rows != size / sizeof *counts)
        finish("more counters than names\n", 1);
    finish(total != 0 ? "" : "nothing has interrupted\n", total == 0);
}

__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2"); // rdi points at argc
