// SPDX-License-Identifier: BSD-2-Clause
// "#!" interpreters, by the rules of each system, set-id files and what exec resets.

static char text[6000];
static word text_size;
static void add_text(const char* more) {
    while (*more)
        text[text_size++] = *more++;
}
static void write_file(const char* path, const char* content, word size, int mode) {
    call(call_unlink, path);
    long fd = call(call_open, path, 1 | o_creat | o_trunc, mode);
    expect("a file", fd >= 0, 1);
    expect("its content", call(call_write, fd, content, size), (long)size);
    call(call_close, fd);
    call(call_chmod, path, mode);
}
static void write_script(const char* path, const char* content) {
    write_file(path, content, length_of(content), 0755);
}
static char output[8192];
// Runs a file and gathers what it prints; the answer of execve, or its status.
static long run_file(const char* path, const char* argument, word user) {
    const char* arguments[] = {"argv0", argument, 0};
    struct answer ends = call_full(call_pipe, 0, 0, 0, 0, 0, 0);
    long child = fork_process();
    if (child == 0) {
        call(90, ends.second, 1);
        call(call_close, ends.value), call(call_close, ends.second);
        if (same(argument, "whoami"))
            call(call_close, 2);
        if (user)
            call(call_setuid, user);
        finish((int)-call(call_execve, path, arguments, 0));
    }
    call(call_close, ends.second);
    word used = 0;
    for (long got; used < sizeof output - 1 && (got = call(call_read, ends.value, output + used, sizeof output - 1 - used)) > 0;)
        used += (word)got;
    output[used] = 0;
    call(call_close, ends.value);
    return status_of(child);
}
static void expect_output(const char* what, const char* wanted) {
    if (same(output, wanted))
        return;
    expect(what, 0, 1);
    print(output), print("instead of\n"), print(wanted);
}

static void check_scripts(void) {
    write_script("/tmp/script", "#!/bin/procs say one  two \nexit 1\n");
    expect("a script", run_file("/tmp/script", "last", 0), 0);
    expect_output("its arguments", freebsd ? "say one  two\n/tmp/script\nlast\n" : "say\none\ntwo\n/tmp/script\nlast\n");
    write_script("/tmp/script", "#! \t/bin/procs#two");
    if (freebsd) {
        expect("no such interpreter", run_file("/tmp/script", "last", 0), enoent << 8);
    } else { // a comment
        expect("a comment", run_file("/tmp/script", "last", 0), 0);
        expect_output("no argument", "/tmp/script\nlast\n");
    }
    write_script("/tmp/script", "#!/bin/nothing\n");
    expect("a missing interpreter", run_file("/tmp/script", "last", 0), enoent << 8);
    write_script("/tmp/script", "#!\n");
    expect("no interpreter", run_file("/tmp/script", "last", 0), enoexec << 8);
    write_script("/tmp/script", "#!/tmp\n");
    expect("a directory", run_file("/tmp/script", "last", 0), eacces << 8);
    write_script("/tmp/script", "#!/bin/procs\n");
    write_script("/tmp/nested", "#!/tmp/script\n");
    expect("a script for a script", run_file("/tmp/nested", "last", 0), (freebsd ? eloop : enoexec) << 8);
    call(call_chmod, "/tmp/script", 0644);
    expect("not executable", run_file("/tmp/script", "last", 0), eacces << 8);

    add_text("#!/bin/procs say "); // a line of 3000, and one that does not end in the first page
    while (text_size < 3000)
        add_text("x");
    text[text_size] = '\n';
    write_file("/tmp/long", text, text_size + 1, 0755);
    expect("a long line", run_file("/tmp/long", "last", 0), 0);
    expect("its end", output[3000 - 13], '\n');
    while (text_size < 5000)
        text[text_size++] = 'x';
    write_file("/tmp/long", text, text_size, 0755);
    if (freebsd)
        expect("a line that is cut", run_file("/tmp/long", "last", 0), 0);
    else
        expect("a line that is too long", run_file("/tmp/long", "last", 0), enametoolong << 8);
}
