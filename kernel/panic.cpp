// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/panic.hpp"

#include "kernel/arch/x86_64/apic.hpp"
#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/core.hpp"
#include "kernel/invocation.hpp"
#include "kernel/trace.hpp"

extern "C" const char image_start[], text_end[];

namespace kernel {

namespace {
constexpr std::uint16_t serial = 0x3f8; // COM1

unsigned stopping; // atomic: 1 + the core that stops the machine

Word stack_pointer() {
    Word sp;
    asm volatile("mov %%rsp, %0" : "=r"(sp));
    return sp;
}

void backtrace(Word sp) {
    console_write("\nBacktrace:");
    unsigned printed = 0;
    Word end = arch::stack_end(sp);
    if (arch::is_stack_guard(sp))
        sp = (sp | 0xfff) + 1;
    for (Word at = sp & ~Word{7}; at < end && printed < 32; at += 8) {
        Word word = *reinterpret_cast<const Word*>(at);
        if (word < reinterpret_cast<Word>(image_start) || word >= reinterpret_cast<Word>(text_end))
            continue;
        console_write(" ");
        console_hex(word);
        ++printed;
    }
    console_write("\n");
}
} // namespace

void console_initialize() {
    arch::out8(serial + 1, 0);
    arch::out8(serial + 3, 0x80);
    arch::out8(serial + 0, 1);
    arch::out8(serial + 1, 0);
    arch::out8(serial + 3, 3);
    arch::out8(serial + 2, 0xc7);
}

void console_put(char c) {
    while (!(arch::in8(serial + 5) & 0x20))
        arch::pause();
    arch::out8(serial, static_cast<std::uint8_t>(c));
}

void console_write(const char* text) {
    while (*text)
        console_put(*text++);
}

void console_hex(Word value) {
    console_write("0x");
    for (int shift = 60; shift >= 0; shift -= 4)
        console_put("0123456789abcdef"[value >> shift & 15]);
}

void console_decimal(Word value) {
    char digits[20];
    unsigned n = 0;
    do
        digits[n++] = static_cast<char>('0' + value % 10);
    while (value /= 10);
    while (n)
        console_put(digits[--n]);
}

bool is_stopping() {
    return __atomic_load_n(&stopping, __ATOMIC_ACQUIRE) != 0;
}

void stop_others() {
    unsigned self = arch::stack_core(stack_pointer()) + 1, nobody = 0;
    if (__atomic_compare_exchange_n(&stopping, &nobody, self, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        if (core_count > 1)
            arch::send_nmi_to_others();
    } else if (nobody != self) {
        arch::halt_forever();
    }
}

void panic(const char* reason) {
    stop_others();
    console_write("\nkernel panic: ");
    console_write(reason);
    print_trace(cores[arch::stack_core(stack_pointer())], 8);
    backtrace(stack_pointer());
    arch::halt_forever();
    __builtin_unreachable();
}

void panic_with(const abi::Registers& r, const char* reason) {
    stop_others();
    console_write("\nkernel panic: ");
    console_write(reason);
    struct {
        const char* name;
        Word value;
    } values[] = {{"vector", r.vector},
                  {"error", r.error},
                  {"rip", r.rip},
                  {"cs", r.cs},
                  {"rflags", r.rflags},
                  {"rsp", r.rsp},
                  {"cr2", arch::read_cr2()},
                  {"cr3", arch::read_cr3()},
                  {"rax", r.rax},
                  {"rbx", r.rbx},
                  {"rcx", r.rcx},
                  {"rdx", r.rdx},
                  {"rsi", r.rsi},
                  {"rdi", r.rdi},
                  {"rbp", r.rbp},
                  {"r8", r.r8},
                  {"r12", r.r12}};
    for (const auto& v : values) {
        console_write("\n  ");
        console_write(v.name);
        console_write(" ");
        console_hex(v.value);
    }
    print_trace(cores[arch::stack_core(stack_pointer())], 8);
    backtrace(r.cs & 3 ? stack_pointer() : r.rsp);
    arch::halt_forever();
    __builtin_unreachable();
}

// console_write(word, length)
void invoke_console_write(Core&, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Console> console(thread, r.rdi, abi::console_right::write);
    if (!console)
        return reply(r, console.error);
    if (r.rdx > 8)
        return reply(r, Error::bad_argument);
    for (Word i = 0; i < r.rdx; ++i)
        console_put(static_cast<char>(r.rsi >> 8 * i));
    reply(r, Error::ok);
}

} // namespace kernel
