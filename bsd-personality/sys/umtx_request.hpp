// SPDX-License-Identifier: BSD-2-Clause
// The parts of _umtx_op that its files share: a decoded call, its time limit, and one operation a function.
#pragma once

#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/umtx.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd::umtx {

inline constexpr std::uint32_t flag_shared = 1; // USYNC_PROCESS_SHARED

struct UmtxTime { // struct _umtx_time
    TimeSpec timeout;
    std::uint32_t flags, clock;
};
static_assert(sizeof(UmtxTime) == 24);

// One call's arguments, decoded once.
struct Request {
    Lwp& lwp;
    VmSpace& space;
    UserAddress object;
    std::uint64_t value;
    std::uint64_t size;  // uaddr1
    UserAddress pointer; // uaddr2
};

inline UserAddress at(UserAddress base, std::uint64_t offset) {
    return UserAddress{base.value + offset};
}

struct Timeout {
    glue::Nanoseconds deadline = lwkt::no_timeout;
    bool relative = false;
};

/// The monotonic time that a time limit on some clock means. Errors: EINVAL.
SysResult<glue::Nanoseconds> absolute(Lwp& lwp, TimeSpec spec, std::uint32_t clock, bool is_absolute);
/// From uaddr1 and uaddr2. Errors: EFAULT, EINVAL.
SysResult<Timeout> read_timeout(const Request& r);
// A signal ends the wait; only a wait without a time limit, or with an absolute one, may be issued again.
inline Errno ended_by(Errno error, const Timeout& timeout) {
    return timeout.relative ? never_restart(error) : error;
}
inline SysResult<UmtxKey> key_of(const Request& r, std::uint32_t flags) {
    return umtx_key(r.space, r.object, !(flags & flag_shared));
}
/// Sleeps on a queue that was joined. Errors: ETIMEDOUT, EINTR, ERESTART.
SysResult<void> sleep_on(const Request& r, UmtxWaiter& waiter, const Timeout& timeout);

/// Errors: EPERM (not the owner), EFAULT.
SysResult<void> unlock_mutex(Lwp& lwp, UserAddress mutex);

// sys/umtx_locks.cpp
SysResult<Return> cv_wait(const Request& r);
SysResult<Return> cv_wake(const Request& r, unsigned count);
SysResult<Return> rw_lock(const Request& r, bool writer);
SysResult<Return> rw_unlock(const Request& r);
SysResult<Return> sem_wait(const Request& r);
SysResult<Return> sem_wake(const Request& r);
SysResult<Return> sem2_wait(const Request& r);
SysResult<Return> sem2_wake(const Request& r);
// sys/umtx_shm.cpp
SysResult<Return> shared_page(const Request& r);

} // namespace bsd::umtx
