// SPDX-License-Identifier: BSD-2-Clause
// Threads, timers and notifications. Only puppets block (exchange.cpp); the worker sees to it that every
// state it expects is reached before it goes on.
#include "tests/fuzz/puppet.hpp"

namespace fuzz {

namespace {

bool inactive(const Object& thread) {
    return thread.wait == Wait::inactive || thread.wait == Wait::faulted;
}

void configure(Actor actor, Selector selector, int thread, Expect expect) {
    if (thread != nobody && model[thread].puppet != nobody && model[thread].context == nobody)
        return; // with a notification it would have something to do, and no time
    bool puppet = thread != nobody && model[thread].puppet != nobody;
    // Puppets stay above the worker, so that they do at once what they are told.
    Word priority = puppet ? 55 : random.one_in(16) ? 256 : random.below(50);
    Selector context_selector = !puppet && random.one_in(2) ? pick(actor, Kind::scheduling) : 0,
             endpoint_selector = random.one_in(2) ? pick(actor, Kind::endpoint) : 0,
             notification_selector = random.one_in(2) ? pick(actor, Kind::notification) : 0;
    int context = nobody, endpoint = nobody, notification = nobody;
    Slot endpoint_slot;
    if (context_selector)
        context = look(actor, context_selector, Kind::scheduling, abi::scheduling_right::bind, expect);
    if (endpoint_selector)
        endpoint =
            look(actor, endpoint_selector, Kind::endpoint, abi::endpoint_right::send, expect, &endpoint_slot);
    if (notification_selector)
        notification =
            look(actor, notification_selector, Kind::notification, abi::notification_right::receive, expect);
    expect.on(priority >= abi::priorities, Error::bad_argument);
    if (thread != nobody) {
        Object& t = model[thread];
        expect.on(!inactive(t) && thread != self_of(actor), Error::wrong_state);
        int limiting = context != nobody ? context : t.context;
        if (limiting != nobody)
            expect.on(priority > model[limiting].limit, Error::no_right);
        for (int object : {context, endpoint, notification})
            if (object != nobody)
                expect.on(model[object].core != t.core, Error::wrong_core);
        for (int object : {context, endpoint})
            if (object != nobody)
                expect.on(!model.outlives(object, t.pool), Error::bad_argument);
        if (context != nobody)
            expect.on(model[context].owner != nobody && model[context].owner != thread, Error::occupied);
        if (notification != nobody)
            expect.on(model[notification].owner != nobody, Error::occupied);
    }
    Reply reply = issue(actor, Operation::thread_configure, selector, priority, context_selector,
                        endpoint_selector, notification_selector);
    if (!check(reply, expect))
        return;
    Object& t = model[thread];
    t.priority = static_cast<unsigned>(priority);
    if (context != nobody) {
        if (t.context != nobody)
            model[t.context].owner = nobody;
        t.context = context;
        model[context].owner = thread;
    }
    if (endpoint != nobody) {
        t.fault_endpoint = endpoint;
        t.fault_badge = endpoint_slot.badge;
    }
    if (notification != nobody) {
        if (t.bound != nobody)
            model[t.bound].owner = nobody;
        t.bound = notification;
        model[notification].owner = thread;
    }
}

void start(Actor actor, Selector selector, int thread, Expect expect) {
    bool puppet = thread != nobody && model[thread].puppet != nobody;
    if (thread != nobody && !puppet && model[thread].fault_endpoint != nobody)
        return; // its fault would be a message that the model does not expect
    Word rip = puppet ? reinterpret_cast<Word>(&puppet_main) : 0, argument = 0, stack = 0;
    if (random.one_in(12))
        rip = abi::user_end + random.below(2) * page;
    expect.on(rip >= abi::user_end, Error::bad_address);
    if (thread != nobody)
        expect.on(!inactive(model[thread]), Error::wrong_state);
    if (puppet) {
        int index = model[thread].puppet;
        argument = puppet_address + static_cast<Word>(index) * page;
        stack = argument + page - 8;
        if (expect.fine())
            mailbox(index).done = model.puppets[index].sequence;
    }
    Reply reply = issue(actor, Operation::thread_start, selector, rip, stack, argument);
    if (!check(reply, expect))
        return;
    if (puppet)
        model.block(thread, Wait::none, nobody);
    else
        model[thread].wait = Wait::running; // it faults at once, if it ever gets time
    model[thread].started = true;
}

void stop(Actor actor, Selector selector, int thread, Expect expect) {
    if (thread != nobody && thread == self_of(actor))
        return; // it would not see the result
    Reply reply = issue(actor, Operation::thread_stop, selector);
    if (!check(reply, expect) || inactive(model[thread]))
        return;
    model.stop(thread);
}

// What a thread on another core waits for ends some time after the operation has returned. The model knows
// when by the result of the command; where there is none, the core has done it when it has done something
// else to the thread that is waited for.
void await_cancel(Actor actor, int thread) {
    const Object& t = model[thread];
    if (t.core == core_of(actor) || t.context == nobody)
        return;
    Selector context = golden + static_cast<Selector>(t.context);
    equal("unbind of a cancelled thread",
          static_cast<Word>(issue({}, Operation::scheduling_unbind, context).error), 0);
    equal("bind of a cancelled thread",
          static_cast<Word>(
              issue({}, Operation::scheduling_bind, context, golden + static_cast<Selector>(thread)).error),
          0);
}

void cancel(Actor actor, Selector selector, int thread, Expect expect) {
    if (thread != nobody) {
        const Object& t = model[thread];
        bool remote = t.core != core_of(actor);
        // Waiting for its pager it cannot be cancelled, and its context cannot be unbound to see that; nor
        // can that of who helps, nor is there one of who serves without time of its own.
        if ((t.callee != nobody && t.fault_pending) || (remote && (t.context == nobody || may_help(t))))
            return;
    }
    Reply reply = issue(actor, Operation::thread_cancel, selector);
    if (!check(reply, expect))
        return;
    Object& t = model[thread];
    bool blocked = t.wait == Wait::sending || t.wait == Wait::receiving || t.wait == Wait::reply ||
                   t.wait == Wait::notification;
    if (!blocked || t.fault_pending)
        return await_cancel(actor, thread);
    model.drop_callee(thread);
    model.finish(thread, Error::aborted);
}

} // namespace

void thread_step(Actor actor) {
    Selector selector = pick(actor, Kind::thread);
    Expect expect;
    // Puppets want to be started: half of the time it is one of them, through the worker's own capability.
    if (actor.puppet == nobody && random.one_in(2)) {
        Puppet& puppet = model.puppets[random.below(max_puppets)];
        if (puppet.thread == nobody)
            return;
        selector = golden + static_cast<Selector>(puppet.thread);
        if (inactive(model[puppet.thread]) || random.one_in(8)) {
            Word what = random.below(4);
            return what == 3 && random.one_in(2) ? cancel(actor, selector, puppet.thread, expect)
                   : what == 0                   ? configure(actor, selector, puppet.thread, expect)
                   : what == 1                   ? stop(actor, selector, puppet.thread, expect)
                                                 : start(actor, selector, puppet.thread, expect);
        }
    }
    int thread = nobody;
    if (selector >= golden && selector < golden + max_objects && actor.puppet == nobody)
        thread = static_cast<int>(selector - golden);
    else
        thread = look(actor, selector, Kind::thread, abi::thread_right::control, expect);
    Word what = random.below(7);
    if (thread != nobody && model[thread].wait == Wait::running) {
        Reply info = invoke(Operation::thread_info, golden + static_cast<Selector>(thread));
        if (info.value == static_cast<Word>(abi::ThreadState::faulted))
            model[thread].wait = Wait::faulted;
        else
            what = 5 + what % 2; // it may fault at any time: nothing that asks for its state
    }
    switch (what) {
    case 0:
    case 1:
        return configure(actor, selector, thread, expect);
    case 2:
    case 3:
        return start(actor, selector, thread, expect);
    case 4:
        return cancel(actor, selector, thread, expect);
    case 5:
        return stop(actor, selector, thread, expect);
    default:
        check(issue(actor, Operation::thread_info, selector), expect);
        return;
    }
}

// A signal from another core reaches this one by an interrupt: behind one that follows it, it has arrived.
static void await_signals(Actor actor) {
    if (actor.puppet == nobody || model[self_of(actor)].core == configuration.core)
        return;
    Reply reply = command(actor.puppet, Operation::signal, child_barrier, 0, 0, 0, 0, 0);
    equal("signal to the barrier", static_cast<Word>(reply.error), 0);
    for (Word rounds = 0; !invoke(Operation::poll, barrier_notification).ok();)
        if (!keep_waiting(rounds))
            disagree("a signal from another core (it never came)", 0, 1);
}

void signal_step(Actor actor) {
    Expect expect;
    unsigned core = actor.puppet == nobody ? configuration.core : model[self_of(actor)].core;
    Slot slot;
    switch (random.below(6)) {
    case 0: { // timers far away, or none
        Selector selector = pick(actor, Kind::timer);
        int timer = look(actor, selector, Kind::timer, abi::timer_right::set, expect);
        if (timer != nobody)
            expect.on(model[timer].core != core, Error::wrong_core);
        Word deadline = random.one_in(2) ? 0 : (Word{1} << 60) + random.below(1 << 20);
        check(issue(actor, Operation::timer_set, selector, deadline), expect);
        return;
    }
    case 1:
    case 2: {
        Selector selector = pick(actor, Kind::notification);
        int n = look(actor, selector, Kind::notification, abi::notification_right::receive, expect);
        if (n != nobody) {
            expect.on(model[n].core != core, Error::wrong_core);
            if (expect.fine())
                expect.on(model[n].bits == 0, Error::would_block);
        }
        Reply reply = issue(actor, Operation::poll, selector);
        if (check(reply, expect)) {
            equal("bits", reply.value, model[n].bits);
            model[n].bits = 0;
        }
        return;
    }
    case 3: // what all workers share: anything may be there
        (void)issue({}, Operation::signal,
                    shared_notification + static_cast<Selector>(random.below(configuration.cores)));
        (void)issue({}, Operation::yield, 0);
        return;
    default: {
        Selector selector = pick(actor, Kind::notification);
        int n = look(actor, selector, Kind::notification, abi::notification_right::signal, expect, &slot);
        if (!check(issue(actor, Operation::signal, selector), expect))
            return;
        model.signal(n, slot.badge ? slot.badge : 1);
        await_signals(actor);
    }
    }
}

} // namespace fuzz
