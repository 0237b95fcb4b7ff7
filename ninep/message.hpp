// SPDX-License-Identifier: BSD-2-Clause
//
// The messages of 9P2000, as one flat structure: which fields count depends on the type. Texts and data are
// views into the bytes a message was unpacked from.
#pragma once

#include "proto/bytes.hpp"

namespace ninep {

using proto::Bytes;
using proto::Text;

inline constexpr std::uint16_t no_tag = 0xffff; ///< of Tversion
inline constexpr std::uint32_t no_fid = 0xffffffff;
inline constexpr unsigned max_walk = 16;
inline constexpr std::uint32_t header_size = 7; ///< size[4] type[1] tag[2]
inline constexpr std::uint32_t io_header_size =
    24; ///< what a Twrite or Rread needs besides its data, rounded up
inline constexpr std::uint32_t min_message_size = 256;
inline constexpr Text protocol_version = "9P2000";

enum class Type : std::uint8_t {
    // clang-format off
    Tversion = 100, Rversion,
    Tauth, Rauth,
    Tattach, Rattach,
    Rerror = 107,
    Tflush, Rflush,
    Twalk, Rwalk,
    Topen, Ropen,
    Tcreate, Rcreate,
    Tread, Rread,
    Twrite, Rwrite,
    Tclunk, Rclunk,
    Tremove, Rremove,
    Tstat, Rstat,
    Twstat, Rwstat,
    // clang-format on
};

enum QidType : std::uint8_t { qid_directory = 0x80, qid_append = 0x40, qid_file = 0 };
enum Mode : std::uint32_t { mode_directory = 0x80000000, mode_append = 0x40000000 };
enum Open : std::uint8_t {
    open_read = 0,
    open_write = 1,
    open_read_write = 2,
    open_execute = 3,
    open_truncate = 0x10
};

struct Qid {
    std::uint8_t type = 0;
    std::uint32_t version = 0;
    std::uint64_t path = 0;
};

struct Stat {
    std::uint16_t type = 0;
    std::uint32_t device = 0;
    Qid qid;
    std::uint32_t mode = 0;
    std::uint32_t atime = 0;
    std::uint32_t mtime = 0;
    std::uint64_t length = 0;
    Text name, uid, gid, muid;
};

struct Message {
    Type type = Type::Rerror;
    std::uint16_t tag = 0;
    std::uint32_t fid = no_fid;
    std::uint32_t new_fid = no_fid;  ///< Twalk
    std::uint32_t auth_fid = no_fid; ///< Tauth, Tattach
    std::uint32_t message_size = 0;  ///< Tversion, Rversion
    std::uint16_t old_tag = 0;       ///< Tflush
    std::uint8_t mode = 0;           ///< Topen, Tcreate
    std::uint32_t permissions = 0;   ///< Tcreate
    std::uint64_t offset = 0;        ///< Tread, Twrite
    std::uint32_t count = 0;         ///< Tread, Rwrite; of Twrite and Rread it is data.size
    std::uint32_t io_unit = 0;       ///< Ropen, Rcreate
    Qid qid;                         ///< Rauth, Rattach, Ropen, Rcreate
    Stat stat;                       ///< Rstat, Twstat
    std::uint16_t name_count = 0;    ///< Twalk: names, Rwalk: qids
    Text names[max_walk];
    Qid qids[max_walk];
    Text text;  ///< version, error, or file name (Tcreate)
    Text user;  ///< Tauth, Tattach
    Text tree;  ///< Tauth, Tattach
    Bytes data; ///< Twrite, Rread
};

} // namespace ninep
