// SPDX-License-Identifier: BSD-2-Clause
// Records of what the arguments of a call point to: bytes that were read or written, and FreeBSD's
// structures. Which those are follows from the types in the table of calls, so that no handler knows of them.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/ktrace.hpp"
#include "bsd-personality/vm/usermem.hpp"

namespace bsd {

namespace {

constexpr std::uint64_t stat_size = 224, longest_address = 255;
constexpr std::uint32_t most_vectors = 16; // more than a record's bytes are likely to be in

// The type of argument i, as in the table.
Text type_of(const SystemCallEntry& entry, unsigned i) {
    Text types = text(entry.arguments);
    for (;; i--) {
        std::size_t end = 0;
        while (end < types.size && types[end] != ',')
            end++;
        if (i == 0)
            return {types.data, end};
        while (end < types.size && (types[end] == ',' || types[end] == ' '))
            end++;
        types = {types.data + end, types.size - end};
        if (types.size == 0)
            return {};
    }
}

bool ends_like_write(Text name) { // write, pwritev, ...
    for (std::size_t i = 0; i + 5 <= name.size; i++)
        if (Text(name.data + i, 5) == Text("write"))
            return true;
    return false;
}

void record_bytes(Lwp& lwp, const SystemCallEntry& entry, const std::uint64_t* arguments,
                  std::uint64_t moved) {
    auto fd = static_cast<std::int32_t>(arguments[0]);
    Text second = type_of(entry, 1);
    if (second == Text("struct iovec *") || second == Text("const struct iovec *")) {
        IoVector vectors[most_vectors];
        auto count = least<std::uint32_t>(static_cast<std::uint32_t>(arguments[2]), most_vectors);
        if (copyin(*lwp.proc.vmspace, UserAddress{arguments[1]}, vectors, count * sizeof *vectors).ok())
            ktrace_io(lwp, fd, ends_like_write(text(entry.name)), vectors, count, moved);
        return;
    }
    bool writes = second == Text("const void *");
    if ((!writes && second != Text("void *")) || type_of(entry, 2) != Text("size_t"))
        return;
    const IoVector vector{arguments[1], arguments[2]};
    ktrace_io(lwp, fd, writes, &vector, 1, moved);
}

void record_structure(Lwp& lwp, const char* name, std::uint64_t address, std::uint64_t size) {
    std::byte bytes[256];
    if (address != 0 && size <= sizeof bytes &&
        copyin(*lwp.proc.vmspace, UserAddress{address}, bytes, size).ok())
        ktrace_structure(lwp, name, bytes, size);
}

} // namespace

void ktrace_arguments(Lwp& lwp, const SystemCallEntry& entry, const std::uint64_t* arguments, unsigned count,
                      const SysResult<Return>& result) {
    if (ktrace_wants(lwp, Ktr::generic_io) && result.ok() && count >= 3 && type_of(entry, 0) == Text("int"))
        record_bytes(lwp, entry, arguments, const_cast<SysResult<Return>&>(result).value().rax);
    if (!ktrace_wants(lwp, Ktr::structure))
        return;
    for (unsigned i = 0; i < count; i++) {
        Text type = type_of(entry, i);
        if (type == Text("struct stat *") && result.ok())
            record_structure(lwp, "stat", arguments[i], stat_size);
        if (i + 1 == count)
            return;
        if (type == Text("const struct sockaddr *")) {
            auto length = static_cast<std::uint32_t>(arguments[i + 1]);
            record_structure(lwp, "sockaddr", arguments[i], least<std::uint64_t>(length, longest_address));
        } else if (type == Text("struct sockaddr *") && result.ok() && arguments[i] != 0) {
            auto length = copyin<std::uint32_t>(*lwp.proc.vmspace, UserAddress{arguments[i + 1]});
            if (length.ok())
                record_structure(lwp, "sockaddr", arguments[i],
                                 least<std::uint64_t>(length.value(), longest_address));
        }
    }
}

} // namespace bsd
