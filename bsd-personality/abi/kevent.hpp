// SPDX-License-Identifier: BSD-2-Clause
// struct kevent of both systems: FreeBSD's of 64 bytes, and the 32 bytes of DragonFly and of FreeBSD 11.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bsd {

struct KernelEvent;

struct KeventRecord {
    std::uint64_t ident;
    std::int16_t filter;
    std::uint16_t flags;
    std::uint32_t fflags;
    std::int64_t data;
    std::uint64_t udata;
    std::uint64_t ext[4];
};
static_assert(sizeof(KeventRecord) == 64 && offsetof(KeventRecord, udata) == 24);

enum class KeventLayout : std::uint8_t { freebsd, freebsd11, dragonfly };
constexpr std::size_t kevent_size(KeventLayout layout) {
    return layout == KeventLayout::freebsd ? 64 : 32;
}

/// Filter numbers and flags differ in DragonFly. A filter that the system does not have becomes 0.
KernelEvent unpack_kevent(const KeventRecord& record, KeventLayout layout);
KeventRecord pack_kevent(const KernelEvent& event, KeventLayout layout);

} // namespace bsd
