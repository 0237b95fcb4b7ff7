/* SPDX-License-Identifier: BSD-2-Clause
 * Tokens of lwkt/token.cpp: acquire, block and reacquire. Three threads, each on a core of its own, take two tokens in
 * different orders (one takes one only) and block while they hold both. A step is one atomic operation. To be shown: with both tokens taken
 * nobody else holds one; after a block both are held again; nobody waits for ever (no wake-up lost, no deadlock by order).
 *
 * Token t: state[t] is 0 or the holder; waiters[t] the set of threads on its list, pushed one by one, taken whole. */
#ifndef SECOND_LOOK
#define SECOND_LOOK 1
#endif
#define THREADS 3

byte state[2];      /* Token::state_ */
byte waiters[2];    /* Token::waiters_, a set */
bool waiting[4];    /* Thread::state == waiting_token; threads are 1 to 3 */
byte inside[2];     /* threads that think they have it */

/* TokenScheduler::wake: the list is taken whole, then its threads are made ready one by one. */
inline wake(t) {
    d_step { list = waiters[t]; waiters[t] = 0 }
    other = 1;
    do
    :: other > THREADS -> break
    :: else ->
        if
        :: list & (1 << other) -> waiting[other] = false
        :: else
        fi;
        other++
    od;
    list = 0;
    other = 0
}

/* TokenScheduler::release_one: free it (a full barrier), then look for waiters. */
inline release(t) {
    assert(state[t] == me);
    state[t] = 0;
    if
    :: waiters[t] != 0 -> wake(t)
    :: else
    fi
}

/* TokenScheduler::wait_for: announce, then look again. The thread is off the core until made ready. */
inline wait_for(t) {
    waiting[me] = true;
    waiters[t] = waiters[t] | (1 << me);
#if SECOND_LOOK
    if
    :: state[t] == 0 -> wake(t)
    :: else
    fi;
#endif
    !waiting[me]
}

inline try_one(t, got) {
    atomic {
        if
        :: state[t] == 0 -> state[t] = me; got = true
        :: else -> got = false
        fi
    }
}

/* TokenScheduler::reacquire_all: all or none, and wait for the one that was not free. */
inline reacquire_all(held) {
    do
    :: true ->
        try_one(first, good);
        if
        :: !good -> wait_for(first)
        :: good && held == 1 -> break
        :: else ->
            try_one(second, good);
            if
            :: good -> break
            :: else -> release(first); wait_for(second)
            fi
        fi
    od
}

/* Token::acquire, with `held` tokens before it. */
inline acquire(t, held) {
    try_one(t, good);
    if
    :: good
    :: else ->
        if
        :: held == 1 -> release(first)
        :: else
        fi;
        wait_for(t);
        reacquire_all(held + 1)
    fi
}

/* What a token protects: nobody else may come in between the two steps. */
inline use(t) {
    atomic { assert(state[t] == me && inside[t] == 0); inside[t] = me };
    atomic { assert(state[t] == me && inside[t] == me); inside[t] = 0 }
}

proctype both(byte me; byte first; byte second) {
    byte list, other;
    bool good;
    acquire(first, 0);
    acquire(second, 1);
    assert(state[first] == me);
    use(second);
    /* block: switch_away releases all, and they are reacquired before it runs on */
    release(second);
    release(first);
    reacquire_all(2);
    assert(state[second] == me);
    use(first);
    release(second);
    release(first)
}

proctype one(byte me; byte first) {
    byte list, other, second;
    bool good;
    acquire(first, 0);
    use(first);
    release(first)
}

init {
    atomic { run both(1, 0, 1); run both(2, 1, 0); run one(3, 0) }
}
