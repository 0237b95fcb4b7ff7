// SPDX-License-Identifier: BSD-2-Clause
// In the conformance suite this takes the place of the glue's header of the same name: its stubs, which also
// note which errors each operation has returned, for tests/kernel/run to compare with the reference. The
// notes lie at the end of the page that all tasks of the laboratory share, a word an operation, a bit an
// error.
#pragma once

#define invoke unrecorded_invoke
#define exchange unrecorded_exchange
#define run_vcpu unrecorded_run_vcpu
#include "l4-glue/native/glue/invoke.hpp"
#undef invoke
#undef exchange
#undef run_vcpu

namespace glue::native {

inline constexpr Word notes_address = 0x4000'0000 + 400 * sizeof(Word);
static_assert(abi::operation_count <= 512 - 400);

[[gnu::always_inline]] inline void note(Operation operation, Error error) {
    auto which = static_cast<Word>(operation);
    if (which >= abi::operation_count)
        return;
    auto* word = reinterpret_cast<Word*>(notes_address) + which;
    Word bit = Word{1} << static_cast<Word>(error);
    if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & bit)) // threads of all cores write here
        __atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
}

[[gnu::always_inline]] inline Reply invoke(Operation operation, Selector selector, Word a = 0, Word b = 0,
                                           Word c = 0, Word d = 0, Word e = 0) {
    Reply reply = unrecorded_invoke(operation, selector, a, b, c, d, e);
    note(operation, reply.error);
    return reply;
}

[[gnu::always_inline]] inline Error exchange(Operation operation, Selector selector, Message& message,
                                             Word deadline = 0) {
    Error error = unrecorded_exchange(operation, selector, message, deadline);
    note(operation, error);
    return error;
}

[[gnu::always_inline]] inline Reply run_vcpu(Selector task) {
    Reply reply = unrecorded_run_vcpu(task);
    note(Operation::vcpu_run, reply.error);
    return reply;
}

} // namespace glue::native
