// SPDX-License-Identifier: BSD-2-Clause
// One function a privileged instruction. Nothing here decides anything.
#pragma once

#include <cstdint>

namespace arch {

using Word = std::uint64_t;

inline Word read_msr(std::uint32_t msr) {
    std::uint32_t low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return Word{high} << 32 | low;
}
inline void write_msr(std::uint32_t msr, Word value) {
    asm volatile("wrmsr" ::"c"(msr), "a"(static_cast<std::uint32_t>(value)),
                 "d"(static_cast<std::uint32_t>(value >> 32))
                 : "memory");
}
inline Word read_tsc() {
    std::uint32_t low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return Word{high} << 32 | low;
}
inline Word read_cr0() {
    Word v;
    asm volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}
inline void write_cr0(Word v) {
    asm volatile("mov %0, %%cr0" ::"r"(v) : "memory");
}
inline Word read_cr2() {
    Word v;
    asm volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}
inline Word read_cr3() {
    Word v;
    asm volatile("mov %%cr3, %0" : "=r"(v));
    return v;
}
inline void write_cr3(Word v) {
    asm volatile("mov %0, %%cr3" ::"r"(v) : "memory");
}
inline Word read_cr4() {
    Word v;
    asm volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}
inline void write_cr4(Word v) {
    asm volatile("mov %0, %%cr4" ::"r"(v) : "memory");
}
// The local APIC's task priority class, without a way to the APIC.
inline void write_task_priority(Word v) {
    asm volatile("mov %0, %%cr8" ::"r"(v) : "memory");
}
inline void write_xcr0(Word v) {
    asm volatile("xsetbv" ::"c"(0), "a"(static_cast<std::uint32_t>(v)),
                 "d"(static_cast<std::uint32_t>(v >> 32)));
}
inline void invalidate_page(Word address) {
    asm volatile("invlpg (%0)" ::"r"(address) : "memory");
}
inline void clear_task_switched() {
    asm volatile("clts");
}
inline void pause() {
    asm volatile("pause");
}
inline void halt_forever() {
    for (;;)
        asm volatile("cli; hlt");
}

inline Word read_fs_base() {
    Word v;
    asm volatile("rdfsbase %0" : "=r"(v));
    return v;
}
inline void write_fs_base(Word v) {
    asm volatile("wrfsbase %0" ::"r"(v));
}
// The user's GS base lies behind SWAPGS while the kernel runs.
inline Word read_user_gs_base() {
    Word v;
    asm volatile("swapgs; rdgsbase %0; swapgs" : "=r"(v));
    return v;
}
inline Word exchange_user_gs_base(Word v) {
    asm volatile("swapgs; rdgsbase %0; wrgsbase %1; swapgs" : "=&r"(v) : "r"(v));
    return v;
}
inline void write_user_gs_base(Word v) {
    asm volatile("swapgs; wrgsbase %0; swapgs" ::"r"(v));
}

inline void save_fpu(void* area, Word mask) {
    asm volatile("xsave64 (%0)" ::"r"(area), "a"(static_cast<std::uint32_t>(mask)),
                 "d"(static_cast<std::uint32_t>(mask >> 32))
                 : "memory");
}
inline void restore_fpu(const void* area, Word mask) {
    asm volatile("xrstor64 (%0)" ::"r"(area), "a"(static_cast<std::uint32_t>(mask)),
                 "d"(static_cast<std::uint32_t>(mask >> 32))
                 : "memory");
}

struct Cpuid {
    std::uint32_t eax, ebx, ecx, edx;
};
inline Cpuid cpuid(std::uint32_t leaf, std::uint32_t sub = 0) {
    Cpuid r;
    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(sub));
    return r;
}

inline std::uint8_t in8(std::uint16_t port) {
    std::uint8_t v;
    asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
inline std::uint16_t in16(std::uint16_t port) {
    std::uint16_t v;
    asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
inline std::uint32_t in32(std::uint16_t port) {
    std::uint32_t v;
    asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
inline void out8(std::uint16_t port, std::uint8_t v) {
    asm volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}
inline void out16(std::uint16_t port, std::uint16_t v) {
    asm volatile("outw %0, %1" ::"a"(v), "Nd"(port));
}
inline void out32(std::uint16_t port, std::uint32_t v) {
    asm volatile("outl %0, %1" ::"a"(v), "Nd"(port));
}

inline constexpr Word rflags_fixed = 2, rflags_interrupts = 1 << 9;
// What user mode may hold in RFLAGS: arithmetic flags, TF, DF, AC, ID; IF is always on, IOPL, NT and RF
// never.
inline constexpr Word rflags_user = 0x0cd5 | 1 << 8 | 1 << 18 | 1 << 21;

inline constexpr Word kernel_code = 0x08, kernel_data = 0x10, user_data = 0x1b, user_code = 0x23,
                      task_state = 0x28;

} // namespace arch
