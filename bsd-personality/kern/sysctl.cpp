// SPDX-License-Identifier: BSD-2-Clause
// The machinery of sysctl, and the nodes about nodes.
#include "bsd-personality/kern/sysctl.hpp"

#include <string.h>

#include "bsd-personality/kern/proc.hpp"

namespace bsd {

SysResult<void> SysctlRequest::put(const void* bytes, std::uint64_t size) {
    std::uint64_t at = total_;
    total_ += size;
    if (old_.value == 0 || at >= capacity_)
        return {};
    return copyout(*lwp.proc.vmspace, bytes, UserAddress{old_.value + at}, least(size, capacity_ - at));
}

SysResult<void> SysctlRequest::put_text(Text value) {
    TRY(put(value.data, value.size));
    return put("", 1);
}

SysResult<std::uint64_t> SysctlRequest::take(void* to, std::uint64_t size, bool shorter) {
    if (new_size_ > size || (new_size_ < size && !shorter))
        return Failure(Errno::einval);
    TRY(copyin(*lwp.proc.vmspace, new_, to, new_size_));
    return new_size_;
}

// --- finding nodes ---------------------------------------------------------------------------------------
namespace {

bool visible(const SysctlNode& node, AbiKind abi) {
    std::uint8_t only = node.flags & (sysctl_freebsd | sysctl_dragonfly);
    return only == 0 || (only == sysctl_freebsd) == (abi == AbiKind::freebsd);
}

// Compares a node's number with a MIB as sequences: negative, zero (equal), positive.
int compare(const SysctlNode& node, const std::int32_t* mib, unsigned depth) {
    for (unsigned i = 0; i < node.depth && i < depth; i++)
        if (node.number[i] != mib[i])
            return node.number[i] < mib[i] ? -1 : 1;
    return static_cast<int>(node.depth) - static_cast<int>(depth);
}

bool is_prefix(const SysctlNode& node, const std::int32_t* mib, unsigned depth) {
    for (unsigned i = 0; i < node.depth; i++)
        if (i >= depth || node.number[i] != mib[i])
            return false;
    return true;
}

} // namespace

const SysctlNode* find_sysctl(AbiKind abi, const std::int32_t* mib, unsigned depth) {
    for (unsigned i = 0; i < sysctl_nodes.count; i++) {
        const SysctlNode& node = sysctl_nodes.nodes[i];
        if (visible(node, abi) && is_prefix(node, mib, depth) &&
            (node.depth == depth || (node.flags & sysctl_rest)))
            return &node;
    }
    return nullptr;
}

const SysctlNode* find_sysctl(AbiKind abi, Text name) {
    for (unsigned i = 0; i < sysctl_nodes.count; i++)
        if (visible(sysctl_nodes.nodes[i], abi) && name == text(sysctl_nodes.nodes[i].name))
            return &sysctl_nodes.nodes[i];
    return nullptr;
}

const SysctlNode* next_sysctl(AbiKind abi, const std::int32_t* mib, unsigned depth) {
    const SysctlNode* best = nullptr;
    for (unsigned i = 0; i < sysctl_nodes.count; i++) {
        const SysctlNode& node = sysctl_nodes.nodes[i];
        if (!visible(node, abi) || node.number[0] == 0 || compare(node, mib, depth) <= 0)
            continue;
        if (!best || compare(node, best->number, best->depth) < 0)
            best = &node;
    }
    return best;
}

SysResult<void> ask_sysctl(const SysctlNode& node, const std::int32_t* mib, unsigned depth,
                           SysctlRequest& request) {
    if (request.has_new() && node.number[0] != 0) {
        if (!(node.flags & sysctl_writable))
            return Failure(Errno::eperm);
        if (!request.lwp.proc.cred->is_superuser() && !(node.flags & sysctl_rest))
            return Failure(Errno::eperm);
    }
    request.rest = mib + node.depth;
    request.rest_count = depth - node.depth;
    return node.function(request);
}

// --- nodes about nodes -----------------------------------------------------------------------------------
SysResult<void> sysctl_name_to_oid(SysctlRequest& request) {
    char name[256];
    if (!request.has_new() || request.new_size() == 0)
        return Failure(Errno::enoent);
    if (request.new_size() > sizeof name)
        return Failure(Errno::enametoolong);
    std::uint64_t length = TRY(request.take(name, sizeof name, true));
    while (length > 0 && name[length - 1] == '\0')
        length--;
    const SysctlNode* node = find_sysctl(request.lwp.proc.abi->kind, Text(name, length));
    if (!node)
        return Failure(Errno::enoent);
    return request.put(node->number, node->depth * sizeof(std::int32_t));
}

SysResult<void> sysctl_oid_to_name(SysctlRequest& request) {
    const SysctlNode* node = find_sysctl(request.lwp.proc.abi->kind, request.rest, request.rest_count);
    if (!node)
        return Failure(Errno::enoent);
    return request.put_text(text(node->name));
}

SysResult<void> sysctl_next(SysctlRequest& request) {
    const SysctlNode* node = next_sysctl(request.lwp.proc.abi->kind, request.rest, request.rest_count);
    if (!node)
        return Failure(Errno::enoent);
    return request.put(node->number, node->depth * sizeof(std::int32_t));
}

SysResult<void> sysctl_format(SysctlRequest& request) {
    constexpr std::uint32_t readable = 0x8000'0000, writable = 0x4000'0000;
    const SysctlNode* node = find_sysctl(request.lwp.proc.abi->kind, request.rest, request.rest_count);
    if (!node)
        return Failure(Errno::enoent);
    std::uint32_t type = node->format == 'A' ? 3 : node->format == 'I' ? 2 : node->format == 'L' ? 7 : 5;
    TRY(request.put_value(type | readable | ((node->flags & sysctl_writable) ? writable : 0u)));
    char format[2] = {node->format, '\0'};
    return request.put_text(text(format));
}

} // namespace bsd
