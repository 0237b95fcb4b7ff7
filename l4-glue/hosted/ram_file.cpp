// SPDX-License-Identifier: BSD-2-Clause
// The file that plays a jail's RAM. A tmpfs of its own, mounted nowhere, may use huge pages whatever the
// host's setting for shared memory is: memory that is touched, mapped and given back by 2 MiB costs a tenth.
// Where that is refused it is an ordinary memory file.
#include "l4-glue/hosted/ram_file.hpp"

#include <csignal>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace glue::hosted {

namespace {

int call(long number, long a, long b, const void* c = nullptr, const void* d = nullptr, long e = 0) {
    return static_cast<int>(syscall(number, a, b, c, d, e));
}

// Needs the right to mount.
int open_on_own_tmpfs(std::uint64_t size) {
    char bytes[24];
    std::snprintf(bytes, sizeof bytes, "%llu", static_cast<unsigned long long>(size));
    int file = -1, mount = -1;
    int system = static_cast<int>(syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC));
    if (system >= 0 && call(SYS_fsconfig, system, FSCONFIG_SET_STRING, "huge", "always") == 0 &&
        call(SYS_fsconfig, system, FSCONFIG_SET_STRING, "size", bytes) == 0 &&
        call(SYS_fsconfig, system, FSCONFIG_CMD_CREATE) == 0)
        mount = static_cast<int>(
            syscall(SYS_fsmount, system, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
    if (mount >= 0)
        file = openat(mount, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    close(mount);
    close(system);
    return file;
}

bool write_text(const char* path, const char* text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool done = write(file, text, std::strlen(text)) == static_cast<ssize_t>(std::strlen(text));
    close(file);
    return done;
}

// Who is not root has that right in a user namespace: a child that shares memory and descriptors with us, and
// ends before we go on, makes the file there.
struct Order {
    std::uint64_t size;
    char users[32], groups[32];
    int file;
};

int make_in_namespace(void* argument) {
    auto& order = *static_cast<Order*>(argument);
    if (write_text("/proc/self/uid_map", order.users) && write_text("/proc/self/setgroups", "deny") &&
        write_text("/proc/self/gid_map", order.groups))
        order.file = open_on_own_tmpfs(order.size);
    return 0;
}

int open_in_user_namespace(std::uint64_t size) {
    Order order{size, {}, {}, -1};
    std::snprintf(order.users, sizeof order.users, "0 %u 1", geteuid());
    std::snprintf(order.groups, sizeof order.groups, "0 %u 1", getegid());
    alignas(16) static char stack[64 << 10];
    int child = clone(make_in_namespace, stack + sizeof stack,
                      CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD, &order);
    if (child > 0)
        waitpid(child, nullptr, 0);
    return order.file;
}

} // namespace

int make_ram_file(std::uint64_t size) {
    constexpr std::uint64_t huge = 2 << 20;
    std::uint64_t room = (size + huge - 1) / huge * huge;
    int file = open_on_own_tmpfs(room);
    if (file < 0)
        file = open_in_user_namespace(room);
    if (file < 0)
        file = memfd_create("libelle-ram", MFD_CLOEXEC);
    if (file >= 0 && ftruncate(file, static_cast<off_t>(size)) != 0) {
        close(file);
        return -1;
    }
    return file;
}

} // namespace glue::hosted
