// SPDX-License-Identifier: BSD-2-Clause
// What every kernel object has in common, and capabilities, which name objects.
//
// Lifetime: an object is unlinked first (all capabilities to it are emptied, its threads leave their queues),
// then buried; its memory returns to its pool when every core has left the kernel or idled once since
// (reclaim.cpp).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/abi/layout.hpp"
#include "kernel/abi/operations.hpp"

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
};

struct Object {
    Type type = Type::none;
    std::uint8_t core = 0;       // immutable: home core of objects that have one
    bool dying = false;          // structure_lock for writing: no operation finds it any more
    bool retired = false;        // structure_lock: unlinked everywhere, waits for its memory to be freed
    Pool* pool = nullptr;        // immutable: who pays
    Object* pool_next = nullptr; // structure_lock: list of the pool's objects
    Object** pool_link = nullptr;
    Capability* capabilities = nullptr; // structure_lock: list of all slots that name this object
    Object* grave_next = nullptr;       // structure_lock
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
// aligned).
struct Capability {
    Word word = 0; // written under structure_lock, read without: see CapabilityTable::find
    Word badge = 0;
    Capability* next = nullptr; // structure_lock
    Capability** link = nullptr;

    static constexpr Word rights_mask = 63;
    Object* object() const { return reinterpret_cast<Object*>(word & ~rights_mask); }
    std::uint32_t rights() const { return word & rights_mask; }
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
        if (selector >= slots_) [[unlikely]]
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
    void destroy(Pool& pool); // empties all slots and frees the pages
    Error reserve(Pool& pool,
                  Selector selector); // makes the page of an empty slot; occupied, bad_argument, no_memory
    void put(Selector selector, Object& object, std::uint32_t rights, Word badge); // after reserve
    Error remove(Selector selector);

private:
    Capability** directory_ = nullptr; // structure_lock for writing
    unsigned slots_ = 0;               // immutable after create
};

// Empties up to `steps` capabilities to the object; false if some are left. Holds structure_lock.
bool drop_capabilities(Object& object, unsigned steps);

} // namespace kernel
