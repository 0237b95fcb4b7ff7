// SPDX-License-Identifier: BSD-2-Clause
// Processor features: what must be there, and turning it on.
#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/machine.hpp"
#include "kernel/panic.hpp"

namespace kernel {

namespace {
constexpr Word cr4_osfxsr = 1 << 9, cr4_osxmmexcpt = 1 << 10, cr4_umip = 1 << 11, cr4_fsgsbase = 1 << 16,
               cr4_osxsave = 1 << 18, cr4_smep = 1 << 20, cr4_smap = 1 << 21, cr4_pge = 1 << 7,
               cr4_mce = 1 << 6, cr4_pcide = 1 << 17;
constexpr Word xcr0_x87_sse_avx = 7, xcr0_avx512 = 0xe0;
// Which memory type an entry's bits name: as after reset, but the PAT bit alone, entry 4, is
// write-combining.
constexpr std::uint32_t msr_pat = 0x277;
constexpr Word page_attributes = 0x0007'0401'0007'0406;
bool has_umip, has_machine_check;
} // namespace

void check_features() {
    auto basic = arch::cpuid(1), extended = arch::cpuid(7);
    struct {
        bool there;
        const char* name;
    } needed[] = {
        {(basic.ecx & 1 << 26) != 0, "XSAVE"},
        {(extended.ebx & 1) != 0, "FSGSBASE"},
        {(extended.ebx & 1 << 7) != 0, "SMEP"},
        {(extended.ebx & 1 << 20) != 0, "SMAP"},
        {(basic.edx & 1 << 9) != 0, "a local APIC"},
        {(arch::cpuid(0x80000001).edx & 1 << 20) != 0, "no-execute pages"},
    };
    for (const auto& feature : needed)
        if (!feature.there) {
            console_write("\nthe processor lacks ");
            panic(feature.name);
        }
    // By request alone: no emulator here keeps translations over a change of space, so that no test would
    // find one that was kept for too long.
    machine.pcid = boot_option("kernel.pcid") && (basic.ecx & 1 << 17) && (extended.ebx & 1 << 10); // INVPCID
    machine.x2apic = basic.ecx & 1 << 21;
    machine.tsc_deadline = basic.ecx & 1 << 24;
    has_machine_check = (basic.edx & 1 << 7) && (basic.edx & 1 << 14); // MCE, MCA
    has_umip = extended.ecx & 1 << 2;
    // As much state as fits a page; a wider machine's further parts stay off.
    Word offered = arch::cpuid(13).eax & (xcr0_x87_sse_avx | xcr0_avx512);
    if ((offered & xcr0_avx512) != xcr0_avx512)
        offered &= ~xcr0_avx512;
    machine.xsave_mask = offered;
    arch::write_cr4(arch::read_cr4() | cr4_osxsave | cr4_osfxsr | cr4_osxmmexcpt);
    arch::write_xcr0(offered);
    machine.xsave_size = arch::cpuid(13).ebx;
    if (machine.xsave_size > abi::page_size) {
        machine.xsave_mask = xcr0_x87_sse_avx & offered;
        arch::write_xcr0(machine.xsave_mask);
        machine.xsave_size = arch::cpuid(13).ebx;
    }
}

void enable_features() {
    arch::write_cr4(arch::read_cr4() | cr4_osxsave | cr4_osfxsr | cr4_osxmmexcpt | cr4_fsgsbase | cr4_smep |
                    cr4_smap | cr4_pge | (has_umip ? cr4_umip : 0) | (has_machine_check ? cr4_mce : 0) |
                    (machine.pcid ? cr4_pcide : 0));
    arch::write_cr0((arch::read_cr0() & ~Word{1 << 2 | 1 << 3}) | 1 << 1 | 1 << 5 |
                    1 << 16); // EM, TS off; MP, NE, WP on
    arch::write_xcr0(machine.xsave_mask);
    arch::write_msr(msr_pat, page_attributes);
    if (has_machine_check)
        enable_machine_check();
}

void initialize_fpu(void* zeroed_page) {
    auto* bytes = static_cast<std::uint8_t*>(zeroed_page);
    bytes[0] = 0x7f; // FCW 0x37f
    bytes[1] = 0x03;
    bytes[24] = 0x80; // MXCSR 0x1f80
    bytes[25] = 0x1f;
    bytes[512] = 3; // XSTATE_BV: x87 and SSE are in the area
}

} // namespace kernel
