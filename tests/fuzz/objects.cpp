// SPDX-License-Identifier: BSD-2-Clause
// Pools, regions, and making and destroying objects.
#include "tests/fuzz/puppet.hpp"

namespace fuzz {

unsigned random_core() {
    return random.one_in(16) ? configuration.cores + static_cast<unsigned>(random.below(300))
                             : static_cast<unsigned>(random.below(configuration.cores));
}

namespace {

// The object of a create operation, in the model's list before the kernel makes it; nobody if the list is
// full.
int reserve(Kind kind, int pool) {
    return model.make(kind, pool);
}

// Completes a create operation: published, or forgotten.
bool finish(Actor actor, const Reply& reply, const Expect& expect, Selector slot, int object,
            std::uint32_t rights, Word parent = 0) {
    if (!check(reply, expect)) {
        model[object].alive = false;
        return false;
    }
    publish(actor, slot, object, rights, parent);
    return true;
}

Word random_address() {
    if (random.one_in(4))
        return 0;
    if (random.one_in(24))
        return random.one_in(2) ? abi::user_end : 0x5000'0001;
    return windows[random.below(window_count)] + random.below(window_pages) * page;
}

// Errors of showing a kernel page at an address of a task.
void look_kernel_page(int task_object, Word address, Error bad, Expect& expect) {
    expect.on(address % page != 0 || address >= abi::user_end, bad);
    int task = model.task_index(task_object);
    if (address == 0 || task == nobody)
        return;
    if (Page* at = model.tasks[task].space.at(address))
        expect.on(at->ram != nobody || at->kernel_owned, Error::occupied);
}

void show_kernel_page(int task_object, Word address) {
    int task = model.task_index(task_object);
    if (task == nobody)
        return;
    Space& space = model.tasks[task].space;
    if (Page* at = space.at(address)) {
        at->kernel_owned = true;
        space.table_at(address) = true;
    }
}

} // namespace

void pool_step(Actor actor) {
    Selector selector = pick(actor, Kind::pool), slot = pick_empty(actor);
    Expect expect;
    Slot found;
    if (random.one_in(8)) {
        Word number = abi::operation_count + random.below(5);
        Reply reply = issue(actor, static_cast<Operation>(number), selector, random.next());
        check(reply, expect.on(true, Error::bad_operation));
        return;
    }
    int pool = look(actor, selector, Kind::pool, abi::pool_right::create, expect, &found);
    if (random.one_in(2)) {
        Reply reply = issue(actor, Operation::pool_info, selector);
        if (check(reply, expect)) {
            equal("pool size", reply.second, model[pool].size);
            if (reply.value > reply.second)
                disagree("free pages of a pool", reply.value, reply.second);
        }
        return;
    }
    Word pages = random.one_in(12) ? 0 : random.one_in(12) ? random.next() : 8 + random.below(64);
    look_empty(actor.task, slot, expect);
    expect.on(pages == 0, Error::bad_argument);
    if (pool != nobody) {
        expect.on(pages > model[pool].size, Error::no_memory);
        if (pages <= model[pool].size && pages + 2 >= free_pages(pool))
            return; // what was destroyed a moment ago may or may not be free by then
    }
    int child = reserve(Kind::pool, pool);
    if (child == nobody)
        return;
    model[child].size = pages;
    Reply reply = issue(actor, Operation::pool_create, selector, slot, pages);
    if (!finish(actor, reply, expect, slot, child, found.rights | abi::pool_right::destroy))
        return;
    model[pool].size -= pages;
    model[child].rights = found.rights;
}

namespace {

void create_task(Actor actor, Selector selector, int pool, Selector slot, Expect expect) {
    unsigned index = 1 + static_cast<unsigned>(random.below(max_tasks - 1));
    Word slots = random.one_in(16) ? 1u << 20 : child_slots;
    Word information = random_address();
    if (model.tasks[index].object != nobody)
        return;
    expect.on(slots > 65536, Error::bad_argument)
        .on(information % page || information >= abi::user_end, Error::bad_argument);
    int made = reserve(Kind::task, pool);
    if (made == nobody)
        return;
    Reply reply = issue(actor, Operation::task_create, selector, slot, slots, information);
    if (!finish(actor, reply, expect, slot, made, abi::task_right::all))
        return;
    Task& task = model.tasks[index];
    task.object = made;
    task.first = child_first;
    task.slots = child_slots - child_first;
    task.limit = child_slots;
    task.has_text = false;
    for (Slot& s : task.slot)
        s = {};
    for (auto& window : task.space.pages)
        for (Page& at : window)
            at = {};
    for (auto& window : task.space.table)
        window[0] = window[1] = false;
    if (information)
        show_kernel_page(made, information);
    // What its puppets need: their own task.
    Reply given = issue({}, Operation::capability_copy, golden + static_cast<Selector>(made), child_first,
                        abi::root_task, golden + static_cast<Selector>(made), ~0u, 0);
    if (given.ok())
        task.slot[0] = {made, abi::task_right::all, 0, ++model.clock, model[made].origin};
    else if (given.error != Error::no_memory || !low(pool))
        disagree("copy into a new task", static_cast<Word>(given.error), 0);
}

void create_thread(Actor actor, Selector selector, int pool, Selector slot, Expect expect) {
    Selector task_selector = pick(actor, Kind::task);
    int task = look(actor, task_selector, Kind::task, abi::task_right::control, expect);
    unsigned core = random_core();
    Word address = random_address(), flags = random.one_in(16) ? 8 : random.below(2);
    expect.on(core >= configuration.cores, Error::bad_argument).on(flags > 1, Error::bad_argument);
    if (task != nobody) {
        look_kernel_page(task, address, Error::bad_argument, expect);
        if (low(model[task].pool))
            return;
    }
    int made = reserve(Kind::thread, pool);
    if (made == nobody)
        return;
    Reply reply = issue(actor, Operation::thread_create, selector, slot, task_selector, core, address, flags);
    if (!finish(actor, reply, expect, slot, made, abi::thread_right::all))
        return;
    model[made].task = task;
    model[made].core = static_cast<std::uint8_t>(core);
    model[made].buffer = address;
    model[made].rights = static_cast<std::uint32_t>(flags);
    if (address)
        show_kernel_page(task, address);
}

void create_vcpu(Actor actor, Selector selector, int pool, Selector slot, Expect expect) {
    Selector thread_selector = pick(actor, Kind::thread),
             notification_selector = pick(actor, Kind::notification);
    int thread = look(actor, thread_selector, Kind::thread, abi::thread_right::control, expect);
    int notification =
        look(actor, notification_selector, Kind::notification, abi::notification_right::receive, expect);
    Word address = random_address();
    if (thread != nobody) {
        Object& t = model[thread];
        look_kernel_page(t.task, address, Error::bad_address, expect);
        expect.on(address == 0, Error::bad_address);
        expect.on(t.vcpu != nobody || t.rights & abi::thread_no_fpu, Error::wrong_state);
        if (t.puppet != nobody || t.started)
            return; // whether it uses the FPU, or has faulted by now, is not followed
        if (low(model[t.task].pool))
            return;
        if (notification != nobody)
            expect.on(model[notification].core != t.core, Error::wrong_core);
    }
    if (notification != nobody)
        expect.on(model[notification].owner != nobody, Error::wrong_state);
    int made = reserve(Kind::vcpu, pool);
    if (made == nobody)
        return;
    Reply reply =
        issue(actor, Operation::vcpu_create, selector, slot, thread_selector, address, notification_selector);
    if (!finish(actor, reply, expect, slot, made, abi::vcpu_right::all))
        return;
    model[made].owner = thread;
    model[made].at = notification;
    model[made].base = address;
    model[thread].vcpu = made;
    model[notification].owner = made;
    show_kernel_page(model[thread].task, address);
}

void create_binding(Actor actor) {
    Selector task_selector =
        actor.puppet == nobody && random.one_in(2) ? Selector{abi::root_task} : pick(actor, Kind::task);
    Selector pool_selector = pick(actor, Kind::pool), region_selector = pick(actor, Kind::region),
             slot = pick_empty(actor);
    Expect expect;
    Slot region_slot;
    int task = nobody;
    if (actor.puppet != nobody || task_selector != abi::root_task)
        task = look(actor, task_selector, Kind::task, abi::task_right::map, expect);
    int pool = look(actor, pool_selector, Kind::pool, abi::pool_right::create, expect);
    int region = look(actor, region_selector, Kind::region, abi::region_right::read, expect, &region_slot);
    look_empty(actor.task, slot, expect);
    expect.memory = pool;
    int made = reserve(Kind::binding, pool);
    if (made == nobody)
        return;
    Reply reply = issue(actor, Operation::bind, task_selector, slot, pool_selector, region_selector);
    if (!finish(actor, reply, expect, slot, made, abi::binding_right::all, region_slot.id))
        return;
    model[made].task = task == nobody ? max_objects : task; // max_objects: the worker's own
    model[made].base = model[region].base;
    model[made].size = model[region].size;
    model[made].rights = region_slot.rights;
}

void create_region(Actor actor) {
    Selector region_selector = pick(actor, Kind::region), pool_selector = pick(actor, Kind::pool),
             slot = pick_empty(actor);
    Expect expect;
    Slot region_slot;
    int region = look(actor, region_selector, Kind::region, abi::region_right::carve, expect, &region_slot);
    int pool = look(actor, pool_selector, Kind::pool, abi::pool_right::create, expect);
    if (random.one_in(4)) {
        Expect info;
        int known = look(actor, region_selector, Kind::region, abi::region_right::read, info);
        Reply reply = issue(actor, Operation::region_info, region_selector);
        if (check(reply, info))
            equal("region size", reply.value, model[known].size * page);
        return;
    }
    Word offset = random.one_in(2) ? 0 : random.below(ram_pages) * page,
         size = random.below(ram_pages + 1) * page,
         rights = random.one_in(2) ? Word{abi::region_right::all} : random.below(17);
    offset += random.one_in(32) ? 8 : 0;
    size = random.one_in(32) ? ~Word{0xfff} : size;
    expect.on(offset % page || size % page || size == 0 || rights > abi::region_right::all,
              Error::bad_argument);
    if (region != nobody) {
        Word whole = model[region].size * page;
        expect.on(offset > whole || size > whole - offset, Error::bad_range);
    }
    look_empty(actor.task, slot, expect);
    expect.memory = pool;
    int made = reserve(Kind::region, pool);
    if (made == nobody)
        return;
    Reply reply =
        issue(actor, Operation::region_carve, region_selector, slot, pool_selector, offset, size, rights);
    if (!finish(actor, reply, expect, slot, made, static_cast<std::uint32_t>(rights) & region_slot.rights,
                region_slot.id))
        return;
    model[made].base = model[region].base + offset / page;
    model[made].size = size / page;
}

} // namespace

void create_step(Actor actor) {
    switch (random.below(10)) {
    case 0:
    case 1:
        return create_binding(actor);
    case 2:
        return create_region(actor);
    default:
        break;
    }
    Selector selector = pick(actor, Kind::pool), slot = pick_empty(actor);
    Expect expect;
    Word which = random.below(8);
    bool time = which == 3;
    int pool =
        look(actor, selector, Kind::pool, time ? abi::pool_right::schedule : abi::pool_right::create, expect);
    look_empty(actor.task, slot, expect);
    expect.memory = pool;
    unsigned core = random_core();
    auto simple = [&](Kind kind, std::uint32_t rights, auto invoke_it) {
        int made = reserve(kind, pool);
        if (made == nobody)
            return nobody;
        if (!finish(actor, invoke_it(), expect, slot, made, rights))
            return nobody;
        model[made].core = static_cast<std::uint8_t>(core);
        return made;
    };
    switch (which) {
    case 0:
    case 1:
        return create_task(actor, selector, pool, slot, expect);
    case 2:
        return create_thread(actor, selector, pool, slot, expect);
    case 3: {
        Word period = random.below(3) * 1'000'000, budget = random.below(3) * 500'000,
             limit = random.below(258);
        if (limit >= 256)
            limit *= 2; // 256 alone asks for a guarantee
        if (limit >= 50 && limit < 256)
            limit = 49; // what runs on it leaves the workers alone
        expect.on(core >= configuration.cores || budget > period || (period && !budget) || limit > 255,
                  Error::bad_argument);
        int made = simple(Kind::scheduling, abi::scheduling_right::all, [&] {
            return issue(actor, Operation::scheduling_create, selector, slot, core, budget, period, limit);
        });
        if (made != nobody) {
            model[made].limit = static_cast<unsigned>(limit);
            model[made].base = budget;
            model[made].size = period;
        }
        return;
    }
    case 4:
        expect.on(core >= configuration.cores, Error::bad_argument);
        simple(Kind::endpoint, abi::endpoint_right::all,
               [&] { return issue(actor, Operation::endpoint_create, selector, slot, core); });
        return;
    case 5:
        expect.on(core >= configuration.cores, Error::bad_argument);
        simple(Kind::notification, abi::notification_right::all,
               [&] { return issue(actor, Operation::notification_create, selector, slot, core); });
        return;
    case 6: {
        Selector notification_selector = pick(actor, Kind::notification);
        int notification =
            look(actor, notification_selector, Kind::notification, abi::notification_right::signal, expect);
        expect.on(notification != nobody && model[notification].pool != pool, Error::bad_argument);
        int made = simple(Kind::timer, abi::timer_right::all, [&] {
            return issue(actor, Operation::timer_create, selector, slot, notification_selector, 1);
        });
        if (made != nobody)
            model[made].core = model[notification].core;
        return;
    }
    default:
        return create_vcpu(actor, selector, pool, slot, expect);
    }
}

void destroy_step(Actor actor) {
    Kind kind = random.one_in(2) ? Kind::thread : random.one_in(3) ? Kind::task : Kind::pool;
    Operation operation = kind == Kind::thread ? Operation::thread_destroy
                          : kind == Kind::task ? Operation::task_destroy
                                               : Operation::pool_destroy;
    std::uint32_t right = kind == Kind::thread ? abi::thread_right::destroy
                          : kind == Kind::task ? abi::task_right::destroy
                                               : abi::pool_right::destroy;
    Selector selector = pick(actor, kind);
    Expect expect;
    int object = look(actor, selector, kind, right, expect);
    if (object == 0)
        return; // the round's pool: at its end
    if (object != nobody && actor.puppet != nobody) {
        // Who destroys itself never sees the result: then the worker does it.
        Object& thread = model[model.puppets[actor.puppet].thread];
        int self = model.puppets[actor.puppet].thread;
        if (object == self || object == thread.task ||
            (kind == Kind::pool &&
             (model.inside(thread.pool, object) || model.inside(model[thread.task].pool, object))))
            return;
    }
    Reply reply = issue(actor, operation, selector);
    if (!check(reply, expect))
        return;
    if (kind == Kind::pool)
        for (const Object& other : model.objects)
            if (other.alive && other.kind == Kind::pool &&
                (&other == &model[object] || model.inside(other.pool, object)))
                model[model[object].pool].size += other.size;
    model.kill(object);
}

} // namespace fuzz
