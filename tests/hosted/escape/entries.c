// SPDX-License-Identifier: BSD-2-Clause
// Tries every way into the host's kernel, every fault, and segment state that a kernel might trust; each in a child, whose
// end is reported. Whoever gets out makes a file that the test looks for.
#include "bsd.h"

static const char mark[] = "/tmp/libelle-escaped";

// A system call of Linux by x32's numbers, whose effect could be seen outside.
static void x32_call(word number) {
    bsd(0x40000000 | number, (word)mark, 0101, 0666, 0, 0, 0);
    quit(bsd_failed ? 1 : 2);
}

// What Linux would take for a call that makes a file, by every number it has. Whatever BSD takes it for is well.
static void every_number(word first) {
    for (word number = first; number < first + 64; number++) {
        word pid = bsd(call_fork, 0, 0, 0, 0, 0, 0);
        if (pid == 0 && !bsd_failed) {
            word at_working_directory = (word)-100;
            bsd(number, (word)mark, 0101, 0666, 0, 0, 0);
            bsd(number, at_working_directory, (word)mark, 0101, 0666, 0, 0);
            quit(0);
        }
        static const word moment[2] = {0, 500000}, no_hang = 1;
        for (int tries = 0; tries < 400 && bsd(call_wait4, pid, 0, no_hang, 0, 0, 0) == 0; tries++)
            bsd(call_nanosleep, (word)moment, 0, 0, 0, 0, 0);
        bsd(call_kill, pid, 9, 0, 0, 0, 0); // it waits for something
        bsd(call_wait4, pid, 0, 0, 0, 0, 0);
    }
    quit(0);
}

static void int80(word number) {
    __asm__ volatile("int $0x80" ::"a"(number), "b"(mark), "c"(0101), "d"(0666) : "memory");
    quit(2);
}

static void sysenter(word number) {
    __asm__ volatile("mov %%rsp, %%rbp\nsysenter" ::"a"(number), "b"(mark), "c"(0101), "d"(0666) : "memory");
    quit(2);
}

static void vsyscall(word address) {
    __asm__ volatile("call *%0" ::"r"(address), "D"(0), "S"(0) : "memory", "rax", "rcx", "r11");
    quit(2);
}

// A far return to Linux's 32-bit code segment, and a call from there: open(mark, O_CREAT | O_WRONLY, 0666).
static void code32(word way) {
    enum { map_32bit = 0x80000 };
    char* page = map_memory(0, 4096, 7, map_32bit);
    static const char code[3][32] = {
        {(char)0xb8, 5, 0, 0, 0, (char)0xb9, 0x41, 0, 0, 0, (char)0xba, (char)0xb6, 1, 0, 0, (char)0xcd, (char)0x80, (char)0xeb,
         (char)0xfe},
        {(char)0xb8, 5, 0, 0, 0, (char)0xb9, 0x41, 0, 0, 0, (char)0xba, (char)0xb6, 1, 0, 0, 0x0f, 0x05, (char)0xeb, (char)0xfe},
        {(char)0xb8, 5, 0, 0, 0, (char)0xb9, 0x41, 0, 0, 0, (char)0xba, (char)0xb6, 1, 0, 0, (char)0x89, (char)0xe5, 0x0f, 0x34,
         (char)0xeb, (char)0xfe}, // ebp: the stack, as SYSENTER's callers have it
    };
    for (word i = 0; i < sizeof code[0]; i++)
        page[i] = code[way][i];
    for (word i = 0; i < sizeof mark; i++)
        page[512 + i] = mark[i];
    limit_time(500000);
    __asm__ volatile("lea 2048(%0), %%rsp\nlea 512(%0), %%ebx\npush $0x23\npush %0\nlretq" ::"r"(page) : "memory", "rbx");
}

static void fault(word kind) {
    switch (kind) {
    case 0: __asm__ volatile("ud2"); break;
    case 1: __asm__ volatile("int3"); break;
    case 2: __asm__ volatile("xor %%ecx, %%ecx\nmov $1, %%eax\nxor %%edx, %%edx\ndiv %%ecx" ::: "eax", "ecx", "edx"); break;
    case 3: __asm__ volatile("hlt"); break;
    case 4: __asm__ volatile("pushfq\norq $0x100, (%%rsp)\npopfq\nnop\nnop" ::: "memory", "cc"); break;
    case 5: __asm__ volatile("mov (%0), %%al" ::"r"(0x8000000000000000) : "rax"); break;
    case 6: __asm__ volatile("mov (%0), %%al" ::"r"(0xdead000) : "rax"); break;
    case 7: __asm__ volatile("int $3\nint $0x20"); break;
    case 8: __asm__ volatile("jmp *%0" ::"r"(0xffffffff81000000)); break;
    case 9: __asm__ volatile("in $0x60, %%al" ::: "rax"); break;
    case 10: __asm__ volatile("mov %%cr3, %%rax" ::: "rax"); break;
    case 11: { // an unmasked SSE exception
        unsigned control = 0x1f80 & ~0x200u;
        __asm__ volatile("ldmxcsr %0\nxorps %%xmm0, %%xmm0\nmov $1, %%eax\ncvtsi2ss %%eax, %%xmm1\ndivss %%xmm0, %%xmm1"
                         ::"m"(control) : "xmm0", "xmm1", "eax");
        break;
    }
    case 12: __asm__ volatile("wrfsbase %0" ::"r"(0x8000000000000000)); break;
    case 13: __asm__ volatile("mov %0, %%ss" ::"r"(0)); break;
    case 14: __asm__ volatile("mov $-8, %%rsp\npush %%rax" ::: "memory"); break;
    case 15: __asm__ volatile("std\npushfq\norq $0x40000, (%%rsp)\npopfq\nmov 1(%%rsp), %%rax\ncld" ::: "memory", "rax"); break;
    }
    quit(3);
}

static word read_fs(void) {
    word base;
    __asm__ volatile("rdfsbase %0" : "=r"(base));
    return base;
}

// Bases survive system calls; selectors do not harm who uses them.
static void segments(word kind) {
    word base = 0x12345678000 + kind, gs;
    unsigned short selector = kind == 1 ? 0x2b : kind == 2 ? 3 : 0;
    if (kind != 0)
        __asm__ volatile("mov %0, %%fs\nmov %0, %%gs\nmov %0, %%ds\nmov %0, %%es" ::"r"(selector));
    __asm__ volatile("wrfsbase %0\nwrgsbase %1" ::"r"(base), "r"(base + 1));
    for (int i = 0; i < 100; i++)
        bsd(call_sched_yield, 0, 0, 0, 0, 0, 0);
    __asm__ volatile("rdgsbase %0" : "=r"(gs));
    quit(read_fs() == base && gs == base + 1 ? 0 : 1);
}

static void vectors(word seed) {
    unsigned char before[64], after[64];
    for (int i = 0; i < 64; i++)
        before[i] = (unsigned char)(seed + (word)i);
    __asm__ volatile("movups (%0), %%xmm3\nmovups 16(%0), %%xmm15" ::"r"(before) : "memory");
    for (int i = 0; i < 200; i++)
        bsd(call_sched_yield, 0, 0, 0, 0, 0, 0);
    __asm__ volatile("movups %%xmm3, (%0)\nmovups %%xmm15, 16(%0)" ::"r"(after) : "memory");
    int same = 1;
    for (int i = 0; i < 32; i++)
        same &= before[i] == after[i];
    quit(same ? 0 : 1);
}

__attribute__((used)) void start(void) {
    report("x32 openat", in_child(x32_call, 257));
    report("x32 creat", in_child(x32_call, 85));
    for (word first = 0; first < 512; first += 64)
        report("every number", in_child(every_number, first));
    report("int 0x80", in_child(int80, 5));
    report("sysenter", in_child(sysenter, 5));
    report("vsyscall gettimeofday", in_child(vsyscall, 0xffffffffff600000));
    report("vsyscall time", in_child(vsyscall, 0xffffffffff600400));
    report("vsyscall getcpu", in_child(vsyscall, 0xffffffffff600800));
    report("vsyscall elsewhere", in_child(vsyscall, 0xffffffffff600123));
    report("32-bit int 0x80", in_child(code32, 0));
    report("32-bit syscall", in_child(code32, 1));
    report("32-bit sysenter", in_child(code32, 2));
    static const char* const faults[] = {"ud2",          "int3",    "divide",       "hlt",        "single step", "noncanonical",
                                         "wild pointer", "int 3",   "kernel text",  "in",         "cr3",         "SSE exception",
                                         "bad FS base",  "null SS", "stack wraps",  "alignment"};
    for (word i = 0; i < sizeof faults / sizeof *faults; i++)
        report(faults[i], in_child(fault, i));
    report("segment bases", in_child(segments, 0));
    report("user selectors", in_child(segments, 1));
    report("null selectors", in_child(segments, 2));
    report("vector registers", in_child(vectors, 7));
    print("done\n");
    quit(0);
}

__asm__(".globl _start\n_start: and $-16, %rsp\ncall start\nud2");
