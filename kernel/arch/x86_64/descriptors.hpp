// SPDX-License-Identifier: BSD-2-Clause
// Segments, task state and interrupt descriptors of a core.
#pragma once

#include <cstddef>

#include "kernel/arch/x86_64/cpu.hpp"

namespace arch {

struct [[gnu::packed]] TaskState {
    std::uint32_t reserved0;
    Word rsp0, rsp1, rsp2;
    Word reserved1;
    Word ist[7];
    Word reserved2;
    std::uint16_t reserved3, io_map;
};
static_assert(sizeof(TaskState) == 104);

inline constexpr unsigned exception_stack_size = 2048;
enum ExceptionStack : unsigned { ist_debug = 1, ist_nmi = 2, ist_double_fault = 3, ist_machine_check = 4 };

struct Descriptors {
    Word gdt[7];
    TaskState tss;
    // The stacks of #DB, NMI, #DF, #MC; they do not trust GS: the word at the top of each names the core.
    struct alignas(16) Stack {
        std::byte memory[exception_stack_size - 16];
        void* core;
        Word pad;
    } stacks[4];

    // Loads the tables on the running core and sets up SYSCALL. `core` is found by exception stacks.
    void load(void* core);
};

// Fills the IDT that all cores share.
void initialize_idt();

} // namespace arch
