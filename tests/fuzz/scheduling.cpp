// SPDX-License-Identifier: BSD-2-Clause
// Scheduling contexts: whose they are and what they say; threads that move to other cores.
#include "tests/fuzz/puppet.hpp"

namespace fuzz {

namespace {

Selector golden_of(int object) {
    return golden + static_cast<Selector>(object);
}

void bind_step(Actor actor) {
    Selector selector = pick(actor, Kind::scheduling), thread_selector = pick(actor, Kind::thread);
    Expect expect;
    int context = look(actor, selector, Kind::scheduling, abi::scheduling_right::bind, expect);
    int thread = look(actor, thread_selector, Kind::thread, abi::thread_right::control, expect);
    if (context != nobody && thread != nobody && model[context].owner != thread) {
        const Object &c = model[context], &t = model[thread];
        expect.on(c.core != t.core, Error::wrong_core)
            .on(!model.outlives(context, t.pool), Error::bad_argument)
            .on(c.owner != nobody || t.context != nobody, Error::occupied)
            .on(t.priority > c.limit, Error::no_right)
            .on(t.callee != nobody, Error::wrong_state);
    }
    Reply reply = issue(actor, Operation::scheduling_bind, selector, thread_selector);
    if (!check(reply, expect))
        return;
    model[context].owner = thread;
    model[thread].context = context;
}

void unbind_step(Actor actor) {
    Selector selector = pick(actor, Kind::scheduling);
    Expect expect;
    int context = look(actor, selector, Kind::scheduling, abi::scheduling_right::bind, expect);
    int owner = context == nobody ? nobody : model[context].owner;
    expect.on(owner != nobody && model[owner].callee != nobody, Error::wrong_state);
    Reply reply = issue(actor, Operation::scheduling_unbind, selector);
    if (!check(reply, expect) || owner == nobody)
        return;
    model[context].owner = nobody;
    model[owner].context = nobody;
}

// A handler is taken back at once: when a budget ends, the model does not know.
void configure_step(Actor actor) {
    Selector selector = pick(actor, Kind::scheduling),
             notification_selector = random.one_in(3) ? 0 : pick(actor, Kind::notification);
    Expect expect;
    int context = look(actor, selector, Kind::scheduling, abi::scheduling_right::control, expect);
    if (notification_selector) {
        int notification =
            look(actor, notification_selector, Kind::notification, abi::notification_right::signal, expect);
        expect.on(context != nobody && notification != nobody &&
                      !model.outlives(notification, model[context].pool),
                  Error::bad_argument);
    }
    if (context != nobody && model[context].owner != nobody &&
        model[model[context].owner].wait == Wait::running)
        return;
    if (check(issue(actor, Operation::scheduling_configure, selector, notification_selector, 1), expect))
        equal("taking a handler back",
              static_cast<Word>(issue(actor, Operation::scheduling_configure, selector, 0, 0).error), 0);
}

void info_step(Actor actor) {
    Expect expect;
    if (random.one_in(4)) {
        Selector selector = pick(actor, Kind::pool);
        look(actor, selector, Kind::pool, abi::pool_right::schedule, expect);
        unsigned core = random_core();
        expect.on(core >= configuration.cores, Error::bad_argument);
        Reply reply = issue(actor, Operation::core_info, selector, core);
        // All workers count there: no more is known than that nothing is guaranteed.
        if (check(reply, expect))
            equal("guaranteed time of a core", reply.value, 0);
        return;
    }
    Selector selector = pick(actor, Kind::scheduling);
    int context = look(actor, selector, Kind::scheduling, abi::scheduling_right::control, expect);
    Word what = random.below(5);
    expect.on(what > 3, Error::bad_argument);
    expect.on(what == 2 && context != nobody && model[context].core != core_of(actor), Error::wrong_core);
    Reply reply = issue(actor, Operation::scheduling_info, selector, what);
    if (!check(reply, expect))
        return;
    const Object& c = model[context];
    switch (static_cast<abi::SchedulingInfo>(what)) {
    case abi::SchedulingInfo::parameters:
        equal("budget", reply.value, c.base);
        equal("period", reply.second, c.size);
        return;
    case abi::SchedulingInfo::promise:
        equal("utilization", reply.value, c.size ? ((c.base << 32) + c.size - 1) / c.size : 0);
        equal("guarantee", reply.second, 0);
        return;
    case abi::SchedulingInfo::budget:
        if (c.size && reply.value > c.base)
            disagree("budget that is left", reply.value, c.base);
        return;
    case abi::SchedulingInfo::use:
        equal("use of a context", reply.value, c.owner != nobody);
    }
}

// A blocked command ends with aborted; what the thread has on the new core is what it is given.
void moved(int thread, unsigned core, int context, int endpoint, Word badge) {
    Object& t = model[thread];
    t.core = static_cast<std::uint8_t>(core);
    if (t.context != nobody)
        model[t.context].owner = nobody;
    t.context = context;
    if (context != nobody)
        model[context].owner = thread;
    t.fault_endpoint = endpoint;
    t.fault_badge = badge;
    if (t.wait == Wait::sending || t.wait == Wait::receiving || t.wait == Wait::notification)
        model.finish(thread, Error::aborted);
}

void expect_move(const Object& t, Expect& expect) {
    expect.on(t.caller != nobody || t.callee != nobody || t.fault_pending || t.vcpu != nobody ||
                  t.bound != nobody,
              Error::wrong_state);
}

void migrate_step(Actor actor) {
    Selector selector = pick(actor, Kind::thread),
             context_selector = random.one_in(3) ? 0 : pick(actor, Kind::scheduling),
             endpoint_selector = random.one_in(2) ? 0 : pick(actor, Kind::endpoint);
    unsigned core = random_core();
    Expect expect;
    Slot slot;
    int thread = look(actor, selector, Kind::thread, abi::thread_right::control, expect), context = nobody,
        endpoint = nobody;
    if (thread != nobody && (model[thread].puppet != nobody || model[thread].wait == Wait::running))
        return; // a puppet has to find its commands there; the other may fault at any time
    if (context_selector)
        context = look(actor, context_selector, Kind::scheduling, abi::scheduling_right::bind, expect);
    if (endpoint_selector)
        endpoint = look(actor, endpoint_selector, Kind::endpoint, abi::endpoint_right::send, expect, &slot);
    expect.on(core >= configuration.cores, Error::bad_argument);
    for (int object : {context, endpoint})
        if (object != nobody) {
            expect.on(model[object].core != core, Error::wrong_core);
            expect.on(thread != nobody && !model.outlives(object, model[thread].pool), Error::bad_argument);
        }
    if (thread != nobody) {
        const Object& t = model[thread];
        if (context != nobody)
            expect.on(model[context].owner != nobody && model[context].owner != thread, Error::occupied)
                .on(t.priority > model[context].limit, Error::no_right);
        if (t.core == core)
            expect.on(t.context != context, Error::wrong_state);
        else
            expect_move(t, expect);
    }
    Reply reply =
        issue(actor, Operation::thread_migrate, selector, core, context_selector, endpoint_selector);
    if (check(reply, expect) && model[thread].core != core)
        moved(thread, core, context, endpoint, slot.badge);
}

// The command of a puppet is where it looks for it, on the core it is.
void show_command(int puppet, int task, unsigned core) {
    auto slot = child_command + static_cast<Selector>(puppet);
    (void)issue({}, Operation::capability_delete, golden_of(task), slot);
    equal("copy of the command",
          static_cast<Word>(issue({}, Operation::capability_copy, golden_of(task), slot, abi::root_task,
                                  golden_command + core * max_puppets + static_cast<Selector>(puppet),
                                  abi::notification_right::receive)
                                .error),
          0);
}

// A puppet goes to another core, whatever it is doing, with a new context.
void move_puppet() {
    int puppet = static_cast<int>(random.below(max_puppets)), thread = model.puppets[puppet].thread;
    auto core = static_cast<unsigned>(random.below(configuration.cores));
    if (thread == nobody || model[thread].core == core || model[thread].context == nobody ||
        may_help(model[thread]) || model[thread].was_orphan)
        return; // helping or helped it cannot move, and who does that is not followed
    Object& t = model[thread];
    if (!(model[t.pool].rights & abi::pool_right::schedule) || free_pages(t.pool) < 16)
        return;
    int context = model.make(Kind::scheduling, t.pool), endpoint = nobody;
    if (context == nobody)
        return;
    equal("scheduling_create of a puppet",
          static_cast<Word>(
              issue({}, Operation::scheduling_create, golden_of(t.pool), golden_of(context), core, 0, 0, 56)
                  .error),
          0);
    model[context].core = static_cast<std::uint8_t>(core);
    model[context].limit = 56;
    for (int i = 0; i < static_cast<int>(max_objects); ++i)
        if (model[i].alive && model[i].kind == Kind::endpoint && model[i].core == core &&
            model.outlives(i, t.pool) && random.one_in(2))
            endpoint = i;
    Expect expect;
    expect_move(t, expect);
    unsigned before = t.core;
    show_command(puppet, t.task, core);
    Reply reply = issue({}, Operation::thread_migrate, golden_of(thread), core, golden_of(context),
                        endpoint == nobody ? 0 : golden_of(endpoint));
    if (!check(reply, expect))
        return show_command(puppet, t.task, before);
    moved(thread, core, context, endpoint, 0);
    model.puppets[puppet].changed = true;
}

// A puppet without time of its own for a moment, whatever it is doing; or, if it waits for calls, until it
// has served them.
void unbind_puppet() {
    int thread = model.puppets[random.below(max_puppets)].thread;
    for (const Puppet& puppet : model.puppets)
        if (puppet.thread != nobody && model[puppet.thread].wait == Wait::receiving && random.one_in(2))
            thread = puppet.thread;
    if (thread == nobody || model[thread].context == nobody || may_help(model[thread]))
        return;
    int context = model[thread].context;
    Expect expect;
    expect.on(model[thread].callee != nobody, Error::wrong_state);
    if (!check(issue({}, Operation::scheduling_unbind, golden_of(context)), expect))
        return;
    equal("use of a context", issue({}, Operation::scheduling_info, golden_of(context), 3).value, 0);
    if (model[thread].wait == Wait::receiving && model[thread].bound == nobody) {
        model[thread].lost_context = context;
        model[thread].context = model[context].owner = nobody;
        return;
    }
    check(issue({}, Operation::scheduling_bind, golden_of(context), golden_of(thread)), {});
}

} // namespace

void give_time() {
    for (bool again = true; again;) {
        again = false;
        for (Puppet& puppet : model.puppets) {
            if (puppet.thread == nobody || model.has_time(puppet.thread))
                continue;
            Object& t = model[puppet.thread];
            if (t.wait == Wait::receiving || t.caller != nobody)
                continue;
            if (t.callee != nobody || may_help(t)) { // a whole chain without time: it is broken here
                check(issue({}, Operation::thread_stop, golden_of(puppet.thread)), {});
                model.stop(puppet.thread);
            }
            check(issue({}, Operation::scheduling_bind, golden_of(t.lost_context), golden_of(puppet.thread)),
                  {});
            t.context = t.lost_context;
            model[t.context].owner = puppet.thread;
            again = true;
        }
    }
}

void scheduling_step(Actor actor) {
    switch (random.below(actor.puppet == nobody ? 9 : 6)) {
    case 0:
        return bind_step(actor);
    case 1:
        return unbind_step(actor);
    case 2:
        return configure_step(actor);
    case 3:
        return info_step(actor);
    case 4:
    case 5:
        return migrate_step(actor);
    case 6:
        return unbind_puppet();
    default:
        return move_puppet();
    }
}

} // namespace fuzz
