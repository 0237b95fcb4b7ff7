// SPDX-License-Identifier: BSD-2-Clause
// Copying and deleting capabilities between the tables of the modelled tasks.
#include "tests/fuzz/worker.hpp"

namespace fuzz {

void capability_step(Actor actor) {
    Selector to_selector =
        actor.puppet == nobody && random.one_in(2) ? Selector{abi::root_task} : pick(actor, Kind::task);
    Selector from_selector =
        actor.puppet == nobody && random.one_in(2) ? Selector{abi::root_task} : pick(actor, Kind::task);
    // The worker's own task is its table 0; others are modelled tasks.
    auto resolve = [&](Selector selector, Expect& expect) {
        if (actor.puppet == nobody && selector == abi::root_task)
            return 0;
        int object = look(actor, selector, Kind::task, abi::task_right::control, expect);
        return object == nobody ? nobody : model.task_index(object);
    };
    Expect expect;
    int to = resolve(to_selector, expect);
    if (random.one_in(12)) {
        Word slots = random.one_in(4) ? random.next() : 16 + random.below(1200);
        if (to != nobody)
            expect.on(slots < model.tasks[to].limit, Error::bad_argument);
        expect.on(slots > 65536, Error::bad_argument);
        if (check(issue(actor, Operation::task_grow, to_selector, slots), expect))
            model.tasks[to].limit = static_cast<Selector>(slots);
        return;
    }
    Selector slot = to == nobody ? 20 : pick_empty({to});
    if (random.one_in(4)) {
        if (to != nobody)
            slot = pick({to}, static_cast<Kind>(1 + random.below(10)));
        Slot* at = to == nobody ? nullptr : slot_at({to}, slot);
        if (to != nobody) {
            Selector limit = model.tasks[to].limit;
            expect.on(slot >= limit, Error::bad_argument)
                .on(slot < limit && (!at || at->object == nobody), Error::bad_capability);
        }
        if (to != nobody && slot < model.tasks[to].first && !at && slot != 0)
            return;
        bool revoke = random.one_in(3);
        Reply reply = issue(actor, revoke ? Operation::capability_revoke : Operation::capability_delete,
                            to_selector, slot);
        if (!check(reply, expect))
            return;
        revoke ? model.revoke(at->id) : model.empty(*at);
        return;
    }
    int from = resolve(from_selector, expect);
    Selector source = from == nobody ? 20 : pick({from}, static_cast<Kind>(1 + random.below(10)));
    Word rights = random.one_in(3) ? random.next() : ~0u;
    Word badge = random.one_in(3) ? 1 + random.below(1 << 20) : 0;
    Slot found;
    int object = nobody;
    if (from != nobody)
        object = look({from}, source, Kind::none, 0, expect, &found);
    if (random.one_in(4)) {
        if (to != nobody)
            look_empty(to, slot, expect);
        Reply reply = issue(actor, Operation::capability_move, to_selector, slot, from_selector, source);
        if (check(reply, expect)) {
            *slot_at({from}, source) = {};
            *slot_at({to}, slot) = found;
        }
        return;
    }
    if (object != nobody) {
        Kind kind = model[object].kind;
        expect.on(badge && found.badge, Error::bad_argument);
        expect.on(badge && kind != Kind::endpoint && kind != Kind::notification, Error::bad_argument);
    }
    if (to != nobody)
        look_empty(to, slot, expect);
    Reply reply =
        issue(actor, Operation::capability_copy, to_selector, slot, from_selector, source, rights, badge);
    if (check(reply, expect))
        *slot_at({to}, slot) = {object, found.rights & static_cast<std::uint32_t>(rights),
                                badge ? badge : found.badge, ++model.clock, found.id};
}

} // namespace fuzz
