# SPDX-License-Identifier: BSD-2-Clause
# First instructions of a native program, and the code that an upcall enters.
.section .text
.globl _start
_start:
    xor %ebp, %ebp
    and $-16, %rsp
    call glue_start
    ud2

# Upcall: the kernel stored the interrupted registers in the vCPU page, cleared `enable` and came here on a small
# stack. The frame is copied below the interrupted stack pointer (there is no red zone) and the handler runs there, so
# that it may switch threads; the way back restores everything by IRETQ.
# The page is found through the upcall stack: its top word names it.
.set PAGE_UPCALL, 272
.globl glue_upcall
glue_upcall:
    mov (%rsp), %rsi            # vCPU page
    mov PAGE_UPCALL + 160(%rsi), %rsp
    and $-16, %rsp
    sub $176, %rsp
    lea PAGE_UPCALL(%rsi), %rsi
    mov %rsp, %rdi
    mov $22, %ecx
    cld
    rep movsq
    mov %rsp, %rbx
    call *glue_upcall_handler(%rip)
    mov %rbx, %rsp
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
.section .note.GNU-stack, "", @progbits
