// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/umtx_shm.hpp"

#include "bsd-personality/kern/uidinfo.hpp"

namespace bsd {

namespace {

struct UmtxPage {
    Link<UmtxPage> link;
    UmtxKey key{};
    Ref<SharedMemory> memory;
    std::uint32_t uid = 0; // whom it is charged to
};
using Pages = List<UmtxPage, &UmtxPage::link>;
constexpr unsigned buckets = 64;
Pages pages[buckets]; // by owner
Pages leaving;        // unlinked, not freed yet

Pages& bucket(const void* owner) {
    return pages[reinterpret_cast<std::uintptr_t>(owner) / 64 % buckets];
}

UmtxPage* find(const UmtxKey& key) {
    Pages& list = bucket(key.owner);
    for (UmtxPage* page = list.first(); page; page = list.next(page))
        if (page->key == key)
            return page;
    return nullptr;
}

// A page's memory may be the owner of further pages, and so on: they come to the same list, not to the stack.
void free_leaving() {
    static bool busy = false;
    if (busy)
        return;
    busy = true;
    while (UmtxPage* page = leaving.pop_front()) {
        release_user(page->uid, UserResource::umtx_pages, 1);
        lwkt::destroy(page);
    }
    busy = false;
}

void unlink(UmtxPage& page) {
    bucket(page.key.owner).remove(&page);
    page.memory->content().umtx_dead = true;
    leaving.push_back(&page);
}

// Memory goes in which words had pages.
void owner_gone(const void* owner) {
    Pages& list = bucket(owner);
    for (UmtxPage *page = list.first(), *next; page; page = next) {
        next = list.next(page);
        if (page->key.owner == owner)
            unlink(*page);
    }
    free_leaving();
}

} // namespace

SharedMemory* find_umtx_page(const UmtxKey& key) {
    UmtxPage* page = find(key);
    return page ? page->memory.get() : nullptr;
}

SysResult<SharedMemory*> create_umtx_page(Lwp& lwp, const UmtxKey& key) {
    if (SharedMemory* found = find_umtx_page(key))
        return found;
    const Ucred& cred = *lwp.proc.cred;
    auto memory = TRY(SharedMemory::create(cred, 0600, 0));
    TRY(memory->truncate(vm::page_size));
    auto* page = lwkt::construct<UmtxPage>();
    if (!page)
        return Failure(Errno::enomem);
    if (!charge_user(cred.ruid, UserResource::umtx_pages, 1, lwp.proc.limits[limit_umtxp].current)) {
        lwkt::destroy(page);
        return Failure(Errno::enomem);
    }
    page->key = key;
    page->memory = static_cast<Ref<SharedMemory>&&>(memory);
    page->uid = cred.ruid;
    bucket(key.owner).push_back(page);
    umtx_owner_gone = owner_gone;
    lwp.proc.vmspace->watch_key(key);
    return page->memory.get();
}

bool destroy_umtx_page(const UmtxKey& key) {
    UmtxPage* page = find(key);
    if (!page)
        return false;
    unlink(*page);
    free_leaving();
    return true;
}

} // namespace bsd
