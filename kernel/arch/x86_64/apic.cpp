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
constexpr std::uint32_t masked_bit = 1 << 16, timer_deadline_mode = 2 << 17;
enum Msr : std::uint32_t { msr_apic_base = 0x1b, msr_tsc_deadline = 0x6e0, msr_x2apic = 0x800 };
constexpr Word apic_base_on = 1 << 11 | 1 << 10; // enabled, as x2APIC

// Which of the two ways is one well-predicted branch on a word that never changes after boot.
std::uint32_t local_read(unsigned offset) {
    if (kernel::machine.x2apic)
        return static_cast<std::uint32_t>(read_msr(msr_x2apic + (offset >> 4)));
    return *reinterpret_cast<volatile std::uint32_t*>(device_window + offset);
}
void local_write(unsigned offset, std::uint32_t value) {
    if (kernel::machine.x2apic)
        return write_msr(msr_x2apic + (offset >> 4), value);
    *reinterpret_cast<volatile std::uint32_t*>(device_window + offset) = value;
}
// An inter-processor interrupt is seen after all that was stored before it: a store to the APIC's page orders
// that, writing its register does not.
void send(std::uint32_t id, std::uint32_t low) {
    if (kernel::machine.x2apic) {
        asm volatile("mfence; lfence" ::: "memory");
        return write_msr(msr_x2apic + (local_icr_low >> 4), Word{id} << 32 | low);
    }
    local_write(local_icr_high, id << 24);
    local_write(local_icr_low, low);
    while (local_read(local_icr_low) & 1 << 12)
        pause();
}
// The I/O APIC's registers are reached through an index register. Interrupt handlers use it too, on any core;
// so it has a lock of its own, held for a few instructions by who waits for nothing else meanwhile.
std::uint32_t io_lock;
[[gnu::noinline, gnu::cold]] void wait_for_io() {
    while (__atomic_exchange_n(&io_lock, 1, __ATOMIC_ACQUIRE))
        pause();
}
struct IoGuard {
    IoGuard() {
        if (__atomic_exchange_n(&io_lock, 1, __ATOMIC_ACQUIRE)) [[unlikely]]
            wait_for_io();
    }
    ~IoGuard() { __atomic_store_n(&io_lock, 0, __ATOMIC_RELEASE); }
};
std::uint32_t io_read(unsigned index) {
    IoGuard guard;
    auto* io = reinterpret_cast<volatile std::uint32_t*>(device_window + page);
    io[0] = index;
    return io[4];
}
void io_write(unsigned index, std::uint32_t value) {
    IoGuard guard;
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
    if (kernel::machine.x2apic)
        write_msr(msr_apic_base, read_msr(msr_apic_base) | apic_base_on);
    local_write(local_spurious, 0x100 | vector_spurious);
    local_write(local_tpr, 0);
    local_write(local_lint0, masked_bit);
    local_write(local_lint1, 4 << 8); // NMI
    local_write(local_error, masked_bit);
    local_write(local_divide, 0xb); // by 1
    local_write(local_timer, vector_timer | (kernel::machine.tsc_deadline ? timer_deadline_mode : 0));
    asm volatile("mfence" ::: "memory"); // the mode before any deadline
    stop_timer();
}

std::uint32_t apic_id() {
    std::uint32_t id = local_read(local_id);
    return kernel::machine.x2apic ? id : id >> 24;
}
void end_of_interrupt() {
    local_write(local_eoi, 0);
}

void send_interrupt(std::uint32_t id, Word vector) {
    send(id, static_cast<std::uint32_t>(vector) | 1 << 14);
}

void send_nmi_to_others() {
    send(0, 3 << 18 | 1 << 14 | 4 << 8);
}

void send_startup(std::uint32_t id, Word start_page) {
    auto wait = [](Word parts) { // of a second
        for (Word end = read_tsc() + kernel::machine.ticks_per_second / parts; read_tsc() < end;)
            pause();
    };
    send(id, 0x4500);
    wait(100);
    for (int i = 0; i < 2; ++i) {
        send(id, 0x4600 | static_cast<std::uint32_t>(start_page));
        wait(2000);
    }
}

void stop_timer() {
    if (kernel::machine.tsc_deadline)
        write_msr(msr_tsc_deadline, 0);
    else
        local_write(local_initial, 0);
}

void set_timer(Word deadline, Word now) {
    if (deadline == abi::no_deadline)
        return stop_timer();
    if (kernel::machine.tsc_deadline)
        return write_msr(msr_tsc_deadline, deadline ? deadline : 1); // 0 would stop it
    Word ticks = deadline > now ? deadline - now : 0;
    auto count = (static_cast<unsigned __int128>(ticks) * kernel::machine.timer_multiplier >> 32) + 1;
    local_write(local_initial, count > 0xffff'ffffu ? 0xffff'ffffu : static_cast<std::uint32_t>(count));
}

unsigned ioapic_lines() {
    return (io_read(1) >> 16 & 0xff) + 1;
}

// The low words of the routing entries without the mask, so that masking need not read the device.
static std::uint32_t routes[240];

void route(unsigned line, Word vector, std::uint32_t id, std::uint16_t flags) {
    bool low = (flags & 3) == 3, level = (flags >> 2 & 3) == 3;
    routes[line] = static_cast<std::uint32_t>(vector) | (low ? 1 << 13 : 0) | (level ? 1 << 15 : 0);
    io_write(0x10 + 2 * line + 1, id << 24);
    mask(line);
}

// The vector stays: an interrupt that is on its way to the old core is found there, and its end is
// recognized.
void redirect(unsigned line, std::uint32_t id) {
    io_write(0x10 + 2 * line + 1, id << 24);
}

void mask(unsigned line) {
    io_write(0x10 + 2 * line, routes[line] | masked_bit);
}

void end_masked(unsigned line) {
    mask(line);
    end_of_interrupt();
}

void unmask(unsigned line) {
    io_write(0x10 + 2 * line, routes[line]);
}

void run_timer_down() {
    local_write(local_timer, masked_bit | vector_timer);
    local_write(local_initial, 0xffff'ffff);
}
std::uint32_t timer_left() {
    return local_read(local_current);
}

} // namespace arch
