// SPDX-License-Identifier: BSD-2-Clause
// Threads, notifications and IPC. Only puppets block; the worker sees to it that every state it expects is
// reached before it goes on.
#include "tests/fuzz/puppet.hpp"

namespace fuzz {

namespace {

bool inactive(const Object& thread) {
    return thread.wait == Wait::inactive || thread.wait == Wait::faulted;
}
int self_of(Actor actor) {
    return actor.puppet == nobody ? nobody : model.puppets[actor.puppet].thread;
}

void configure(Actor actor, Selector selector, int thread, Expect expect) {
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
    model.leave(thread);
    model[thread].wait = Wait::inactive;
    if (int puppet = model[thread].puppet; puppet != nobody) {
        model.puppets[puppet].ended = false;
        model.puppets[puppet].changed = true;
    }
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
            return what == 0   ? configure(actor, selector, puppet.thread, expect)
                   : what == 1 ? stop(actor, selector, puppet.thread, expect)
                               : start(actor, selector, puppet.thread, expect);
        }
    }
    int thread = nobody;
    if (selector >= golden && selector < golden + max_objects && actor.puppet == nobody)
        thread = static_cast<int>(selector - golden);
    else
        thread = look(actor, selector, Kind::thread, abi::thread_right::control, expect);
    Word what = random.below(6);
    if (thread != nobody && model[thread].wait == Wait::running) {
        Reply info = invoke(Operation::thread_info, golden + static_cast<Selector>(thread));
        if (info.value == static_cast<Word>(abi::ThreadState::faulted))
            model[thread].wait = Wait::faulted;
        else
            what = 4 + what % 2; // it may fault at any time: nothing that asks for its state
    }
    switch (what) {
    case 0:
    case 1:
        return configure(actor, selector, thread, expect);
    case 2:
    case 3:
        return start(actor, selector, thread, expect);
    case 4:
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

namespace {

// A page item of a reply: where it must go, or that it must not come.
struct Item {
    bool asked = false, comes = false;
    int binding = nobody;
    Word offset = 0, address = 0, flags = 0;
};

Item choose_item(Actor actor, Mailbox& box, int receiver, Word fault_address) {
    Item item;
    int task = model.task_index(model[receiver].task);
    if (!random.one_in(3) || task == nobody || low(model[model[receiver].task].pool))
        return item;
    item.asked = true;
    Selector selector = pick(actor, Kind::binding);
    item.offset = random.below(ram_pages) * page;
    item.address = fault_address ? fault_address
                                 : windows[random.below(window_count)] + random.below(window_pages) * page;
    item.flags = abi::map_read | (random.one_in(2) ? Word{abi::map_write} : 0) |
                 (random.one_in(4) ? Word{abi::map_replace} : 0);
    box.item = {selector, static_cast<std::uint32_t>(item.flags), item.offset, item.address};
    Expect expect;
    item.binding = look(actor, selector, Kind::binding, abi::binding_right::map, expect);
    if (item.binding != nobody && task_of_binding(item.binding) != task)
        return item;
    if (item.binding != nobody && expect.fine())
        map_error(item.binding, item.address & ~(page - 1), item.offset, item.flags, expect);
    item.comes = item.binding != nobody && expect.fine();
    return item;
}

void apply(const Item& item) {
    if (item.comes)
        model_map(item.binding, item.address & ~(page - 1), item.offset, 1, item.flags);
}

void wait_command(Actor actor, Mailbox& box, int self) {
    Expect expect;
    Selector selector = pick(actor, Kind::notification);
    int n = look(actor, selector, Kind::notification, abi::notification_right::receive, expect);
    if (n != nobody)
        expect.on(model[n].core != model[self].core, Error::wrong_core);
    box.kind = command_invoke;
    box.operation = static_cast<Word>(Operation::wait);
    box.selector = selector;
    box.argument[0] = 0; // no deadline
    step = {actor, Operation::wait, selector, {}};
    post(actor.puppet);
    if (!expect.fine()) {
        await(actor.puppet);
        check({static_cast<Error>(box.error), 0, 0}, expect);
    } else if (model[n].bits) {
        model.complete(self, {.check_value = true, .value = model[n].bits});
        model[n].bits = 0;
    } else {
        model.block(self, Wait::notification, n);
    }
}

void touch_command(Actor actor, Mailbox& box, int self) {
    Word address = windows[random.below(window_count)] + random.below(window_pages) * page;
    Page& at = *actor.table().space.at(address);
    box.kind = command_touch;
    box.argument[0] = address;
    box.error = 0;
    step = {actor, Operation::null, 0, {address}};
    post(actor.puppet);
    if (at.ram != nobody || at.kernel_owned)
        return model.complete(self, {});
    model[self].fault_address = address;
    model[self].fault_code = 4;
    model.fault(self);
}

// What a reply does to the caller of `self`.
void reply_to(int self, Word tag, Word seed, const Item& item) {
    int caller = model[self].caller;
    Object& c = model[caller];
    model[self].caller = nobody;
    c.callee = nobody;
    if (!c.fault_pending) {
        apply(item);
        model.complete(caller,
                       {.exchange = true, .tag = item.comes ? tag : tag & ~abi::tag_page_item, .seed = seed});
        return;
    }
    c.fault_pending = false;
    if (item.asked) {
        apply(item);
        item.comes ? model.complete(caller, {}) : model.block(caller, Wait::faulted, nobody);
    } else if (abi::tag_label(tag) == 0) {
        c.wait = Wait::running; // resumes, and faults again once `self` has begun to receive
    } else {
        model.block(caller, Wait::faulted, nobody);
    }
}

} // namespace

void exchange_step(Actor actor) {
    int self = self_of(actor);
    Mailbox& box = mailbox(actor.puppet);
    Word which = random.below(8);
    if (which == 0)
        return wait_command(actor, box, self);
    if (which == 1)
        return touch_command(actor, box, self);
    Operation operation = which < 4   ? Operation::call
                          : which < 6 ? Operation::reply_wait
                                      : Operation::receive;
    std::uint32_t right =
        operation == Operation::call ? abi::endpoint_right::send : abi::endpoint_right::receive;
    Selector selector = pick(actor, Kind::endpoint);
    Expect expect;
    Slot slot;
    int endpoint = look(actor, selector, Kind::endpoint, right, expect, &slot);
    if (endpoint != nobody)
        expect.on(model[endpoint].core != model[self].core, Error::wrong_core);
    expect.on(operation == Operation::receive && model[self].caller != nobody, Error::wrong_state);
    Word tag = abi::make_tag(random.one_in(2) ? 0 : static_cast<std::uint32_t>(random.below(0xffff'0000)),
                             static_cast<unsigned>(random.one_in(2) ? random.below(5) : random.below(65)));
    Word seed = random.next();
    Item item;
    int caller = model[self].caller;
    bool replies = operation == Operation::reply_wait && caller != nobody && expect.fine();
    if (replies)
        item = choose_item(actor, box, caller, model[caller].fault_pending ? model[caller].fault_address : 0);
    tag |= item.asked ? abi::tag_page_item : 0;
    box.kind = command_exchange;
    box.operation = static_cast<Word>(operation);
    box.selector = selector;
    box.tag = tag;
    box.seed = seed;
    step = {actor, operation, selector, {tag, seed}};
    post(actor.puppet);
    if (!expect.fine()) {
        await(actor.puppet);
        check({static_cast<Error>(box.error), 0, 0}, expect);
        return;
    }
    if (operation == Operation::call) {
        model[self].badge = slot.badge;
        model[self].tag = tag;
        model[self].seed = seed;
        model.send(self, endpoint);
        return;
    }
    if (replies)
        reply_to(self, tag, seed, item);
    model.receive(self, endpoint);
    if (replies && model[caller].wait == Wait::running) {
        int task = model.task_index(model[caller].task);
        Page& at = *model.tasks[task].space.at(model[caller].fault_address);
        at.ram != nobody || at.kernel_owned ? model.complete(caller, {}) : model.fault(caller);
    }
}

} // namespace fuzz
