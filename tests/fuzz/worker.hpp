// SPDX-License-Identifier: BSD-2-Clause
// What the parts of a modelled worker share: issuing an operation as the worker itself or as a puppet, and
// comparing the result with the model.
#pragma once

#include "tests/fuzz/model.hpp"

namespace fuzz {

// Worker's own capabilities to modelled objects, which no fuzzed operation touches.
inline constexpr Selector golden = first_free + own_slots;
// Notifications that wake puppets, premade: golden_command + core * max_puppets + puppet.
inline constexpr Selector golden_command = golden + max_objects;
inline constexpr Selector guest_vcpu = golden_command + abi::max_cores * max_puppets;
inline constexpr Selector guest_notification = guest_vcpu + 1, barrier_notification = guest_vcpu + 2,
                          sleep_notification = guest_vcpu + 3, own_last = guest_vcpu + 4;

// Where an operation is issued: tasks[task] is the caller's; puppet nobody is the worker itself.
struct Actor {
    int task = 0, puppet = nobody;
    Task& table() const { return model.tasks[task]; }
};

inline int self_of(Actor actor) {
    return actor.puppet == nobody ? nobody : model.puppets[actor.puppet].thread;
}
inline unsigned core_of(Actor actor) {
    return actor.puppet == nobody ? configuration.core : model[self_of(actor)].core;
}

// A step: the operation as issued, for reports.
struct Step {
    Actor actor;
    Operation operation;
    Selector selector;
    Word argument[5];
};
extern Step step;

[[noreturn]] void disagree(const char* what, Word got, Word wanted);
Reply issue(Actor actor, Operation operation, Selector selector, Word a = 0, Word b = 0, Word c = 0,
            Word d = 0, Word e = 0);
// True if the operation succeeded; disagrees unless the error is allowed.
bool check(const Reply& reply, const Expect& expect);
unsigned random_core(); // one that is there, mostly
void equal(const char* what, Word got, Word wanted);
Word free_pages(int pool);
inline bool low(int pool) {
    return free_pages(pool) <= 8; // the most that one operation takes
}

// A random selector of the actor's table, mostly of a capability to the wanted kind.
Selector pick(Actor actor, Kind kind);
// An empty slot mostly.
Selector pick_empty(Actor actor);
Slot* slot_at(Actor actor, Selector selector); // nullptr if the model does not follow that slot
// What looking up the selector gives: the object, or nobody with the error added.
int look(Actor actor, Selector selector, Kind kind, std::uint32_t right, Expect& expect,
         Slot* found = nullptr);
// Errors of making a capability in a slot of the caller's table.
void look_empty(int task, Selector selector, Expect& expect);
// A fresh object in its slot. Its first capability becomes the worker's own, and the slot gets a copy.
void publish(Actor actor, Selector selector, int object, std::uint32_t rights, Word parent = 0);
void settle(); // all commands have had their effect, as the model says

// The operations, one family a file.
void pool_step(Actor actor);
void capability_step(Actor actor);
void create_step(Actor actor);
void destroy_step(Actor actor);
void memory_step(Actor actor);
void probe_step();
void thread_step(Actor actor);
void signal_step(Actor actor);
void exchange_step(Actor actor);
void scheduling_step(Actor actor);
// Whether it may lend its time to an orphan while it waits to call: then it cannot be taken from it, nor
// moved.
inline bool may_help(const Object& t) {
    return model.helping && t.wait == Wait::sending && !t.one_way;
}
void give_time(); // to puppets that serve nobody and do not wait to
void make_puppet();
// One page for a message's receiver; what the message and the kernel's map have in common.
void map_error(int binding, Word address, Word offset, Word flags, Expect& expect);
void model_map(int binding, Word address, Word offset, Word pages, Word flags);
int task_of_binding(int binding); // index; nobody if the task is gone

} // namespace fuzz
