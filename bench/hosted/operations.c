// SPDX-License-Identifier: BSD-2-Clause
// Times operations of an operating system from inside, without a C library, for OS_FREEBSD or OS_LINUX: prints the
// nanoseconds of one, by name. argv[1] is what to time, argv[2] how often; argv[1] "exit" just ends.
typedef unsigned long word;

#if defined(OS_LINUX)
enum { call_read = 0, call_write = 1, call_pipe = 22, call_getppid = 110, call_fork = 57, call_exec = 59, call_exit = 60,
       call_wait = 61, call_clock_gettime = 228, monotonic = 1 };
#else
enum { call_read = 3, call_write = 4, call_pipe = 542, call_getppid = 39, call_fork = 2, call_exec = 59, call_exit = 1,
       call_wait = 7, call_clock_gettime = 232, monotonic = 4 };
#endif

static word call(word number, word a, word b, word c, word d) {
    register word r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "+a"(number), "+d"(c), "+r"(r10), "+D"(a), "+S"(b) : : "rcx", "r8", "r9", "r11", "memory", "cc");
    return number;
}

static void finish(int status) {
    for (;;)
        call(call_exit, (word)status, 0, 0, 0);
}

static word now(void) {
    long time[2];
    call(call_clock_gettime, monotonic, (word)time, 0, 0);
    return (word)time[0] * 1000000000 + (word)time[1];
}

static int same(const char* a, const char* b) {
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static void print(const char* text) {
    word size = 0;
    while (text[size])
        size++;
    call(call_write, 1, (word)text, size, 0);
}

static void print_number(word number) {
    char text[24], *at = text + sizeof text;
    *--at = 0;
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    print(at);
}

static void null_calls(word count) {
    while (count-- != 0)
        call(call_getppid, 0, 0, 0, 0);
}

static void round_trips(word count) {
    int there[2], back[2];
    char byte = 0;
    call(call_pipe, (word)there, 0, 0, 0);
    call(call_pipe, (word)back, 0, 0, 0);
    word pid = call(call_fork, 0, 0, 0, 0);
    int in = pid == 0 ? there[0] : back[0], out = pid == 0 ? back[1] : there[1];
    while (count-- != 0) {
        if (pid == 0) {
            call(call_read, (word)in, (word)&byte, 1, 0);
            call(call_write, (word)out, (word)&byte, 1, 0);
        } else {
            call(call_write, (word)out, (word)&byte, 1, 0);
            call(call_read, (word)in, (word)&byte, 1, 0);
        }
    }
    if (pid == 0)
        finish(0);
    call(call_wait, pid, 0, 0, 0);
}

static const char* self;

static void processes(word count) {
    while (count-- != 0) {
        word pid = call(call_fork, 0, 0, 0, 0);
        if (pid == 0) {
            const char* arguments[] = {self, "exit", 0};
            call(call_exec, (word)self, (word)arguments, (word)(arguments + 2), 0);
            finish(127);
        }
        int status = -1;
        call(call_wait, pid, (word)&status, 0, 0);
        if (status != 0)
            finish(1);
    }
}

__attribute__((used)) void start(word* stack) {
    if (stack[0] < 3 || same((const char*)stack[2], "exit"))
        finish(0);
    self = (const char*)stack[1];
    const char* what = (const char*)stack[2];
    word count = 0;
    for (const char* digit = (const char*)stack[3]; *digit; digit++)
        count = count * 10 + (word)(*digit - '0');
    void (*operation)(word) = same(what, "null") ? null_calls : same(what, "pipe") ? round_trips : processes;
    operation(count / 20 + 1);
    word begin = now();
    operation(count);
    print_number((now() - begin) / count);
    print("\n");
    finish(0);
}

#if defined(OS_LINUX)
__asm__(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall start\nud2");
#else
__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2"); // rdi points at argc
#endif
