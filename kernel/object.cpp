// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/object.hpp"

#include <initializer_list>

#include "kernel/pool.hpp"

namespace kernel {

void Capability::link_below(Capability* parent) {
    depth = parent ? static_cast<std::uint8_t>(parent->depth + 1) : 0;
    previous_slot = parent ? parent->reference() : 0;
    next_slot = parent ? parent->next_slot : 0;
    if (parent)
        parent->next_slot = reference();
    if (Capability* after = next())
        after->previous_slot = reference();
}

void Capability::unlink() {
    if (Capability* before = previous())
        before->next_slot = next_slot;
    if (Capability* after = next())
        after->previous_slot = previous_slot;
    if (is_origin)
        object()->origin = nullptr;
    __atomic_store_n(&word, 0, __ATOMIC_RELEASE);
    next_slot = previous_slot = 0;
    is_origin = false;
}

void Capability::move_from(Capability& from) {
    next_slot = from.next_slot;
    previous_slot = from.previous_slot;
    depth = from.depth;
    is_origin = from.is_origin;
    if (Capability* before = previous())
        before->next_slot = reference();
    if (Capability* after = next())
        after->previous_slot = reference();
    Object& object = *from.object();
    if (is_origin)
        object.origin = this;
    fill(object, from.rights(), from.badge);
    from.next_slot = from.previous_slot = 0;
    from.is_origin = false;
    __atomic_store_n(&from.word, 0, __ATOMIC_RELEASE);
}

void Capability::trade_places(Capability& other) {
    if (&other == this)
        return;
    auto swap = [](auto& a, auto& b) {
        auto old = a;
        a = b;
        b = old;
    };
    swap(next_slot, other.next_slot);
    swap(previous_slot, other.previous_slot);
    swap(depth, other.depth);
    swap(is_origin, other.is_origin);
    // Neighbours of each other would now point at themselves.
    for (Capability* one : {this, &other}) {
        std::uint32_t self = one->reference(), another = (one == this ? &other : this)->reference();
        if (one->next_slot == self)
            one->next_slot = another;
        if (one->previous_slot == self)
            one->previous_slot = another;
    }
    for (Capability* one : {this, &other}) {
        if (Capability* before = one->previous())
            before->next_slot = one->reference();
        if (Capability* after = one->next())
            after->previous_slot = one->reference();
        if (one->is_origin)
            one->object()->origin = one;
    }
}

Error CapabilityTable::create(Pool& pool, unsigned slots) {
    return slots == 0 ? Error::ok : grow(pool, slots);
}

Error CapabilityTable::grow(Pool& pool, unsigned slots) {
    if (slots < slots_ || slots > max_slots)
        return Error::bad_argument;
    if (!directory_ && slots > 0) {
        auto** directory = static_cast<Capability**>(pool.allocate_page());
        if (!directory)
            return Error::no_memory;
        __atomic_store_n(&directory_, directory, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&slots_, slots, __ATOMIC_RELEASE);
    return Error::ok;
}

Error CapabilityTable::reserve(Pool& pool, Selector selector, const Capability* parent, Budget& budget) {
    if (selector == 0 || selector >= slots_)
        return Error::bad_argument;
    Capability*& page = directory_[selector / capabilities_per_page];
    if (!page) {
        (void)budget.take(Budget::clear_page);
        auto* fresh = static_cast<Capability*>(pool.allocate_page());
        if (!fresh)
            return Error::no_memory;
        __atomic_store_n(&page, fresh, __ATOMIC_RELEASE);
    }
    if (page[selector % capabilities_per_page].word)
        return Error::occupied;
    return parent && parent->depth == Capability::max_depth ? Error::limit : Error::ok;
}

void CapabilityTable::put(Selector selector, Object& object, std::uint32_t rights, Word badge,
                          Capability* parent) {
    Capability& slot = empty_slot(selector);
    slot.link_below(parent);
    slot.is_origin = !object.origin;
    if (slot.is_origin)
        object.origin = &slot;
    slot.fill(object, rights, badge);
}

Capability* CapabilityTable::slot(Selector selector) {
    if (selector >= slots_)
        return nullptr;
    Capability* page = directory_[selector / capabilities_per_page];
    if (!page || !page[selector % capabilities_per_page].word)
        return nullptr;
    return &page[selector % capabilities_per_page];
}

Capability* CapabilityTable::next_occupied(Pool& pool, unsigned& at, Budget& budget) {
    while (at / capabilities_per_page * capabilities_per_page < slots_) { // `at` may be behind the last slot
        Capability*& page = directory_[at / capabilities_per_page];
        unsigned first = at / capabilities_per_page * capabilities_per_page;
        if (page) {
            unsigned end = first + capabilities_per_page; // the page's last slots may lie beyond the table
            unsigned run = budget.afford(Budget::entry / 2, end - at);
            for (unsigned stop = at + run; at < stop; ++at)
                if (page[at - first].word) {
                    budget.put_back(Budget::entry / 2, stop - at - 1); // for what is done with the slot
                    return &page[at - first];
                }
            if (at < end)
                return nullptr;
            if (!budget.take(Budget::free_block))
                return at = end - 1, nullptr;
            pool.release_page(page);
            page = nullptr;
        } else if (!budget.take(Budget::look)) {
            return nullptr;
        }
        at = first + capabilities_per_page;
    }
    if (directory_)
        pool.release_page(directory_);
    directory_ = nullptr;
    slots_ = 0;
    at = 0;
    return nullptr;
}

} // namespace kernel
