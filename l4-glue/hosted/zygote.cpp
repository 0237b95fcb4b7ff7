// SPDX-License-Identifier: BSD-2-Clause
// The personality's side of the zygote (stub/stub.cpp): starting it, and asking it for processes.
#include "l4-glue/hosted/zygote.hpp"

#include "glue/address_space.hpp"
#include "l4-glue/hosted/processors.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

extern "C" const unsigned char libelle_hosted_stub[], libelle_hosted_stub_end[];

namespace glue::hosted {

Zygote zygote;

namespace {

constexpr int stub_socket = 3; // where stub/stub.cpp expects it
constexpr unsigned nobody = 65534;

bool write_all(int descriptor, const unsigned char* bytes, std::size_t size) {
    while (size > 0) {
        ssize_t done = write(descriptor, bytes, size);
        if (done <= 0)
            return false;
        bytes += done;
        size -= static_cast<std::size_t>(done);
    }
    return true;
}

// In the child, a copy of a process without other threads.
[[noreturn]] void become_zygote(int socket, int program) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    if (getuid() == 0 && (setgroups(0, nullptr) != 0 || setresgid(nobody, nobody, nobody) != 0 ||
                          setresuid(nobody, nobody, nobody) != 0))
        _exit(1);
    int moved = fcntl(program, F_DUPFD_CLOEXEC, 10); // not where the socket goes
    if (moved < 0 || dup2(socket, stub_socket) < 0)
        _exit(1);
    if (socket == stub_socket)
        fcntl(socket, F_SETFD, 0);
    char* nothing[] = {nullptr};
    syscall(SYS_execveat, moved, "", nothing, nothing, AT_EMPTY_PATH);
    _exit(1);
}

// With as many namespaces as the host grants.
pid_t clone_process() {
    constexpr unsigned long spaces = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWUTS;
    const unsigned long attempts[] = {spaces, spaces | CLONE_NEWUSER, 0};
    for (unsigned long each : attempts) {
        auto pid = static_cast<pid_t>(syscall(SYS_clone, each | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
        if (pid >= 0)
            return pid;
    }
    return -1;
}

} // namespace

const char* Zygote::start() {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return "no socket";
    int program = memfd_create("libelle-stub", MFD_CLOEXEC);
    if (program < 0 || !write_all(program, libelle_hosted_stub,
                                  static_cast<std::size_t>(libelle_hosted_stub_end - libelle_hosted_stub)))
        return "no memory for the stub";
    fchmod(program, 0555);
    pid_ = clone_process();
    if (pid_ == 0)
        become_zygote(pair[1], program);
    close(program);
    close(pair[1]);
    socket_ = pair[0];
    return pid_ > 0 ? nullptr : "the host refuses a process";
}

bool Zygote::create(const CreateMessage& create, std::span<const int> files, CreatedMessage& created,
                    std::span<int> received) {
    constexpr std::size_t most_files = 3;
    if (files.size() > most_files || received.size() > most_files)
        return false;
    std::lock_guard<std::mutex> lock(mutex_);
    iovec vector{const_cast<CreateMessage*>(&create), sizeof create};
    alignas(cmsghdr) char control[CMSG_SPACE(most_files * sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(files.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(files.size_bytes());
    std::memcpy(CMSG_DATA(header), files.data(), files.size_bytes());
    ssize_t size;
    do
        size = sendmsg(socket_, &message, MSG_NOSIGNAL);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return false;
    created = {};
    vector = {&created, sizeof created};
    message.msg_controllen = sizeof control;
    do
        size = recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    if (size != sizeof created || created.error != 0)
        return false;
    header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(received.size_bytes()))
        return false;
    std::memcpy(received.data(), CMSG_DATA(header), received.size_bytes());
    return true;
}

namespace {

// The last number of a line of a file of /proc; 0 if it is not there.
pid_t last_number(const std::string& path, const char* key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        if (line.rfind(key, 0) == 0)
            return static_cast<pid_t>(std::strtol(line.c_str() + line.find_last_of("\t ") + 1, nullptr, 10));
    return 0;
}

} // namespace

bool find_threads(int pidfd, const CreatedMessage& created, pid_t& process, pid_t* threads) {
    process = last_number("/proc/self/fdinfo/" + std::to_string(pidfd), "Pid:");
    if (process <= 0)
        return false;
    const std::string tasks = "/proc/" + std::to_string(process) + "/task";
    unsigned found = 0;
    std::error_code error;
    for (const auto& each : std::filesystem::directory_iterator(tasks, error)) {
        const pid_t own = last_number(each.path().string() + "/status", "NSpid:");
        for (unsigned cpu = 0; cpu != glue::start().vcpus; ++cpu)
            if (created.thread[cpu] == own) {
                threads[cpu] = std::stoi(each.path().filename());
                settle(threads[cpu], cpu);
                ++found;
            }
    }
    return found == glue::start().vcpus;
}

} // namespace glue::hosted
