// SPDX-License-Identifier: BSD-2-Clause
// The model's rules: what goes when an object goes, and how threads wait for each other.
#include "tests/fuzz/model.hpp"

namespace fuzz {

Model model;

int Model::make(Kind kind, int pool) {
    for (int i = 0; i < static_cast<int>(max_objects); ++i)
        if (!objects[i].alive) {
            objects[i] = {};
            objects[i].kind = kind;
            objects[i].alive = true;
            objects[i].pool = pool;
            objects[i].origin = ++clock;
            return i;
        }
    return nobody;
}

int Model::task_index(int object) const {
    for (unsigned i = 0; i < max_tasks; ++i)
        if (tasks[i].object == object && object != nobody)
            return static_cast<int>(i);
    return nobody;
}

bool Model::inside(int inner, int outer) const {
    for (; inner != nobody; inner = objects[inner].pool)
        if (inner == outer)
            return true;
    return false;
}

bool Model::outlives(int object, int pool) const {
    for (;; pool = objects[pool].pool) {
        if (objects[object].pool == pool)
            return true;
        if (pool == nobody)
            return false;
    }
}

int Model::first_waiter(Wait wait, int at) const {
    int first = nobody;
    for (int i = 0; i < static_cast<int>(max_objects); ++i) {
        const Object& o = objects[i];
        if (o.alive && o.kind == Kind::thread && o.wait == wait && o.at == at &&
            (first == nobody || o.order < objects[first].order))
            first = i;
    }
    return first;
}

int Model::first_sender(int endpoint, bool one_way) const {
    int first = nobody;
    for (int i = 0; i < static_cast<int>(max_objects); ++i) {
        const Object& o = objects[i];
        if (o.alive && o.kind == Kind::thread && o.wait == Wait::sending && o.at == endpoint &&
            o.one_way == one_way && (first == nobody || o.order < objects[first].order))
            first = i;
    }
    return first;
}

int Model::next_sender(int endpoint, bool passive) {
    int call = first_sender(endpoint, false), post = first_sender(endpoint, true);
    if (passive)
        return call;
    bool take_post = post != nobody && (objects[endpoint].post_is_next || call == nobody);
    if (take_post || call != nobody)
        objects[endpoint].post_is_next = !take_post;
    return take_post ? post : call;
}

void Model::complete(int thread, Outcome outcome) {
    Object& t = objects[thread];
    t.wait = Wait::none;
    t.at = nobody;
    if (t.puppet != nobody) {
        puppets[t.puppet].outcome = outcome;
        puppets[t.puppet].changed = puppets[t.puppet].ended = true;
    }
}

void Model::block(int thread, Wait wait, int at) {
    Object& t = objects[thread];
    t.wait = wait;
    t.at = at;
    t.order = ++clock;
    if (t.puppet != nobody)
        puppets[t.puppet].changed = true;
}

namespace {
void deliver(Object& from, int to) {
    Outcome outcome{
        .exchange = true, .badge_known = true, .badge = from.badge, .tag = from.tag, .seed = from.seed};
    if (!from.fault_pending &&
        !model.pass_capability(static_cast<int>(&from - model.objects), to, from.tag, from.sent_rights))
        outcome.tag &= ~abi::tag_capability_item;
    if (from.fault_pending) {
        outcome.fault = true;
        outcome.tag = abi::make_tag(abi::label_page_fault, 4);
        outcome.fault_address = from.fault_address;
        outcome.fault_code = from.fault_code;
        outcome.fault_vector = 14;
    }
    model.complete(to, outcome);
}
} // namespace

bool Model::pass_capability(int from, int to, Word tag, std::uint32_t through) {
    const Object &f = objects[from], &t = objects[to];
    int source_task = task_index(f.task), target_task = task_index(t.task);
    if (!(tag & abi::tag_capability_item) || !(through & abi::endpoint_right::grant) ||
        source_task == nobody || target_task == nobody)
        return false;
    auto slot_in = [&](int task, Selector selector) {
        Task& table = tasks[task];
        return selector >= table.first && selector < table.first + table.slots
                   ? &table.slot[selector - table.first]
                   : nullptr;
    };
    Slot *source = slot_in(source_task, f.item_source), *target = slot_in(target_task, t.receive_slot);
    if (!source || source->object == nobody || !target || target->object != nobody)
        return false;
    Kind kind = objects[source->object].kind;
    if (f.item_badge && (source->badge || (kind != Kind::endpoint && kind != Kind::notification)))
        return false;
    *target = {source->object, source->rights & f.item_rights, f.item_badge ? f.item_badge : source->badge,
               ++clock, source->id};
    return true;
}

void Model::send(int caller, int endpoint, bool one_way) {
    int server = first_waiter(Wait::receiving, endpoint);
    objects[caller].one_way = one_way;
    if (server == nobody)
        return block(caller, Wait::sending, endpoint);
    deliver(objects[caller], server);
    if (one_way)
        return complete(caller, {});
    objects[server].caller = caller;
    objects[caller].callee = server;
    block(caller, Wait::reply, nobody);
}

void Model::receive(int thread, int endpoint) {
    objects[thread].was_orphan = false;
    if (deliver_bound(thread))
        return;
    if (objects[thread].context == nobody) // nobody's time comes with a one-way message
        for (int refused = 0, post; refused < 4 && (post = first_sender(endpoint, true)) != nobody; ++refused)
            finish(post, Error::wrong_state);
    int caller = next_sender(endpoint, objects[thread].context == nobody);
    if (caller == nobody)
        return block(thread, Wait::receiving, endpoint);
    deliver(objects[caller], thread);
    if (objects[caller].one_way)
        return complete(caller, {});
    objects[thread].caller = caller;
    objects[caller].callee = thread;
    block(caller, Wait::reply, nobody);
}

bool Model::would_receive(int thread, int endpoint) const {
    int bound = objects[thread].bound;
    return (bound != nobody && objects[bound].bits != 0) || first_waiter(Wait::sending, endpoint) != nobody;
}

void Model::fault(int thread) {
    Object& t = objects[thread];
    if (t.fault_endpoint == nobody)
        return block(thread, Wait::faulted, nobody);
    t.fault_pending = true;
    t.badge = t.fault_badge;
    send(thread, t.fault_endpoint);
}

void Model::finish(int thread, Error error) {
    complete(thread, {.exchange = true, .error = error});
}

// Its client is set free with aborted (or stays faulted), and a server that works for it owes nothing any
// more.
void Model::leave(int thread) {
    Object& t = objects[thread];
    if (t.caller != nobody) {
        Object& caller = objects[t.caller];
        caller.callee = nobody;
        if (caller.fault_pending) {
            caller.fault_pending = false;
            block(t.caller, Wait::faulted, nobody);
        } else {
            finish(t.caller, Error::aborted);
        }
        t.caller = nobody;
    }
    drop_callee(thread);
    t.fault_pending = false;
    t.at = nobody;
}

void Model::stop(int thread) {
    leave(thread);
    objects[thread].wait = Wait::inactive;
    if (int puppet = objects[thread].puppet; puppet != nobody) {
        puppets[puppet].ended = false;
        puppets[puppet].changed = true;
    }
}

bool Model::has_time(int thread) const {
    while (thread != nobody && objects[thread].context == nobody)
        thread = objects[thread].caller;
    return thread != nobody;
}

void Model::drop_callee(int thread) {
    Object& t = objects[thread];
    if (t.callee == nobody)
        return;
    Object& server = objects[t.callee];
    server.caller = nobody;
    if (server.context == nobody)
        server.was_orphan = helping = true;
    t.callee = nobody;
}

bool Model::deliver_bound(int thread) {
    Object& t = objects[thread];
    if (t.bound == nobody || objects[t.bound].bits == 0)
        return false;
    complete(thread, {.exchange = true,
                      .check_value = true,
                      .value = objects[t.bound].bits,
                      .tag = abi::make_tag(abi::label_notification, 1)});
    objects[t.bound].bits = 0;
    return true;
}

void Model::signal(int notification, Word bits) {
    Object& n = objects[notification];
    if (n.owner != nobody && objects[n.owner].kind == Kind::vcpu)
        return; // they go to its page
    n.bits |= bits;
    if (int waiter = first_waiter(Wait::notification, notification); waiter != nobody) {
        complete(waiter, {.check_value = true, .value = n.bits});
        n.bits = 0;
    } else if (n.owner != nobody && objects[n.owner].kind == Kind::thread &&
               objects[n.owner].wait == Wait::receiving) {
        deliver_bound(n.owner);
    }
}

void Model::kill(int object) {
    Object& o = objects[object];
    if (!o.alive)
        return;
    o.alive = false;
    switch (o.kind) {
    case Kind::pool:
        kill_pool(object);
        break;
    case Kind::task:
        for (int i = 0; i < static_cast<int>(max_objects); ++i)
            if (objects[i].alive && objects[i].task == object)
                kill(i);
        if (int index = task_index(object); index != nobody) {
            tasks[index].object = nobody;
            for (Slot& slot : tasks[index].slot)
                empty(slot);
        }
        break;
    case Kind::thread: {
        leave(object);
        o.wait = Wait::inactive;
        if (o.puppet != nobody)
            puppets[o.puppet] = {};
        if (o.bound != nobody)
            objects[o.bound].owner = nobody;
        if (o.context != nobody)
            objects[o.context].owner = nobody;
        if (int task = task_index(o.task); task != nobody)
            for (Word address : {o.buffer, o.vcpu == nobody ? 0 : objects[o.vcpu].base})
                if (Page* at = tasks[task].space.at(address))
                    *at = {};
        if (o.vcpu != nobody) {
            Object& vcpu = objects[o.vcpu];
            vcpu.owner = nobody;
            if (vcpu.at != nobody)
                objects[vcpu.at].owner = nobody;
        }
        break;
    }
    case Kind::endpoint:
        for (Wait wait : {Wait::sending, Wait::receiving})
            for (int t; (t = first_waiter(wait, object)) != nobody;) {
                if (objects[t].fault_pending) {
                    objects[t].fault_pending = false;
                    block(t, Wait::faulted, nobody);
                } else {
                    finish(t, Error::aborted);
                }
            }
        for (Object& t : objects)
            if (t.fault_endpoint == object)
                t.fault_endpoint = nobody;
        break;
    case Kind::notification:
        for (int t; (t = first_waiter(Wait::notification, object)) != nobody;)
            finish(t, Error::aborted);
        if (o.owner != nobody) {
            if (objects[o.owner].kind == Kind::thread)
                objects[o.owner].bound = nobody;
            else
                objects[o.owner].at = nobody;
        }
        break;
    case Kind::binding: {
        int index = o.task == static_cast<int>(max_objects) ? 0 : task_index(o.task);
        for (unsigned w = 0; index != nobody && w < window_count; ++w)
            for (Page& at : tasks[index].space.pages[w])
                if (at.binding == object)
                    at = {};
        break;
    }
    case Kind::vcpu:
        if (o.owner != nobody)
            kill(o.owner);
        break;
    default:
        break;
    }
    for (Task& task : tasks)
        for (Slot& slot : task.slot)
            if (slot.object == object)
                empty(slot);
    revoke(o.origin);
}

void Model::empty(Slot& slot) {
    Word id = slot.id;
    slot = {};
    if (id != 0)
        revoke(id);
}

void Model::revoke(Word id) {
    for (Task& task : tasks)
        for (Slot& slot : task.slot)
            if (slot.object != nobody && slot.parent == id)
                empty(slot);
    for (int i = 0; i < static_cast<int>(max_objects); ++i)
        if (objects[i].alive && objects[i].origin_parent == id)
            kill(i); // regions and bindings end with their first capability
}

void Model::kill_pool(int pool) {
    for (Kind kind : {Kind::task, Kind::thread, Kind::none})
        for (int i = 0; i < static_cast<int>(max_objects); ++i)
            if (objects[i].alive && (kind == Kind::none || objects[i].kind == kind) &&
                inside(objects[i].pool, pool))
                kill(i);
}

} // namespace fuzz
