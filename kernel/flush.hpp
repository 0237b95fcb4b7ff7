// SPDX-License-Identifier: BSD-2-Clause
// Translation flushes on other cores, and mapping on behalf of messages.
//
// Who changed page tables writes them, then looks which cores run in that space. A core that enters the space
// later loads CR3 after it announced the space, so it cannot hold an old translation; one that was seen there
// is asked to reload CR3 and waited for. The wait is bounded: the other core answers from its interrupt
// handler, or from its spin for structure_lock.
#pragma once

#include "kernel/task.hpp"
#include "kernel/thread.hpp"

namespace kernel {

// Flushes `task`'s translations everywhere. With `leave`, cores that only have its tables loaded (idle, or a
// dying thread) load the kernel's own instead.
void flush_space(Task& task, bool leave = false);
// Answers flush requests of others; called by the interrupt handler and in spin loops.
void serve_flush();
inline constexpr unsigned flush_request = 1, leave_request = 2;

// Maps one page through a binding; takes structure_lock.
Error map_page(Binding& binding, Word address, Word offset, Word flags);
// The page-table bits for MapFlags, or an error if the binding does not allow them.
Error entry_bits(std::uint32_t rights, Word flags, Word& bits);
inline Error entry_bits(const Binding& binding, Word flags, Word& bits) {
    Error error = entry_bits(binding.rights, flags, bits);
    if (error == Error::ok)
        bits |= Word{binding.tag} << PageTable::tag_shift;
    return error;
}

} // namespace kernel
