// SPDX-License-Identifier: BSD-2-Clause
// Destroying an object of another core: the inbox (kernel/inbox.hpp) and the grace period (kernel/reclaim.cpp).
// Core 0 destroys a thread whose home is core 1, while core 1 runs user code, enters the kernel, looks the
// thread up and uses it; core 2 sends the same thread requests. Kernel paths have interrupts off: core 1 takes
// its inbox only when it is not inside one.
//
// Checked: the thread's memory is never used after it was freed, no request is lost, and destroying comes to
// its end.
//
// BROKEN=1: memory is freed without a grace period. BROKEN=2: a core that is in the kernel when the grace
// period begins is not waited for. BROKEN=3: the home core takes the request bits before it clears `queued`.
// BROKEN=4: what is still in the inbox after the grace period is freed all the same.
#ifndef BROKEN
#define BROKEN 0
#endif

bool capability = true; // the object can still be looked up
bool dying = false;
bool freed = false;
bool killed = false;

// The inbox of core 1, for this one object; an interrupt is pending when something was pushed.
bool listed = false, queued = false;
byte requests = 0; // bit 0: signal, bit 1: kill
bool interrupt = false;
byte pushing = 0; // cores that are in the middle of a push
bool draining = false;

byte sequence[3]; // odd in the kernel; counted modulo 8
bool finished = false;

#define odd(x) ((x) & 1)
#define step(c) sequence[c] = (sequence[c] + 1) & 7

inline push(bits) {
    assert(!freed);
    atomic { requests = requests | bits; pushing++ };
    if // an atomic exchange
    :: atomic { queued -> skip }
    :: atomic { !queued -> queued = true }; listed = true; interrupt = true
    fi;
    pushing--
}

// Core 1: the interrupt handler drains the inbox.
inline drain() {
    atomic { draining = true; taken = listed; listed = false };
    if
    :: taken ->
        assert(!freed);
#if BROKEN == 3
        atomic { bits = requests; requests = 0 };
        queued = false;
#else
        queued = false;
        atomic { bits = requests; requests = 0 };
#endif
        assert(!freed);
        if
        :: bits & 2 -> killed = true
        :: else
        fi;
        bits = 0
    :: else
    fi;
    taken = false;
    draining = false
}

// A request that nobody is about to list or to take is listed, or it would be lost.
active proctype monitor() {
end:
    atomic { requests != 0 && !listed && !draining && pushing == 0 -> assert(false) }
}

// Until each core that is in the kernel now has left it.
inline grace() {
    snapshot1 = sequence[1];
    snapshot2 = sequence[2];
#if BROKEN != 2
    (!odd(snapshot1) || sequence[1] != snapshot1);
    (!odd(snapshot2) || sequence[2] != snapshot2);
#endif
    snapshot1 = 0;
    snapshot2 = 0
}

active proctype home() { // core 1
    bool taken, found;
    byte bits;
    do
    :: atomic { interrupt -> interrupt = false; step(1) };
        drain();
        step(1)
    :: atomic { capability && !dying -> step(1) }; // a system call that looks the thread up
        found = capability;
        if
        :: found && !killed -> assert(!freed) // uses it
        :: else
        fi;
        found = false;
        step(1)
    :: finished && !interrupt -> break
    od
}

active proctype sender() { // core 2: signals the thread some times, if it finds it
    byte n = 0;
    bool found;
    do
    :: n < 2 ->
        step(2);
        found = capability && !dying;
        if
        :: found -> push(1)
        :: else
        fi;
        found = false;
        step(2);
        n++
    :: else -> break
    od
}

active proctype destroyer() { // core 0, under structure_lock; it leaves the kernel between its steps
    byte snapshot1, snapshot2;
    dying = true;
    do
    :: !killed ->
        push(2);
        (killed || queued || !interrupt) // its next step; the interrupt handler runs meanwhile
    :: else -> break
    od;
    capability = false;
#if BROKEN != 1
    grace();
#if BROKEN != 4
    !queued; // nobody can ask for anything any more; what was asked for is still in the inbox, maybe
    grace();
#endif
#endif
    freed = true;
    finished = true
}
