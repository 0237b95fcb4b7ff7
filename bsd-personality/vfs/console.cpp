// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vfs/console.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/trace.hpp"
#include "lwkt/irq_sources.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

constinit Console* console = nullptr;

void Console::doorbell() {
    if (terminal_)
        return terminal_->doorbell();
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

// --- as a terminal -----------------------------------------------------------------------------------------
namespace {
constexpr std::uint32_t console_device = 3, console_speed = 115200;
void call_daemon();
} // namespace

SysResult<void> Console::become_terminal(const proto::JailTerminal& settings) {
    terminal_ = lwkt::construct<ConsoleTty>(ring_[0], ring_[1], ring_box_, settings);
    return terminal_ ? SysResult<void>{} : Failure(Errno::enomem);
}

ConsoleTty::ConsoleTty(glue::Ring& input, glue::Ring& output, void (*ring_box)(),
                       const proto::JailTerminal& settings)
    : Tty(default_abi->kind == AbiKind::freebsd ? tty::Dialect::freebsd : tty::Dialect::dragonfly,
          console_speed, Text("console"), console_device),
      input_ring_(input), output_ring_(output), ring_box_(ring_box), settings_(settings) {
    doorbell();
}

void ConsoleTty::doorbell() {
    std::uint32_t window = __atomic_load_n(&settings_.window, __ATOMIC_ACQUIRE);
    set_window({static_cast<std::uint16_t>(window >> 16), static_cast<std::uint16_t>(window), 0, 0});
    bool received = false;
    while (std::uint32_t room = line_.input_room()) {
        std::byte chunk[256];
        std::uint32_t count = input_ring_.read({chunk, least<std::size_t>(sizeof chunk, room)});
        for (std::uint32_t i = 0; i < count; i++)
            line_.input(std::to_integer<std::uint8_t>(chunk[i]));
        if (count == 0)
            break;
        received = true;
    }
    if (received && input_ring_.waiting())
        ring_box_();
    if (line_.readable() != 0)
        wake_readers();
    output_ready();
    wake_writers();
    type_end_of_file();
}

// When the box's input has ended: an end of file for whoever reads, once.
void ConsoleTty::type_end_of_file() {
    if (ended_ || !input_ring_.closed() || input_ring_.available() != 0)
        return;
    ended_ = true;
    line_.input(line_.termios().cc[tty::veof]);
    wake_readers();
    output_ready();
}

void ConsoleTty::output_ready() {
    bool moved = false;
    while (line_.output_ready() != 0) {
        char chunk[256];
        std::uint32_t space = output_ring_.space();
        if (space == 0) {
            output_ring_.set_waiting(true); // the box rings when it has read
            moved = true;
            if (output_ring_.space() == 0)
                break;
            output_ring_.set_waiting(false);
            continue;
        }
        unsigned count = line_.take_output(chunk, least<std::uint32_t>(sizeof chunk, space));
        (void)output_ring_.write({reinterpret_cast<const std::byte*>(chunk), count});
        moved = true;
    }
    if (moved)
        ring_box_();
}

// Not at once: the discipline may be in the middle of a character.
void ConsoleTty::input_taken() {
    if (input_ring_.available() != 0)
        call_daemon();
}

namespace {

std::uint32_t rings = 0;     // atomic: doorbells since the daemon looked
std::uint64_t doorbells = 0; // atomic, relaxed: statistics

void call_daemon() {
    __atomic_store_n(&rings, 1, __ATOMIC_SEQ_CST);
    lwkt::wakeup(&rings);
}

void doorbell_event(void*) {
    __atomic_fetch_add(&doorbells, 1, __ATOMIC_RELAXED);
    call_daemon();
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
                              void (*ring_box)(), const proto::JailTerminal& terminal) {
    console = lwkt::construct<Console>(input, output, error, ring_box);
    if (console && terminal.present)
        TRY(console->become_terminal(terminal));
    lwkt::Thread* thread =
        lwkt::create(daemon, nullptr, lwkt::Priority::kernel_daemon, lwkt::CpuId{0}, "console");
    if (!thread || !console)
        return Failure(Errno::enomem);
    constexpr unsigned bit = __builtin_ctzll(glue::Vcpu::event_doorbell);
    lwkt::set_event_handler(lwkt::CpuId{0}, bit, doorbell_event, nullptr);
    lwkt::add_interrupt_source(
        "box", lwkt::InterruptKind::event, bit, lwkt::CpuId{0},
        [](const void* count) {
            return lwkt::InterruptReading{
                __atomic_load_n(static_cast<const std::uint64_t*>(count), __ATOMIC_RELAXED), 0, nullptr};
        },
        &doorbells);
    lwkt::schedule(thread);
    return {};
}

} // namespace bsd
