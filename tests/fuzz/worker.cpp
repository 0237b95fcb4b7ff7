// SPDX-License-Identifier: BSD-2-Clause
// A modelled worker: rounds of random steps, each checked at once.
#include "tests/fuzz/worker.hpp"

#include <cstring>

#include "tests/fuzz/puppet.hpp"

namespace fuzz {

Step step;

namespace {
Word round_number, step_number, invocations;
int round_pool;
} // namespace

void disagree(const char* what, Word got, Word wanted) {
    if (__atomic_exchange_n(&control().failed, 1, __ATOMIC_ACQ_REL) == 0) {
        print("FAIL worker ");
        print(configuration.index);
        print(" of seed ");
        print(configuration.seed);
        print(", round ");
        print(round_number);
        print(", step ");
        print(step_number);
        print(": ");
        print(what);
        print(" is ");
        print(got);
        print(", not ");
        print(wanted);
        print("\n  after ");
        print(abi::operation_names[static_cast<unsigned>(step.operation) % abi::operation_count]);
        print(" by ");
        if (step.actor.puppet == nobody) {
            print("the worker");
        } else {
            print("puppet ");
            print(static_cast<Word>(step.actor.puppet));
        }
        print(", selector ");
        print(step.selector);
        for (Word argument : step.argument) {
            print(" ");
            glue::Console::write_hex(argument);
        }
        print("\n");
        control().explained = 1;
    }
    for (;;)
        (void)invoke(Operation::wait, guest_notification);
}

void equal(const char* what, Word got, Word wanted) {
    if (got != wanted)
        disagree(what, got, wanted);
}

Reply issue(Actor actor, Operation operation, Selector selector, Word a, Word b, Word c, Word d, Word e) {
    step = {actor, operation, selector, {a, b, c, d, e}};
    control().count[configuration.index] = ++invocations;
    if (configuration.verbose) {
        print(abi::operation_names[static_cast<unsigned>(operation) % abi::operation_count]);
        print(actor.puppet == nobody ? " " : "* ");
        print(selector);
        for (Word argument : step.argument) {
            print(" ");
            glue::Console::write_hex(argument);
        }
        print("\n");
    }
    if (operation == Operation::vcpu_run)
        return glue::native::run_vcpu(selector);
    if (actor.puppet == nobody)
        return invoke(operation, selector, a, b, c, d, e);
    return command(actor.puppet, operation, selector, a, b, c, d, e);
}

Word free_pages(int pool) {
    Selector selector = pool == nobody ? Selector{abi::root_pool} : golden + static_cast<Selector>(pool);
    return invoke(Operation::pool_info, selector).value;
}

bool check(const Reply& reply, const Expect& expect) {
    if (reply.ok()) {
        if (expect.allowed)
            disagree("error", 0, static_cast<Word>(__builtin_ctz(expect.allowed)));
        return true;
    }
    if (expect.allowed >> static_cast<unsigned>(reply.error) & 1)
        return false;
    if (reply.error == Error::no_memory)
        for (int pool : {expect.memory, expect.memory2})
            if (pool >= nobody && low(pool))
                return false;
    disagree("error", static_cast<Word>(reply.error),
             expect.allowed ? static_cast<Word>(__builtin_ctz(expect.allowed)) : 0);
}

Slot* slot_at(Actor actor, Selector selector) {
    Task& task = actor.table();
    return selector >= task.first && selector < task.first + task.slots ? &task.slot[selector - task.first]
                                                                        : nullptr;
}

Selector pick(Actor actor, Kind kind) {
    Task& task = actor.table();
    if (random.one_in(24)) {
        const Selector wild[] = {0, ~0u, task.limit, task.limit + 1000, 1u << 20};
        return wild[random.below(5)];
    }
    Selector from = static_cast<Selector>(random.below(task.slots));
    if (!random.one_in(12))
        for (Selector i = 0; i < task.slots; ++i) {
            Selector at = (from + i) % task.slots;
            if (int object = task.slot[at].object; object != nobody && model[object].kind == kind)
                return task.first + at;
        }
    return task.first + from;
}

Selector pick_empty(Actor actor) {
    Task& task = actor.table();
    if (random.one_in(40))
        return random.one_in(2) ? 0 : task.limit;
    Selector from = static_cast<Selector>(random.below(task.slots));
    for (Selector i = 0; i < task.slots && !random.one_in(40); ++i)
        if (task.slot[(from + i) % task.slots].object == nobody)
            return task.first + (from + i) % task.slots;
    return task.first + from;
}

int look(Actor actor, Selector selector, Kind kind, std::uint32_t right, Expect& expect, Slot* found) {
    Slot* slot = slot_at(actor, selector);
    if (!slot || slot->object == nobody || (kind != Kind::none && model[slot->object].kind != kind)) {
        expect.on(true, Error::bad_capability);
        return nobody;
    }
    if (found)
        *found = *slot;
    expect.on((slot->rights & right) != right, Error::no_right);
    return slot->object;
}

void look_empty(int task, Selector selector, Expect& expect) {
    Slot* slot = slot_at({task}, selector);
    if (slot)
        expect.on(slot->object != nobody, Error::occupied);
    else
        expect.on(true, Error::bad_argument);
    expect.memory2 = model.tasks[task].object == nobody ? nobody : model[model.tasks[task].object].pool;
}

void publish(Actor actor, Selector selector, int object, std::uint32_t rights, Word parent) {
    model[object].origin_parent = parent;
    *slot_at(actor, selector) = {object, rights, 0, ++model.clock, model[object].origin};
    Selector from = abi::root_task;
    if (actor.task != 0)
        from = golden + static_cast<Selector>(actor.table().object);
    Selector own = golden + static_cast<Selector>(object);
    Reply reply = invoke(Operation::capability_move, abi::root_task, own, from, selector);
    equal("move of a new capability", static_cast<Word>(reply.error), 0);
    reply = invoke(Operation::capability_copy, from, selector, abi::root_task, own, ~0u, 0);
    equal("copy of a new capability", static_cast<Word>(reply.error), 0);
}

namespace {

Actor random_actor() {
    if (model.about_ipc ? random.one_in(4) : !random.one_in(3))
        return {};
    for (int tries = 0; tries < 4; ++tries) {
        int i = static_cast<int>(random.below(max_puppets));
        Puppet& puppet = model.puppets[i];
        if (puppet.thread == nobody || model[puppet.thread].wait != Wait::none ||
            !model.has_time(puppet.thread))
            continue;
        if (int task = model.task_index(model[puppet.thread].task); task != nobody)
            return {task, i};
    }
    return {};
}

void random_step() {
    Actor actor = random_actor();
    if (model.about_ipc && !random.one_in(4)) {
        if (actor.puppet != nobody)
            return exchange_step(actor);
        switch (random.below(4)) {
        case 0:
            return make_puppet();
        case 1:
            return signal_step(actor);
        case 2:
            return thread_step(actor);
        default:
            return scheduling_step(actor);
        }
    }
    switch (random.below(actor.puppet == nobody ? 23 : 28)) {
    case 0:
        return pool_step(actor);
    case 1:
    case 2:
        return capability_step(actor);
    case 3:
    case 4:
    case 5:
        return create_step(actor);
    case 6:
        if (model.about_ipc && !random.one_in(4))
            return;
        return destroy_step(actor);
    case 7:
    case 8:
    case 9:
    case 10:
        return memory_step(actor);
    case 11:
    case 12:
        return probe_step();
    case 13:
        return make_puppet();
    case 14:
    case 15:
    case 16:
        return thread_step(actor);
    case 17:
    case 18:
    case 19:
        return signal_step(actor);
    case 20:
    case 21:
    case 22:
        return scheduling_step(actor);
    default:
        return exchange_step(actor);
    }
}

// Slots of the table get their pages, windows of the space their tables, once and for all.
void prepare() {
    for (Selector at = first_free; at < own_last + abi::max_cores; at += 64)
        if (Reply made =
                invoke(Operation::capability_copy, abi::root_task, at, abi::root_task, abi::root_task, 1);
            !made.ok() || !invoke(Operation::capability_delete, abi::root_task, at).ok())
            disagree("preparing a slot", static_cast<Word>(made.error), 0);
    auto ok = [](Reply reply) { equal("preparing", static_cast<Word>(reply.error), 0); };
    ok(invoke(Operation::bind, abi::root_task, golden, abi::root_pool, abi::root_ram));
    for (Word window : windows)
        for (Word half : {Word{0}, abi::large_page_size}) {
            ok(invoke(Operation::map, golden, window + half, 0, 1, abi::map_read));
            ok(invoke(Operation::unmap, abi::root_task, window + half, 1));
        }
    ok(invoke(Operation::capability_delete, abi::root_task, golden));
    for (unsigned core = 0; core < configuration.cores; ++core)
        for (unsigned i = 0; i < max_puppets; ++i)
            ok(invoke(Operation::notification_create, abi::root_pool, golden_command + core * max_puppets + i,
                      core));
    ok(invoke(Operation::notification_create, abi::root_pool, guest_notification, configuration.core));
    ok(invoke(Operation::notification_create, abi::root_pool, barrier_notification, configuration.core));
    ok(invoke(Operation::notification_create, abi::root_pool, sleep_notification, configuration.core));
    ok(invoke(Operation::vcpu_create, abi::root_pool, guest_vcpu, abi::root_thread, guest_page,
              guest_notification));
    for (Word i = 0; i < ram_pages; ++i) {
        *reinterpret_cast<volatile Word*>(ram_address + i * page) = i;
        *reinterpret_cast<volatile Word*>(ram_address + i * page + 8) = 0;
    }
}

// The round's pool is destroyed and with it everything; the worker's pool must be as full as before.
void end_round(Word before) {
    settle();
    for (unsigned i = 0; i < max_tasks; ++i)
        if (i == 0 || model.tasks[i].object != nobody)
            for (Word window : windows)
                for (Word done = 0; done < window_pages;) {
                    Selector task = i == 0 ? Selector{abi::root_task}
                                           : golden + static_cast<Selector>(model.tasks[i].object);
                    Reply reply = invoke(Operation::unmap, task, window + done * page, window_pages - done);
                    if (reply.error == Error::no_memory)
                        break; // a large page that has to be split
                    equal("unmap at the end", static_cast<Word>(reply.error), 0);
                    done += reply.value;
                }
    Reply reply = issue({}, Operation::pool_destroy, golden + static_cast<Selector>(round_pool));
    equal("pool_destroy", static_cast<Word>(reply.error), 0);
    for (Selector i = 0; i < max_objects; ++i)
        equal("a capability to a destroyed object",
              static_cast<Word>(invoke(Operation::capability_delete, abi::root_task, golden + i).error),
              static_cast<Word>(Error::bad_capability));
    for (Selector i = 0; i < own_slots; ++i)
        equal("a destroyed capability",
              static_cast<Word>(invoke(Operation::capability_delete, abi::root_task, first_free + i).error),
              static_cast<Word>(Error::bad_capability));
    Word after = 0;
    for (unsigned i = 0; i < 20000 && after != before; ++i) {
        (void)invoke(Operation::yield, 0);
        after = free_pages(nobody);
    }
    equal("free pages after the round", after, before);
}

void begin_round() {
    for (Object& object : model.objects)
        object = {};
    for (Puppet& puppet : model.puppets)
        puppet = {};
    model.helping = false;
    model.about_ipc = random.one_in(2);
    for (Task& task : model.tasks) {
        task.object = nobody;
        task.has_text = false;
        for (Slot& slot : task.slot)
            slot = {};
        for (auto& window : task.space.pages)
            for (Page& at : window)
                at = {};
        std::memset(task.space.table, 0, sizeof task.space.table);
    }
    model.tasks[0].first = first_free;
    model.tasks[0].slots = own_slots;
    if (model.tasks[0].limit == 0)
        model.tasks[0].limit = 1024; // grows from round to round
    model.tasks[0].has_text = true;
    for (auto& window : model.tasks[0].space.table)
        window[0] = window[1] = true;
    round_pool = model.make(Kind::pool, nobody);
    model[round_pool].size = 96 + random.below(200);
    Reply reply = issue({}, Operation::pool_create, abi::root_pool,
                        golden + static_cast<Selector>(round_pool), model[round_pool].size);
    equal("pool_create", static_cast<Word>(reply.error), 0);
    constexpr std::uint32_t rights = abi::pool_right::all;
    reply = issue({}, Operation::capability_copy, abi::root_task, first_free, abi::root_task,
                  golden + static_cast<Selector>(round_pool), rights);
    equal("capability_copy", static_cast<Word>(reply.error), 0);
    model.tasks[0].slot[0] = {round_pool, rights, 0, ++model.clock, model[round_pool].origin};
    model[round_pool].rights = rights;
    // The worker's RAM and a part of it, for the round.
    int ram = model.make(Kind::region, round_pool);
    model[ram].size = ram_pages;
    reply = issue({}, Operation::region_carve, abi::root_ram, first_free + 1,
                  golden + static_cast<Selector>(round_pool), 0, ram_pages * page, abi::region_right::all);
    equal("region_carve", static_cast<Word>(reply.error), 0);
    publish({}, first_free + 1, ram, abi::region_right::all);
}

} // namespace

void run_modelled() {
    prepare();
    Word before = free_pages(nobody);
    for (; !control().stop && !control().failed; ++round_number) {
        begin_round();
        Word steps = 50 + random.below(1500);
        for (step_number = 0; step_number < steps && !control().failed; ++step_number) {
            random_step();
            give_time();
            settle();
        }
        end_round(before);
    }
}

} // namespace fuzz
