// SPDX-License-Identifier: BSD-2-Clause
// Token pools: a token for every address without one in every object (lwkt_token_pool). Different objects may
// share one, so that nothing but exclusive mode is offered, and to hold one says nothing about another
// object; recursion and any order are fine, as with all tokens.
#pragma once

#include "lwkt/token.hpp"

namespace lwkt {

inline constexpr unsigned token_pool_size = 256;

// The pool token of an address: always the same one. Any context.
Token& token_pool_lookup(const void* address);

// Holds the pool token of an address for a scope.
class LWKT_SCOPED PoolTokenGuard {
public:
    [[nodiscard]] explicit PoolTokenGuard(const void* address) LWKT_BLOCKS LWKT_NO_ANALYSIS
        : token_(token_pool_lookup(address)) {
        token_.acquire();
    }
    ~PoolTokenGuard() LWKT_NO_ANALYSIS { token_.release(); }
    PoolTokenGuard(const PoolTokenGuard&) = delete;
    PoolTokenGuard& operator=(const PoolTokenGuard&) = delete;
    static void* operator new(std::size_t) = delete; // it ends with its scope

private:
    Token& token_;
};

// Of all pool tokens together.
struct TokenPoolStatistics {
    std::uint64_t contended, slept;
};
TokenPoolStatistics token_pool_statistics();

} // namespace lwkt
