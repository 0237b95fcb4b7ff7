// SPDX-License-Identifier: BSD-2-Clause
// IPC and destroying on one core, as kernel/ipc.cpp and kernel/thread.cpp do it. Between any two kernel paths
// (each atomic: interrupts are off) any thread that may run invokes call, receive or reply_wait, and an
// interrupt or another thread stops, kills or starts a thread, or kills the endpoint.
//
// Checked in every state: each scheduling context is held by one thread, or by none while its owner is dead or
// works on a caller's; who waits for a reply has a server that owes it; who is ready and not passive has a context;
// a dead thread is in no queue and nobody's partner. And: nothing that is unlinked is used (assertions).
//
// BROKEN=1: a thread that leaves the middle of a chain gives its own (lent) context back.
// BROKEN=2: killing an endpoint forgets its receivers. BROKEN=3: a dying server does not free its caller.
#ifndef BROKEN
#define BROKEN 0
#endif
#define N 4
#define NONE 255

mtype = { inactive, ready, sending, receiving, waiting_reply, dead };

mtype state[N] = ready;
byte caller[N] = NONE;  // who waits for this thread's reply
byte callee[N] = NONE;  // whose reply it waits for
byte context[N];        // what it runs on; the number of the thread that owns it
byte where[N] = NONE;   // endpoint whose queue it is in
bool endpoint_dead[2];

// Queues are sets here: any waiter may be the first.
#define waits_at(t, s, e) (state[t] == s && where[t] == e)

inline give_back(s) {
    context[caller[s]] = context[s];
    context[s] = s;
    callee[caller[s]] = NONE;
    caller[s] = NONE;
}

inline lend(c, s) {
    assert(state[s] != dead && caller[s] == NONE);
    caller[s] = c;
    callee[c] = s;
    context[s] = context[c];
    context[c] = NONE;
    state[c] = waiting_reply;
    where[c] = NONE;
    state[s] = ready;
    where[s] = NONE;
}

inline abort_partners(t) {
    if
    :: callee[t] != NONE ->
#if BROKEN == 1
        context[t] = context[callee[t]];
        context[callee[t]] = callee[t];
#else
        last = callee[t];
        do
        :: callee[last] != NONE -> last = callee[last]
        :: else -> break
        od;
        context[t] = context[last];
        context[last] = callee[t];
#endif
        caller[callee[t]] = NONE;
        callee[t] = NONE
    :: else
    fi;
    if
    :: caller[t] != NONE ->
#if BROKEN == 3
        callee[caller[t]] = NONE;
        caller[t] = NONE
#else
        other = caller[t];
        give_back(t);
        state[other] = ready
#endif
    :: else
    fi;
    where[t] = NONE
}

// The thread takes a waiting sender's message, or waits itself.
inline start_receive(t, e) {
    if
    :: waits_at(0, sending, e) -> lend(0, t)
    :: waits_at(1, sending, e) -> lend(1, t)
    :: waits_at(2, sending, e) -> lend(2, t)
    :: waits_at(3, sending, e) -> lend(3, t)
    :: else -> state[t] = receiving; where[t] = e
    fi
}

inline check() {
    i = 0;
    do
    :: i < N ->
        j = 0;
        holders = 0;
        do
        :: j < N -> holders = holders + (context[j] == i); j++
        :: else -> break
        od;
        assert(holders == 1 || (holders == 0 && (state[i] == dead || caller[i] != NONE)));
        assert(state[i] != waiting_reply || (callee[i] != NONE && caller[callee[i]] == i));
        assert(callee[i] == NONE || state[i] == waiting_reply);
        assert(caller[i] == NONE || (callee[caller[i]] == i && state[caller[i]] == waiting_reply));
        assert(state[i] != ready || context[i] != NONE);
        assert(state[i] != dead || (where[i] == NONE && caller[i] == NONE && callee[i] == NONE));
        assert(where[i] == NONE || !endpoint_dead[where[i]]);
        i++
    :: else -> break
    od;
    i = 0; j = 0; holders = 0
}

active proctype core() {
    byte t, e, last, other, i, j, holders;
    d_step { context[0] = 0; context[1] = 1; context[2] = 2; context[3] = 3 };
    do
    :: atomic {
        select(t : 0 .. 3);
        select(e : 0 .. 1);
        if
        :: state[t] == ready && !endpoint_dead[e] -> // call
            if
            :: waits_at(0, receiving, e) -> lend(t, 0)
            :: waits_at(1, receiving, e) -> lend(t, 1)
            :: waits_at(2, receiving, e) -> lend(t, 2)
            :: waits_at(3, receiving, e) -> lend(t, 3)
            :: else -> state[t] = sending; where[t] = e
            fi
        :: state[t] == ready && caller[t] == NONE && !endpoint_dead[e] -> start_receive(t, e)
        :: state[t] == ready && caller[t] != NONE && !endpoint_dead[e] -> // reply_wait
            other = caller[t];
            give_back(t);
            state[other] = ready;
            start_receive(t, e)
        :: state[t] != dead && state[t] != inactive -> // stopped
            abort_partners(t);
            state[t] = inactive
        :: state[t] == inactive -> state[t] = ready // started
        :: state[t] != dead -> // killed
            abort_partners(t);
            state[t] = dead;
            context[t] = NONE
        :: !endpoint_dead[e] -> // killed: all that wait are set free with an error
            endpoint_dead[e] = true;
            i = 0;
            do
            :: i < N ->
                if
#if BROKEN == 2
                :: where[i] == e && state[i] == sending -> where[i] = NONE; state[i] = ready
#else
                :: where[i] == e -> where[i] = NONE; state[i] = ready
#endif
                :: else
                fi;
                i++
            :: else -> break
            od
        :: else
        fi;
        check();
        t = 0; e = 0; last = 0; other = 0
       }
    od
}
