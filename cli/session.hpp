// SPDX-License-Identifier: BSD-2-Clause
//
// One run of a box from the outside: waits until it answers, mounts its control tree over 9P, carries
// consoles, and collects how everything ended. Single-threaded: one poll loop over log, control line, stdin
// and signals.
#pragma once

#include "cli/host_terminal.hpp"
#include "cli/machine.hpp"
#include "cli/plan.hpp"
#include "ninep/client.hpp"
#include "proto/jail.hpp"

#include <csignal>
#include <functional>
#include <map>
#include <memory>

namespace cli {

struct JailResult {
    std::string name;
    std::string wait;  ///< what /jails/NAME/wait said: "exit 0", "signal 11", "failed: …"
    std::string notes; ///< of /jails/NAME/status
    std::uint64_t stdout_bytes = 0;
    /// Shell's way: status, or 128 + signal; 125 when the jail itself failed.
    [[nodiscard]] int exit_code() const;
};

struct TaskResult {
    std::string name;
    std::string status; ///< /rt/NAME/status: "key value" lines
    std::string histogram;
};

struct SessionOptions {
    bool prefix = false;           ///< consoles as "NAME| line" instead of plain
    bool forward_stdin = false;    ///< of the only jail
    std::string output;            ///< write consoles to DIR/NAME.stdout and .stderr instead
    std::string trace;             ///< system calls of a jail whose plan says so go to this file; "-": stderr
    std::string log;               ///< kernel log goes to this file; empty: kept for complaints only
    unsigned answer_seconds = 120; ///< the box must say something in this time while it starts
    unsigned limit_seconds = 0;    ///< of the whole run; 0: none
    std::string crash_jail;        ///< debug control: kill this jail's personality …
    unsigned crash_seconds = 0;    ///< … so long after the start
    const volatile std::sig_atomic_t* interrupted = nullptr;
    HostTerminal* terminal = nullptr; ///< ours, when the only jail has one
};

class OutputStream;

class Session {
public:
    Session(Machine& machine, const BoxPlan& plan, SessionOptions options, std::string kernel);
    ~Session();

    /// Returns when all jails have ended (or Ctrl-C). Throws UserError when the box breaks.
    void run();

    [[nodiscard]] const std::vector<JailResult>& jails() const { return jails_; }
    [[nodiscard]] const std::vector<TaskResult>& tasks() const { return tasks_; }

private:
    void pump(int timeout_ms);
    void read_log();
    void log_line(const std::string& line);
    void read_control();
    void flush_output();
    void read_stdin();
    void wait_until_ready();
    void start_consoles();
    void open_file(const std::string& path, std::uint8_t mode, std::function<void(std::uint32_t fid)> opened);
    OutputStream& stream(std::size_t jail, proto::JailRing ring);
    void read_stream(std::size_t jail, proto::JailRing ring, std::uint32_t fid, std::uint64_t offset);
    void write_file(const std::string& path, const std::string& text);
    std::string read_file(const std::string& path);
    void finish();
    void request(const ninep::Message& message, ninep::Client::Answer answer);
    /// Sends and pumps until the answer is there.
    void call(const ninep::Message& message, const ninep::Client::Answer& answer);
    [[noreturn]] void broken(const std::string& what);

    Machine& machine_;
    const BoxPlan& plan_;
    SessionOptions options_;
    std::string kernel_;
    int control_ = -1;
    std::vector<std::uint8_t> to_send_;
    std::unique_ptr<ninep::Client> client_;
    std::string log_line_;
    std::string log_tail_;
    int log_file_ = -1;
    bool ready_ = false;
    bool panicked_ = false;
    std::vector<JailResult> jails_;
    std::vector<TaskResult> tasks_;
    std::vector<std::unique_ptr<OutputStream>> streams_;
    std::size_t open_streams_ = 0;
    std::size_t waiting_jails_ = 0;
    std::uint32_t stdin_fid_ = 0;
    bool stdin_busy_ = false;
    bool stdin_open_ = false;
    bool progress_ = false;
};

} // namespace cli
