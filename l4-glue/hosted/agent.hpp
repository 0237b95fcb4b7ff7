// SPDX-License-Identifier: BSD-2-Clause
// A process whose threads report their traps themselves, by signals (stub/trampoline.S), and whose agent
// makes the calls that change it: each is held up by seccomp user notification until it has been compared
// with what was asked. docs/hosted.md has the security argument.
#pragma once

#include "l4-glue/hosted/process.hpp"

namespace glue::hosted {

class AgentProcess final : public Process {
public:
    static std::unique_ptr<Process> create();
    ~AgentProcess() override;

    bool perform(const Request* requests, unsigned count, bool& failed) override;
    bool resume(const Turn& turn) override;
    Trap trap(const Turn& turn) override;
    void rest(unsigned cpu) override { __atomic_store_n(&slot(cpu).spins, 0, __ATOMIC_RELAXED); }
    bool save(unsigned cpu, std::byte* area) override;

private:
    AgentProcess() = default;
    struct Frame;
    struct Notification;
    bool start();
    bool shake_hands();
    bool perform_locked(const Request* requests, unsigned count, bool& failed);
    bool receive(Notification& notification, bool wait);
    void refuse(const Notification& notification);
    // For who waits for a vCPU's thread: refuses calls that it should not have made, sees that the process is
    // gone.
    void look();
    bool find_frame(unsigned cpu, Frame& frame);
    void await(const Turn& turn);
    bool parked(unsigned cpu) { return __atomic_load_n(&slot(cpu).state, __ATOMIC_ACQUIRE) != STATE_RUN; }

    std::uint64_t idle_ = 0;             // the agent's call that waits for work
    int listener_ = -1;                  // immutable once it has been made
    bool offences_[abi::max_cores] = {}; // atomic: it made a call that only the agent may make
};

} // namespace glue::hosted
