// SPDX-License-Identifier: BSD-2-Clause
// What puppets do that may block: messages with their items, faults, waiting; with deadlines.
#include "tests/fuzz/puppet.hpp"

namespace fuzz {

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

// When what it waits for is given up: never, or so late that it never happens; before it begins, so that it
// does not wait at all; or soon.
enum class Deadline { none, passed, soon };

Deadline choose_deadline(Word& deadline) {
    switch (random.below(6)) {
    case 0:
        deadline = 1 + random.below(1000);
        return Deadline::passed;
    case 1:
        deadline = glue::Clock::ticks().value + glue::Clock::ticks_per_second() / 50'000;
        return Deadline::soon;
    default:
        deadline = random.one_in(3) ? (Word{1} << 60) + random.below(1000) : 0;
        return Deadline::none;
    }
}

// It would wait, and nobody does anything meanwhile. "Soon" may have passed before the puppet came to it.
void give_up(int self, Deadline deadline) {
    model.complete(self, {.exchange = true,
                          .error = deadline == Deadline::passed ? Error::would_block : Error::timed_out,
                          .or_would_block = deadline == Deadline::soon});
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
    Deadline deadline = choose_deadline(box.argument[0]);
    step = {actor, Operation::wait, selector, {box.argument[0]}};
    post(actor.puppet);
    if (!expect.fine()) {
        await(actor.puppet);
        check({static_cast<Error>(box.error), 0, 0}, expect);
    } else if (model[n].bits) {
        model.complete(self, {.check_value = true, .value = model[n].bits});
        model[n].bits = 0;
    } else if (deadline != Deadline::none) {
        give_up(self, deadline);
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
        if (!item.comes)
            tag &= ~abi::tag_page_item;
        if (!model.pass_capability(self, caller, tag, c.sent_rights))
            tag &= ~abi::tag_capability_item;
        model.complete(caller, {.exchange = true, .tag = tag, .seed = seed});
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

namespace {

// A caller whose fault was answered goes on: it touches the page again.
void touch_again(int caller) {
    int task = model.task_index(model[caller].task);
    Page& at = *model.tasks[task].space.at(model[caller].fault_address);
    at.ram != nobody || at.kernel_owned ? model.complete(caller, {}) : model.fault(caller);
}

constexpr Selector no_table_has = 1 << 16;

void choose_capability(Actor actor, Mailbox& box, int self) {
    Object& t = model[self];
    Selector slot = random.one_in(3) ? 0 : pick_empty(actor);
    // While it waits its table may grow: a slot behind the end must stay there.
    t.receive_slot = box.receive_slot = slot == actor.table().limit ? no_table_has : slot;
    t.item_source = pick(actor, static_cast<Kind>(1 + random.below(10)));
    t.item_rights = random.one_in(3) ? static_cast<std::uint32_t>(random.next()) : ~0u;
    t.item_badge = random.one_in(3) ? 1 + random.below(1 << 20) : 0;
    box.capability = {t.item_source, t.item_rights, t.item_badge};
}

} // namespace

void exchange_step(Actor actor) {
    int self = self_of(actor);
    Mailbox& box = mailbox(actor.puppet);
    Word which = random.below(12);
    if (which < 2)
        return wait_command(actor, box, self);
    if (which == 2)
        return touch_command(actor, box, self);
    constexpr Operation operations[] = {Operation::call,       Operation::call,       Operation::call,
                                        Operation::reply_wait, Operation::reply_wait, Operation::receive,
                                        Operation::receive,    Operation::send,       Operation::reply};
    Operation operation = operations[which - 3];
    bool sends = operation == Operation::call || operation == Operation::send,
         receives = operation == Operation::receive || operation == Operation::reply_wait;
    Selector selector = pick(actor, Kind::endpoint);
    Expect expect;
    Slot slot;
    int endpoint = nobody, caller = model[self].caller;
    if (sends || receives) {
        endpoint = look(actor, selector, Kind::endpoint,
                        sends ? abi::endpoint_right::send : abi::endpoint_right::receive, expect, &slot);
        if (endpoint != nobody)
            expect.on(model[endpoint].core != model[self].core, Error::wrong_core);
    }
    expect.on(operation == Operation::receive && caller != nobody, Error::wrong_state)
        .on(operation == Operation::reply && caller == nobody, Error::wrong_state);
    Word tag = abi::make_tag(random.one_in(2) ? 0 : static_cast<std::uint32_t>(random.below(0xffff'0000)),
                             static_cast<unsigned>(random.one_in(2) ? random.below(5) : random.below(65)));
    Word seed = random.next();
    Item item;
    bool replies = (operation == Operation::reply_wait || operation == Operation::reply) && caller != nobody;
    expect.on(operation == Operation::reply && model[self].context == nobody, Error::wrong_state);
    if (model[self].was_orphan && (operation == Operation::receive || operation == Operation::reply))
        return; // whether somebody helps it, to whom it owes nothing, is not followed
    if (operation == Operation::send && endpoint != nobody)
        if (int receiver = model.first_waiter(Wait::receiving, endpoint); receiver != nobody)
            expect.on(model[receiver].context == nobody, Error::wrong_state);
    if (random.one_in(24) && (sends || replies)) {
        tag |= random.one_in(2) ? 0x40 | (1 + random.below(63)) : 1024;
        expect.on(true, Error::bad_argument);
    }
    if (replies && expect.fine())
        item = choose_item(actor, box, caller, model[caller].fault_pending ? model[caller].fault_address : 0);
    tag |= item.asked ? abi::tag_page_item : 0;
    choose_capability(actor, box, self);
    if ((sends || replies) && random.one_in(3)) {
        tag |= abi::tag_capability_item;
        expect.on(sends && endpoint != nobody && !(slot.rights & abi::endpoint_right::grant),
                  Error::no_right);
    }
    box.deadline = 0;
    Deadline deadline = Deadline::none;
    if (operation == Operation::send || operation == Operation::receive)
        deadline = choose_deadline(box.deadline);
    box.kind = command_exchange;
    box.operation = static_cast<Word>(operation);
    box.selector = selector;
    box.tag = tag;
    box.seed = seed;
    step = {actor, operation, selector, {tag, seed, box.deadline}};
    post(actor.puppet);
    if (!expect.fine()) {
        await(actor.puppet);
        check({static_cast<Error>(box.error), 0, 0}, expect);
        return;
    }
    if (sends) {
        model[self].badge = slot.badge;
        model[self].sent_rights = slot.rights;
        model[self].tag = tag;
        model[self].seed = seed;
        bool one_way = operation == Operation::send;
        if (deadline != Deadline::none && model.first_waiter(Wait::receiving, endpoint) == nobody)
            return give_up(self, deadline);
        return model.send(self, endpoint, one_way);
    }
    if (replies)
        reply_to(self, tag, seed, item);
    if (operation == Operation::reply) {
        model.complete(self, {});
    } else if (deadline == Deadline::none || model.would_receive(self, endpoint)) {
        model.receive(self, endpoint);
    } else {
        give_up(self, deadline);
    }
    if (replies && model[caller].wait == Wait::running) {
        give_time(); // it could not touch it without
        touch_again(caller);
    }
}

} // namespace fuzz
