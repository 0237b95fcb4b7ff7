# SPDX-License-Identifier: BSD-2-Clause
# Where user mode enters the kernel and where it is left. A trap's registers are pushed straight into the structure
# that core.frame_top ends: the current thread's, or its vCPU page's while guest code runs. Then the core's one kernel
# stack is used; nothing on it survives the way out.

.set CORE_FRAME_TOP, 8
.set CORE_STACK_TOP, 16
.set CORE_USER_RSP, 24
.set CORE_IN_GUEST, 32
.set CORE_SEQUENCE, 40
.set CORE_GUEST_RIP, 48
.set CORE_GUEST_RFLAGS, 56
.set CORE_GUEST_RSP, 64
.set CORE_GUEST_IRET, 72
.set CORE_SCRATCH, 80
.set REGISTERS_SIZE, 176
.set USER_DATA, 0x1b
.set USER_CODE, 0x23
.set VECTOR_SYSTEM_CALL, 256

.macro PUSH_GENERAL
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
.endm

.section .text.entry, "ax"

# SYSCALL: rcx = rip, r11 = rflags; SFMASK cleared IF, TF, DF, AC, NT.
.globl system_call_entry
.balign 64
system_call_entry:
    swapgs
    mov %rsp, %gs:CORE_USER_RSP
    mov %gs:CORE_FRAME_TOP, %rsp
    push $USER_DATA
    push %gs:CORE_USER_RSP
    push %r11
    push $USER_CODE
    push %rcx
    push $0
    push $VECTOR_SYSTEM_CALL
    PUSH_GENERAL
    incq %gs:CORE_SEQUENCE
    mov %rsp, %rdi
    mov %gs:CORE_STACK_TOP, %rsp
    cmpb $0, %gs:CORE_IN_GUEST
    jne 1f
    call handle_system_call
    jmp leave_kernel
1:  call handle_guest_system_call
    jmp leave_kernel

# Leaves to what core.frame_top and core.in_guest say.
.globl leave_kernel
.balign 64
leave_kernel:
    cmpb $0, %gs:CORE_IN_GUEST
    jne leave_to_guest
    incq %gs:CORE_SEQUENCE
    mov %gs:CORE_FRAME_TOP, %rsp
    sub $REGISTERS_SIZE, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    cmpl $VECTOR_SYSTEM_CALL, 72(%rsp)
    jne 2f
    add $8, %rsp            # r11 becomes rflags
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    add $8, %rsp            # rcx becomes rip
    pop %rdx
    pop %rsi
    pop %rdi
    mov 16(%rsp), %rcx
    mov 32(%rsp), %r11
    mov 40(%rsp), %rsp
    swapgs
    sysretq
2:  pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    add $16, %rsp           # vector, error
    swapgs
    iretq

# Guest registers lie in the vCPU page, which its server can write at any time: RIP, RFLAGS and RSP were read once and
# checked by prepare_guest; the others may hold anything.
leave_to_guest:
    call prepare_guest      # may turn the way out into a return from vcpu_run
    cmpb $0, %gs:CORE_IN_GUEST
    je leave_kernel
    incq %gs:CORE_SEQUENCE
    mov %gs:CORE_FRAME_TOP, %rdi
    sub $REGISTERS_SIZE, %rdi
    mov 0(%rdi), %r15
    mov 8(%rdi), %r14
    mov 16(%rdi), %r13
    mov 24(%rdi), %r12
    mov 32(%rdi), %rbp
    mov 40(%rdi), %rbx
    mov 56(%rdi), %r10
    mov 64(%rdi), %r9
    mov 72(%rdi), %r8
    mov 80(%rdi), %rax
    mov 96(%rdi), %rdx
    mov 104(%rdi), %rsi
    cmpb $0, %gs:CORE_GUEST_IRET
    jne 3f
    mov 112(%rdi), %rdi
    mov %gs:CORE_GUEST_RIP, %rcx
    mov %gs:CORE_GUEST_RFLAGS, %r11
    mov %gs:CORE_GUEST_RSP, %rsp
    swapgs
    sysretq
3:  mov 48(%rdi), %r11
    mov 88(%rdi), %rcx
    mov 112(%rdi), %rdi
    push $USER_DATA
    push %gs:CORE_GUEST_RSP
    push %gs:CORE_GUEST_RFLAGS
    push $USER_CODE
    push %gs:CORE_GUEST_RIP
    swapgs
    iretq

# Exceptions and interrupts. The processor pushed ss .. rip at core.frame_top when it came from user mode.
.macro STUB vector, has_error
    .balign 16
stub_\vector:
    .if !\has_error
    push $0
    .endif
    push $\vector
    jmp trap_entry
.endm

.altmacro
.set v, 0
.rept 256
    .if v == 8 || v == 10 || v == 11 || v == 12 || v == 13 || v == 14 || v == 17 || v == 21
        STUB %v, 1
    .elseif v == 1 || v == 2 || v == 18
        # have entries of their own below
    .else
        STUB %v, 0
    .endif
    .set v, v + 1
.endr

.balign 64
trap_entry:
    testb $3, 24(%rsp)
    jz trap_from_kernel
    swapgs
trap_saved:
    PUSH_GENERAL
    cld
    incq %gs:CORE_SEQUENCE
    mov %rsp, %rdi
    mov %gs:CORE_STACK_TOP, %rsp
    call handle_trap
    jmp leave_kernel

# The kernel runs with interrupts off, so this is the idle loop being woken, or a bug.
trap_from_kernel:
    PUSH_GENERAL
    cld
    mov %rsp, %rdi
    call handle_kernel_trap  # returns only when idle was interrupted
    mov %gs:CORE_STACK_TOP, %rsp
    jmp leave_kernel

# #DB on its own stack: it can hit the first instruction of the kernel with the user's GS (MOV SS before SYSCALL).
.balign 16
stub_1:
    testb $3, 8(%rsp)
    jz 4f
    swapgs
    # Move the processor's frame from the exception stack to where the others come from.
    mov %rax, %gs:CORE_SCRATCH
    mov %rsp, %rax
    mov %gs:CORE_FRAME_TOP, %rsp
    push 32(%rax)
    push 24(%rax)
    push 16(%rax)
    push 8(%rax)
    push 0(%rax)
    push $0
    push $1
    mov %gs:CORE_SCRATCH, %rax
    jmp trap_saved
4:  push %rax               # in the kernel: a user's breakpoint must not stop it
    xor %eax, %eax
    mov %rax, %db7
    mov %rax, %db6
    pop %rax
    iretq

# NMI, machine check: own stacks; report and stop.
.balign 16
stub_2:
    push $0
    push $2
    jmp fatal_entry
.balign 16
stub_18:
    push $0
    push $18
fatal_entry:
    PUSH_GENERAL
    cld
    mov %rsp, %rdi
    call handle_fatal_trap
5:  hlt
    jmp 5b

# enter_idle(stack_top): waits for an interrupt with interrupts on; handle_kernel_trap finds idle_resume in RIP.
.globl enter_idle, idle_wait_end
enter_idle:
    mov %gs:CORE_STACK_TOP, %rsp
    incq %gs:CORE_SEQUENCE
6:  sti
    hlt
idle_wait_end:
    cli                     # woken without an interrupt, as a late STARTUP does
    jmp 6b

# jump_to_user(): the first way out of a core.
.globl jump_to_user
jump_to_user:
    mov %gs:CORE_STACK_TOP, %rsp
    jmp leave_kernel

.section .rodata
.balign 8
.globl trap_stubs
trap_stubs:
.altmacro
.macro STUB_ADDRESS vector
    .quad stub_\vector
.endm
.set v, 0
.rept 256
    STUB_ADDRESS %v
    .set v, v + 1
.endr
.section .note.GNU-stack, "", @progbits
