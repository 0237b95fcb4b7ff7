# SPDX-License-Identifier: BSD-2-Clause
# Set-up code in assembly: the zygote's first instructions, and how the threads of a BSD process leave their set-up.
#include "l4-glue/hosted/stub/layout.hpp"

.text
.globl stub_start, stub_clone_runner, stub_become_sleeper, stub_become_agent
stub_start:
    lea stub_stack_end(%rip), %rsp
    xor %ebp, %ebp
    call stub_main
    ud2

# long stub_clone_runner(unsigned long flags, unsigned cpu, void (*entry)()): makes the thread of a vCPU, which ends up at
# `entry` with its number in edi. It needs no stack: what it does until then is done in registers and on its slot.
stub_clone_runner:
    mov %esi, %r9d
    mov %rdx, %r10                  # clone does not use it with our flags
    xor %esi, %esi
    xor %edx, %edx
    xor %r8d, %r8d
    mov $56, %eax                   # clone
    syscall
    test %rax, %rax
    jz 1f
    ret
1:  mov %r10, %r12
    mov %r9, %rbx
    imul $STUB_SLOT_SIZE, %r9, %rbp
    mov $STUB_BASE + STUB_SLOTS_OFFSET, %rax
    add %rax, %rbp
    xor %esp, %esp
    # sigaltstack: a stack_t in the slot itself
    lea SLOT_STACK(%rbp), %rax
    mov %rax, 256(%rbp)
    movq $0, 264(%rbp)
    movq $STUB_SLOT_SIZE - SLOT_STACK, 272(%rbp)
    lea 256(%rbp), %rdi
    xor %esi, %esi
    mov $131, %eax
    syscall
    test %rax, %rax
    jnz 2f
    movq $0, 256(%rbp)              # rt_sigprocmask(SIG_SETMASK, {}, 0, 8)
    mov $2, %edi
    lea 256(%rbp), %rsi
    xor %edx, %edx
    mov $8, %r10d
    mov $14, %eax
    syscall
    test %rax, %rax
    jnz 2f
    mov %ebx, %edi
    jmp *%r12
2:  mov $1, %edi                    # exit_group
    mov $231, %eax
    syscall
    ud2

# The first thread of a process that is to be traced: it has no more to do.
stub_become_sleeper:
    xor %esp, %esp
    mov $STUB_BASE + STUB_SLOTS_OFFSET, %rbp
    jmp stub_sleep

stub_become_agent:
    xor %esp, %esp
    jmp stub_agent

.bss
.balign 16
    .skip 16384
stub_stack_end:
.section .note.GNU-stack, "", @progbits
