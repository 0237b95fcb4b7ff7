// SPDX-License-Identifier: BSD-2-Clause
// A thread that stands for a traced one waits for the signal that would stop it.
#include "l4-glue/hosted/deadline_signal.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include <unistd.h>

namespace glue::hosted {
namespace {

class Waiting {
public:
    Waiting() {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &set, nullptr); // the new thread inherits it
        thread_ = std::thread([this, set] {
            id_ = gettid();
            for (int signal = 0;; ++interrupted_)
                if (sigwait(&set, &signal) != 0 || ending_)
                    return;
        });
        while (id_ == 0)
            std::this_thread::yield();
    }
    ~Waiting() {
        ending_ = true;
        pthread_kill(thread_.native_handle(), SIGUSR1);
        thread_.join();
    }
    [[nodiscard]] pid_t id() const { return id_; }
    void wait_for(unsigned count) const {
        while (interrupted_ < count)
            std::this_thread::yield();
    }

private:
    std::thread thread_;
    std::atomic<pid_t> id_ = 0;
    std::atomic<unsigned> interrupted_ = 0;
    std::atomic<bool> ending_ = false;
};

Ticks in(std::uint64_t nanoseconds) {
    return Ticks{Clock::ticks().value + nanoseconds};
}

TEST(DeadlineSignal, InterruptsAtTheDeadline) {
    Waiting thread;
    ASSERT_TRUE(DeadlineSignal::set(in(1'000'000), getpid(), thread.id()));
    thread.wait_for(1);
    ASSERT_TRUE(DeadlineSignal::set(in(1'000'000), getpid(), thread.id()));
    thread.wait_for(2);
    DeadlineSignal::forget();
}

TEST(DeadlineSignal, ADeadlineThatHasPassedInterruptsEachTime) {
    Waiting thread;
    const Ticks past{1};
    for (unsigned n = 1; n <= 3; ++n) {
        ASSERT_TRUE(DeadlineSignal::set(past, getpid(), thread.id()));
        thread.wait_for(n);
    }
    DeadlineSignal::forget();
}

TEST(DeadlineSignal, AnEarlierDeadlineReplacesALaterOne) {
    Waiting thread;
    ASSERT_TRUE(DeadlineSignal::set(in(3600'000'000'000), getpid(), thread.id()));
    ASSERT_TRUE(DeadlineSignal::set(in(1'000'000), getpid(), thread.id()));
    thread.wait_for(1);
    DeadlineSignal::forget();
}

TEST(DeadlineSignal, WhatIsSetForOneTurnHoldsForTheNext) {
    Waiting first, second;
    const Ticks deadline = in(20'000'000);
    ASSERT_TRUE(DeadlineSignal::set(deadline, getpid(), first.id()));
    ASSERT_TRUE(DeadlineSignal::set(deadline, getpid(), second.id()));
    second.wait_for(1);
    DeadlineSignal::forget();
}

} // namespace
} // namespace glue::hosted
