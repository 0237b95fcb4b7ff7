// SPDX-License-Identifier: BSD-2-Clause
// The words of sigfastblock(2); under giant, of the calling thread.
#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

namespace {

// The word cannot be had: a fault, and no further ones, since signals can be delivered again.
void forget_fast_block(Lwp& lwp) {
    SignalInfo info;
    info.signal = sigsegv;
    info.code = segv_maperr;
    info.address = lwp.fast_block;
    lwp.fast_block = no_fast_block;
    post_fault(lwp, info);
}

std::uint32_t* word_of(Lwp& lwp) {
    if (lwp.fast_block == no_fast_block)
        return nullptr;
    if (VmSpace::valid_range(lwp.fast_block, sizeof(std::uint32_t)))
        if (std::byte* word = lwp.proc.vmspace->translate(lwp.fast_block, true))
            return reinterpret_cast<std::uint32_t*>(word);
    forget_fast_block(lwp);
    return nullptr;
}

} // namespace

bool is_fast_blocked(Lwp& lwp) {
    const std::uint32_t* word = word_of(lwp);
    return word && (__atomic_load_n(word, __ATOMIC_SEQ_CST) & ~std::uint32_t{fast_block_flags}) != 0;
}

void mark_fast_block(Lwp& lwp) {
    if (std::uint32_t* word = word_of(lwp))
        __atomic_fetch_or(word, std::uint32_t{fast_block_pending}, __ATOMIC_SEQ_CST);
}

} // namespace bsd
