// SPDX-License-Identifier: BSD-2-Clause
#include "cli/session.hpp"

#include "cli/error.hpp"
#include "cli/session_stream.hpp"
#include "cli/symbols.hpp"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace cli {

using ninep::Message;
using ninep::Type;
using Clock = std::chrono::steady_clock;

namespace {
constexpr const char* ready_line = "box: ready";
constexpr std::size_t log_tail_size = 4000;

} // namespace

int JailResult::exit_code() const {
    int value = 0;
    if (std::sscanf(wait.c_str(), "exit %d", &value) == 1)
        return value;
    if (std::sscanf(wait.c_str(), "signal %d", &value) == 1)
        return 128 + value;
    return 125;
}

int open_output(const std::string& path) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        throw UserError(path + ": " + std::strerror(errno));
    return file;
}

Session::Session(Machine& machine, const BoxPlan& plan, SessionOptions options, std::string kernel)
    : machine_(machine), plan_(plan), options_(std::move(options)), kernel_(std::move(kernel)) {
    if (!options_.log.empty()) {
        log_file_ = open_output(options_.log);
    }
    for (const JailPlan& jail : plan_.jails) {
        jails_.push_back({jail.name, "", "", 0});
        for (const OutputName& output : outputs)
            streams_.push_back(open_stream(jail, output, options_));
    }
}

Session::~Session() {
    if (control_ >= 0)
        close(control_);
    if (log_file_ >= 0)
        close(log_file_);
}

void Session::broken(const std::string& what) {
    std::string tail = log_tail_;
    throw UserError(what + (tail.empty() ? "" : "; the box's last words:\n" + tail));
}

void Session::run() {
    control_ = machine_.connect_control();
    client_ = std::make_unique<ninep::Client>([this](const std::vector<std::uint8_t>& out) {
        to_send_.insert(to_send_.end(), out.begin(), out.end());
    });
    wait_until_ready();
    start_consoles();
    const auto start = Clock::now();
    bool crashed = false;
    bool killed = false;
    while (open_streams_ != 0 || waiting_jails_ != 0) {
        pump(200);
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - start).count();
        if (!options_.crash_jail.empty() && !crashed && seconds >= options_.crash_seconds) {
            crashed = true;
            write_file("jails/" + options_.crash_jail + "/ctl", "crash");
        }
        if (options_.terminal != nullptr)
            if (const auto size = options_.terminal->changed_window())
                write_file("jails/" + jails_[0].name + "/ctl",
                           "window " + std::to_string(size->rows) + "x" + std::to_string(size->columns));
        if (options_.interrupted != nullptr && *options_.interrupted != 0) {
            if (killed && *options_.interrupted > 1)
                return; // asked twice: the machine goes as it is
            if (!killed) {
                killed = true;
                for (const JailResult& jail : jails_)
                    write_file("jails/" + jail.name + "/ctl", "kill");
                options_.limit_seconds = static_cast<unsigned>(seconds) + 10;
            }
        }
        if (options_.limit_seconds != 0 && seconds >= options_.limit_seconds)
            broken("the time limit of " + std::to_string(options_.limit_seconds) + " s is over");
    }
    finish();
}

void Session::wait_until_ready() {
    auto deadline = Clock::now() + std::chrono::seconds(options_.answer_seconds);
    while (!ready_) {
        progress_ = false;
        pump(200);
        if (progress_)
            deadline = Clock::now() + std::chrono::seconds(options_.answer_seconds);
        if (Clock::now() > deadline)
            broken("the box did not start within " + std::to_string(options_.answer_seconds) + " s");
        if (options_.interrupted != nullptr && *options_.interrupted != 0)
            throw UserError("interrupted");
    }
    Message m;
    m.type = Type::Tversion;
    m.message_size = client_->message_size();
    m.text = ninep::protocol_version;
    call(m, [this](const Message& answer) {
        if (answer.type != Type::Rversion || !(answer.text == ninep::protocol_version))
            broken("the box speaks no 9P2000");
        client_->set_message_size(answer.message_size);
    });
    m = {};
    m.type = Type::Tattach;
    m.fid = 0;
    m.user = "host";
    call(m, [](const Message&) {});
}

void Session::open_file(const std::string& path, std::uint8_t mode,
                        std::function<void(std::uint32_t)> opened) {
    Message m;
    m.type = Type::Twalk;
    m.fid = 0;
    m.new_fid = client_->new_fid();
    for (std::size_t start = 0; start <= path.size();) {
        const std::size_t end = std::min(path.find('/', start), path.size());
        m.names[m.name_count++] = {path.data() + start, end - start};
        start = end + 1;
    }
    const std::uint32_t fid = m.new_fid;
    const unsigned names = m.name_count;
    request(m, [this, fid, names, mode, path, opened](const Message& walked) {
        if (walked.type != Type::Rwalk || walked.name_count != names)
            broken("the box has no /" + path);
        Message m;
        m.type = Type::Topen;
        m.fid = fid;
        m.mode = mode;
        request(m, [this, fid, path, opened](const Message& answer) {
            if (answer.type != Type::Ropen)
                broken("/" + path + ": " + std::string(answer.text.data, answer.text.size));
            opened(fid);
        });
    });
}

void Session::write_file(const std::string& path, const std::string& text) {
    bool done = false;
    open_file(path, ninep::open_write, [&](std::uint32_t fid) {
        Message m;
        m.type = Type::Twrite;
        m.fid = fid;
        m.data = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
        request(m, [&](const Message&) { done = true; });
    });
    const auto deadline = Clock::now() + std::chrono::seconds(options_.answer_seconds);
    while (!done) {
        pump(200);
        if (Clock::now() > deadline)
            broken("the box does not answer on /" + path);
    }
}

std::string Session::read_file(const std::string& path) {
    std::string text;
    bool done = false;
    std::uint32_t open_fid = 0;
    open_file(path, ninep::open_read, [&](std::uint32_t fid) {
        open_fid = fid;
        done = true;
    });
    const auto deadline = Clock::now() + std::chrono::seconds(options_.answer_seconds);
    while (!done) {
        pump(200);
        if (Clock::now() > deadline)
            broken("the box does not answer on /" + path);
    }
    for (std::size_t before = 1; before != 0;) {
        Message m;
        m.type = Type::Tread;
        m.fid = open_fid;
        m.offset = text.size();
        m.count = client_->io_size();
        call(m, [&](const Message& answer) {
            before = answer.type == Type::Rread ? answer.data.size : 0;
            text.append(reinterpret_cast<const char*>(answer.data.data), before);
        });
    }
    Message m;
    m.type = Type::Tclunk;
    m.fid = open_fid;
    call(m, [](const Message&) {});
    return text;
}

void Session::finish() {
    for (JailResult& jail : jails_)
        jail.notes = read_file("jails/" + jail.name + "/status");
    for (const RealtimePlan& task : plan_.tasks)
        tasks_.push_back({task.name, read_file("rt/" + task.name + "/status"),
                          read_file("rt/" + task.name + "/histogram")});
}

void Session::request(const Message& message, ninep::Client::Answer answer) {
    if (!client_->request(message, std::move(answer)))
        broken("a 9P request does not fit");
    flush_output();
}

void Session::call(const Message& message, const ninep::Client::Answer& answer) {
    bool done = false;
    request(message, [&](const Message& got) {
        done = true;
        answer(got);
    });
    const auto deadline = Clock::now() + std::chrono::seconds(options_.answer_seconds);
    while (!done) {
        pump(200);
        if (Clock::now() > deadline)
            broken("the box does not answer");
    }
}

void Session::pump(int timeout_ms) {
    pollfd fds[3] = {{machine_.log_fd(), POLLIN, 0}, {control_, POLLIN, 0}, {-1, POLLIN, 0}};
    if (!to_send_.empty())
        fds[1].events |= POLLOUT;
    if (stdin_open_ && !stdin_busy_)
        fds[2].fd = STDIN_FILENO;
    if (poll(fds, 3, timeout_ms) <= 0) {
        if (!machine_.alive())
            broken("QEMU ended: " + machine_.complaints());
        return;
    }
    if (fds[0].revents != 0)
        read_log();
    if (fds[1].revents & POLLOUT)
        flush_output();
    if (fds[1].revents & (POLLIN | POLLHUP))
        read_control();
    if (fds[2].revents != 0)
        read_stdin();
    if (!machine_.alive()) {
        read_log();
        broken(panicked_ ? "the kernel panicked" : "QEMU ended: " + machine_.complaints());
    }
}

void Session::read_log() {
    char buffer[4096];
    ssize_t size = 0;
    while ((size = read(machine_.log_fd(), buffer, sizeof buffer)) > 0) {
        progress_ = true;
        for (ssize_t i = 0; i < size; i++) {
            if (buffer[i] == '\r')
                continue;
            if (buffer[i] != '\n') {
                log_line_ += buffer[i];
                continue;
            }
            log_line(log_line_);
            log_line_.clear();
        }
    }
}

void Session::log_line(const std::string& line) {
    panicked_ |= line.find("panic") != std::string::npos;
    const std::string shown = (panicked_ ? symbolized(kernel_, line) : line) + "\n";
    if (line.find("box: cannot start") != std::string::npos)
        throw UserError(line);
    ready_ |= line.find(ready_line) != std::string::npos;
    if (log_file_ >= 0)
        write_all(log_file_, shown.data(), shown.size());
    log_tail_ += shown;
    if (log_tail_.size() > log_tail_size)
        log_tail_.erase(0, log_tail_.find('\n', log_tail_.size() - log_tail_size) + 1);
}

void Session::read_control() {
    std::uint8_t buffer[65536];
    const ssize_t size = read(control_, buffer, sizeof buffer);
    if (size <= 0)
        return; // QEMU's end is noticed by alive()
    if (size < 512)
        usleep(200); // the line comes byte by byte: a nap gathers more of it for the next read
    if (const char* fault = client_->feed(buffer, static_cast<std::size_t>(size)))
        broken(std::string("9P: ") + fault);
}

void Session::flush_output() {
    while (!to_send_.empty()) {
        const ssize_t done = write(control_, to_send_.data(), to_send_.size());
        if (done <= 0)
            return;
        to_send_.erase(to_send_.begin(), to_send_.begin() + done);
    }
}

} // namespace cli
