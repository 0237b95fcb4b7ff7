// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/arch/x86_64/pcid.hpp"

#include "kernel/machine.hpp"

namespace arch {

namespace {
constexpr unsigned tags = 4096, word_bits = 64;
constexpr Word keep_translations = Word{1} << 63;
Word taken[tags / word_bits] = {1}; // 0 is the kernel's own tables, and that of spaces without a tag
} // namespace

Word tag_space(Word root) {
    if (!kernel::machine.pcid)
        return root;
    for (unsigned i = 0; i < tags / word_bits; ++i)
        if (~taken[i]) {
            auto bit = static_cast<unsigned>(__builtin_ctzll(~taken[i]));
            taken[i] |= Word{1} << bit;
            return root | keep_translations | (i * word_bits + bit);
        }
    return root;
}

void release_tag(Word cr3) {
    Word tag = cr3 & (tags - 1);
    if (cr3 & keep_translations)
        taken[tag / word_bits] &= ~(Word{1} << tag % word_bits);
}

} // namespace arch
