// SPDX-License-Identifier: BSD-2-Clause
#include "cli/hosted.hpp"

#include "cli/boot_module.hpp"
#include "cli/elf_check.hpp"
#include "cli/error.hpp"
#include "cli/image_directory.hpp"
#include "cli/session_stream.hpp"
#include "l4-glue/channel.hpp"
#include "proto/jail.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cli {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// A descriptor that is closed with this object.
class Descriptor {
public:
    explicit Descriptor(int descriptor, const char* what) : descriptor_(descriptor) {
        if (descriptor < 0)
            throw UserError(std::string(what) + ": " + std::strerror(errno));
    }
    ~Descriptor() { close(descriptor_); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    operator int() const { return descriptor_; }

private:
    int descriptor_;
};

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

/// An image as a file that jails map, and its bytes.
class JailImage {
public:
    explicit JailImage(const std::string& path)
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
    ~JailImage() { munmap(const_cast<std::uint8_t*>(memory_), size_); }
    JailImage(const JailImage&) = delete;
    JailImage& operator=(const JailImage&) = delete;

    [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {memory_, size_}; }
    [[nodiscard]] int file() const { return file_; }

private:
    Descriptor file_;
    const std::uint8_t* memory_ = nullptr;
    std::size_t size_ = 0;
};

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
    p.epoch = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(wall - Clock::now().time_since_epoch()).count());
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

/// The jail's process and what is shared with it. It dies with this object, and with libelle however that
/// ends.
class HostedJail {
public:
    HostedJail(const JailPlan& jail, proto::JailAbi abi, int image)
        : memory_(memfd_create("libelle-jail", MFD_CLOEXEC), "memory"), image_(image),
          from_jail_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"),
          to_jail_(eventfd(0, EFD_CLOEXEC), "eventfd") {
        if (ftruncate(memory_, sizeof(proto::JailShared)) != 0)
            throw UserError("no memory on this host");
        void* shared =
            mmap(nullptr, sizeof(proto::JailShared), PROT_READ | PROT_WRITE, MAP_SHARED, memory_, 0);
        if (shared == MAP_FAILED)
            throw UserError("no memory on this host");
        shared_ = static_cast<proto::JailShared*>(shared);
        fill(shared_->parameters, jail, abi);
        shared_->terminal.present = jail.terminal;
        set_window({jail.rows, jail.columns});
        start(jail);
    }
    ~HostedJail() {
        if (pid_ > 0)
            ::kill(pid_, SIGKILL);
        // What it has started dies with it, and is ours then: when libelle ends, nothing of the jail is left.
        while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
        }
        munmap(shared_, sizeof(proto::JailShared));
    }
    HostedJail(const HostedJail&) = delete;
    HostedJail& operator=(const HostedJail&) = delete;

    [[nodiscard]] glue::Ring ring(proto::JailRing which) const {
        return {reinterpret_cast<glue::RingHeader*>(&shared_->ring[which]), shared_->data[which],
                proto::console_ring_size};
    }
    [[nodiscard]] const proto::JailStatus& status() const { return shared_->status; }
    [[nodiscard]] int bell() const { return from_jail_; }
    void set_window(WindowSize size) const {
        __atomic_store_n(&shared_->terminal.window, std::uint32_t{size.rows} << 16 | size.columns,
                         __ATOMIC_RELEASE);
    }
    void ring_jail() const { (void)eventfd_write(to_jail_, 1); }
    /// How its process ended, if it did.
    [[nodiscard]] std::optional<std::string> ended() {
        int status = 0;
        if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_)
            return std::nullopt;
        pid_ = -1;
        return WIFSIGNALED(status)
                   ? "the personality crashed: signal " + std::to_string(WTERMSIG(status))
                   : "the personality ended with status " + std::to_string(WEXITSTATUS(status));
    }

private:
    void start(const JailPlan& jail) {
        const std::string program = jail_program(), memory = std::to_string(jail.memory),
                          cpus = std::to_string(jail.cpus);
        const char* arguments[] = {program.c_str(), jail.name.c_str(), memory.c_str(), cpus.c_str(), nullptr};
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        pid_ = fork();
        if (pid_ < 0)
            throw UserError("the host refuses a process");
        if (pid_ != 0)
            return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0); // Ctrl-C is libelle's
        // Descriptors 3 to 6, whatever lies there now.
        int moved[4];
        const int wanted[4] = {memory_, image_, from_jail_, to_jail_};
        for (int i = 0; i < 4; i++)
            moved[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, 16);
        for (int i = 0; i < 4; i++)
            if (dup2(moved[i], 3 + i) < 0)
                _exit(126);
        execv(program.c_str(), const_cast<char**>(arguments));
        _exit(126);
    }

    Descriptor memory_;
    const int image_; // not ours
    Descriptor from_jail_, to_jail_;
    proto::JailShared* shared_ = nullptr;
    pid_t pid_ = -1;
};

/// The jail's own account of its end; its memory is hostile.
std::optional<std::string> account(const proto::JailStatus& status) {
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

/// Carries consoles between a jail and our own descriptors.
class Consoles {
public:
    Consoles(HostedJail& jail, const SessionOptions& options)
        : jail_(jail), stdin_open_(options.forward_stdin),
          trace_(options.trace.empty() || options.trace == "-" ? dup(2) : open_output(options.trace),
                 "trace") {
        if (!stdin_open_)
            jail_.ring(proto::ring_stdin).close();
    }
    /// True when something was moved.
    bool drain() {
        bool moved = false;
        for (const auto& [which, descriptor] :
             {std::pair{proto::ring_stdout, 1}, {proto::ring_stderr, 2}, {proto::ring_trace, int{trace_}}}) {
            glue::Ring ring = jail_.ring(which);
            while (const std::uint32_t count = ring.read(buffer_)) {
                write_all(descriptor, count);
                if (which == proto::ring_stdout)
                    stdout_bytes += count;
                moved = true;
                if (ring.waiting())
                    jail_.ring_jail();
            }
        }
        return moved;
    }
    [[nodiscard]] bool wants_input() const {
        return stdin_open_ && jail_.ring(proto::ring_stdin).space() != 0;
    }
    void read_input() {
        glue::Ring ring = jail_.ring(proto::ring_stdin);
        const std::size_t wanted = std::min<std::size_t>(sizeof buffer_, ring.space());
        const ssize_t count = read(0, buffer_, wanted);
        if (count < 0 && (errno == EINTR || errno == EAGAIN))
            return;
        if (count <= 0) {
            stdin_open_ = false;
            ring.close();
        } else {
            (void)ring.write({buffer_, static_cast<std::size_t>(count)});
        }
        jail_.ring_jail();
    }
    std::uint64_t stdout_bytes = 0;

private:
    void write_all(int descriptor, std::size_t size) {
        for (std::size_t done = 0; done < size;) {
            const ssize_t count = write(descriptor, buffer_ + done, size - done);
            if (count < 0 && errno == EINTR)
                continue;
            if (count <= 0)
                return; // nobody reads any more: the jail's output goes nowhere
            done += static_cast<std::size_t>(count);
        }
    }
    HostedJail& jail_;
    bool stdin_open_;
    Descriptor trace_;
    std::byte buffer_[16 << 10];
};

} // namespace

JailResult run_hosted(const BoxPlan& plan, const SessionOptions& options) {
    check_plan(plan);
    const JailPlan& jail = plan.jails[0];
    const JailImage image(jail.image);
    HostedJail hosted(jail, command_abi(image.bytes(), jail), image.file());
    Consoles consoles(hosted, options);
    JailResult result;
    result.name = jail.name;
    const auto start = Clock::now();
    for (;;) {
        auto how = account(hosted.status());
        auto crash = how ? std::nullopt : hosted.ended();
        consoles.drain(); // what it wrote before it ended
        if (!how && crash)
            how = account(hosted.status()).value_or("failed: " + *crash);
        if (how) {
            result.wait = *how;
            break;
        }
        if (options.interrupted != nullptr && *options.interrupted != 0)
            break;
        if (options.terminal != nullptr)
            if (const auto size = options.terminal->changed_window()) {
                hosted.set_window(*size);
                hosted.ring_jail();
            }
        if (options.limit_seconds != 0 && Clock::now() - start > std::chrono::seconds(options.limit_seconds))
            throw UserError("the time limit of " + std::to_string(options.limit_seconds) + " s has passed");
        pollfd files[] = {{hosted.bell(), POLLIN, 0}, {consoles.wants_input() ? 0 : -1, POLLIN, 0}};
        // The end of the process and of the time have no bell: they are looked for now and then.
        if (poll(files, 2, 100) < 0)
            continue;
        if ((files[0].revents & POLLIN) != 0) {
            eventfd_t ignored = 0;
            (void)eventfd_read(hosted.bell(), &ignored);
        }
        if (files[1].revents != 0)
            consoles.read_input();
    }
    result.stdout_bytes = consoles.stdout_bytes;
    return result;
}

} // namespace cli
