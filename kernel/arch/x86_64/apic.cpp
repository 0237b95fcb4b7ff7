// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/arch/x86_64/apic.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/machine.hpp"

namespace arch {

namespace {
enum Local : unsigned {
    local_id = 0x20,
    local_tpr = 0x80,
    local_eoi = 0xb0,
    local_spurious = 0xf0,
    local_icr_low = 0x300,
    local_icr_high = 0x310,
    local_timer = 0x320,
    local_lint0 = 0x350,
    local_lint1 = 0x360,
    local_error = 0x370,
    local_initial = 0x380,
    local_current = 0x390,
    local_divide = 0x3e0,
};
constexpr std::uint32_t masked_bit = 1 << 16;

volatile std::uint32_t& local(unsigned offset) {
    return *reinterpret_cast<volatile std::uint32_t*>(device_window + offset);
}
std::uint32_t io_read(unsigned index) {
    auto* io = reinterpret_cast<volatile std::uint32_t*>(device_window + page);
    io[0] = index;
    return io[4];
}
void io_write(unsigned index, std::uint32_t value) {
    auto* io = reinterpret_cast<volatile std::uint32_t*>(device_window + page);
    io[0] = index;
    io[4] = value;
}
} // namespace

void initialize_apic() {
    // The old interrupt controllers first, while the local APIC still listens to them: a tick that the
    // firmware left pending there would otherwise be served with no vector (a general-protection fault in
    // emulation).
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    local(local_spurious) = 0x100 | vector_spurious;
    local(local_tpr) = 0;
    local(local_lint0) = masked_bit;
    local(local_lint1) = 4 << 8; // NMI
    local(local_error) = masked_bit;
    local(local_divide) = 0xb; // by 1
    local(local_timer) = vector_timer;
    local(local_initial) = 0;
}

std::uint32_t apic_id() {
    return local(local_id) >> 24;
}
void end_of_interrupt() {
    local(local_eoi) = 0;
}

void send_interrupt(std::uint32_t id, Word vector) {
    local(local_icr_high) = id << 24;
    local(local_icr_low) = static_cast<std::uint32_t>(vector) | 1 << 14;
    while (local(local_icr_low) & 1 << 12)
        pause();
}

void send_startup(std::uint32_t id, Word start_page) {
    auto wait = [](Word parts) { // of a second
        for (Word end = read_tsc() + kernel::machine.ticks_per_second / parts; read_tsc() < end;)
            pause();
    };
    local(local_icr_high) = id << 24;
    local(local_icr_low) = 0x4500;
    wait(100);
    for (int i = 0; i < 2; ++i) {
        local(local_icr_high) = id << 24;
        local(local_icr_low) = 0x4600 | static_cast<std::uint32_t>(start_page);
        wait(2000);
    }
}

void set_timer(Word deadline, Word now) {
    if (deadline == abi::no_deadline) {
        local(local_initial) = 0;
        return;
    }
    Word ticks = deadline > now ? deadline - now : 0;
    auto count = (static_cast<unsigned __int128>(ticks) * kernel::machine.timer_multiplier >> 32) + 1;
    local(local_initial) = count > 0xffff'ffffu ? 0xffff'ffffu : static_cast<std::uint32_t>(count);
}

unsigned ioapic_lines() {
    return (io_read(1) >> 16 & 0xff) + 1;
}

void route(unsigned line, Word vector, std::uint32_t id, std::uint16_t flags) {
    bool low = (flags & 3) == 3, level = (flags >> 2 & 3) == 3;
    io_write(0x10 + 2 * line + 1, id << 24);
    io_write(0x10 + 2 * line,
             static_cast<std::uint32_t>(vector) | (low ? 1 << 13 : 0) | (level ? 1 << 15 : 0) | masked_bit);
}

void mask(unsigned line, bool masked) {
    std::uint32_t low = io_read(0x10 + 2 * line);
    io_write(0x10 + 2 * line, masked ? low | masked_bit : low & ~masked_bit);
}

void calibrate(Word& tsc_per_second, Word& timer_per_second) {
    // PIT channel 2 in one-shot mode; its output is bit 5 of port 0x61. The best of three runs of 10 ms.
    constexpr Word pit_hz = 1193182, count = pit_hz / 100;
    Word best = ~Word{0}, timer = 0;
    for (int run = 0; run < 3; ++run) {
        out8(0x61, static_cast<std::uint8_t>((in8(0x61) & ~2) | 1));
        out8(0x43, 0xb0);
        out8(0x42, count & 0xff);
        out8(0x42, count >> 8);
        local(local_timer) = masked_bit | vector_timer;
        local(local_initial) = 0xffff'ffff;
        Word start = read_tsc();
        while (!(in8(0x61) & 0x20))
            pause();
        Word took = read_tsc() - start, timed = 0xffff'ffff - local(local_current);
        if (took < best) {
            best = took;
            timer = timed;
        }
    }
    local(local_initial) = 0;
    local(local_timer) = vector_timer;
    constexpr Word grain = 100'000; // real counters are whole multiples; the measurement is not that fine
    auto round = [](Word v) { return (v + grain / 2) / grain * grain; };
    tsc_per_second = round(best * pit_hz / count);
    timer_per_second = round(timer * pit_hz / count);
}

} // namespace arch
