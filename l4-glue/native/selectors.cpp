// SPDX-License-Identifier: BSD-2-Clause
// The task's own capability slots from start_free up: a bitmap, taken and given back by any of its cores.
#include "glue/address_space.hpp"

namespace glue {

namespace {
constexpr unsigned words = start_table_slots / 64;
std::uint64_t used[words] = {~std::uint64_t{0}, ~std::uint64_t{0}}; // the first 128 are the box's
std::uint32_t hint = 2;
static_assert(start_free == 128);
} // namespace

abi::Selector allocate_selector() {
    unsigned from = __atomic_load_n(&hint, __ATOMIC_RELAXED);
    for (unsigned n = 0; n < words; ++n) {
        unsigned at = (from + n) % words;
        std::uint64_t old = __atomic_load_n(&used[at], __ATOMIC_RELAXED);
        while (~old) {
            unsigned bit = static_cast<unsigned>(__builtin_ctzll(~old));
            if (__atomic_compare_exchange_n(&used[at], &old, old | std::uint64_t{1} << bit, false,
                                            __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
                __atomic_store_n(&hint, at, __ATOMIC_RELAXED);
                return at * 64 + bit;
            }
        }
    }
    return 0;
}

void free_selector(abi::Selector selector) {
    if (selector < start_free || selector >= start_table_slots)
        return;
    __atomic_fetch_and(&used[selector / 64], ~(std::uint64_t{1} << selector % 64), __ATOMIC_ACQ_REL);
    __atomic_store_n(&hint, selector / 64, __ATOMIC_RELAXED);
}

} // namespace glue
