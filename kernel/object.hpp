// SPDX-License-Identifier: BSD-2-Clause
// What every kernel object has in common, and capabilities, which name objects.
//
// Lifetime: an object is unlinked first (its threads leave their queues, all capabilities to it are emptied),
// then buried; its memory returns to its pool when every core has left the kernel or idled once since
// (reclaim.cpp).
//
// Derivation: the capability that an object was made with is its origin. What is copied from a slot is
// derived from it, and so is the origin of a region carved or a binding made with it. A family (an origin
// that was derived from nothing, and all below) is a list in preorder with a depth in each slot, so what was
// derived from a slot follows it directly and is deeper. Slots are taken out from the leaves up
// (capability.cpp), so a child is always one deeper than its parent.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/abi/layout.hpp"
#include "kernel/abi/operations.hpp"
#include "kernel/arch/x86_64/memory.hpp"
#include "kernel/budget.hpp"

namespace kernel {

using abi::Error;
using abi::Selector;
using abi::Word;

class Pool;
struct Capability;

enum class Type : std::uint8_t {
    none,
    pool,
    region,
    task,
    thread,
    endpoint,
    notification,
    irq,
    scheduling,
    vcpu,
    timer,
    ports,
    irqs,
    console,
    binding,
    observer,
    trace,
};

struct Object {
    Type type = Type::none;
    std::uint8_t core =
        0; // home core of objects that have one; of a thread under structure_lock, else immutable
    bool dying = false;          // structure_lock for writing: no operation finds it any more
    bool retired = false;        // structure_lock: unlinked everywhere, waits for its memory to be freed
    Pool* pool = nullptr;        // immutable: who pays
    Object* pool_next = nullptr; // structure_lock: list of the pool's objects
    Object** pool_link = nullptr;
    Capability* origin = nullptr; // structure_lock: all capabilities to the object are this and below
    Object* grave_next = nullptr; // structure_lock
};

// Type, core and liveness of an object in one comparison, for the paths that count instructions. Not retired
// objects only: what is dying is not live.
inline std::uint32_t live_head(Type type, std::uint8_t core) {
    return static_cast<std::uint32_t>(type) | std::uint32_t{core} << 8;
}
inline bool is_live_anywhere(const Object& object, Type type) {
    std::uint32_t actual;
    __builtin_memcpy(&actual, &object, sizeof actual);
    return (actual & ~0xff00u) == static_cast<std::uint32_t>(type);
}
inline bool is_live(const Object& object, std::uint32_t head) {
    std::uint32_t actual;
    __builtin_memcpy(&actual, &object, sizeof actual);
    return actual == head;
}
static_assert(offsetof(Object, core) == 1 && offsetof(Object, dying) == 2 && offsetof(Object, retired) == 3);

// A slot of a capability table: an object's address with rights in its low bits (objects are 64-byte
// aligned). Neighbours in the family are 32-byte units from the start of the pool window; 0 is none.
struct Capability {
    Word word = 0; // written under structure_lock, read without: see CapabilityTable::find
    Word badge = 0;
    // structure_lock:
    std::uint32_t next_slot = 0, previous_slot = 0;
    std::uint8_t depth = 0;
    bool is_origin = false;

    static constexpr Word rights_mask = 63;
    static constexpr unsigned max_depth = 127; // what descends from slot to slot is bounded by it
    Object* object() const { return reinterpret_cast<Object*>(word & ~rights_mask); }
    std::uint32_t rights() const { return word & rights_mask; }
    Capability* next() const { return at(next_slot); }
    Capability* previous() const { return at(previous_slot); }
    bool has_derived() const { return next_slot && next()->depth > depth; }
    std::uint32_t reference() const {
        return static_cast<std::uint32_t>((reinterpret_cast<Word>(this) - arch::pool_window) / 32);
    }
    void fill(Object& object, std::uint32_t rights, Word new_badge) {
        __atomic_store_n(&badge, new_badge, __ATOMIC_RELEASE);
        __atomic_store_n(&word, reinterpret_cast<Word>(&object) | rights, __ATOMIC_RELEASE);
    }
    void link_below(Capability* parent); // nullptr: a family of its own
    void unlink();                       // nothing is derived from it; empties the slot
    void move_from(Capability& from); // takes its place in the family and its content; `from` is empty then
    void trade_places(Capability& other); // in the family only

private:
    static Capability* at(std::uint32_t slot) {
        return slot ? reinterpret_cast<Capability*>(arch::pool_window + Word{slot} * 32) : nullptr;
    }
};
static_assert(sizeof(Capability) == 32);

inline constexpr unsigned capabilities_per_page = 4096 / sizeof(Capability);
inline constexpr unsigned capability_pages = 4096 / sizeof(void*);
inline constexpr unsigned max_slots = capabilities_per_page * capability_pages;

// A task's table: a directory page of pointers to pages of slots, which are made when first written.
class CapabilityTable {
public:
    // The slot's content, without a lock: the object word is read twice around the badge, and a slot is
    // emptied before it is refilled, so word and badge belong together. The object stays valid until this
    // core leaves the kernel.
    struct Found {
        Object* object;
        std::uint32_t rights;
        Word badge;
    };
    Found find(Selector selector) const {
        if (selector >= __atomic_load_n(&slots_, __ATOMIC_ACQUIRE)) [[unlikely]]
            return {};
        const Capability* page =
            __atomic_load_n(&directory_[selector / capabilities_per_page], __ATOMIC_ACQUIRE);
        if (!page) [[unlikely]]
            return {};
        const Capability& slot = page[selector % capabilities_per_page];
        Word word = __atomic_load_n(&slot.word, __ATOMIC_ACQUIRE);
        Word badge = __atomic_load_n(&slot.badge, __ATOMIC_ACQUIRE);
        if (word != __atomic_load_n(&slot.word, __ATOMIC_ACQUIRE)) [[unlikely]]
            return {};
        return {reinterpret_cast<Object*>(word & ~Capability::rights_mask),
                static_cast<std::uint32_t>(word & Capability::rights_mask), badge};
    }

    // The rest holds structure_lock.
    Error create(Pool& pool, unsigned slots);
    Error grow(Pool& pool, unsigned slots); // bad_argument if that is fewer than now
    unsigned slots() const { return slots_; }
    // Makes the page of an empty slot, at the budget's cost: occupied, bad_argument, no_memory, limit (too
    // deep below `parent`).
    Error reserve(Pool& pool, Selector selector, const Capability* parent, Budget& budget);
    // Whether reserve has nothing to make there.
    bool has_page(Selector selector) const {
        return selector < slots_ && directory_[selector / capabilities_per_page];
    }
    // After reserve. An object's first capability becomes its origin.
    void put(Selector selector, Object& object, std::uint32_t rights, Word badge, Capability* parent);
    // The slot if it is occupied; the slot that was reserved.
    Capability* slot(Selector selector);
    Capability& empty_slot(Selector selector) {
        return directory_[selector / capabilities_per_page][selector % capabilities_per_page];
    }
    // For taking the table down: the next occupied slot from `at` on, whose pages are freed on the way;
    // nullptr at the end of the budget, or when all is gone: slots() is 0 then.
    Capability* next_occupied(Pool& pool, unsigned& at, Budget& budget);

private:
    Capability** directory_ = nullptr; // structure_lock for writing; set before slots_ is
    unsigned slots_ = 0;               // structure_lock for writing; only grows, until the end
};

} // namespace kernel
