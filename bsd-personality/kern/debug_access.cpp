// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/debug_access.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/vm/vmspace.hpp"
#include "glue/fpu.hpp"

#include <cstring>

namespace bsd {

namespace {

constexpr std::size_t mxcsr_offset = 24, header_offset = 512, header_size = 64;
constexpr std::uint32_t mxcsr_bits = 0xffff;

// FreeBSD: the target's groups are among the caller's.
bool has_groups_of(const Ucred& caller, const Ucred& target) {
    for (unsigned i = 0; i < target.group_count; i++)
        if (!caller.is_member(target.groups[i]))
            return false;
    return caller.is_member(target.gid) && caller.is_member(target.rgid) && caller.is_member(target.svgid);
}

template <class Step>
SysResult<void> walk(Proc& proc, std::uint64_t address, std::uint64_t size, bool write, Step step) {
    if (!proc.vmspace || !VmSpace::valid_range(address, size))
        return Failure(Errno::efault);
    while (size != 0) {
        std::uint64_t count = least(size, vm::page_size - (address & vm::page_mask));
        std::byte* bytes = proc.vmspace->translate_for_debugger(address, write);
        if (!bytes)
            return Failure(Errno::efault);
        step(bytes, count);
        address += count;
        size -= count;
    }
    return {};
}

} // namespace

SysResult<void> may_debug(const Proc& caller, const Proc& target) {
    const Ucred &from = *caller.cred, &to = *target.cred;
    if (&caller == &target || from.is_superuser())
        return {};
    if (target.flags & proc_set_id)
        return Failure(Errno::eperm);
    if (caller.abi->kind == AbiKind::dragonfly)
        return from.ruid == to.ruid ? SysResult<void>{} : SysResult<void>(Failure(Errno::eperm));
    bool same = from.uid == to.uid && from.uid == to.svuid && from.uid == to.ruid && has_groups_of(from, to);
    return same ? SysResult<void>{} : SysResult<void>(Failure(Errno::eperm));
}

SysResult<void> read_debugged(Proc& proc, std::uint64_t from, void* to, std::uint64_t size) {
    auto* target = static_cast<std::byte*>(to);
    return walk(proc, from, size, false, [&](const std::byte* bytes, std::uint64_t count) {
        std::memcpy(target, bytes, count);
        target += count;
    });
}

SysResult<void> write_debugged(Proc& proc, std::uint64_t to, const void* from, std::uint64_t size) {
    const auto* source = static_cast<const std::byte*>(from);
    return walk(proc, to, size, true, [&](std::byte* bytes, std::uint64_t count) {
        std::memcpy(bytes, source, count);
        source += count;
    });
}

void set_extended_state(Lwp& lwp, const std::byte* from, std::uint64_t size) {
    size = least<std::uint64_t>(size, glue::Fpu::size());
    std::memcpy(lwp.fpu, from, size);
    std::uint32_t mxcsr;
    std::memcpy(&mxcsr, lwp.fpu + mxcsr_offset, sizeof mxcsr);
    mxcsr &= mxcsr_bits;
    std::memcpy(lwp.fpu + mxcsr_offset, &mxcsr, sizeof mxcsr);
    std::uint64_t header[header_size / 8];
    std::memcpy(header, lwp.fpu + header_offset, sizeof header);
    header[0] &= glue::Fpu::mask();
    if (size <= header_offset)
        header[0] |= 3; // x87 and SSE are what was given
    for (unsigned i = 1; i < header_size / 8; i++)
        header[i] = 0;
    std::memcpy(lwp.fpu + header_offset, header, sizeof header);
}

} // namespace bsd
