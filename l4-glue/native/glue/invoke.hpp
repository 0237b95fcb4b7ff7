// SPDX-License-Identifier: BSD-2-Clause
// The system-call stub of the native platform: the only place above the kernel with a SYSCALL instruction.
#pragma once

#include "l4-glue/types.hpp"

namespace glue::native {

using abi::Operation;
using abi::Selector;
using abi::Word;

struct Reply {
    Error error;
    Word value;  // rdx
    Word second; // rsi
    constexpr bool ok() const { return error == Error::ok; }
};

// Invokes an operation; registers as kernel/abi/kernel.abi says.
[[gnu::always_inline]] inline Reply invoke(Operation operation, Selector selector, Word a = 0, Word b = 0,
                                           Word c = 0, Word d = 0, Word e = 0) {
    Word rax = static_cast<Word>(operation), rdi = selector, rsi = a, rdx = b;
    register Word r10 asm("r10") = c;
    register Word r8 asm("r8") = d;
    register Word r9 asm("r9") = e;
    asm volatile("syscall"
                 : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9)
                 :
                 : "rcx", "r11", "memory");
    return {static_cast<Error>(rax), rdx, rsi};
}

struct Message {
    Word tag;
    Word word[4];
    Word badge; // of the sender's capability; only on receipt
};

// An IPC operation with a message in registers; the deadline is for send and receive alone.
[[gnu::always_inline]] inline Error exchange(Operation operation, Selector selector, Message& message,
                                             Word deadline = 0) {
    Word rax = static_cast<Word>(operation), rdi = selector, rsi = message.tag, rdx = deadline;
    register Word r12 asm("r12") = message.word[0];
    register Word r13 asm("r13") = message.word[1];
    register Word r14 asm("r14") = message.word[2];
    register Word r15 asm("r15") = message.word[3];
    asm volatile("syscall"
                 : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
                 :
                 : "rcx", "r8", "r9", "r10", "r11", "memory");
    message = {rsi, {r12, r13, r14, r15}, rdi};
    return static_cast<Error>(rax);
}

// vcpu_run, which keeps rbx, rbp and rsp only.
[[gnu::always_inline]] inline Reply run_vcpu(Selector task) {
    Word rax = static_cast<Word>(Operation::vcpu_run), rdi = task, rdx;
    asm volatile("syscall"
                 : "+a"(rax), "+D"(rdi), "=d"(rdx)
                 :
                 : "rcx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
    return {static_cast<Error>(rax), rdx, 0};
}

inline Outcome<void> check(Reply reply) {
    if (!reply.ok())
        return Failure(reply.error);
    return {};
}

} // namespace glue::native
