// SPDX-License-Identifier: BSD-2-Clause
// The thread switch: callee-saved registers go to the old stack and come from the new one. No FPU state: LWKT threads
// have none. MXCSR and the x87 control word are never changed by code above LWKT either.

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

// Where a new thread begins: r12 is its Thread (lwkt/arch/x86_64/stack.hpp lays the stack out).
    .globl lwkt_thread_start
    .type lwkt_thread_start, @function
    .p2align 4
lwkt_thread_start:
    xor %ebp, %ebp
    mov %r12, %rdi
    call lwkt_thread_main
    ud2
    .size lwkt_thread_start, . - lwkt_thread_start

    .section .note.GNU-stack, "", @progbits
