// SPDX-License-Identifier: BSD-2-Clause
// Core files. `core report` lets children die in many ways and says what it found of their core files; `core dump` lets one die
// with a known number in every register and writes its core file to the standard output.
#include "file.h"

enum { sigquit = 3, sigterm = 15, sigsegv = 11, sigill = 4, user = 1001 };

static void limit_core(word bytes) {
    word limit[2] = {bytes, infinity};
    expect("setrlimit", call(call_setrlimit, limit_core_, limit), 0);
}

static void second_thread(void* argument) {
    put((u32*)argument, 1);
    for (;;)
        call(call_nanosleep, long_time, 0);
}

// What children do; each ends by a signal.
static void plain(void) {
    die_there();
}
static void by_quit(void) {
    call(call_kill, call(call_getpid), sigquit);
}
static void by_term(void) {
    call(call_kill, call(call_getpid), sigterm);
}
static void without_limit(void) {
    limit_core(0);
    die_there();
}
static void with_small_limit(void) {
    limit_core(8192);
    die_there();
}
static void with_threads(void) {
    static volatile u32 runs[2];
    start_thread(second_thread, (void*)&runs[0]);
    start_thread(second_thread, (void*)&runs[1]);
    wait_until_bits(&runs[0], 1);
    wait_until_bits(&runs[1], 1);
    die_there();
}
static void as_user(void) {
    expect("setuid", call(call_setuid, user), 0);
    die_there();
}
static void without_secret(void) {
    char* secret = (char*)call(call_mmap_, 0, 4096, 3, 0x1002, -1);
    for (int i = 0; i < 4096; i++)
        secret[i] = 'S';
    expect("madvise", call(call_madvise, secret, 4096, 8), 0); // MADV_NOCORE
    die_there();
}

static int status_of(void (*way)(void)) {
    long pid = fork_process();
    if (pid == 0) {
        way();
        finish(99);
    }
    int status = -1;
    expect("wait4", call(call_wait4, pid, &status, 0, 0), pid);
    last_child = pid;
    return status;
}

static void core_of(const char* what, void (*way)(void), int signal, const char* name) {
    print(what);
    expect("status", status_of(way), signal | 0x80);
    long size = read_file(name);
    expect("a core file", size > 4096, 1);
    if (size > 0)
        describe(signal);
    call(call_unlink, name);
}
static void no_core_of(const char* what, void (*way)(void), int signal, const char* name) {
    print(what);
    print(": none\n");
    expect("status", status_of(way), signal);
    expect("no core file", read_file(name) <= 0, 1);
    call(call_unlink, name);
}

static void places(void) {
    expect("link", call(call_symlink, "/tmp/core/elsewhere", "core.core"), 0);
    no_core_of("by a symbolic link", plain, sigsegv, "elsewhere");
    call(call_unlink, "core.core");
    make_file("one");
    expect("link", call(call_link, "one", "core.core"), 0);
    no_core_of("with two names", plain, sigsegv, "nothing");
    call(call_unlink, "core.core");
    call(call_unlink, "one");
    expect("mkdir", call(call_mkdir, "core.core", 0755), 0);
    no_core_of("where a directory is", plain, sigsegv, "nothing");
    call(call_rmdir, "core.core");
    make_file("core.core"); // root's
    set_number("kern.sugid_coredump", 1);
    no_core_of("over another's file", as_user, sigsegv, "nothing");
    call(call_unlink, "core.core");
    no_core_of("in another's directory", as_user, sigsegv, "core.core");
    expect("chmod", call(call_chmod, "/tmp/core", 0777), 0);
    core_of("of changed ids", as_user, sigsegv, "core.core");
    set_number("kern.sugid_coredump", 0);
    no_core_of("of changed ids, not wanted", as_user, sigsegv, "core.core");
}

static void names(void) {
    set_text("kern.corefile", "/tmp/core/%N-%U-%S%%%z.x");
    core_of("by its name", plain, sigsegv, "core-0-11%.x");
    set_text("kern.corefile", "%P.core");
    expect("status", status_of(plain), sigsegv | 0x80);
    char name[32];
    expect("by its number", call(call_unlink, numbered(name, last_child, ".core")), 0);
    set_text("kern.corefile", "%I.core");
    for (int i = 0; i < 6; i++)
        expect("status", status_of(plain), sigsegv | 0x80);
    for (int i = 0; i < 5; i++)
        expect("by its index", call(call_unlink, numbered(name, i, ".core")), 0);
    expect("no sixth", call(call_unlink, "5.core"), -2);
    set_text("kern.corefile", "%N.core");
    set_number("kern.coredump", 0);
    no_core_of("switched off", plain, sigsegv, "core.core");
    set_number("kern.coredump", 1);
    long pid = fork_process();
    if (pid == 0) {
        call(call_setuid, user);
        finish(try_number("kern.coredump", 0) == -eperm ? 0 : 1);
    }
    expect_child(pid, 0);
}

static void report(void) {
    limit_core(infinity);
    core_of("of a fault", plain, sigsegv, "core.core");
    core_of("of SIGQUIT", by_quit, sigquit, "core.core");
    core_of("of threads", with_threads, sigsegv, "core.core");
    core_of("without a secret", without_secret, sigsegv, "core.core");
    no_core_of("of SIGTERM", by_term, sigterm, "core.core");
    no_core_of("with limit 0", without_limit, sigsegv, "core.core");
    no_core_of("with a small limit", with_small_limit, sigsegv, "core.core");
    places();
    names();
}

__attribute__((used)) void start(word* stack) {
    char** arguments = (char**)(stack + 1);
    make_room();
    call(call_mkdir, "/tmp/core", 0755);
    expect("chdir", call(call_chdir, "/tmp/core"), 0);
    if (stack[0] > 1 && same(arguments[1], "dump")) {
        limit_core(infinity);
        expect("status", status_of(stack[0] > 2 ? with_threads : plain), sigsegv | 0x80);
        copy_out("core.core");
    } else {
        report();
    }
    finish(failures != 0);
}
