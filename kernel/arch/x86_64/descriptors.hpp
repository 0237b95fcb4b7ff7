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

enum ExceptionStack : unsigned { ist_debug = 1, ist_nmi = 2, ist_double_fault = 3, ist_machine_check = 4 };

struct Descriptors {
    Word gdt[7];
    TaskState tss;

    // Loads the tables on the running core and sets up SYSCALL. `core` is found by exception stacks.
    void load(void* core, unsigned index);
};

// At the end of an exception stack, above the processor's frame: what is known there without GS.
struct alignas(16) ExceptionSlot {
    void* core; // kernel::Core, immutable
    Word count; // of NMIs; owned by the stack's core
};

// A stack under a page that is never mapped.
template <unsigned pages>
struct alignas(4096) GuardedStack {
    std::byte guard[4096];
    std::byte memory[pages * 4096];
    Word top() const { return reinterpret_cast<Word>(this + 1); }
};

// All stacks of a core: the kernel's one, and those of #DB, NMI, #DF and #MC, in the order of ExceptionStack.
struct CoreStacks {
    GuardedStack<3> main;
    GuardedStack<1> exceptions[4];
    ExceptionSlot& slot(unsigned i) { return reinterpret_cast<ExceptionSlot*>(exceptions[i].top())[-1]; }
};
extern CoreStacks stacks[];

// Calls visit(address) for each page of `count` cores' stacks that must not be mapped.
template <class Visit>
void for_each_guard(unsigned count, Visit visit) {
    for (unsigned i = 0; i < count; ++i) {
        visit(reinterpret_cast<Word>(stacks[i].main.guard));
        for (const auto& stack : stacks[i].exceptions)
            visit(reinterpret_cast<Word>(stack.guard));
    }
}
bool is_stack_guard(Word address);
// The end of the stack that `address` lies in, or in whose guard page; 0 if it is no core's stack.
Word stack_end(Word address);
unsigned stack_core(Word address); // which core's stack; 0 if none's: the boot stack

// Where this core's system calls enter; see trace.hpp.
void set_system_call_entry(bool traced);

// Fills the IDT that all cores share.
void initialize_idt();

} // namespace arch
