/* SPDX-License-Identifier: BSD-2-Clause
 * IPI queues of lwkt/ipiq.cpp and lwkt/events.cpp: two cores flood each other through rings of two entries, then each
 * calls a function on the other and waits. A step is one memory operation. To be shown: messages arrive once and in
 * order; full rings both ways do not lock up; a waited call returns after its function has run; no kick is lost (a core
 * that sleeps while something is for it would be an invalid end). */
#ifndef FORGET_FIRST
#define FORGET_FIRST 1
#endif
#define LENGTH 2
#define MESSAGES 3
#define CALL 100

byte entry[4];      /* [to * LENGTH + slot] */
byte head[2];       /* of the ring to a core; written by the sender */
byte tail[2];       /* written by the receiver */
bool notified[2];   /* GlobalData::notified */
bool kick[2];       /* the vCPU's pending event */
bool inbox[2];      /* GlobalData::inbox: the caller is to be told that its call has run */
byte received[2];
bool function_ran[2]; /* the function that core n called has run */
bool call_done[2];

inline notify(cpu) {
    atomic {
        old = notified[cpu];
        notified[cpu] = true
    };
    if
    :: !old -> kick[cpu] = true
    :: else
    fi
}

inline drain_ipiq() {
    do
    :: tail[me] == head[me] -> break
    :: else ->
        word = entry[me * LENGTH + tail[me] % LENGTH];
        tail[me] = tail[me] + 1;
        if
        :: word == CALL ->
            function_ran[other] = true;
            inbox[other] = true;        /* wake_elsewhere */
            notify(other)
        :: else ->
            assert(word == received[me]);
            received[me] = received[me] + 1
        fi
    od
}

inline drain_inbox() {
    atomic {
        if
        :: inbox[me] -> inbox[me] = false; call_done[me] = true
        :: else
        fi
    }
}

inline process_events() {
    kick[me] = false;
    if
    :: notified[me] ->
#if FORGET_FIRST
        notified[me] = false;           /* before looking: a later push kicks again */
#endif
        drain_inbox();
        drain_ipiq();
#if !FORGET_FIRST
        notified[me] = false
#endif
    :: else
    fi
}

/* send_ipiq: while the ring is full, serve the own one. */
inline send(value) {
    do
    :: head[other] - tail[other] == LENGTH -> drain_ipiq()
    :: else -> break
    od;
    entry[other * LENGTH + head[other] % LENGTH] = value;
    head[other] = head[other] + 1;
    notify(other)
}

proctype core(byte me; byte other) {
    byte sent, word;
    bool old;
    do
    :: kick[me] -> process_events()    /* an upcall, between any two sends */
    :: sent < MESSAGES -> send(sent); sent++
    :: sent == MESSAGES -> break
    od;
    send(CALL);
    do                                  /* idle, or the thread that waits */
    :: call_done[me] && received[me] == MESSAGES && function_ran[other] -> break
    :: kick[me] -> process_events()
    od;
    assert(function_ran[me])
}

init {
    atomic { run core(0, 1); run core(1, 0) }
}
