// SPDX-License-Identifier: BSD-2-Clause
// Pages that FreeBSD's libraries attach to words of shared memory (UMTX_OP_SHM): a process-shared mutex of
// pthread_mutex_t's size holds but a key, what it really is lies in such a page. A page lives until it is
// destroyed or the memory of its word goes. Under giant.
#pragma once

#include "bsd-personality/kern/shm.hpp"
#include "bsd-personality/kern/umtx.hpp"

namespace bsd {

/// Borrowed; null if there is none.
SharedMemory* find_umtx_page(const UmtxKey& key);
/// The page of a word, made if it is not there. Errors: ENOMEM (also: RLIMIT_UMTXP).
SysResult<SharedMemory*> create_umtx_page(Lwp& lwp, const UmtxKey& key);
/// False if there is none. Descriptors and mappings of it stay good; vm::Object::umtx_dead tells them.
bool destroy_umtx_page(const UmtxKey& key);

} // namespace bsd
