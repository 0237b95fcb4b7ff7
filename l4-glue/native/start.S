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
# that it may switch threads; the way back restores everything. Not by IRETQ: QEMU's emulation reads its frame with
# supervisor rights even in user mode, which SMAP refuses.
# The page is found through the upcall stack: its top word names it.
.set PAGE_UPCALL, 272
.set FRAME_RIP, 136
.set FRAME_RSP, 160
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
    mov FRAME_RSP(%rsp), %rax   # the way back: RIP below the interrupted stack pointer, taken by RET
    mov FRAME_RIP(%rsp), %rcx
    sub $8, %rax
    mov %rcx, (%rax)            # at most the frame's SS, which is not needed
    mov %rax, FRAME_RSP(%rsp)
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
    add $32, %rsp               # vector, error code, RIP, CS
    popfq
    pop %rsp
    ret
.section .note.GNU-stack, "", @progbits
