// SPDX-License-Identifier: BSD-2-Clause
// ktrace(2) and utrace(2): traces itself and its children, and says what is in the file. Also who may, and what ends it.
#include "../umtx/threads.h"

enum { call_ktrace = 45, call_utrace = 335, call_open = 5, call_read = 3, call_close = 6, call_unlink = 10, call_setuid = 23, call_getppid = 39,
       call_setrlimit = 195, call_mkdir = 136, call_socket = 97, call_connect = 98, call_getuid = 24, call_setpgid = 82 };
enum { set = 0, clear = 1, clear_file = 2, descend = 4 };
enum { sys_call = 1 << 1, sys_return = 1 << 2, path = 1 << 3, bytes = 1 << 4, signal_ = 1 << 5, switches = 1 << 6, user_data = 1 << 7,
       structures = 1 << 8, faults = 3 << 13, inherit = 0x40000000 };
#define FILE "/tmp/ktrace.out"
static const u32 usual = sys_call | sys_return | path | bytes | signal_ | user_data | structures;
#if defined(OS_FREEBSD)
enum { call_sigaction = 416, type_mask = 0x3fff, pid_at = 8, name_at = 12 };
#else
enum { call_sigaction = 342, type_mask = 0xffff, pid_at = 8, name_at = 16 };
#endif
enum { header_size = 64, sigusr1 = 30 };

static char* file;
static long file_size;

static long ktrace(int operation, u32 points, long pid) {
    return call(call_ktrace, FILE, operation, points, pid);
}
// Its number is the one that Linux lets pass every filter (uretprobe), which the hosted platform has to notice.
static long utrace(const void* data, word size) {
    return call(call_utrace, data, size, 0);
}
static void make_file(void) {
    call(call_close, call(call_open, FILE, 0x601, 0644));
}
static void read_file(void) {
    long descriptor = call(call_open, FILE, 0, 0);
    file_size = 0;
    for (long got; (got = call(call_read, descriptor, file + file_size, (1 << 20) - file_size)) > 0;)
        file_size += got;
    call(call_close, descriptor);
}

static u32 u32_at(const char* at) {
    return *(const u32*)at;
}
static void print_text(const char* text, word size) {
    print(" \"");
    call(number_write, 1, text, size);
    print("\"");
}
static void describe(const char* record, word size, u32 type) {
    switch (type) {
    case 1:
        print("CALL ");
        print_number(*(const short*)record);
        print(" of ");
        print_number(*(const short*)(record + 2));
        expect("size of a call", size, 8 + 8 * *(const short*)(record + 2));
        break;
    case 2:
        print("RET ");
        print_number(*(const short*)record);
        print(" error ");
        print_number((int)u32_at(record + 4));
        break;
    case 3:
        print("NAMI");
        print_text(record, size);
        break;
    case 4:
        print(u32_at(record + 4) ? "WRITE" : "READ");
        print_text(record + 8, size - 8);
        break;
    case 5:
        print("PSIG ");
        print_number(u32_at(record));
        print(*(const word*)(record + 8) ? " handled" : " default");
        break;
    case 7:
        print("USER");
        print_text(record, size);
        break;
    case 8:
        print("STRU ");
        print(record);
        break;
    case 10:
        print("CTOR");
        break;
    case 11:
        print("DTOR");
        break;
    default:
        print("? ");
        print_number(type);
    }
    print("\n");
}

// Records of this process, or of its child.
static void tell(int of_child) {
    read_file();
    long self = call(call_getpid);
    for (long at = 0; at + header_size <= file_size;) {
        word size = u32_at(file + at);
        expect("the command", same(file + at + name_at, "ktraced"), 1);
        int child = u32_at(file + at + pid_at) != self;
        if (child == of_child) {
            print(child ? "child " : "self ");
            describe(file + at + header_size, size, *(const unsigned short*)(file + at + 4) & type_mask);
        }
        at += header_size + size;
        if (at > file_size)
            expect("whole records", at, file_size);
    }
}
static int count_of(u32 type) {
    int count = 0;
    read_file();
    for (long at = 0; at + header_size <= file_size; at += header_size + u32_at(file + at))
        count += (*(const unsigned short*)(file + at + 4) & type_mask) == type;
    return count;
}

static void nothing(int signal) {
    (void)signal;
}
static void handle(void) {
    struct {
        void (*handler)(int);
        int flags;
        u32 mask[4], padding;
    } action = {nothing, 0, {0}, 0};
    call(call_sigaction, sigusr1, &action, 0);
}

static void sequence(void) {
    make_file();
    expect("KTROP_SET", ktrace(set, usual | inherit, call(call_getpid)), 0);
    call(call_open, "/nowhere", 0, 0);
    long descriptor = call(call_open, "/tmp/data", 0x602, 0644);
    call(number_write, descriptor, "some bytes", 10);
    call(call_close, descriptor);
    utrace("a mark", 6);
#if defined(OS_FREEBSD)
    static char status_of_file[224];
    call(552, -100, "/tmp/data", status_of_file, 0);
    static const struct {
        unsigned char length, family;
        char path[14];
    } name = {16, 1, "/tmp/nobody"};
    descriptor = call(call_socket, 1, 1, 0);
    call(call_connect, descriptor, &name, sizeof name);
    call(call_close, descriptor);
#endif
    call(call_kill, call(call_getpid), sigusr1);
    long pid = fork_process();
    if (pid == 0) {
        call(call_getppid);
        finish(3);
    }
    int status = 0;
    call(call_wait4, pid, &status, 0, 0);
    expect("KTROP_CLEAR", ktrace(clear, usual, call(call_getpid)), 0);
    call(call_getuid);
    tell(0);
    tell(1);
    call(call_unlink, "/tmp/data");
}

static void others(void) {
    make_file();
    volatile u32* flag = shared_memory();
    long pid = fork_process();
    if (pid == 0) {
        while (look(flag) == 0) {
            call(call_getuid);
            yield();
        }
        finish(0);
    }
    expect("of another", ktrace(set, sys_call, pid), 0);
    while (count_of(1) < 100)
        yield();
    expect("KTROP_CLEARFILE", ktrace(clear_file, 0, 0), 0);
    int before = count_of(1);
    for (int i = 0; i < 20; i++)
        yield();
    expect("no more", count_of(1), before);
    expect("by group", ktrace(set, sys_call, -call(81 /* getpgrp */)), 0);
    expect("all of it again", ktrace(clear | descend, sys_call, call(call_getpid)), 0);
    expect("no points", ktrace(set, 0, pid), -einval);
    expect("no operation", ktrace(3, sys_call, pid), -einval);
    expect("no process", ktrace(set, sys_call, 99998), -esrch);
    expect("no group", ktrace(set, sys_call, -99998), -esrch);
    expect("no such group", ktrace(set, sys_call, (long)0xffffffff80000000), -esrch);
    expect("no file", call(call_ktrace, "/nowhere", set, sys_call, pid), -2);
    expect("a directory", call(call_ktrace, "/tmp", set, sys_call, pid) < 0, 1);
    expect("a device", call(call_ktrace, "/dev/null", set, sys_call, pid), -13);
    expect("untraced utrace", utrace(0, 1 << 20), 0);
    long other = fork_process();
    if (other == 0) {
        make_file();
        call(15 /* chmod */, FILE, 0666);
        call(call_setuid, 1001);
        expect("of root's", ktrace(set, sys_call, pid), -eperm);
        finish(failures != 0);
    }
    expect_child(other, 0);
    put(flag, 1);
    expect_child(pid, 0);
}

static void ends(void) {
    make_file();
    long pid = fork_process();
    if (pid == 0) {
        word limit[2] = {2000, 2000};
        call(call_setrlimit, 1, limit); // the file may not become larger
        expect("KTROP_SET", ktrace(set, sys_call | user_data, call(call_getpid)), 0);
        for (int i = 0; i < 100; i++)
            call(call_getuid);
        expect("it ends by itself", utrace(0, 1 << 20), 0);
        finish(failures != 0);
    }
    expect_child(pid, 0);
    read_file();
    expect("a file of that size", file_size > 1800 && file_size <= 2000, 1);
    make_file();
    expect("KTROP_SET", ktrace(set, user_data | switches | faults, call(call_getpid)), 0);
    expect("utrace of too much", utrace(file, 2049), -einval);
    expect("utrace of nothing there", utrace((void*)0xdead000, 8), -efault);
    word time[2] = {0, 1000000};
    call(call_nanosleep, time, 0);
    char* fresh = (char*)call(call_mmap_, 0, 4096, 3, 0x1002, -1);
    *fresh = 1;
    expect("KTROP_CLEAR", ktrace(clear, ~0u, call(call_getpid)), 0);
    expect("out and in", count_of(6) >= 2, 1);
#if defined(OS_FREEBSD)
    expect("a fault and its end", count_of(13) >= 1 && count_of(13) == count_of(14), 1);
#endif
}

__attribute__((used)) void start(word* stack) {
    (void)stack;
    file = (char*)call(call_mmap_, 0, 1 << 20, 3, 0x1002, -1);
    handle();
    sequence();
    others();
    ends();
    call(call_unlink, FILE);
    finish(failures != 0);
}
