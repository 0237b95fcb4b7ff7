// SPDX-License-Identifier: BSD-2-Clause
#include "cli/machine.hpp"

#include "cli/error.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace cli {

namespace {

constexpr int kvm_answer_ms = 4000;

std::vector<std::string> arguments(const MachineOptions& options, Accelerator accelerator,
                                   const std::string& socket) {
    std::vector<std::string> out = {"qemu-system-x86_64",
                                    "-nodefaults",
                                    "-no-user-config",
                                    "-M",
                                    "q35",
                                    "-m",
                                    std::to_string(options.memory >> 20) + "M",
                                    "-smp",
                                    std::to_string(options.cores),
                                    "-display",
                                    "none",
                                    "-no-reboot"};
    const auto add = [&](std::initializer_list<const char*> more) {
        out.insert(out.end(), more.begin(), more.end());
    };
    if (options.iso.empty())
        out.insert(out.end(), {"-kernel", options.kernel, "-initrd", options.module});
    else
        out.insert(out.end(), {"-cdrom", options.iso});
    switch (accelerator) {
    case Accelerator::kvm:
        add({"-accel", "kvm", "-cpu", "host"});
        break;
    case Accelerator::emulation:
        add({"-accel", "tcg,thread=multi", "-cpu", "max"});
        break;
    case Accelerator::counted_emulation:
        // One guest instruction is one virtual nanosecond; rep strings would count once an iteration.
        add({"-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", "max,-erms,-fsrm"});
        break;
    }
    add({"-chardev", "stdio,id=log,signal=off", "-serial", "chardev:log"});
    out.push_back("-chardev");
    out.push_back("socket,id=control,server=on,wait=off,path=" + socket);
    add({"-serial", "chardev:control"});
    out.insert(out.end(), options.extra.begin(), options.extra.end());
    return out;
}

} // namespace

const char* accelerator_name(Accelerator accelerator) {
    switch (accelerator) {
    case Accelerator::kvm:
        return "KVM";
    case Accelerator::emulation:
        return "software emulation";
    case Accelerator::counted_emulation:
        return "software emulation, instruction-counted";
    }
    return "?";
}

Machine::Machine(const MachineOptions& options, Accelerator accelerator)
    : socket_(options.directory + "/control") {
    int log[2];
    int errors[2];
    if (pipe2(log, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0)
        throw UserError(std::string("pipe: ") + std::strerror(errno));
    unlink(socket_.c_str());
    const auto words = arguments(options, accelerator, socket_);
    std::vector<char*> argv;
    for (const auto& word : words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ < 0)
        throw UserError(std::string("fork: ") + std::strerror(errno));
    if (pid_ == 0) {
        // A group of its own, so that Ctrl-C reaches libelle first; and never longer alive than libelle.
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        const int null = open("/dev/null", O_RDONLY);
        dup2(null, 0);
        dup2(log[1], 1);
        dup2(errors[1], 2);
        execvp(argv[0], argv.data());
        dprintf(2, "%s: %s (run scripts/deps)\n", argv[0], std::strerror(errno));
        _exit(127);
    }
    close(log[1]);
    close(errors[1]);
    log_fd_ = log[0];
    error_fd_ = errors[0];
    fcntl(log_fd_, F_SETFL, O_NONBLOCK);
    fcntl(error_fd_, F_SETFL, O_NONBLOCK);
}

Machine::~Machine() {
    kill();
    close(log_fd_);
    close(error_fd_);
    unlink(socket_.c_str());
}

int Machine::connect_control() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_.size() >= sizeof address.sun_path)
        throw UserError(socket_ + ": path too long for a socket");
    std::memcpy(address.sun_path, socket_.c_str(), socket_.size() + 1);
    for (int attempt = 0; attempt < 200 && alive(); attempt++) {
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
            fcntl(fd, F_SETFL, O_NONBLOCK);
            return fd;
        }
        close(fd);
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    throw UserError("QEMU did not start: " + complaints());
}

bool Machine::alive() {
    if (pid_ < 0)
        return false;
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_)
        pid_ = -1;
    return pid_ >= 0;
}

void Machine::kill() {
    if (pid_ < 0)
        return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

std::string Machine::complaints() {
    std::string out;
    char buffer[512];
    ssize_t size = 0;
    while ((size = read(error_fd_, buffer, sizeof buffer)) > 0)
        out.append(buffer, static_cast<std::size_t>(size));
    while (!out.empty() && out.back() == '\n')
        out.pop_back();
    for (char& c : out)
        if (c == '\n')
            c = ' ';
    return out.empty() ? "(it said nothing)" : out;
}

bool kvm_works(const MachineOptions& options) {
    if (options.icount || access("/dev/kvm", R_OK | W_OK) != 0)
        return false;
    try {
        Machine probe(options, Accelerator::kvm);
        pollfd waiting{probe.log_fd(), POLLIN, 0};
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kvm_answer_ms);
        while (probe.alive() && std::chrono::steady_clock::now() < end) {
            char byte = 0;
            if (poll(&waiting, 1, 100) > 0 && (waiting.revents & POLLIN) &&
                read(probe.log_fd(), &byte, 1) == 1)
                return true;
        }
    } catch (const UserError&) {
    }
    return false;
}

} // namespace cli
