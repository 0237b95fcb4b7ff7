// SPDX-License-Identifier: BSD-2-Clause
// UMTX_OP_SHM: pages that libthr keeps its process-shared objects in (kern/umtx_shm.hpp).
#include "bsd-personality/kern/umtx_shm.hpp"

#include "bsd-personality/sys/umtx_request.hpp"

namespace bsd::umtx {

namespace {

// Whether a mapped page still is some word's. Errors: EFAULT (nothing is mapped), EINVAL (no page), ENOTTY
// (no more).
SysResult<Return> alive(const Request& r) {
    const vm::MapEntry* entry = r.size < user_address_end ? r.space.entry_at(r.size) : nullptr;
    if (!entry)
        return Failure(Errno::efault);
    if (!entry->object)
        return Failure(Errno::einval);
    if (entry->object->umtx_dead)
        return Failure(Errno::enotty);
    return Return(0);
}

} // namespace

// value: what to do; uaddr1: the word. Answers a descriptor. Errors: ESRCH (no page), EMFILE, ENOMEM.
SysResult<Return> shared_page(const Request& r) {
    enum : std::uint64_t { create = 1, lookup = 2, destroy = 4, is_alive = 8 };
    if (r.value == is_alive)
        return alive(r);
    if (r.value != create && r.value != lookup && r.value != destroy)
        return Failure(Errno::einval);
    UmtxKey key = TRY(umtx_key(r.space, UserAddress{r.size}, false));
    if (r.value == destroy) {
        if (!destroy_umtx_page(key))
            return Failure(Errno::esrch);
        return Return(0);
    }
    SharedMemory* memory = r.value == create ? TRY(create_umtx_page(r.lwp, key)) : find_umtx_page(key);
    if (!memory)
        return Failure(Errno::esrch);
    TRY(check_permission(*memory, *r.lwp.proc.cred, may_read | may_write));
    FileRef file = TRY(SharedMemoryFile::create(Ref<SharedMemory>(memory), open_read_write));
    return Return(
        static_cast<std::uint64_t>(TRY(r.lwp.proc.files->install(static_cast<FileRef&&>(file), true))));
}

} // namespace bsd::umtx
