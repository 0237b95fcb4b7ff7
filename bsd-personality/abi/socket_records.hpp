// SPDX-License-Identifier: BSD-2-Clause
// What the socket calls read and write in user memory. Both systems lay these out alike; what only one of
// them has says so.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bsd {

struct MessageHeaderRecord { // struct msghdr
    std::uint64_t name;
    std::uint32_t name_length, padding;
    std::uint64_t vectors;
    std::int32_t vector_count, padding2;
    std::uint64_t control;
    std::uint32_t control_length;
    std::int32_t flags;
};
static_assert(sizeof(MessageHeaderRecord) == 48 && offsetof(MessageHeaderRecord, vectors) == 16 &&
              offsetof(MessageHeaderRecord, control) == 32 && offsetof(MessageHeaderRecord, flags) == 44);

struct ControlRecord {    // struct cmsghdr; the data begin at control_data
    std::uint32_t length; // with this header
    std::int32_t level, type;
};
static_assert(sizeof(ControlRecord) == 12);
inline constexpr std::uint32_t control_data = 16;
/// Where the next one begins after `length` bytes of data (CMSG_SPACE).
constexpr std::uint32_t control_space(std::uint32_t length) {
    return control_data + ((length + 7) & ~std::uint32_t{7});
}

inline constexpr unsigned credential_groups = 16;
struct CredentialRecord { // struct cmsgcred
    std::int32_t pid;
    std::uint32_t uid, euid, gid;
    std::int16_t group_count, padding;
    std::uint32_t groups[credential_groups]; // the effective one first
};
static_assert(sizeof(CredentialRecord) == 84 && offsetof(CredentialRecord, group_count) == 16 &&
              offsetof(CredentialRecord, groups) == 20);

struct SocketCredentialRecord { // struct sockcred, FreeBSD; as many groups as there are
    std::uint32_t uid, euid, gid, egid;
    std::int32_t group_count;
    std::uint32_t groups[credential_groups];
};
static_assert(offsetof(SocketCredentialRecord, groups) == 20);
struct SocketCredential2Record { // struct sockcred2, FreeBSD
    std::int32_t version, pid;
    std::uint32_t uid, euid, gid, egid;
    std::int32_t group_count;
    std::uint32_t groups[credential_groups];
};
static_assert(offsetof(SocketCredential2Record, groups) == 28);

struct PeerCredentialRecord { // struct xucred; pid in FreeBSD only
    std::uint32_t version, uid;
    std::int16_t group_count, padding;
    std::uint32_t groups[credential_groups];
    std::uint32_t padding2;
    std::int32_t pid;
    std::uint32_t padding3;
};
static_assert(sizeof(PeerCredentialRecord) == 88 && offsetof(PeerCredentialRecord, group_count) == 8 &&
              offsetof(PeerCredentialRecord, groups) == 12 && offsetof(PeerCredentialRecord, pid) == 80);

struct LingerRecord { // struct linger
    std::int32_t on, seconds;
};
static_assert(sizeof(LingerRecord) == 8);

} // namespace bsd
