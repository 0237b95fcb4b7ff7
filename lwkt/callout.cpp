// SPDX-License-Identifier: BSD-2-Clause
// Callouts: a pairing heap a core, with the links inside the callouts, and a thread a core that runs their
// functions. The queue's spin lock lets any core take a callout off; only the core itself puts callouts on
// its queue and runs them.
#include "lwkt/globaldata.hpp"

namespace lwkt {

// --- the heap (queue lock held)
// -----------------------------------------------------------------------------------
Callout* CalloutQueue::merge(Callout* a, Callout* b) {
    if (a == nullptr)
        return b;
    if (b == nullptr)
        return a;
    if (b->deadline_ < a->deadline_) {
        Callout* swap = a;
        a = b;
        b = swap;
    }
    b->previous_ = a;
    b->sibling_ = a->child_;
    if (b->sibling_)
        b->sibling_->previous_ = b;
    a->child_ = b;
    a->sibling_ = nullptr;
    a->previous_ = nullptr;
    return a;
}

// Pairs from left to right, then merges the pairs from right to left; without recursion, however many there
// are.
Callout* CalloutQueue::merge_siblings(Callout* first) {
    Callout* pairs = nullptr;
    while (first) {
        Callout* second = first->sibling_;
        Callout* rest = second ? second->sibling_ : nullptr;
        first->sibling_ = first->previous_ = nullptr;
        if (second)
            second->sibling_ = second->previous_ = nullptr;
        Callout* pair = merge(first, second);
        pair->sibling_ = pairs;
        pairs = pair;
        first = rest;
    }
    Callout* heap = nullptr;
    while (pairs) {
        Callout* next = pairs->sibling_;
        pairs->sibling_ = nullptr;
        heap = merge(heap, pairs);
        pairs = next;
    }
    return heap;
}

void CalloutQueue::insert(Callout& callout) {
    callout.child_ = callout.sibling_ = callout.previous_ = nullptr;
    root = merge(root, &callout);
}

void CalloutQueue::remove(Callout& callout) {
    Callout* children = merge_siblings(callout.child_);
    callout.child_ = nullptr;
    if (&callout == root) {
        root = children;
        return;
    }
    Callout* previous = callout.previous_;
    (previous->child_ == &callout ? previous->child_ : previous->sibling_) = callout.sibling_;
    if (callout.sibling_)
        callout.sibling_->previous_ = previous;
    callout.sibling_ = callout.previous_ = nullptr;
    root = merge(root, children);
}

void CalloutQueue::append_expired(Callout& callout) {
    callout.sibling_ = nullptr;
    callout.previous_ = expired_tail;
    (expired_tail ? expired_tail->sibling_ : expired) = &callout;
    expired_tail = &callout;
}

Callout* CalloutQueue::take_expired() {
    Callout* callout = expired;
    if (callout) {
        expired = callout->sibling_;
        (expired ? expired->previous_ : expired_tail) = nullptr;
        callout->sibling_ = nullptr;
    }
    return callout;
}

namespace {
// Who reads `idle` without the lock may arm the callout on another core, under another lock: so the last
// touch of the old core releases.
void set_state(std::uint8_t& state, std::uint8_t value) {
    __atomic_store_n(&state, value, __ATOMIC_RELEASE);
}
} // namespace

bool CalloutQueue::cancel(Callout& callout) {
    CalloutQueue& queue = globaldata_of[callout.cpu_]->callouts;
    SpinGuard guard(queue.lock);
    if (callout.state_ == Callout::idle)
        return false;
    if (callout.state_ == Callout::armed) {
        queue.remove(callout);
    } else {
        (callout.previous_ ? callout.previous_->sibling_ : queue.expired) = callout.sibling_;
        (callout.sibling_ ? callout.sibling_->previous_ : queue.expired_tail) = callout.previous_;
        callout.sibling_ = callout.previous_ = nullptr;
    }
    set_state(callout.state_, Callout::idle);
    return true; // the core may wake for nothing at the old deadline: cheaper than telling it
}

void CalloutQueue::arm(Callout& callout, Ticks deadline, Callout::Function function, void* argument,
                       bool direct) {
    GlobalData& gd = here();
    {
        SpinGuard guard(gd.callouts.lock);
        callout.cpu_ = gd.cpu;
        callout.deadline_ = deadline;
        callout.function_ = function;
        callout.argument_ = argument;
        callout.direct_ = direct;
        set_state(callout.state_, Callout::armed);
        gd.callouts.insert(callout);
    }
    if (deadline < gd.programmed)
        program_deadline(gd);
}

// --- expiry
// -------------------------------------------------------------------------------------------------------
Ticks CalloutQueue::earliest() {
    SpinGuard guard(lock);
    return root ? root->deadline_ : glue::no_deadline;
}

// Runs direct callouts that are due and moves others to the callout thread's list. True if that has something
// to do.
bool CalloutQueue::expire(Ticks now) {
    for (;;) {
        Callout::Function function;
        void* argument;
        {
            SpinGuard guard(lock);
            Callout* callout = root;
            if (callout == nullptr || callout->deadline_ > now)
                return expired != nullptr;
            remove(*callout);
            if (!callout->direct_) {
                set_state(callout->state_, Callout::expired);
                append_expired(*callout);
                continue;
            }
            function = callout->function_;
            argument = callout->argument_;
            set_state(callout->state_, Callout::idle);
        }
        function(argument);
    }
}

void program_deadline(GlobalData& gd) {
    Ticks deadline = gd.callouts.earliest();
    if (gd.slice < deadline)
        deadline = gd.slice;
    if (deadline != gd.programmed) {
        gd.programmed = deadline;
        gd.vcpu->set_deadline(deadline);
    }
}

void process_timers(GlobalData& gd) {
    Ticks now = glue::Clock::ticks();
    if (gd.programmed <= now)
        count(gd.counters.timers);
    if (gd.slice <= now) {
        gd.slice = glue::no_deadline;
        gd.slice_expired = true;
    }
    if (gd.callouts.expire(now) && gd.callouts.thread->state == ThreadState::blocked &&
        gd.callouts.thread->wait_ident == nullptr) // else it sleeps inside a function
        make_ready(gd, gd.callouts.thread);
    program_deadline(gd);
}

// The callout thread. While it sleeps inside a function, expired callouts collect.
void CalloutQueue::thread_main(void* argument) {
    auto& queue = *static_cast<CalloutQueue*>(argument);
    for (;;) {
        Callout* callout;
        Callout::Function function = nullptr;
        void* function_argument = nullptr;
        {
            CriticalSection critical;
            {
                SpinGuard guard(queue.lock);
                callout = queue.take_expired();
                if (callout) {
                    function = callout->function_;
                    function_argument = callout->argument_;
                    __atomic_store_n(&queue.running, callout,
                                     __ATOMIC_SEQ_CST); // before it looks idle to drain()
                    set_state(callout->state_, Callout::idle);
                }
            }
            if (callout == nullptr)
                lwkt_switch_blocked();
        }
        if (callout == nullptr)
            continue;
        count(here().counters.callouts);
        ktr(KtrEvent::callout_run, reinterpret_cast<std::uintptr_t>(function),
            reinterpret_cast<std::uintptr_t>(function_argument));
        function(function_argument); // may free the callout
        verify(current()->token_top == current()->tokens);
        __atomic_store_n(&queue.running, nullptr, __ATOMIC_SEQ_CST);
        wakeup(callout); // only its address: drain() waits for it
    }
}

// --- for users
// ----------------------------------------------------------------------------------------------------
void Callout::reset(Nanoseconds deadline, Function function, void* argument) {
    stop();
    CriticalSection critical;
    CalloutQueue::arm(*this, glue::Clock::to_ticks(deadline), function, argument, false);
}

bool Callout::stop() {
    return __atomic_load_n(&state_, __ATOMIC_ACQUIRE) != idle && CalloutQueue::cancel(*this);
}

void Callout::drain() {
    stop();
    // It may have been armed on another core than it runs on.
    for (unsigned cpu = 0; cpu != cpu_count(); ++cpu) {
        CalloutQueue& queue = globaldata_of[cpu]->callouts;
        verify(queue.thread != current());
        for (;;) {
            tsleep_interlock(this, sleep_plain);
            if (__atomic_load_n(&queue.running, __ATOMIC_SEQ_CST) != this)
                break;
            (void)tsleep(this, sleep_interlocked, "codrain");
        }
        tsleep_remove();
    }
}

void set_slice_deadline(Ticks deadline) {
    CriticalSection critical;
    GlobalData& gd = here();
    if (gd.slice == deadline)
        return;
    gd.slice = deadline;
    gd.slice_expired = false;
    program_deadline(gd);
}

bool take_slice_expired() {
    GlobalData& gd = here();
    bool expired = gd.slice_expired;
    gd.slice_expired = false;
    return expired;
}

} // namespace lwkt
