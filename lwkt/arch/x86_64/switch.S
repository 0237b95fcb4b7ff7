// SPDX-License-Identifier: BSD-2-Clause
// The thread switch: callee-saved registers go to the old stack and come from the new one. No FPU state: LWKT threads
// have none, and nothing above LWKT changes MXCSR or the x87 control word.

    .text

// void lwkt_switch_stacks(void** save, void* load)
    .globl lwkt_switch_stacks
    .type lwkt_switch_stacks, @function
    .p2align 4
lwkt_switch_stacks:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size lwkt_switch_stacks, . - lwkt_switch_stacks

// Where a new thread begins, on an empty stack (stack.hpp lays it out).
    .globl lwkt_thread_start
    .type lwkt_thread_start, @function
    .p2align 4
lwkt_thread_start:
    xor %ebp, %ebp
    and $-16, %rsp
    call lwkt_thread_main
    ud2
    .size lwkt_thread_start, . - lwkt_thread_start

    .section .note.GNU-stack, "", @progbits
