// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/object.hpp"

#include "kernel/pool.hpp"

namespace kernel {

namespace {
void unlink(Capability& slot) {
    *slot.link = slot.next;
    if (slot.next)
        slot.next->link = slot.link;
    slot.next = nullptr;
    slot.link = nullptr;
    __atomic_store_n(&slot.word, 0, __ATOMIC_RELEASE);
}
} // namespace

Error CapabilityTable::create(Pool& pool, unsigned slots) {
    if (slots == 0)
        return Error::ok;
    directory_ = static_cast<Capability**>(pool.allocate_page());
    if (!directory_)
        return Error::no_memory;
    slots_ = slots;
    return Error::ok;
}

void CapabilityTable::destroy(Pool& pool) {
    unsigned slots = slots_;
    slots_ = 0;
    if (!directory_)
        return;
    for (unsigned i = 0; i * capabilities_per_page < slots; ++i) {
        Capability* page = directory_[i];
        if (!page)
            continue;
        for (unsigned j = 0; j < capabilities_per_page; ++j)
            if (page[j].word)
                unlink(page[j]);
        pool.release_page(page);
    }
    pool.release_page(directory_);
    directory_ = nullptr;
}

Error CapabilityTable::reserve(Pool& pool, Selector selector) {
    if (selector == 0 || selector >= slots_)
        return Error::bad_argument;
    Capability*& page = directory_[selector / capabilities_per_page];
    if (!page) {
        auto* fresh = static_cast<Capability*>(pool.allocate_page());
        if (!fresh)
            return Error::no_memory;
        __atomic_store_n(&page, fresh, __ATOMIC_RELEASE);
    }
    return page[selector % capabilities_per_page].word ? Error::occupied : Error::ok;
}

void CapabilityTable::put(Selector selector, Object& object, std::uint32_t rights, Word badge) {
    Capability& slot = directory_[selector / capabilities_per_page][selector % capabilities_per_page];
    slot.next = object.capabilities;
    slot.link = &object.capabilities;
    if (object.capabilities)
        object.capabilities->link = &slot.next;
    object.capabilities = &slot;
    __atomic_store_n(&slot.badge, badge, __ATOMIC_RELEASE);
    __atomic_store_n(&slot.word, reinterpret_cast<Word>(&object) | rights, __ATOMIC_RELEASE);
}

Error CapabilityTable::remove(Selector selector) {
    if (selector >= slots_)
        return Error::bad_argument;
    Capability* page = directory_[selector / capabilities_per_page];
    if (!page || !page[selector % capabilities_per_page].word)
        return Error::bad_capability;
    unlink(page[selector % capabilities_per_page]);
    return Error::ok;
}

bool drop_capabilities(Object& object, unsigned steps) {
    while (object.capabilities) {
        if (steps-- == 0)
            return false;
        unlink(*object.capabilities);
    }
    return true;
}

} // namespace kernel
