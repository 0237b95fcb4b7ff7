// SPDX-License-Identifier: BSD-2-Clause
#include "cli/hosted_jail.hpp"

#include "cli/image_directory.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace cli {

namespace {

namespace fs = std::filesystem;

std::string jail_program() {
    if (const char* other = std::getenv("LIBELLE_JAIL"))
        return other;
    const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
    for (const fs::path& each : {here / "libelle-jail", here.parent_path() / "bsd-personality/libelle-jail"})
        if (fs::exists(each))
            return each;
    throw UserError((here / "libelle-jail").string() + ": not built (run scripts/build)");
}

/// Memory that can never change again: an image that was made of a directory.
int sealed_file(const std::vector<std::uint8_t>& bytes) {
    const int file = memfd_create("libelle-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    for (std::size_t done = 0; file >= 0 && done < bytes.size();) {
        const ssize_t count = write(file, bytes.data() + done, bytes.size() - done);
        if (count <= 0)
            throw UserError("no memory for the image on this host");
        done += static_cast<std::size_t>(count);
    }
    if (file >= 0)
        (void)fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    return file;
}

/// The image file itself, for mapping; -1 where there is none or it must be copied. The personality checks an
/// image once: nobody may be able to change it afterwards who could not as well change the personality.
int mappable_file(const std::string& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    const auto fits = [&] {
        if (file < 0 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
            return false;
        if ((status.st_uid != 0 && status.st_uid != geteuid()) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
            return false;
        void* first = mmap(nullptr, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
        return first != MAP_FAILED && munmap(first, 1) == 0; // else its file system is mounted noexec
    };
    if (fits())
        return file;
    close(file);
    return -1;
}

void fill(proto::JailParameters& p, const JailPlan& jail, proto::JailAbi abi) {
    p.magic = proto::jail_magic;
    p.abi = abi;
    p.trace = jail.trace ? 1 : 0;
    p.argument_count = static_cast<std::uint32_t>(jail.command.size());
    p.environment_count = static_cast<std::uint32_t>(jail.environment.size());
    if (getrandom(p.seed, sizeof p.seed, 0) != static_cast<ssize_t>(sizeof p.seed))
        throw UserError("no entropy from the host");
    // The jail's clock is the host's monotonic one.
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    p.epoch = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                             wall - std::chrono::steady_clock::now().time_since_epoch())
                                             .count());
    // check_plan() has held them to their limits.
    std::strncpy(p.hostname, jail.name.c_str(), sizeof p.hostname - 1);
    std::strncpy(p.command, jail.command[0].c_str(), sizeof p.command - 1);
    std::strncpy(p.directory, jail.directory.c_str(), sizeof p.directory - 1);
    char* at = p.strings;
    for (const auto* list : {&jail.command, &jail.environment})
        for (const std::string& each : *list) {
            std::memcpy(at, each.c_str(), each.size() + 1);
            at += each.size() + 1;
        }
}

} // namespace

JailImage::JailImage(const std::string& path)
    : file_(
          [&] {
              const int mappable = mappable_file(path);
              return mappable >= 0 ? mappable : sealed_file(load_image(path));
          }(),
          "image") {
    struct stat status {};
    if (fstat(file_, &status) == 0)
        size_ = static_cast<std::size_t>(status.st_size);
    void* memory = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file_, 0);
    if (memory == MAP_FAILED)
        throw UserError(path + ": cannot be mapped");
    memory_ = static_cast<const std::uint8_t*>(memory);
    check_image(bytes(), path);
}

JailImage::~JailImage() {
    munmap(const_cast<std::uint8_t*>(memory_), size_);
}

Remains::Remains() {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

Remains::~Remains() {
    while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
}

HostedJail::HostedJail(const JailPlan& jail, proto::JailAbi abi, std::shared_ptr<const JailImage> image,
                       const cpu_set_t& processors)
    : memory_(memfd_create("libelle-jail", MFD_CLOEXEC), "memory"), image_(std::move(image)),
      from_jail_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"),
      to_jail_(eventfd(0, EFD_CLOEXEC), "eventfd") {
    if (ftruncate(memory_, sizeof(proto::JailShared)) != 0)
        throw UserError("no memory on this host");
    void* shared = mmap(nullptr, sizeof(proto::JailShared), PROT_READ | PROT_WRITE, MAP_SHARED, memory_, 0);
    if (shared == MAP_FAILED)
        throw UserError("no memory on this host");
    shared_ = static_cast<proto::JailShared*>(shared);
    fill(shared_->parameters, jail, abi);
    shared_->terminal.present = jail.terminal;
    set_window({jail.rows, jail.columns});
    start(jail, processors);
}

HostedJail::~HostedJail() {
    kill();
    munmap(shared_, sizeof(proto::JailShared));
}

void HostedJail::kill() {
    if (pid_ <= 0)
        return;
    ::kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
}

void HostedJail::set_window(WindowSize size) const {
    __atomic_store_n(&shared_->terminal.window, std::uint32_t{size.rows} << 16 | size.columns,
                     __ATOMIC_RELEASE);
}

void HostedJail::start(const JailPlan& jail, const cpu_set_t& processors) {
    const std::string program = jail_program(), memory = std::to_string(jail.memory),
                      cpus = std::to_string(jail.cpus);
    const char* arguments[] = {program.c_str(), jail.name.c_str(), memory.c_str(), cpus.c_str(), nullptr};
    pid_ = fork();
    if (pid_ < 0)
        throw UserError("the host refuses a process");
    if (pid_ != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); // Ctrl-C is libelle's
    (void)sched_setaffinity(0, sizeof processors, &processors);
    // Descriptors 3 to 6, whatever lies there now.
    int moved[4];
    const int wanted[4] = {memory_, image_->file(), from_jail_, to_jail_};
    for (int i = 0; i < 4; i++)
        moved[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, 16);
    for (int i = 0; i < 4; i++)
        if (dup2(moved[i], 3 + i) < 0)
            _exit(126);
    execv(program.c_str(), const_cast<char**>(arguments));
    _exit(126);
}

/// The jail's own account of its end; its memory is hostile.
std::optional<std::string> HostedJail::account() const {
    const proto::JailStatus& status = shared_->status;
    const auto state = static_cast<proto::JailState>(
        __atomic_load_n(reinterpret_cast<const std::uint32_t*>(&status.state), __ATOMIC_ACQUIRE));
    if (state == proto::JailState::exited) {
        const std::uint32_t wait = __atomic_load_n(&status.wait_status, __ATOMIC_RELAXED);
        return (wait & 0x7f) != 0 ? "signal " + std::to_string(wait & 0x7f)
                                  : "exit " + std::to_string(wait >> 8 & 0xff);
    }
    if (state != proto::JailState::failed)
        return std::nullopt;
    std::string message = "failed: ";
    for (std::size_t i = 0; i < sizeof status.message; i++) {
        const char c = static_cast<const volatile char&>(status.message[i]);
        if (c == '\0')
            break;
        message += c >= ' ' && c < 0x7f ? c : ' ';
    }
    return message;
}

std::optional<std::string> HostedJail::ended() {
    int status = 0;
    if (auto how = account())
        return how;
    if (pid_ > 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        crash_ = WIFSIGNALED(status)
                     ? "the personality crashed: signal " + std::to_string(WTERMSIG(status))
                     : "the personality ended with status " + std::to_string(WEXITSTATUS(status));
    }
    if (pid_ > 0)
        return std::nullopt;
    return account().value_or("failed: " + crash_);
}

} // namespace cli
