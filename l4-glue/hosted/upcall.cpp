// SPDX-License-Identifier: BSD-2-Clause
// Upcalls by signals: an event, or a deadline that has passed, interrupts a vCPU's own code, and the handler
// of the layer above runs on the interrupted stack, as on the kernel. It may go on with other threads from
// there; to the interrupted one it returns on the same Linux thread, through the signal's frame. What this
// rests on:
//  - Whether upcalls are enabled is a flag; the signal itself is never blocked, not in its own handler
//    either, which may return late.
//  - Locks and memory of the host's library are used in this folder only, and there in a HostCall, which no
//    upcall interrupts.
//  - Critical sections begin and end by one instruction (glue/fiber.hpp).
// A deadline is looked at when the thread has used processor time: an upcall for it may be `deadline_tick`
// late. Both come at safe points as well (glue::upcall_due). In unit tests, which use the host's library
// everywhere, they do so only unless a test asks for more; under ThreadSanitizer, too, which hands signals
// over at points of its own.
#include "glue/fiber.hpp"
#include "glue/vcpu.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>

#include <sys/syscall.h>
#include <unistd.h>

namespace glue {

namespace hosted {
bool upcalls_by_signals;
}

namespace {

constexpr int upcall_signal = SIGUSR2;
constexpr long deadline_tick = 4'000'000; // ns of processor time

void on_signal(int) {
    int error = errno;
    if (Vcpu* vcpu = hosted::this_vcpu)
        vcpu->upcall_if_due();
    errno = error;
}

} // namespace

void Vcpu::upcall_if_due() {
    if (host_calls_ != 0 || handler_ == nullptr || !upcall_due())
        return;
    disable_upcalls();
    handler_();
}

void Vcpu::accept_upcalls() {
    if (!hosted::upcalls_by_signals)
        return;
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_NODEFER | SA_RESTART;
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = upcall_signal;
    event._sigev_un._tid = gettid();
    const itimerspec tick{{0, deadline_tick}, {0, deadline_tick}};
    if (sigaction(upcall_signal, &action, nullptr) != 0 ||
        timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &tick_timer_) != 0 ||
        timer_settime(tick_timer_, 0, &tick, nullptr) != 0)
        return; // a host that grants no timer: the safe points remain
    __atomic_store_n(&thread_, gettid(), __ATOMIC_SEQ_CST);
}

void Vcpu::refuse_upcalls() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (__atomic_exchange_n(&thread_, 0, __ATOMIC_SEQ_CST) != 0)
        (void)timer_delete(tick_timer_);
}

// mutex_ is held, so that the thread is still there.
void Vcpu::interrupt_own_code() {
    pid_t thread = __atomic_load_n(&thread_, __ATOMIC_SEQ_CST);
    if (thread != 0 && this != hosted::this_vcpu && __atomic_load_n(&upcalls_, __ATOMIC_SEQ_CST))
        (void)syscall(SYS_tgkill, getpid(), thread, upcall_signal);
}

} // namespace glue
