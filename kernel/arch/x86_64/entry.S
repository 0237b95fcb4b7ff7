# SPDX-License-Identifier: BSD-2-Clause
# Where user mode enters the kernel and where it is left. A trap's registers go straight to core.frame: into the current
# thread, or into its vCPU page while guest code runs. Then the core's one kernel stack is used; nothing on it survives
# the way out.
#
# System calls keep rbx, rbp, rsp and r12 .. r15, as C++ functions do; the words of a short message travel in r12 .. r15,
# so call_fast and reply_wait_fast pass them from thread to thread without touching them.

.set CORE_SELF, 0
.set CORE_FRAME, 8
.set CORE_STACK_TOP, 16
.set CORE_USER_RSP, 24
.set CORE_SEQUENCE, 32
.set CORE_LEAVING, 40           # four bytes: in_guest, traced, switched, reschedule
.set CORE_IN_GUEST, 40
.set CORE_TRACED, 41
.set CORE_SWITCHED, 42
.set CORE_GUEST_RIP, 48
.set CORE_GUEST_RFLAGS, 56
.set CORE_GUEST_RSP, 64
.set CORE_GUEST_IRET, 72
.set CORE_SCRATCH, 80
.set CORE_CURRENT, 88

.set R15, 0
.set R14, 8
.set R13, 16
.set R12, 24
.set RBP, 32
.set RBX, 40
.set R11, 48
.set R10, 56
.set R9, 64
.set R8, 72
.set RAX, 80
.set RCX, 88
.set RDX, 96
.set RSI, 104
.set RDI, 112
.set VECTOR, 120
.set RIP, 136
.set RFLAGS, 152
.set RSP, 160
.set REGISTERS_SIZE, 176
.set POOL_WINDOW_BIT, 46        # clear in addresses of the pool window, set in those of the image: asserted in trap.cpp

.set USER_DATA, 0x1b
.set USER_CODE, 0x23
.set VECTOR_SYSTEM_CALL, 256
.set END_OF_EXCEPTIONS, 32
.set TAG_SLOW, 0x80             # kernel::tag_slow
# Numbers of kernel/abi, asserted in core.hpp.
.set OPERATION_VCPU_RUN, 25
.set OPERATION_CALL, 36
.set OPERATION_REPLY_WAIT, 38
.set TRAP_SYSTEM_CALL, 1
.set ERROR_BAD_OPERATION, 1

.macro SAVE_MESSAGE
    mov %r12, R12(%rsp)
    mov %r13, R13(%rsp)
    mov %r14, R14(%rsp)
    mov %r15, R15(%rsp)
.endm

.macro SAVE_ARGUMENTS
    mov %rdx, RDX(%rsp)
    mov %r10, R10(%rsp)
    mov %r8, R8(%rsp)
    mov %r9, R9(%rsp)
    mov %rax, RAX(%rsp)
.endm

.section .text.entry, "ax"

# SYSCALL: rcx = rip, r11 = rflags; SFMASK cleared IF, TF, DF, AC, NT.
.macro ENTER_BY_SYSTEM_CALL
    swapgs
    mov %rsp, %gs:CORE_USER_RSP
    mov %gs:CORE_FRAME, %rsp
    mov %rcx, RIP(%rsp)
    mov %r11, RFLAGS(%rsp)
    mov %gs:CORE_USER_RSP, %rcx
    mov %rcx, RSP(%rsp)
    movq $VECTOR_SYSTEM_CALL, VECTOR(%rsp)
    mov %rbx, RBX(%rsp)
    mov %rbp, RBP(%rsp)
    mov %rdi, RDI(%rsp)
    mov %rsi, RSI(%rsp)
    incq %gs:CORE_SEQUENCE
.endm

.globl system_call_entry
.balign 64
system_call_entry:
    ENTER_BY_SYSTEM_CALL
    cmpb $0, %gs:CORE_IN_GUEST
    jne guest_system_call
    cmp $OPERATION_CALL, %rax
    je call_entry
    cmp $OPERATION_REPLY_WAIT, %rax
    je reply_wait_entry
    cmp $OPERATION_VCPU_RUN, %rax
    je vcpu_run_entry

general_entry:
    SAVE_ARGUMENTS
    SAVE_MESSAGE
    mov %gs:CORE_STACK_TOP, %rsp
    cmp handler_count, %rax
    jae bad_operation
    mov %gs:CORE_SELF, %rdi
    mov %gs:CORE_CURRENT, %rsi
    call *operation_handlers(, %rax, 8)
# The same thread goes on where it was, unless something asks for more: its preserved registers are still in place.
handler_returned:
    cmpl $0, %gs:CORE_LEAVING
    jne leave_by_schedule
    incq %gs:CORE_SEQUENCE
    mov %gs:CORE_FRAME, %rsp
    mov R10(%rsp), %r10
    mov R9(%rsp), %r9
    mov R8(%rsp), %r8
    mov RAX(%rsp), %rax
    mov RDX(%rsp), %rdx
    mov RSI(%rsp), %rsi
    mov RDI(%rsp), %rdi
    mov RIP(%rsp), %rcx
    mov RFLAGS(%rsp), %r11
    mov RSP(%rsp), %rsp
    swapgs
    sysretq

bad_operation:
    mov %gs:CORE_FRAME, %rcx
    movq $ERROR_BAD_OPERATION, RAX(%rcx)
    jmp handler_returned

# call and reply_wait: all in registers if the partner is there and the message is short.
.balign 32
call_entry:
    mov %gs:CORE_STACK_TOP, %rsp
    call call_fast              # (selector, tag) -> rax tag, rdx badge
    test $TAG_SLOW, %al
    jnz 1f
leave_to_partner:
    incq %gs:CORE_SEQUENCE
    mov %gs:CORE_FRAME, %rsp
    mov %rax, %rsi
    mov %rdx, %rdi
    mov RBX(%rsp), %rbx
    mov RBP(%rsp), %rbp
    mov RIP(%rsp), %rcx
    mov RFLAGS(%rsp), %r11
    mov RSP(%rsp), %rsp
    xor %eax, %eax
    xor %edx, %edx
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    swapgs
    sysretq
1:  mov $OPERATION_CALL, %eax
again_slowly:
    mov %gs:CORE_FRAME, %rsp
    xor %edx, %edx
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    jmp general_entry

.balign 32
reply_wait_entry:
    mov %gs:CORE_STACK_TOP, %rsp
    call reply_wait_fast        # (selector, tag) -> rax tag, rdx badge
    test $TAG_SLOW, %al
    jz leave_to_partner
    mov $OPERATION_REPLY_WAIT, %eax
    jmp again_slowly

# vcpu_run: does not keep r12 .. r15 (the guest's come back in them).
.balign 32
vcpu_run_entry:
    mov %gs:CORE_STACK_TOP, %rsp
    call vcpu_run_fast          # (selector, task) -> true if the guest is entered
    test %al, %al
    jnz enter_guest
    mov $OPERATION_VCPU_RUN, %eax
    jmp again_slowly

# A guest's system call ends vcpu_run: the server goes on with rax = 0, rdx = Trap::system_call.
.balign 32
guest_system_call:
    mov RIP(%rsp), %rcx
    mov %rcx, RCX(%rsp)
    mov %r11, R11(%rsp)
    SAVE_ARGUMENTS
    SAVE_MESSAGE
    mov %gs:CORE_STACK_TOP, %rsp
    call leave_guest_system_call
    incq %gs:CORE_SEQUENCE
    mov %gs:CORE_FRAME, %rsp
    mov RBX(%rsp), %rbx
    mov RBP(%rsp), %rbp
    mov RIP(%rsp), %rcx
    mov RFLAGS(%rsp), %r11
    mov RSP(%rsp), %rsp
    xor %eax, %eax
    mov $TRAP_SYSTEM_CALL, %edx
    xor %esi, %esi
    xor %edi, %edi
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    swapgs
    sysretq

# The entry of a traced core: every operation by its general path, every way out by leave_kernel.
.globl system_call_entry_traced
.balign 64
system_call_entry_traced:
    ENTER_BY_SYSTEM_CALL
    SAVE_ARGUMENTS
    SAVE_MESSAGE
    cmpb $0, %gs:CORE_IN_GUEST
    jne 1f
    mov %gs:CORE_STACK_TOP, %rsp
    call trace_system_call
    mov %gs:CORE_FRAME, %rcx
    mov RAX(%rcx), %rax
    cmp handler_count, %rax
    jae bad_operation
    mov %gs:CORE_SELF, %rdi
    mov %gs:CORE_CURRENT, %rsi
    call *operation_handlers(, %rax, 8)
    jmp handler_returned
1:  mov RIP(%rsp), %rcx
    mov %rcx, RCX(%rsp)
    mov %r11, R11(%rsp)
    mov %gs:CORE_STACK_TOP, %rsp
    call leave_guest_traced
    jmp leave_kernel

leave_by_schedule:
    mov %gs:CORE_SELF, %rdi
    call schedule
# Leaves to what core.frame and core.in_guest say, with all registers.
.globl leave_kernel
.balign 64
leave_kernel:
    cmpw $0, %gs:CORE_IN_GUEST  # and CORE_TRACED
    jne 1f
leave_to_thread:
    movb $0, %gs:CORE_SWITCHED
    incq %gs:CORE_SEQUENCE
    mov %gs:CORE_FRAME, %rsp
    mov R15(%rsp), %r15
    mov R14(%rsp), %r14
    mov R13(%rsp), %r13
    mov R12(%rsp), %r12
    mov RBP(%rsp), %rbp
    mov RBX(%rsp), %rbx
    mov R10(%rsp), %r10
    mov R9(%rsp), %r9
    mov R8(%rsp), %r8
    mov RAX(%rsp), %rax
    mov RDX(%rsp), %rdx
    mov RSI(%rsp), %rsi
    mov RDI(%rsp), %rdi
    cmpl $VECTOR_SYSTEM_CALL, VECTOR(%rsp)
    jne 2f
    mov RIP(%rsp), %rcx
    mov RFLAGS(%rsp), %r11
    mov RSP(%rsp), %rsp
    swapgs
    sysretq
2:  mov R11(%rsp), %r11
    mov RCX(%rsp), %rcx
    add $RIP, %rsp
    swapgs
    iretq

1:  cmpb $0, %gs:CORE_TRACED
    je leave_to_guest
    mov %gs:CORE_SELF, %rdi
    call trace_leave
    cmpb $0, %gs:CORE_IN_GUEST
    je leave_to_thread
    jmp leave_to_guest

# Guest registers lie in the vCPU page, which its server can write at any time: RIP, RFLAGS and RSP were read once and
# checked by prepare_guest; the others may hold anything.
leave_to_guest:
    movb $0, %gs:CORE_SWITCHED
    mov %gs:CORE_SELF, %rdi
    call prepare_guest          # may turn the way out into a return from vcpu_run
    cmpb $0, %gs:CORE_IN_GUEST
    je leave_kernel
enter_guest:
    incq %gs:CORE_SEQUENCE
    mov %gs:CORE_FRAME, %rdi
    mov R15(%rdi), %r15
    mov R14(%rdi), %r14
    mov R13(%rdi), %r13
    mov R12(%rdi), %r12
    mov RBP(%rdi), %rbp
    mov RBX(%rdi), %rbx
    mov R10(%rdi), %r10
    mov R9(%rdi), %r9
    mov R8(%rdi), %r8
    mov RAX(%rdi), %rax
    mov RDX(%rdi), %rdx
    mov RSI(%rdi), %rsi
    cmpb $0, %gs:CORE_GUEST_IRET
    jne 3f
    mov RDI(%rdi), %rdi
    mov %gs:CORE_GUEST_RIP, %rcx
    mov %gs:CORE_GUEST_RFLAGS, %r11
    mov %gs:CORE_GUEST_RSP, %rsp
    swapgs
    sysretq
3:  mov R11(%rdi), %r11
    mov RCX(%rdi), %rcx
.ifc LIBELLE_WITHOUT_GUARD, guest_segments
    pushq 168(%rdi)
    push %gs:CORE_GUEST_RSP
    push %gs:CORE_GUEST_RFLAGS
    pushq 144(%rdi)
    push %gs:CORE_GUEST_RIP
    mov RDI(%rdi), %rdi
    swapgs
    iretq
.endif
    mov RDI(%rdi), %rdi
    push $USER_DATA
    push %gs:CORE_GUEST_RSP
    push %gs:CORE_GUEST_RFLAGS
    push $USER_CODE
    push %gs:CORE_GUEST_RIP
    swapgs
    iretq

.macro PUSH_GENERAL                 # but rdi, which the stubs have pushed
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

# Exceptions and interrupts. The processor pushed ss .. rip at the end of core.frame when it came from user mode: into
# memory that a vCPU's server can write meanwhile. So nothing here is decided by what lies there: the vector travels in
# rdi.
.macro STUB vector, has_error
    .balign 16
stub_\vector:
    .if !\has_error
    push $0
    .endif
    push $\vector
    push %rdi
    mov $\vector, %edi
    jmp trap_entry
.endm

.altmacro
.set v, 0
.rept 256
    .if v == 10 || v == 11 || v == 12 || v == 13 || v == 14 || v == 17 || v == 21
        STUB %v, 1
    .elseif v == 1 || v == 2 || v == 8 || v == 18
        # have entries of their own: below, and in exceptions.S
    .else
        STUB %v, 0
    .endif
    .set v, v + 1
.endr

.balign 64
trap_entry:
.ifnc LIBELLE_WITHOUT_GUARD, entry_origin
    bt $POOL_WINDOW_BIT, %rsp # threads and vCPU pages lie in the pool window, the kernel's stacks in its image
    jc trap_from_kernel
.else
    testb $3, 32(%rsp)
    jz trap_from_kernel
.endif
    swapgs
trap_saved:
    PUSH_GENERAL
.ifnc LIBELLE_WITHOUT_GUARD, entry_df
    cld
.endif
.ifnc LIBELLE_WITHOUT_GUARD, entry_ac
    clac
.endif
    incq %gs:CORE_SEQUENCE
.ifnc LIBELLE_WITHOUT_GUARD, entry_vector
    mov %edi, %esi
.else
    mov VECTOR(%rsp), %esi
.endif
    mov %rsp, %rdi
    mov %gs:CORE_STACK_TOP, %rsp
    cmp $END_OF_EXCEPTIONS, %esi
    jb 1f
    mov %gs:CORE_SELF, %rdi
    call handle_interrupt       # (core, vector)
    jmp leave_kernel
1:  call handle_trap            # (registers, vector)
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
    mov %gs:CORE_FRAME, %rsp
    add $REGISTERS_SIZE, %rsp
    push 32(%rax)
    push 24(%rax)
    push 16(%rax)
    push 8(%rax)
    push 0(%rax)
    push $0
    push $1
    mov %gs:CORE_SCRATCH, %rax
    push %rdi
    mov $1, %edi
    jmp trap_saved
4:  push %rax               # in the kernel: a user's breakpoint must not stop it
.ifc LIBELLE_WITHOUT_GUARD, debug_gs
    mov %gs:CORE_SELF, %rax
.endif
    xor %eax, %eax
    mov %rax, %db7
    mov %rax, %db6
    pop %rax
    iretq

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
