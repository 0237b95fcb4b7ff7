# SPDX-License-Identifier: BSD-2-Clause
# The one page of code in a BSD process that is not the process's own. Nothing here is trusted: a BSD thread can jump to
# any byte of it with any registers. What counts is that each SYSCALL below is allowed by the filter for its own
# number and fixed arguments only (stub.cpp), by the address that follows it.
#include "l4-glue/hosted/stub/layout.hpp"

.section .trampoline, "ax", @progbits
.globl stub_handler, stub_agent, stub_runner
.globl stub_after_wake, stub_after_wait, stub_after_return, stub_after_call, stub_after_close_ram, stub_after_close_image
.globl stub_after_next, stub_await_tracer, stub_sleep, stub_after_ordered, stub_after_pause

# For who traces us: one step over the first instruction makes a call.
stub_ordered:
    syscall
stub_after_ordered:
    ud2

# A vCPU's thread that is to be traced: says that its set-up is done (rbp slot), and sleeps until somebody traces it and gives
# it other registers. The first thread of its process does so for ever.
stub_await_tracer:
    movl $STATE_TRAPPED, SLOT_STATE(%rbp)
    jmp 1f
stub_sleep:
    movl $1, SLOT_SLEEPING(%rbp)
1:  mov $34, %eax                   # pause
    syscall
stub_after_pause:
    jmp 1b

# A signal: the frame lies on the slot's stack, so that the stack pointer names the slot. Reports, waits until the
# personality has put the registers to resume into the frame, resumes them. edi signal, rsi siginfo, rdx ucontext.
.balign 64
stub_handler:
    mov %rsp, %rbp
    and $-STUB_SLOT_SIZE, %rbp
    mov %rdi, SLOT_SIGNAL(%rbp)
    mov %rsi, SLOT_INFORMATION(%rbp)
    mov %rdx, SLOT_CONTEXT(%rbp)
    rdfsbase %rax
    mov %rax, SLOT_FS_BASE(%rbp)
    rdgsbase %rax
    mov %rax, SLOT_GS_BASE(%rbp)
    mov $STATE_TRAPPED, %eax
    xchg %eax, SLOT_STATE(%rbp)
    mov SLOT_SPINS(%rbp), %rbx
    cmpl $0, SLOT_SLEEPING(%rbp)
    je 2f
    xor %ebx, %ebx                  # who sleeps needs a processor: perhaps this one
    mov %rbp, %rdi
    mov $1, %esi                    # FUTEX_WAKE
    mov $1, %edx
    xor %r10d, %r10d
    mov $202, %eax
    syscall
stub_after_wake:
2:  cmpl $STATE_RUN, SLOT_STATE(%rbp)
    je 3f
    pause
    cmpq $0, SLOT_SPINS(%rbp)       # another process's turn: it needs this processor
    je 4f
    dec %rbx
    jg 2b
4:  mov $STATE_TRAPPED, %eax        # the personality wakes who says that it sleeps
    mov $STATE_ASLEEP, %edx
    lock cmpxchg %edx, SLOT_STATE(%rbp)
    mov %rbp, %rdi
    xor %esi, %esi                  # FUTEX_WAIT
    xor %r10d, %r10d
    mov $202, %eax
    syscall
stub_after_wait:
    jmp 2b
3:  mov SLOT_FS_BASE(%rbp), %rax
    wrfsbase %rax
    mov SLOT_GS_BASE(%rbp), %rax
    wrgsbase %rax
    add $8, %rsp
    mov $15, %eax                   # rt_sigreturn
    syscall
stub_after_return:
    ud2

# The agent: makes the calls of its page, which it cannot write, and reports by a notified call, in which it idles.
# The answer to that call is how many requests there are. r12 page, r13 first result that is an error.
.balign 64
stub_agent:
    mov $ROLE_AGENT, %edi
    xor %r13d, %r13d
1:  mov %r13, %rsi
    mov $CALL_NEXT, %eax
    jmp stub_next
2:  mov %rax, %r14
    mov $STUB_BASE + STUB_CONTROL_OFFSET, %r12
    xor %r13d, %r13d
3:  mov (%r12), %rax
    mov 8(%r12), %rdi
    mov 16(%r12), %rsi
    mov 24(%r12), %rdx
    mov 32(%r12), %r10
    mov 40(%r12), %r8
    mov 48(%r12), %r9
    syscall
stub_after_call:
    cmp $-4096, %rax
    jb 4f
    test %r13, %r13
    cmovz %rax, %r13
4:  add $REQUEST_SIZE, %r12
    dec %r14
    jg 3b
    mov $RAM_DESCRIPTOR, %edi
    mov $3, %eax                    # close
    syscall
stub_after_close_ram:
    mov $IMAGE_DESCRIPTOR, %edi
    mov $3, %eax
    syscall
stub_after_close_image:
    mov $ROLE_AGENT, %edi
    jmp 1b

# A vCPU's thread starts: tells its number (edi), then parks by its first trap.
stub_runner:
    xor %esi, %esi
    mov $CALL_NEXT, %eax
stub_next:
    syscall
stub_after_next:
    cmp $ROLE_AGENT, %edi
    je 2b
    ud2

.section .note.GNU-stack, "", @progbits
