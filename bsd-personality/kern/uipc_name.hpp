// SPDX-License-Identifier: BSD-2-Clause
// SocketName: a socket's address as programs of both systems lay it out (struct sockaddr and its kin).
#pragma once

#include <string.h>

#include "bsd-personality/kern/text.hpp"

namespace bsd {

enum AddressFamily : std::uint8_t { af_unspecified = 0, af_local = 1 };

struct SocketName {
    static constexpr unsigned capacity = 112; // bytes; the largest in use is sockaddr_un
    std::uint8_t length = 0;                  // 0: none
    std::uint8_t family = 0;
    char data[capacity - 2] = {};

    SocketName() = default;
    SocketName(const SocketName& other) { *this = other; }
    SocketName& operator=(const SocketName& other) {
        memcpy(static_cast<void*>(this), &other, other.length < 2 ? 2 : other.length);
        return *this;
    }
};
static_assert(sizeof(SocketName) == SocketName::capacity);

/// struct sockaddr_un: length, family, path without or with its NUL.
inline constexpr unsigned local_name_path = 2, local_name_size = 106;
/// What a local socket without a name is called: a struct sockaddr of zeros.
inline SocketName unnamed_local() {
    SocketName name;
    name.length = 16;
    name.family = af_local;
    return name;
}

} // namespace bsd
