// SPDX-License-Identifier: BSD-2-Clause
// Tokens: serialization that holds while a thread runs. README.md has the contract in full; in short:
//  - A thread that holds a token runs alone among all threads that want it (shared holders run beside each
//  other).
//  - When it blocks (tsleep, yield, a contended acquire, a port wait) ALL its tokens are released, and all of
//  them are
//    held again before it continues, never a part. What they protect may have changed: revalidate.
//  - Being preempted by an interrupt thread does not release tokens.
//  - Recursive. Exclusive covers shared; to want exclusive while holding only shared is an error (verify).
//  - No order between tokens can deadlock, because nobody waits while holding one.
#pragma once

#include "lwkt/annotations.hpp"
#include "lwkt/thread.hpp"

namespace lwkt {

class LWKT_CAPABILITY("token") Token {
public:
    constexpr explicit Token(const char* name) : name_(name) {}
    Token(const Token&) = delete;
    Token& operator=(const Token&) = delete;

    // Thread context; may block, and then loses and reacquires the tokens already held. Prefer TokenGuard.
    void acquire() LWKT_ACQUIRE() LWKT_BLOCKS;
    void acquire_shared() LWKT_ACQUIRE_SHARED() LWKT_BLOCKS;
    // Without blocking or spinning. True if acquired. Not in hard context.
    bool try_acquire() LWKT_TRY_ACQUIRE(true);
    // Releases the last acquisition of this token, exclusive or shared. Any order between tokens.
    void release() LWKT_RELEASE_GENERIC();
    // The same, quicker if it was in shared mode.
    void release_shared() LWKT_RELEASE_GENERIC();

    // Does the calling thread hold it, exclusively or (second) in any mode?
    bool held_exclusive() const;
    bool held() const;
    // For a thread that holds it: whether shared.
    bool shared() const { return (__atomic_load_n(&state_, __ATOMIC_RELAXED) & 1) != 0; }

    // Acquisitions that did not succeed at once, and those of them that had to sleep.
    std::uint64_t contended() const { return __atomic_load_n(&contended_, __ATOMIC_RELAXED); }
    std::uint64_t slept() const { return __atomic_load_n(&slept_, __ATOMIC_RELAXED); }
    const char* name() const { return name_; }

private:
    friend struct TokenScheduler; // lwkt/token.cpp
    void acquire_slow(Thread* self, std::uintptr_t mode);
    void release_slow(Thread* self);
    void wake_waiters();

    // Low bits of a TokenReference: how this acquisition counts.
    static constexpr std::uintptr_t mode_exclusive = 0; // owns the token
    static constexpr std::uintptr_t mode_shared = 1;    // one of the shared holders
    static constexpr std::uintptr_t mode_recursive = 2; // covered by an earlier reference of the same thread
    static constexpr std::uintptr_t mode_mask = 3;

    // 0 free; a Thread address: held exclusively; 2 n + 1: n shared holders. atomic: cores compete for it.
    std::uintptr_t state_ = 0;
    // Threads that sleep for it, linked by token_next. atomic: pushed one by one, taken all at once, so ABA
    // is harmless.
    Thread* waiters_ = nullptr;
    std::uint64_t contended_ = 0; // atomic, relaxed: statistics
    std::uint64_t slept_ = 0;     // atomic, relaxed: statistics
    const char* name_;            // immutable
};

// Holds one token, exclusively, for a scope.
class LWKT_SCOPED TokenGuard {
public:
    [[nodiscard]] explicit TokenGuard(Token& token) LWKT_ACQUIRE(token) LWKT_BLOCKS : token_(token) {
        token_.acquire();
    }
    ~TokenGuard() LWKT_RELEASE() { token_.release(); }
    TokenGuard(const TokenGuard&) = delete;
    TokenGuard& operator=(const TokenGuard&) = delete;
    static void* operator new(std::size_t) = delete; // it ends with its scope

private:
    Token& token_;
};

// Holds one token in shared mode for a scope.
class LWKT_SCOPED SharedTokenGuard {
public:
    [[nodiscard]] explicit SharedTokenGuard(Token& token) LWKT_ACQUIRE_SHARED(token) LWKT_BLOCKS
        : token_(token) {
        token_.acquire_shared();
    }
    ~SharedTokenGuard() LWKT_RELEASE_GENERIC() { token_.release_shared(); }
    SharedTokenGuard(const SharedTokenGuard&) = delete;
    SharedTokenGuard& operator=(const SharedTokenGuard&) = delete;
    static void* operator new(std::size_t) = delete; // it ends with its scope

private:
    Token& token_;
};

// Holds two different tokens for a scope; both are held when the constructor returns.
class LWKT_SCOPED TwoTokenGuard {
public:
    [[nodiscard]] TwoTokenGuard(Token& first, Token& second) LWKT_ACQUIRE(first, second) LWKT_BLOCKS
        : first_(first),
          second_(second) {
        first_.acquire();
        second_.acquire(); // if it blocks, both are reacquired together
    }
    ~TwoTokenGuard() LWKT_RELEASE() {
        second_.release();
        first_.release();
    }
    TwoTokenGuard(const TwoTokenGuard&) = delete;
    TwoTokenGuard& operator=(const TwoTokenGuard&) = delete;
    static void* operator new(std::size_t) = delete; // it ends with its scope

private:
    Token& first_;
    Token& second_;
};

inline void Token::acquire() {
    assert_that(!in_critical_section()); // it may block
    Thread* self = current();
    TokenReference* reference = self->token_top;
    verify(!tokens_full(reference));
    reference->word = reinterpret_cast<std::uintptr_t>(this);
    self->token_top = reference + 1;
    std::uintptr_t free = 0;
    if (!__atomic_compare_exchange_n(&state_, &free, reinterpret_cast<std::uintptr_t>(self), false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) [[unlikely]]
        acquire_slow(self, mode_exclusive);
}

inline void Token::release() {
    Thread* self = current();
    if (self->token_top[-1].word != reinterpret_cast<std::uintptr_t>(this)) [[unlikely]]
        return release_slow(self);
    // Free it before the reference goes: an interrupt thread in between sees it free, and nothing depends on
    // both.
    __atomic_exchange_n(&state_, 0, __ATOMIC_SEQ_CST); // orders the store before the look at the waiters
    --self->token_top;
    if (glue::atomically_set(waiters_)) [[unlikely]]
        wake_waiters();
}

inline void Token::release_shared() {
    Thread* self = current();
    if (self->token_top[-1].word != (reinterpret_cast<std::uintptr_t>(this) | mode_shared)) [[unlikely]]
        return release_slow(self);
    std::uintptr_t state = __atomic_load_n(&state_, __ATOMIC_RELAXED), left;
    do
        left = state == 3 ? 0 : state - 2;
    while (!__atomic_compare_exchange_n(&state_, &state, left, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    --self->token_top;
    if (left == 0 && glue::atomically_set(waiters_)) [[unlikely]]
        wake_waiters();
}

} // namespace lwkt
