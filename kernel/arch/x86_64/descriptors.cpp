// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/arch/x86_64/descriptors.hpp"

#include "kernel/abi/layout.hpp"
#include "kernel/guard.hpp"

extern "C" const std::uint64_t trap_stubs[256];
extern "C" void system_call_entry();
extern "C" void system_call_entry_traced();

namespace arch {

using kernel::Guard;

CoreStacks stacks[abi::max_cores];

namespace {

struct Gate {
    std::uint16_t offset_low, selector;
    std::uint8_t ist, type;
    std::uint16_t offset_middle;
    std::uint32_t offset_high, reserved;
};
static_assert(sizeof(Gate) == 16);

alignas(16) Gate idt[256];

struct [[gnu::packed]] Pointer {
    std::uint16_t limit;
    const void* base;
};

enum Msr : std::uint32_t {
    msr_efer = 0xc0000080,
    msr_star = 0xc0000081,
    msr_lstar = 0xc0000082,
    msr_sfmask = 0xc0000084,
    msr_gs_base = 0xc0000101,
    msr_kernel_gs_base = 0xc0000102,
};

} // namespace

void initialize_idt() {
    auto own = [](std::uint8_t stack, Guard guard) {
        return kernel::guarded(guard) ? stack : std::uint8_t{0};
    };
    for (unsigned vector = 0; vector < 256; ++vector) {
        std::uint64_t stub = trap_stubs[vector];
        std::uint8_t ist = 0;
        switch (vector) {
        case 1:
            ist = own(ist_debug, Guard::debug_stack);
            break;
        case 2:
            ist = own(ist_nmi, Guard::nmi_stack);
            break;
        case 8:
            ist = own(ist_double_fault, Guard::double_fault_stack);
            break;
        case 18:
            ist = own(ist_machine_check, Guard::machine_check_stack);
            break;
        }
        bool user = vector == 3 || vector == 4; // INT3, INTO
        idt[vector] = {static_cast<std::uint16_t>(stub),
                       kernel_code,
                       ist,
                       static_cast<std::uint8_t>(user ? 0xee : 0x8e),
                       static_cast<std::uint16_t>(stub >> 16),
                       static_cast<std::uint32_t>(stub >> 32),
                       0};
    }
}

bool is_stack_guard(Word address) {
    bool found = false;
    for_each_guard(abi::max_cores, [&](Word guard) { found |= address - guard < 4096; });
    return found;
}

Word stack_end(Word address) {
    for (const CoreStacks& core : stacks) {
        if (address - reinterpret_cast<Word>(&core.main) < sizeof core.main)
            return core.main.top();
        for (const auto& stack : core.exceptions)
            if (address - reinterpret_cast<Word>(&stack) < sizeof stack)
                return stack.top();
    }
    return 0;
}

unsigned stack_core(Word address) {
    return stack_end(address)
               ? static_cast<unsigned>((address - reinterpret_cast<Word>(stacks)) / sizeof stacks[0])
               : 0;
}

void Descriptors::load(void* core, unsigned index) {
    gdt[0] = 0;
    gdt[1] = 0x00af9b000000ffff; // kernel code
    gdt[2] = 0x00cf93000000ffff; // kernel data
    gdt[3] = 0x00cff3000000ffff; // user data
    gdt[4] = 0x00affb000000ffff; // user code
    auto base = reinterpret_cast<std::uint64_t>(&tss);
    gdt[5] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[6] = base >> 32;
    tss.io_map = sizeof(tss);
    for (unsigned i = 0; i < 4; ++i) {
        ExceptionSlot& slot = stacks[index].slot(i);
        slot = {core, 0};
        tss.ist[i] = reinterpret_cast<std::uint64_t>(&slot);
    }
    Pointer gdt_pointer{sizeof(gdt) - 1, gdt}, idt_pointer{sizeof(idt) - 1, idt};
    asm volatile("lgdt %0; lidt %1" ::"m"(gdt_pointer), "m"(idt_pointer));
    asm volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:" ::"i"(kernel_code)
                 : "rax", "memory");
    asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss" ::"r"(static_cast<std::uint32_t>(kernel_data)));
    asm volatile("mov %0, %%fs; mov %0, %%gs" ::"r"(0));
    asm volatile("ltr %0" ::"r"(static_cast<std::uint16_t>(task_state)));
    write_msr(msr_gs_base, reinterpret_cast<std::uint64_t>(core));
    write_msr(msr_kernel_gs_base, 0);
    write_msr(msr_efer, read_msr(msr_efer) | 1);
    // SYSCALL loads CS from bits 32-47; SYSRET loads SS from 48-63 plus 8 and CS from it plus 16.
    write_msr(msr_star, kernel_code << 32 | (kernel_data | 3) << 48);
    write_msr(msr_lstar, reinterpret_cast<std::uint64_t>(&system_call_entry));
    auto masked = [](Word flag, Guard guard) { return kernel::guarded(guard) ? flag : Word{0}; };
    write_msr(msr_sfmask, masked(0x200, Guard::mask_if) | masked(0x100, Guard::mask_tf) |
                              masked(0x400, Guard::mask_df) | masked(0x40000, Guard::mask_ac) |
                              masked(0x4000, Guard::mask_nt) | 0x3000 | 0x10000); // and IOPL, RF
    asm volatile("mov %0, %%ds; mov %0, %%es" ::"r"(static_cast<std::uint32_t>(user_data)));
}

void set_system_call_entry(bool traced) {
    write_msr(msr_lstar,
              reinterpret_cast<std::uint64_t>(traced ? &system_call_entry_traced : &system_call_entry));
}

} // namespace arch
