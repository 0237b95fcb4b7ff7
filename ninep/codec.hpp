// SPDX-License-Identifier: BSD-2-Clause
//
// Packs and unpacks 9P2000 messages. Freestanding, allocates nothing; every length in a message is hostile.
#pragma once

#include "ninep/message.hpp"

namespace ninep {

enum class CodecError : std::uint8_t {
    none,
    short_message,  ///< a field or the header runs past the end
    bad_size,       ///< size[4] differs from the bytes there are
    trailing_bytes, ///< fields end before the message does
    unknown_type,
    too_many_names, ///< more than 16 names or qids
    bad_stat,       ///< a stat's own lengths disagree
};
[[nodiscard]] const char* describe(CodecError error);

/// The message's own idea of its length, or 0 when there are fewer than four bytes.
[[nodiscard]] std::uint32_t framed_size(Bytes bytes);

/// `bytes` is exactly one message. `out` keeps views into it.
[[nodiscard]] CodecError unpack(Bytes bytes, Message& out);

/// The number of bytes written, 0 when they do not fit (or a text is longer than 65535).
[[nodiscard]] std::uint32_t pack(const Message& message, std::uint8_t* out, std::size_t capacity);

/// One directory entry as a directory read returns it; 0 when it does not fit.
[[nodiscard]] std::uint32_t pack_stat(const Stat& stat, std::uint8_t* out, std::size_t capacity);

/// The first directory entry of `bytes`; `used` is its length.
[[nodiscard]] CodecError unpack_stat(Bytes bytes, Stat& out, std::uint32_t& used);

} // namespace ninep
