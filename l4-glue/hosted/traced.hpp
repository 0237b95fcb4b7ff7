// SPDX-License-Identifier: BSD-2-Clause
// A process whose threads are traced, each by the Linux thread of its vCPU: PTRACE_SYSEMU ends a turn at
// every system call without making it, and at every signal. The vCPU makes calls in the process by its own
// thread there, which is stopped whenever the personality runs on that vCPU. docs/hosted.md has the security
// argument.
#pragma once

#include "l4-glue/hosted/process.hpp"

#include <optional>

namespace glue::hosted {

class TracedProcess final : public Process {
public:
    static std::unique_ptr<Process> create();
    ~TracedProcess() override { kill(); }

    // On a vCPU's own thread.
    bool perform(const Request* requests, unsigned count, bool& failed) override;
    bool resume(const Turn& turn) override;
    Trap trap(const Turn& turn) override;
    bool save(unsigned cpu, std::byte* area) override;

private:
    TracedProcess() = default;
    bool start();
    void bury() override;
    bool await_threads();
    bool attach_locked(unsigned cpu);
    bool call_locked(unsigned cpu, const Request& request, long& result);
    bool step(pid_t thread, int signal = 0);
    bool wait(pid_t thread, int& status);
    bool read_registers(const Turn& turn, std::uint64_t& number);
    bool read_fault(unsigned cpu, struct Report& report);
    std::optional<Trap> take_call(const Turn& turn);
    std::optional<Trap> take_signal(const Turn& turn, int signal);

    pid_t sleeping_[abi::max_cores] = {}; // threads; each is in thread_, too, once its vCPU traces it
    bool clean_ = false;                  // the set-up code is gone; under mutex_
};

// On a thread that may have children: null if it can trace `process`, else what is in the way.
const char* cannot_trace(pid_t process);

} // namespace glue::hosted
