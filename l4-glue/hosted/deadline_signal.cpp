// SPDX-License-Identifier: BSD-2-Clause
#include "l4-glue/hosted/deadline_signal.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>

#include <sys/syscall.h>
#include <unistd.h>

namespace glue::hosted {

namespace {

struct Own {
    bool made = false;
    timer_t timer{};
    std::uint64_t set_for = abi::no_deadline; // atomic, as the next two are: the handler's, too
    pid_t process = 0, thread = 0;
};
thread_local Own own;

int deadline_signal() {
    return SIGRTMIN + 1;
}

void on_signal(int) {
    const int error = errno;
    __atomic_store_n(&own.set_for, abi::no_deadline, __ATOMIC_RELAXED);
    if (const pid_t thread = __atomic_load_n(&own.thread, __ATOMIC_RELAXED))
        (void)syscall(SYS_tgkill, __atomic_load_n(&own.process, __ATOMIC_RELAXED), thread, SIGUSR1);
    errno = error;
}

bool make_timer() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = deadline_signal();
    event._sigev_un._tid = gettid();
    return sigaction(deadline_signal(), &action, nullptr) == 0 &&
           timer_create(CLOCK_MONOTONIC, &event, &own.timer) == 0;
}

} // namespace

bool DeadlineSignal::set(Ticks deadline, pid_t process, pid_t thread) {
    __atomic_store_n(&own.process, process, __ATOMIC_RELAXED);
    __atomic_store_n(&own.thread, thread, __ATOMIC_SEQ_CST);
    if (deadline == no_deadline || __atomic_load_n(&own.set_for, __ATOMIC_SEQ_CST) == deadline.value)
        return true;
    if (!own.made && !(own.made = make_timer()))
        return false;
    __atomic_store_n(&own.set_for, deadline.value, __ATOMIC_SEQ_CST);
    const auto when = std::chrono::nanoseconds(host_time(deadline).time_since_epoch()).count();
    constexpr long second = 1'000'000'000;
    const long at = when > 0 ? when : 1; // 0 would be never
    const itimerspec once{{0, 0}, {at / second, at % second}};
    return timer_settime(own.timer, TIMER_ABSTIME, &once, nullptr) == 0;
}

void DeadlineSignal::forget() {
    __atomic_store_n(&own.thread, 0, __ATOMIC_SEQ_CST);
}

} // namespace glue::hosted
