// SPDX-License-Identifier: BSD-2-Clause
// Copies from and to user memory, and atomic operations on user words. Every address is hostile: ranges that
// wrap or leave user space, that are not mapped, or that may not be written answer EFAULT; pages are brought
// in and copied on write as a fault of the process would. Under the giant token; nothing blocks. A page that
// cannot be had because memory is exhausted is EFAULT as well.
#pragma once

#include "bsd-personality/vm/vmspace.hpp"

namespace bsd {

using glue::UserAddress;

/// Errors of all: EFAULT; in shared mode eexclusive. What was copied before the error stays copied.
SysResult<void> copyin(VmSpace& space, UserAddress from, void* to, std::uint64_t size);
SysResult<void> copyout(VmSpace& space, const void* from, UserAddress to, std::uint64_t size);
SysResult<void> zero_user(VmSpace& space, UserAddress to, std::uint64_t size);
/// Copies a NUL-terminated string of less than `size` bytes; returns its length without the NUL. Errors:
/// EFAULT, ENAMETOOLONG (no NUL in the first `size` bytes).
SysResult<std::uint64_t> copyinstr(VmSpace& space, UserAddress from, char* to, std::uint64_t size);

template <class T>
SysResult<T> copyin(VmSpace& space, UserAddress from) {
    T value;
    TRY(copyin(space, from, &value, sizeof value));
    return value;
}
template <class T>
SysResult<void> copyout(VmSpace& space, UserAddress to, const T& value) {
    return copyout(space, &value, to, sizeof value);
}

/// A T in user memory that a call reads; an address of 0 means "not given" where the call says so.
template <class T>
class UserIn {
public:
    constexpr explicit UserIn(UserAddress address) : address_(address) {}
    constexpr explicit operator bool() const { return address_.value != 0; }
    SysResult<T> read(VmSpace& space, std::uint64_t position = 0) const {
        return copyin<T>(space, UserAddress{address_.value + position * sizeof(T)});
    }

private:
    UserAddress address_;
};

/// A T in user memory that a call writes.
template <class T>
class UserOut {
public:
    constexpr explicit UserOut(UserAddress address) : address_(address) {}
    constexpr explicit operator bool() const { return address_.value != 0; }
    SysResult<void> write(VmSpace& space, const T& value, std::uint64_t position = 0) const {
        return copyout(space, &value, UserAddress{address_.value + position * sizeof(T)}, sizeof(T));
    }

private:
    UserAddress address_;
};

// Atomic operations on aligned user words, sequentially consistent with user code on all cores. Errors:
// EFAULT, EINVAL (not aligned).
SysResult<std::uint32_t> user_load32(VmSpace& space, UserAddress at);
SysResult<std::uint64_t> user_load64(VmSpace& space, UserAddress at);
SysResult<void> user_store32(VmSpace& space, UserAddress at, std::uint32_t value);
SysResult<void> user_store64(VmSpace& space, UserAddress at, std::uint64_t value);
/// Stores `desired` if the word is `expected`; returns what was there.
SysResult<std::uint32_t> user_exchange32(VmSpace& space, UserAddress at, std::uint32_t expected,
                                         std::uint32_t desired);
SysResult<std::uint64_t> user_exchange64(VmSpace& space, UserAddress at, std::uint64_t expected,
                                         std::uint64_t desired);

} // namespace bsd
