// SPDX-License-Identifier: BSD-2-Clause
// User ids: who may take which, what marks a process as one with changed ids, set-id files, names.

enum { call_setgid = 181, call_seteuid = 183, call_setreuid = 126, call_issetugid = 253, call_setresuid = 311, call_getresuid = 360 };
enum { call_getlogin = 49, call_setlogin = 50, call_chown = 16, call_getegid = 43 };

static void expect_ids(const char* what, u32 real, u32 effective, u32 saved) {
    u32 ids[3] = {77, 77, 77};
    call(call_getresuid, &ids[0], &ids[1], &ids[2]);
    expect(what, ids[0] * 1000000l + ids[1] * 1000 + ids[2], real * 1000000l + effective * 1000 + saved);
}

static void rules_of_ids(void) {
    expect("not changed", call(call_issetugid), 0);
    expect("to what it is", call(call_setuid, 0), 0);
    expect("still not changed", call(call_issetugid), 0);
    expect("setresuid", call(call_setresuid, 1, 2, 3), 0);
    expect("changed", call(call_issetugid), 1);
    expect_ids("three of them", 1, 2, 3);
    expect("setuid to the saved id", call(call_setuid, 3), -eperm);
    expect("seteuid to the saved id", call(call_seteuid, 3), 0);
    expect("seteuid to the real id", call(call_seteuid, 1), 0);
    expect("seteuid to another", call(call_seteuid, 2), -eperm);
    expect("setresuid between them", call(call_setresuid, 3, 1, -1), 0);
    expect_ids("after that", 3, 1, 3);
    expect("setreuid to the effective id", call(call_setreuid, 1, -1), -eperm);
    expect("setreuid of the effective one", call(call_setreuid, -1, 3), 0);
    expect_ids("nothing to save", 3, 3, 3);
    expect("back to nobody else", call(call_setuid, 1), -eperm);
    char name[40];
    expect("setlogin", call(call_setlogin, "other"), -eperm);
    expect("getlogin", call(call_getlogin, name, sizeof name), 0);
    expect("the name", same(name, "root"), 1);
#if defined(OS_FREEBSD)
    expect("too little room for it", call(call_getlogin, name, 4), -34);
    expect("setloginclass", call(524, "staff"), -eperm);
#endif
}

static void check_ids(void) {
    each_limit(rules_of_ids);
    // This program as a set-id file tells who it is.
    static char copy[1 << 16];
    long fd = call(call_open, "/bin/procs", 0, 0);
    long size = call(call_read, fd, copy, sizeof copy);
    call(call_close, fd);
    expect("all of this program", size > 0 && size < (long)sizeof copy, 1);
    write_file("/tmp/setid", copy, (word)size, 0755);
    expect("chown", call(call_chown, "/tmp/setid", 1005, 1006), 0);
    expect("plain", run_file("/tmp/setid", "whoami", 1001), 0);
    expect_output("ids of a plain file", "1001 1001 1001 0 0 0\n"); // what setuid has marked is forgotten
    expect("chmod", call(call_chmod, "/tmp/setid", 06755), 0);
    expect("set-id", run_file("/tmp/setid", "whoami", 1001), 0);
    expect_output("ids of a set-id file", "1001 1005 1005 1006 1 1\n");
    write_script("/tmp/idscript", "#!/bin/procs whoami\n");
    call(call_chown, "/tmp/idscript", 1005, 1006);
    call(call_chmod, "/tmp/idscript", 06755);
    expect("a set-id script", run_file("/tmp/idscript", "last", 1001), 0);
    expect_output("gives nothing", "1001 1001 1001 0 0 1\n");
#if defined(OS_FREEBSD)
    long child = fork_process();
    if (child == 0) {
        failures = 0;
        int on = 1;
        expect("PROC_NO_NEW_PRIVS", call(544, 0, 0, 19, &on), 0);
        expect("its status", call(544, 0, 0, 20, &on) || on != 1, 0);
        expect("set-id", run_file("/tmp/setid", "whoami", 1001), 0);
        expect_output("gives nothing", "1001 1001 1001 0 0 0\n");
        finish(failures != 0);
    }
    expect_child(child, 0);
    char name[40] = "";
    expect("setloginclass", call(524, "staff"), 0);
    expect("getloginclass", call(523, name, sizeof name), 0);
    expect("the class", same(name, "staff"), 1);
    expect("too little room for it", call(523, name, 5), -34);
    expect("no class", call(524, ""), -einval);
#endif
}

// What a set-id file prints: real, effective, saved uid, effective gid, issetugid, whether 0 to 2 are open.
static void tell_ids(void) {
    u32 ids[3];
    call(call_getresuid, &ids[0], &ids[1], &ids[2]);
    for (int i = 0; i < 3; i++)
        print_number(ids[i]), print(" ");
    print_number(call(call_getegid)), print(" "), print_number(call(call_issetugid)), print(" ");
    print_number(call(92, 0, 1, 0) >= 0 && call(92, 1, 1, 0) >= 0 && call(92, 2, 1, 0) >= 0), print("\n");
}
