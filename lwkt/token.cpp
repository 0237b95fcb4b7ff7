// SPDX-License-Identifier: BSD-2-Clause
// Tokens off the fast path: contention, recursion, and release and reacquisition around a switch.
//
// Why no wake-up is lost: a waiter pushes itself on the token's list (full barrier) and then looks at the
// state again; a releaser frees the state (full barrier) and then looks at the list. One of them sees the
// other. Whoever finds a free token with waiters takes the whole list and makes all of them ready; they
// compete again. The list is pushed one by one and only taken whole, so it needs no lock and has no ABA
// problem, and nobody can be descheduled while holding something that others spin for.
//
// Why nothing deadlocks: a thread waits for a token only after it has released all others.
//
// Writers do not starve: a shared acquisition of a token that has waiters waits too, unless the thread holds
// it already.
#include "lwkt/arch/x86_64/stack.hpp"
#include "lwkt/globaldata.hpp"

namespace lwkt {

namespace {

// PAUSEs that a thread spends on a token another core holds before it sleeps: longer than most holders need,
// shorter than two switches and an IPI.
constexpr unsigned token_spin_bound = 400;

std::uintptr_t identity(const Thread* thread) {
    return reinterpret_cast<std::uintptr_t>(thread);
}

Token& token_of(const TokenReference& reference) {
    return *reinterpret_cast<Token*>(reference.word & ~std::uintptr_t{3});
}

bool references(const Thread* thread, const TokenReference* end, const Token* token) {
    for (const TokenReference* r = thread->tokens; r != end; ++r)
        if ((r->word & ~std::uintptr_t{3}) == reinterpret_cast<std::uintptr_t>(token))
            return true;
    return false;
}

// A thread below in the chain of preemption cannot release the token while we spin on its core.
bool held_by_preempted(const Thread* self, const Token* token) {
    for (const Thread* below = self->preempted; below; below = below->preempted)
        if (references(below, below->token_top, token))
            return true;
    return false;
}

} // namespace

bool TokenScheduler::try_one(Token& token, Thread* thread, std::uintptr_t mode) {
    std::uintptr_t state = __atomic_load_n(&token.state_, __ATOMIC_RELAXED);
    if (mode == Token::mode_exclusive)
        return state == 0 && __atomic_compare_exchange_n(&token.state_, &state, identity(thread), false,
                                                         __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    while (state == 0 || ((state & 1) && __atomic_load_n(&token.waiters_, __ATOMIC_RELAXED) == nullptr)) {
        std::uintptr_t wanted = state == 0 ? 3 : state + 2;
        if (__atomic_compare_exchange_n(&token.state_, &state, wanted, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

void TokenScheduler::release_one(Token& token, std::uintptr_t mode) {
    if (mode == Token::mode_exclusive) {
        __atomic_exchange_n(&token.state_, 0, __ATOMIC_SEQ_CST);
    } else {
        std::uintptr_t state = __atomic_load_n(&token.state_, __ATOMIC_RELAXED), left;
        do {
            verify((state & 1) && state >= 3);
            left = state == 3 ? 0 : state - 2;
        } while (!__atomic_compare_exchange_n(&token.state_, &state, left, false, __ATOMIC_SEQ_CST,
                                              __ATOMIC_RELAXED));
        if (left != 0)
            return;
    }
    if (__atomic_load_n(&token.waiters_, __ATOMIC_RELAXED) != nullptr)
        wake(token);
}

void TokenScheduler::wake(Token& token) {
    CriticalSection critical;
    GlobalData& gd = here();
    Thread* thread = __atomic_exchange_n(&token.waiters_, nullptr, __ATOMIC_SEQ_CST);
    while (thread) {
        Thread* next =
            __atomic_load_n(&thread->token_next, __ATOMIC_RELAXED); // it is not ours once it is awake
        if (home_of(thread) != gd.cpu)
            wake_elsewhere(thread, inbox_token);
        else if (thread->state == ThreadState::waiting_token)
            make_ready(gd, thread);
        thread = next;
    }
}

void TokenScheduler::wait_for(GlobalData&, Token& token, Thread* thread) {
    __atomic_fetch_add(&token.slept_, 1, __ATOMIC_RELAXED);
    ktr(KtrEvent::token_waits, &token);
    thread->state = ThreadState::waiting_token;
    Thread* head = __atomic_load_n(&token.waiters_, __ATOMIC_RELAXED);
    do
        __atomic_store_n(&thread->token_next, head, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&token.waiters_, &head, thread, true, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED));
    if (__atomic_load_n(&token.state_, __ATOMIC_SEQ_CST) == 0)
        wake(token);
}

void TokenScheduler::release_all(Thread* thread, TokenReference* end) {
    while (end != thread->tokens) {
        --end;
        std::uintptr_t mode = end->word & Token::mode_mask;
        if (mode != Token::mode_recursive)
            release_one(token_of(*end), mode);
    }
}

bool TokenScheduler::reacquire_all(GlobalData& gd, Thread* thread) {
    // Spinning pays only when the core has nothing else to do.
    unsigned spins = cpu_count() > 1 && gd.ready_bits == 0 ? token_spin_bound : 0;
    for (TokenReference* r = thread->tokens; r != thread->token_top; ++r) {
        std::uintptr_t mode = r->word & Token::mode_mask;
        if (mode == Token::mode_recursive)
            continue;
        Token& token = token_of(*r);
        bool acquired = try_one(token, thread, mode);
        if (!acquired)
            __atomic_fetch_add(&token.contended_, 1, __ATOMIC_RELAXED);
        // While spinning, earlier ones are held, but for a bounded time only.
        for (; !acquired && spins != 0; --spins) {
            arch::pause();
            acquired = try_one(token, thread, mode);
        }
        if (!acquired) {
            release_all(thread, r);
            wait_for(gd, token, thread);
            return false;
        }
    }
    return true;
}

void Token::acquire_slow(Thread* self, std::uintptr_t mode) {
    TokenReference* reference = self->token_top - 1;
    if (references(self, reference, this)) {
        // Only shared and wanting exclusive: would wait for itself for ever.
        verify(mode == mode_shared || __atomic_load_n(&state_, __ATOMIC_RELAXED) == identity(self));
        reference->word = reinterpret_cast<std::uintptr_t>(this) | mode_recursive;
        return;
    }
    __atomic_fetch_add(&contended_, 1, __ATOMIC_RELAXED);
    ktr(KtrEvent::token_contended, this, mode);
    if (cpu_count() > 1 && !held_by_preempted(self, this))
        for (unsigned i = 0; i != token_spin_bound; ++i) {
            arch::pause();
            if (TokenScheduler::try_one(*this, self, mode))
                return;
        }
    CriticalSection critical;
    GlobalData& gd = here();
    verify(critical_count() == 1 && self != &gd.idle); // blocking is not allowed here
    TokenScheduler::release_all(self, reference);
    TokenScheduler::wait_for(gd, *this, self);
    switch_released(gd); // all of them, and this one, are held when it returns
}

void Token::acquire_shared() {
    Thread* self = current();
    TokenReference* reference = self->token_top;
    verify(!tokens_full(reference));
    reference->word = reinterpret_cast<std::uintptr_t>(this) | mode_shared;
    self->token_top = reference + 1;
    if (!TokenScheduler::try_one(*this, self, mode_shared))
        acquire_slow(self, mode_shared);
}

bool Token::try_acquire() {
    Thread* self = current();
    TokenReference* reference = self->token_top;
    verify(!tokens_full(reference));
    reference->word = reinterpret_cast<std::uintptr_t>(this);
    self->token_top = reference + 1;
    if (TokenScheduler::try_one(*this, self, mode_exclusive))
        return true;
    if (__atomic_load_n(&state_, __ATOMIC_RELAXED) == identity(self)) {
        reference->word |= mode_recursive;
        return true;
    }
    self->token_top = reference;
    return false;
}

void Token::wake_waiters() {
    TokenScheduler::wake(*this);
}

// Not the newest reference, or not a plain exclusive one. The newest reference of this token is never the
// owning one while recursive ones are above it, so removing the newest is right for all modes.
void Token::release_slow(Thread* self) {
    TokenReference* r = self->token_top;
    do {
        verify(r != self->tokens); // it is not held
        --r;
    } while ((r->word & ~mode_mask) != reinterpret_cast<std::uintptr_t>(this));
    std::uintptr_t mode = r->word & mode_mask;
    if (mode != mode_recursive)
        TokenScheduler::release_one(*this, mode);
    for (; r + 1 != self->token_top; ++r)
        *r = r[1];
    --self->token_top;
}

bool Token::held_exclusive() const {
    return __atomic_load_n(&state_, __ATOMIC_RELAXED) == identity(current());
}

bool Token::held() const {
    Thread* self = current();
    return references(self, self->token_top, this);
}

} // namespace lwkt
