// SPDX-License-Identifier: BSD-2-Clause
// Process descriptors of FreeBSD: pdfork, pdgetpid, pdkill, what a descriptor tells and what its end does.

enum { pd_daemon = 1, pd_cloexec = 2, evfilt_read = -1, evfilt_procdesc = -8, note_exit_bit = -2147483647 - 1 };
struct kevent_ {
    word ident;
    short filter;
    unsigned short flags;
    int fflags;
    long data;
    word udata, ext[4];
};
struct pollfd_ {
    int fd;
    short events, revents;
};
enum { pollin = 1, pollhup = 0x10, f_getfd = 1, call_fcntl = 92 };

static long pdfork(int* fd, int flags) {
    struct answer made = call_full(518, (word)fd, (word)flags, 0, 0, 0, 0);
    return made.failed ? -(long)made.value : made.second == 1 ? 0 : (long)made.value;
}
static short polled(int fd, int timeout) {
    struct pollfd_ one = {fd, pollin, 0};
    call(call_poll, &one, 1, timeout);
    return one.revents;
}

static void descriptor_tells(void) {
    int fd = -1, pid = -1;
    long child = pdfork(&fd, pd_cloexec);
    if (child == 0) {
        pause_ms(50);
        finish(7);
    }
    expect("pdgetpid", call(520, fd, &pid), 0);
    expect("the pid", pid, child);
    expect("close on exec", call(call_fcntl, fd, f_getfd, 0), 1);
    expect("poll while it runs", polled(fd, 0), 0);
    word stat[28] = {0};
    expect("fstat", call(call_fstat, fd, stat), 0);
    expect("mode of one that runs", *(unsigned short*)((char*)stat + 24), 0100700);
    char byte;
    expect("read", call(call_read, fd, &byte, 1), -eopnotsupp);
    expect("lseek", call(call_lseek, fd, 0, 0), -espipe);
    expect("wait for any", call(call_wait4, -1, 0, 0, 0), -echild);
    long queue = call(call_kqueue);
    struct kevent_ change = {(word)fd, evfilt_procdesc, 1, note_exit_bit, 0, 5, {0}}, event = {0};
    expect("EVFILT_PROCDESC", call6(call_kevent, (word)queue, (word)&change, 1, 0, 0, 0), 0);
    change.filter = evfilt_read;
    expect("EVFILT_READ", call6(call_kevent, (word)queue, (word)&change, 1, 0, 0, 0), -einval);
    expect("poll for its end", polled(fd, 5000), pollhup);
    expect("its event", call6(call_kevent, (word)queue, 0, 0, (word)&event, 1, 0), 1);
    expect("its status", event.data, 7 << 8);
    expect("fflags", event.fflags, note_exit_bit);
    expect("flags", event.flags & 0x8010, 0x8010);
    expect("udata", (long)event.udata, 5);
    change.filter = evfilt_procdesc; // it has ended already: at once
    event = (struct kevent_){0};
    expect("EVFILT_PROCDESC of a zombie", call6(call_kevent, (word)queue, (word)&change, 1, (word)&event, 1, 0), 1);
    expect("its status again", event.data, 7 << 8);
    call(call_fstat, fd, stat);
    expect("mode of a zombie", *(unsigned short*)((char*)stat + 24), 0100000);
    expect("wait by number", status_of(child), 7 << 8);
    expect("the pid when it is gone", call(520, fd, &pid) || pid != child, 0);
    expect("pdkill when it is gone", call(519, fd, 0), -esrch);
    expect("poll when it is gone", polled(fd, 0), pollhup);
    call(call_close, fd);
    call(call_close, queue);
}

static void descriptor_kills(void) {
    int fd = -1;
    catch_signal(sigchld);
    signals_seen[sigchld] = 0;
    long child = pdfork(&fd, 0);
    if (child == 0)
        for (;;)
            pause_ms(1000);
    expect("signal 0", call(519, fd, 0), 0);
    expect("signal 129", call(519, fd, 129), -einval);
    expect("pdkill", call(519, fd, sigterm), 0);
    expect("poll", polled(fd, 5000), pollhup);
    expect("status", status_of(child), sigterm);
    expect("SIGCHLD", signals_seen[sigchld], 0);
    call(call_close, fd);

    volatile word* words = shared_words();
    for (int daemon = 0; daemon < 2; daemon++) { // closing kills, or does not
        words[0] = words[1] = words[2] = 0;
        child = pdfork(&fd, daemon ? pd_daemon : 0);
        if (child == 0) {
            words[0] = 1;
            while (!__atomic_load_n(&words[1], __ATOMIC_SEQ_CST))
                pause_ms(1);
            words[2] = (word)call(call_getppid);
            finish(0);
        }
        wait_for_word(&words[0], 1);
        call(call_close, fd);
        expect("not ours any more", call(call_wait4, child, 0, wnohang, 0), -echild);
        if (daemon) {
            expect("it lives", call(call_kill, child, 0), 0);
            words[1] = 1;
            wait_for_word(&words[2], 1); // init
        }
        for (int i = 0; i < 2000 && call(call_kill, child, 0) == 0; i++)
            pause_ms(1);
        expect("it is gone", call(call_kill, child, 0), -esrch);
    }
    child = pdfork(&fd, 0); // a zombie goes with its descriptor
    if (child == 0)
        finish(0);
    expect("its end", polled(fd, 5000), pollhup);
    expect("a zombie", call(call_kill, child, 0), 0);
    call(call_close, fd);
    expect("no zombie", call(call_kill, child, 0), -esrch);
    on_signal(sigchld, 0);
}

static void check_descriptors(void) {
    int fd = -1;
    expect("flags", pdfork(&fd, 8), -einval);
    expect("no descriptor", call(520, 77, &fd), -ebadf);
    expect("another kind", call(520, 1, &fd), -einval);
    expect("pdkill of another kind", call(519, 1, 9), -einval);
    descriptor_tells();
    descriptor_kills();
    int first = -1;
    long child = pdfork(&first, 0);
    if (child == 0) // the child has no descriptor of itself
        finish(call(call_fcntl, 3, f_getfd, 0) == -ebadf ? 0 : 1);
    expect("the first free number", first, 3);
    expect("the child's table", status_of(child), 0);
    call(call_close, first);
}
