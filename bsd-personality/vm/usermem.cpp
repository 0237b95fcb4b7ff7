// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vm/usermem.hpp"

#include <cstring>

#include "bsd-personality/kern/giant.hpp"
#include "bsd-personality/kern/text.hpp"

namespace bsd {

using namespace vm;

namespace {

// In shared mode it may be there after all.
Errno missing() {
    return shared_mode() ? Errno::eexclusive : Errno::efault;
}

/// Calls step(pointer to user bytes, how many) for each page of a range.
template <class Step>
SysResult<void> walk(VmSpace& space, UserAddress at, std::uint64_t size, bool write, Step step) {
    if (!VmSpace::valid_range(at.value, size)) [[unlikely]]
        return Failure(Errno::efault);
    for (std::uint64_t address = at.value; size > 0;) {
        std::uint64_t count = least(size, page_size - (address & page_mask));
        std::byte* bytes = space.translate(address, write);
        if (bytes == nullptr) [[unlikely]]
            return Failure(missing());
        step(bytes, count);
        address += count;
        size -= count;
    }
    return {};
}

/// The word at an address, or null; `size` is a power of two, so that a word lies in one page.
template <class T>
SysResult<T*> word(VmSpace& space, UserAddress at, bool write) {
    if ((at.value & (sizeof(T) - 1)) != 0)
        return Failure(Errno::einval);
    std::byte* bytes = at.value < user_address_end ? space.translate(at.value, write) : nullptr;
    if (bytes == nullptr)
        return Failure(missing());
    return reinterpret_cast<T*>(bytes);
}

template <class T>
SysResult<T> load(VmSpace& space, UserAddress at) {
    T* word_at = TRY(word<T>(space, at, false));
    return __atomic_load_n(word_at, __ATOMIC_SEQ_CST);
}

template <class T>
SysResult<void> store(VmSpace& space, UserAddress at, T value) {
    T* word_at = TRY(word<T>(space, at, true));
    __atomic_store_n(word_at, value, __ATOMIC_SEQ_CST);
    return {};
}

template <class T>
SysResult<T> exchange(VmSpace& space, UserAddress at, T expected, T desired) {
    T* word_at = TRY(word<T>(space, at, true));
    __atomic_compare_exchange_n(word_at, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
}

} // namespace

SysResult<void> copyin(VmSpace& space, UserAddress from, void* to, std::uint64_t size) {
    auto* target = static_cast<std::byte*>(to);
    return walk(space, from, size, false, [&](const std::byte* bytes, std::uint64_t count) {
        std::memcpy(target, bytes, count);
        target += count;
    });
}

SysResult<void> copyout(VmSpace& space, const void* from, UserAddress to, std::uint64_t size) {
    const auto* source = static_cast<const std::byte*>(from);
    return walk(space, to, size, true, [&](std::byte* bytes, std::uint64_t count) {
        std::memcpy(bytes, source, count);
        source += count;
    });
}

SysResult<void> zero_user(VmSpace& space, UserAddress to, std::uint64_t size) {
    return walk(space, to, size, true,
                [](std::byte* bytes, std::uint64_t count) { std::memset(bytes, 0, count); });
}

SysResult<std::uint64_t> copyinstr(VmSpace& space, UserAddress from, char* to, std::uint64_t size) {
    std::uint64_t done = 0;
    while (done < size) {
        std::uint64_t address = from.value + done;
        const std::byte* bytes = address < user_address_end ? space.translate(address, false) : nullptr;
        if (bytes == nullptr)
            return Failure(missing());
        std::uint64_t count = least(size - done, page_size - (address & page_mask));
        for (std::uint64_t i = 0; i < count; i++, done++) {
            // Other threads may change the string meanwhile: each byte is read once.
            to[done] = static_cast<char>(
                __atomic_load_n(reinterpret_cast<const std::uint8_t*>(bytes) + i, __ATOMIC_RELAXED));
            if (to[done] == '\0')
                return done;
        }
    }
    return Failure(Errno::enametoolong);
}

SysResult<std::uint32_t> user_load32(VmSpace& space, UserAddress at) {
    return load<std::uint32_t>(space, at);
}
SysResult<std::uint64_t> user_load64(VmSpace& space, UserAddress at) {
    return load<std::uint64_t>(space, at);
}
SysResult<void> user_store32(VmSpace& space, UserAddress at, std::uint32_t value) {
    return store(space, at, value);
}
SysResult<void> user_store64(VmSpace& space, UserAddress at, std::uint64_t value) {
    return store(space, at, value);
}
SysResult<std::uint32_t> user_exchange32(VmSpace& space, UserAddress at, std::uint32_t expected,
                                         std::uint32_t desired) {
    return exchange(space, at, expected, desired);
}
SysResult<std::uint64_t> user_exchange64(VmSpace& space, UserAddress at, std::uint64_t expected,
                                         std::uint64_t desired) {
    return exchange(space, at, expected, desired);
}

} // namespace bsd
