// SPDX-License-Identifier: BSD-2-Clause
// What `core` needs of files, sysctls and core files.
#pragma once

#include "../umtx/threads.h"

enum { call_setuid = 23, call_unlink = 10, call_open = 5, call_read = 3, call_close = 6, call_mkdir = 136, call_rmdir = 137,
       call_chdir = 12, call_chmod = 15, call_link = 9, call_symlink = 57, call_setrlimit = 195, call_sysctl = 202, call_madvise = 75,
       limit_core_ = 4 };
static const word infinity = (1ul << 63) - 1;
static const word long_time[2] = {1000, 0};
static long last_child;
static volatile word marker[4] __attribute__((used)) = {0x1122334455667788, 0, 0x99aabbccddeeff00, 0};

// A number in every register, then a fault.
#define NOWHERE 0xdead000ul
extern const char at_fault[];
extern void die_there(void);
__asm__("die_there: mov $0xdead000, %rax\n"
        "mov $0x101, %rbx\nmov $0x102, %rcx\nmov $0x103, %rdx\nmov $0x104, %rsi\nmov $0x105, %rdi\nmov $0x106, %rbp\n"
        "mov $0x108, %r8\nmov $0x109, %r9\nmov $0x10a, %r10\nmov $0x10b, %r11\nmov $0x10c, %r12\nmov $0x10d, %r13\n"
        "mov $0x10e, %r14\nmov $0x10f, %r15\nmovq %r15, %xmm7\nmov %rsp, rsp_of_fault(%rip)\nstc\n"
        ".globl at_fault\n"
        "at_fault: mov (%rax), %rdx\nud2\n"
        ".local rsp_of_fault\n.comm rsp_of_fault, 8\n");
extern word rsp_of_fault __asm__("rsp_of_fault");

enum { room = 16 << 20 };
static char* contents; // of the core file that was read last; in no core file itself
static void make_room(void) {
    contents = (char*)call(call_mmap_, 0, room, 3, 0x21002, -1); // MAP_NOCORE
}

static long read_file(const char* name) {
    long file = call(call_open, name, 0, 0), size = 0;
    if (file < 0)
        return file;
    for (long got; size < room && (got = call(call_read, file, contents + size, room - size)) > 0;)
        size += got;
    call(call_close, file);
    return size;
}
static void make_file(const char* name) {
    call(call_close, call(call_open, name, 0x201, 0644));
}
static void copy_out(const char* name) {
    static char part[65536];
    long file = call(call_open, name, 0, 0);
    for (long got; (got = call(call_read, file, part, sizeof part)) > 0;)
        for (long done = 0, wrote; done < got && (wrote = call(number_write, 1, part + done, got - done)) > 0;)
            done += wrote;
}

static char* numbered(char* to, long number, const char* end) {
    char digits[24], *at = digits + sizeof digits - 1, *out = to;
    *at = '\0';
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    while ((*out = *at++))
        out++;
    while ((*out++ = *end++))
        ;
    return to;
}

static long set_sysctl(const char* name, const void* value, word size) {
    static const int by_name[2] = {0, 3};
    int mib[24];
    word length = sizeof mib;
    if (call6(call_sysctl, (word)by_name, 2, (word)mib, (word)&length, (word)name, length_of(name)) != 0)
        return -1000;
    return call6(call_sysctl, (word)mib, length / sizeof *mib, 0, 0, (word)value, size);
}
static long try_number(const char* name, int value) {
    return set_sysctl(name, &value, sizeof value);
}
static void set_number(const char* name, int value) {
    expect(name, try_number(name, value), 0);
}
static void set_text(const char* name, const char* value) {
    expect(name, set_sysctl(name, value, length_of(value)), 0);
}

// --- an ELF core file --------------------------------------------------------------------------------------------------------------
struct program_header {
    u32 type, flags;
    word offset, address, physical, file_size, memory_size, align;
};
struct status {
    int version;
    word size, register_size, fpu_size;
    int osreldate, signal, tid;
    word registers[25];
};
#if defined(OS_FREEBSD)
#define OWNER "FreeBSD"
enum { set_words = 22, at_rip = 17, at_rsp = 20, osabi = 9, note_flags = 4 };
// r15 to rax
static const word known[] = {0x10f, 0x10e, 0x10d, 0x10c, 0x10b, 0x10a, 0x109, 0x108, 0x105, 0x104, 0x106, 0x101, 0x103, 0x102, NOWHERE};
#else
#define OWNER "CORE"
enum { set_words = 25, at_rip = 20, at_rsp = 23, osabi = 0, note_flags = 0 };
static const word known[] = {0x105, 0x104, 0x103, 0x102, 0x108, 0x109, NOWHERE, 0x101, 0x106, 0x10a, 0x10b, 0x10c, 0x10d, 0x10e, 0x10f};
#endif

static void check_status(const struct status* status, int signal) {
    expect("pr_version", status->version, 1);
    expect("pr_statussz", (long)status->size, 48 + set_words * 8);
    expect("pr_gregsetsz", (long)status->register_size, set_words * 8);
    expect("pr_fpregsetsz", (long)status->fpu_size, 512);
    expect("pr_cursig", status->signal, signal);
    if (signal != 11)
        return;
    for (word i = 0; i < sizeof known / sizeof known[0]; i++)
        expect("a register", (long)status->registers[i], (long)known[i]);
    expect("rip", (long)status->registers[at_rip], (long)at_fault);
    expect("carry", status->registers[at_rip + 2] & 1, 1);
}

// Says what is in the notes and checks what is known.
static void check_notes(const struct program_header* notes, int signal) {
    u32 threads = 0;
    print(" notes");
    for (word at = notes->offset, end = at + notes->file_size; at + 12 <= end;) {
        const u32* head = (const u32*)(contents + at);
        const char *name = contents + at + 12, *bytes = name + ((head[0] + 3) & ~3u);
        expect("whose note", same(name, OWNER), 1);
        int of_thread = head[2] < 3 || head[2] == 7 || head[2] > 16;
        if (!of_thread || threads == 0 || (threads == 1 && head[2] != 1)) {
            print(" ");
            print_number(head[2]);
        }
        if (head[2] == 1 && threads++ == 0)
            check_status((const struct status*)bytes, signal);
        if (head[2] == 2 && threads == 1 && signal == 11)
            expect("xmm7", *(const long*)(bytes + 160 + 16 * 7), 0x10f);
        at = (word)(bytes - contents) + ((head[1] + 3) & ~3u);
    }
    print(" threads ");
    print_number(threads);
}

static const char* byte_at(const struct program_header* headers, u32 count, word address) {
    for (u32 i = 1; i < count; i++)
        if (address >= headers[i].address && address - headers[i].address < headers[i].file_size)
            return contents + headers[i].offset + (address - headers[i].address);
    return 0;
}

static void describe(int signal) {
    const char* head = contents;
    u32 count = *(const unsigned short*)(head + 56), secrets = 0;
    const struct program_header* headers = (const struct program_header*)(head + *(const word*)(head + 32));
    expect("magic", *(const u32*)head, 0x464c457f);
    expect("osabi", head[7], osabi);
    expect("ET_CORE", *(const unsigned short*)(head + 16), 4);
    expect("PT_NOTE first", headers[0].type, 4);
    expect("its flags", headers[0].flags, note_flags);
    check_notes(&headers[0], signal);
    for (u32 i = 1; i < count; i++) {
        expect("PT_LOAD", headers[i].type, 1);
        expect("page aligned", headers[i].offset % 4096, 0);
        const char* first = contents + headers[i].offset;
        secrets += headers[i].file_size == 4096 && first[0] == 'S' && first[4095] == 'S';
    }
    const char* word_of_data = byte_at(headers, count, (word)&marker[2]);
    expect("a segment with the data", word_of_data != 0, 1);
    if (word_of_data)
        expect("a word of it", *(const long*)word_of_data, (long)marker[2]);
    expect("no text", byte_at(headers, count, (word)at_fault) == 0, 1);
    expect("no secret", secrets, 0);
    print("\n");
}
