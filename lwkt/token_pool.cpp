// SPDX-License-Identifier: BSD-2-Clause
#include "lwkt/token_pool.hpp"

namespace lwkt {

namespace {
struct alignas(64) PoolToken { // a cache line each
    Token token{"pool"};
};
PoolToken pool[token_pool_size];
} // namespace

Token& token_pool_lookup(const void* address) {
    static_assert(token_pool_size == 256); // the top 8 bits
    return pool[(reinterpret_cast<std::uintptr_t>(address) * 0x9e37'79b9'7f4a'7c15u) >> 56].token;
}

TokenPoolStatistics token_pool_statistics() {
    TokenPoolStatistics all{};
    for (const PoolToken& entry : pool) {
        all.contended += entry.token.contended();
        all.slept += entry.token.slept();
    }
    return all;
}

} // namespace lwkt
