// SPDX-License-Identifier: BSD-2-Clause
// What the socket calls have in common: sockets by descriptor, addresses in and out, several stretches of
// memory.
#pragma once

#include "bsd-personality/kern/uipc_socket.hpp"
#include "bsd-personality/sys/file_arguments.hpp"

namespace bsd {

/// A descriptor's socket, held for a call that may sleep. Errors: EBADF, ENOTSOCK.
inline SysResult<SocketRef> socket_argument(Lwp& lwp, int fd) {
    Socket* socket = TRY(lwp.proc.files->find(fd))->socket();
    if (!socket)
        return Failure(Errno::enotsock);
    return SocketRef(socket);
}

/// struct sockaddr; `length` counts, not the length byte in it. Errors: EFAULT, ENAMETOOLONG, EINVAL.
SysResult<SocketName> address_argument(Lwp& lwp, UserAddress from, std::uint32_t length);
/// An address for `to` as far as it fits `length`, which becomes what was copied. No name (length 0) copies
/// nothing.
SysResult<void> put_address(Lwp& lwp, const SocketName& name, UserAddress to, std::uint32_t& length);

} // namespace bsd
