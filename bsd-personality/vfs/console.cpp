// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vfs/console.hpp"

#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/trace.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

constinit Console* console = nullptr;

void Console::doorbell() {
    lwkt::wakeup(&readers_);
    lwkt::wakeup(&writers_);
    readers_.notify();
    writers_.notify();
}

SysResult<void> Console::read(Lwp& lwp, Uio& uio, bool nonblocking) {
    if (uio.residual() == 0)
        return {};
    while (ring_[0].available() == 0) {
        if (ring_[0].closed() && ring_[0].available() == 0)
            return {}; // end of file
        if (nonblocking)
            return Failure(Errno::eagain);
        (void)TRY(interruptible_sleep(lwp, &readers_, "ttyin"));
    }
    std::byte chunk[512];
    while (uio.residual() != 0) {
        auto wanted = static_cast<std::size_t>(least<std::uint64_t>(uio.residual(), sizeof chunk));
        std::uint32_t count = ring_[0].read({chunk, wanted});
        if (count == 0)
            break;
        TRY(uio.copy_out(chunk, count));
    }
    if (ring_[0].waiting())
        ring_box_();
    return {};
}

SysResult<void> Console::write(Lwp& lwp, Uio& uio, int stream, bool nonblocking) {
    glue::Ring& ring = ring_[stream];
    std::byte chunk[512];
    while (uio.residual() != 0) {
        std::uint32_t space = ring.space();
        if (space == 0) {
            ring.set_waiting(true);
            ring_box_();
            if (nonblocking)
                return Failure(Errno::eagain);
            if (ring.space() == 0)
                (void)TRY(interruptible_sleep(lwp, &writers_, "ttyout"));
            ring.set_waiting(false);
            continue;
        }
        auto count = least<std::uint64_t>(least<std::uint64_t>(uio.residual(), sizeof chunk), space);
        TRY(uio.copy_in(chunk, count));
        (void)ring.write({chunk, static_cast<std::size_t>(count)}); // fits: only this side fills it
    }
    ring_box_();
    return {};
}

Readiness Console::readiness(int stream, Direction direction) const {
    if (direction == Direction::read) {
        std::uint32_t waiting = ring_[0].available();
        bool eof = ring_[0].closed();
        return {waiting != 0 || eof, eof, waiting, 0, eof};
    }
    std::uint32_t space = ring_[stream == 2 ? 2 : 1].space();
    return {space != 0, false, space, 0};
}

namespace {

std::uint32_t rings = 0; // atomic: doorbells since the daemon looked

void doorbell_event(void*) {
    __atomic_store_n(&rings, 1, __ATOMIC_SEQ_CST);
    lwkt::wakeup(&rings);
}

void daemon(void*) {
    lwkt::TokenGuard guard(giant);
    for (;;) {
        lwkt::tsleep_interlock(&rings, lwkt::sleep_plain);
        if (__atomic_exchange_n(&rings, 0, __ATOMIC_SEQ_CST) != 0) {
            lwkt::tsleep_remove();
            console->doorbell();
            trace_doorbell();
            continue;
        }
        (void)lwkt::tsleep(&rings, lwkt::sleep_interlocked, "doorbell");
    }
}

} // namespace

SysResult<void> start_console(const glue::Ring& input, const glue::Ring& output, const glue::Ring& error,
                              void (*ring_box)()) {
    console = lwkt::construct<Console>(input, output, error, ring_box);
    lwkt::Thread* thread =
        lwkt::create(daemon, nullptr, lwkt::Priority::kernel_daemon, lwkt::CpuId{0}, "console");
    if (!thread || !console)
        return Failure(Errno::enomem);
    lwkt::set_event_handler(lwkt::CpuId{0}, __builtin_ctzll(glue::Vcpu::event_doorbell), doorbell_event,
                            nullptr);
    lwkt::schedule(thread);
    return {};
}

} // namespace bsd
