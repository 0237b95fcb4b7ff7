// SPDX-License-Identifier: BSD-2-Clause
// NMI, double fault, machine check: reported on their own stacks, without this_core(), which reads GS. An NMI
// is counted and what it interrupted goes on; the others end the machine. Another core's panic is an NMI too.
#include "kernel/arch/x86_64/descriptors.hpp"
#include "kernel/core.hpp"
#include "kernel/guard.hpp"
#include "kernel/machine.hpp"
#include "kernel/panic.hpp"

extern "C" const char idle_wait_end[];

namespace kernel {

namespace {

constexpr std::uint32_t msr_mcg_capabilities = 0x179, msr_mcg_status = 0x17a, msr_mcg_control = 0x17b,
                        msr_bank = 0x400; // four a bank: control, status, address, more
constexpr Word mcg_has_control = 1 << 8, status_valid = Word{1} << 63, status_has_address = Word{1} << 58,
               status_has_more = Word{1} << 59;

unsigned machine_check_banks() {
    return arch::read_msr(msr_mcg_capabilities) & 0xff;
}

void write_line(const char* what, Word value) {
    console_write("\n  ");
    console_write(what);
    console_write(" ");
    console_hex(value);
}

// The frame ends where the processor began: at the slot.
arch::ExceptionSlot& slot_of(Registers* r) {
    return *reinterpret_cast<arch::ExceptionSlot*>(r + 1);
}
unsigned core_of(Registers* r, Guard guard) {
    return guarded(guard) ? static_cast<Core*>(slot_of(r).core)->index : this_core().index;
}

} // namespace

void enable_machine_check() {
    Word capabilities = arch::read_msr(msr_mcg_capabilities);
    if (capabilities & mcg_has_control)
        arch::write_msr(msr_mcg_control, ~Word{0});
    for (unsigned bank = 0; bank < (capabilities & 0xff); ++bank) {
        arch::write_msr(msr_bank + 4 * bank, ~Word{0});
        arch::write_msr(msr_bank + 4 * bank + 1, 0);
    }
}

extern "C" void handle_nmi(Registers* r) {
    if (is_stopping())
        arch::halt_forever();
    bool kernel = !(r->cs & 3);
    // Between STI and HLT of the idle loop: the interrupt that STI held back would be taken before the HLT
    // now, where handle_kernel_trap does not expect one.
    if (kernel && r->rip == reinterpret_cast<Word>(idle_wait_end) - 1)
        r->rip = reinterpret_cast<Word>(idle_wait_end);
    Word count = ++slot_of(r).count;
    if (count & (count - 1))
        return; // a storm is reported by its powers of two
    console_write("libelle: NMI ");
    console_decimal(count);
    console_write(" on core ");
    console_decimal(core_of(r, Guard::nmi_gs));
    console_write(kernel ? ", in the kernel at " : ", in user mode at ");
    console_hex(r->rip);
    console_write("\n");
}

extern "C" void handle_double_fault(Registers* r) {
    stop_others();
    console_write("\ndouble fault on core ");
    console_decimal(core_of(r, Guard::double_fault_gs));
    panic_with(*r, arch::is_stack_guard(r->rsp) ? "double fault: kernel stack overflow" : "double fault");
}

extern "C" void handle_machine_check(Registers* r) {
    stop_others();
    console_write("\nmachine check on core ");
    console_decimal(core_of(r, Guard::machine_check_gs));
    write_line("MCG_STATUS", arch::read_msr(msr_mcg_status));
    for (unsigned bank = 0; bank < machine_check_banks(); ++bank) {
        Word status = arch::read_msr(msr_bank + 4 * bank + 1);
        if (!(status & status_valid))
            continue;
        write_line("bank", bank);
        write_line("  status", status);
        if (status & status_has_address)
            write_line("  address", arch::read_msr(msr_bank + 4 * bank + 2));
        if (status & status_has_more)
            write_line("  more", arch::read_msr(msr_bank + 4 * bank + 3));
    }
    panic_with(*r, "machine check");
}

} // namespace kernel
