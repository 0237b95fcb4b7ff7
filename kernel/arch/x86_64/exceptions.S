# SPDX-License-Identifier: BSD-2-Clause
# NMI, double fault and machine check: they can come between any two instructions, also where the kernel still has the
# user's GS, stack or page tables' low half, or no stack at all. Each has a stack of its own a core, and nothing here
# looks at GS: the word above the frame, at the end of the stack, names the core.

.macro SAVE_ALL
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    clac
    mov %rsp, %rdi
.endm

.section .text.entry, "ax"

# An NMI changes nothing that it interrupted. It raises no exception itself: the IRET of one would let the next NMI in
# while this stack is in use.
.globl stub_2
.balign 16
stub_2:
    push $0
    push $2
    SAVE_ALL
    call handle_nmi
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    add $16, %rsp
    iretq

.globl stub_8
.balign 16
stub_8:                     # the processor pushed an error code
    push $8
    SAVE_ALL
    call handle_double_fault

.globl stub_18
.balign 16
stub_18:
    push $0
    push $18
    SAVE_ALL
    call handle_machine_check
.section .note.GNU-stack, "", @progbits
