// SPDX-License-Identifier: BSD-2-Clause
// Sockets made, named and connected: socket, socketpair, bind, connect, listen, accept, their names,
// shutdown.
#include <string.h>

#include "bsd-personality/sys/socket_arguments.hpp"

namespace bsd {

namespace {

enum TypeFlag : std::uint32_t { sock_cloexec = 0x1000'0000, sock_nonblock = 0x2000'0000 };
constexpr std::uint32_t sock_flags = sock_cloexec | sock_nonblock;

// DragonFly's flags of extaccept and extconnect.
enum ForceFlag : std::uint32_t { force_blocking = 0x4'0000, force_nonblocking = 0x8'0000 };

bool waits(const File& file, std::uint32_t force) {
    return (force & force_blocking) || (!(force & force_nonblocking) && !file.nonblocking());
}

SysResult<Return> install(Lwp& lwp, SocketRef socket, bool close_on_exec) {
    return Return(static_cast<std::uint64_t>(
        TRY(lwp.proc.files->install(FileRef::adopt(socket.release()), close_on_exec))));
}

// The length word of an address that a call returns; a program of DragonFly gives it as a signed number.
SysResult<std::uint32_t> length_argument(Lwp& lwp, UserAddress from) {
    auto length = TRY(copyin<std::uint32_t>(*lwp.proc.vmspace, from));
    if (is_dragonfly(lwp) && static_cast<std::int32_t>(length) < 0)
        return Failure(Errno::einval);
    return length;
}

SysResult<void> put_name(Lwp& lwp, const SocketName& name, UserAddress to, UserAddress length_at,
                         std::uint32_t length) {
    TRY(put_address(lwp, name, to, length));
    return copyout(*lwp.proc.vmspace, length_at, length);
}

} // namespace

SysResult<SocketName> address_argument(Lwp& lwp, UserAddress from, std::uint32_t length) {
    constexpr std::uint32_t longest = 255, shortest = 2;
    if (length > longest)
        return Failure(Errno::enametoolong);
    if (length < shortest)
        return Failure(Errno::einval);
    std::byte bytes[longest];
    TRY(copyin(*lwp.proc.vmspace, from, bytes, length));
    if (length > SocketName::capacity)
        return Failure(Errno::einval);
    SocketName name;
    name.length = static_cast<std::uint8_t>(length);
    name.family = static_cast<std::uint8_t>(bytes[1]);
    memcpy(name.data, bytes + shortest, length - shortest);
    return name;
}

SysResult<void> put_address(Lwp& lwp, const SocketName& name, UserAddress to, std::uint32_t& length) {
    length = least(length, std::uint32_t{name.length});
    return copyout(*lwp.proc.vmspace, &name, to, length);
}

// --- made ------------------------------------------------------------------------------------------------
SysResult<Return> sys_socket(Lwp& lwp, const SystemCall& call) {
    const std::uint32_t type = call.natural(1);
    SocketRef socket = TRY(Socket::create(lwp, call.natural(0), type & ~sock_flags, call.natural(2)));
    socket->flags |= (type & sock_nonblock) ? std::uint32_t{open_nonblock} : 0;
    return install(lwp, static_cast<SocketRef&&>(socket), (type & sock_cloexec) != 0);
}

SysResult<Return> sys_socketpair(Lwp& lwp, const SystemCall& call) {
    const std::uint32_t type = call.natural(1);
    SocketRef socket[2];
    for (SocketRef& each : socket) {
        each = TRY(Socket::create(lwp, call.natural(0), type & ~sock_flags, call.natural(2)));
        each->flags |= (type & sock_nonblock) ? std::uint32_t{open_nonblock} : 0;
    }
    TRY(socket[0]->connect_pair(lwp, *socket[1]));
    FileTable& files = *lwp.proc.files;
    std::int32_t fd[2] = {-1, -1};
    SysResult<void> done;
    for (unsigned i = 0; i < 2 && done.ok(); i++) {
        auto installed = files.install(FileRef(socket[i].get()), (type & sock_cloexec) != 0);
        if (installed.ok())
            fd[i] = installed.take();
        else
            done = Failure(installed.error());
    }
    if (done.ok())
        done = copyout(*lwp.proc.vmspace, fd, call.address(3), sizeof fd);
    if (!done.ok()) {
        for (std::int32_t each : fd)
            if (each >= 0)
                (void)files.close(each);
        return Failure(done.error());
    }
    return Return();
}

// --- named and connected ---------------------------------------------------------------------------------
namespace {

SysResult<Return> bind_call(Lwp& lwp, int directory, int fd, UserAddress from, std::uint32_t length) {
    SocketName name = TRY(address_argument(lwp, from, length));
    SocketRef socket = TRY(socket_argument(lwp, fd));
    TRY(socket->bind(lwp, directory_argument(lwp, directory), name));
    return Return();
}

SysResult<Return> connect_call(Lwp& lwp, int directory, int fd, UserAddress from, std::uint32_t length,
                               std::uint32_t force) {
    SocketName name = TRY(address_argument(lwp, from, length));
    SocketRef socket = TRY(socket_argument(lwp, fd));
    TRY(socket->connect(lwp, directory_argument(lwp, directory), name, waits(*socket, force)));
    return Return();
}

} // namespace

SysResult<Return> sys_bind(Lwp& lwp, const SystemCall& call) {
    return bind_call(lwp, lwp.proc.abi->at_fdcwd, call.integer(0), call.address(1), call.natural(2));
}
SysResult<Return> sys_bindat(Lwp& lwp, const SystemCall& call) {
    return bind_call(lwp, call.integer(0), call.integer(1), call.address(2), call.natural(3));
}
SysResult<Return> sys_connect(Lwp& lwp, const SystemCall& call) {
    return connect_call(lwp, lwp.proc.abi->at_fdcwd, call.integer(0), call.address(1), call.natural(2), 0);
}
SysResult<Return> sys_connectat(Lwp& lwp, const SystemCall& call) {
    return connect_call(lwp, call.integer(0), call.integer(1), call.address(2), call.natural(3), 0);
}
SysResult<Return> sys_extconnect(Lwp& lwp, const SystemCall& call) {
    return connect_call(lwp, lwp.proc.abi->at_fdcwd, call.integer(0), call.address(2), call.natural(3),
                        call.natural(1));
}

SysResult<Return> sys_listen(Lwp& lwp, const SystemCall& call) {
    SocketRef socket = TRY(socket_argument(lwp, call.integer(0)));
    TRY(socket->listen(lwp, call.integer(1)));
    return Return();
}

// --- accepted --------------------------------------------------------------------------------------------
namespace {

struct AcceptRequest {
    int fd;
    UserAddress name, length;
    std::uint32_t force = 0;
    bool inherits = true; // O_NONBLOCK and O_ASYNC of the listening socket
    std::uint32_t type_flags = 0;
};

SysResult<Return> accept_call(Lwp& lwp, const AcceptRequest& request) {
    std::uint32_t length = request.name.value ? TRY(length_argument(lwp, request.length)) : 0;
    SocketRef socket = TRY(socket_argument(lwp, request.fd));
    if (!lwp.proc.files->has_room(1))
        return Failure(Errno::emfile);
    SocketRef connection = TRY(socket->accept(lwp, waits(*socket, request.force)));
    constexpr std::uint32_t inherited = open_nonblock | open_async;
    connection->flags = (connection->flags & ~inherited) |
                        (request.inherits                       ? socket->flags & inherited
                         : (request.type_flags & sock_nonblock) ? std::uint32_t{open_nonblock}
                                                                : 0);
    auto installed = install(lwp, connection, (request.type_flags & sock_cloexec) != 0);
    if (!installed.ok()) { // another thread took the last descriptor meanwhile
        socket->accept_later(static_cast<SocketRef&&>(connection));
        return installed;
    }
    connection->accepted();
    if (request.name.value) {
        auto copied = put_name(lwp, connection->peer_name(), request.name, request.length, length);
        if (!copied.ok()) {
            (void)lwp.proc.files->close(static_cast<int>(installed.value().rax));
            return Failure(copied.error());
        }
    }
    return installed;
}

} // namespace

SysResult<Return> sys_accept(Lwp& lwp, const SystemCall& call) {
    return accept_call(lwp, {call.integer(0), call.address(1), call.address(2)});
}
SysResult<Return> sys_accept4(Lwp& lwp, const SystemCall& call) {
    const std::uint32_t flags = call.natural(3);
    if (flags & ~sock_flags)
        return Failure(Errno::einval);
    return accept_call(lwp, {call.integer(0), call.address(1), call.address(2), 0, false, flags});
}
SysResult<Return> sys_extaccept(Lwp& lwp, const SystemCall& call) {
    return accept_call(lwp, {call.integer(0), call.address(2), call.address(3), call.natural(1)});
}

// --- names, shutdown -------------------------------------------------------------------------------------
SysResult<Return> sys_getsockname(Lwp& lwp, const SystemCall& call) {
    std::uint32_t length = TRY(length_argument(lwp, call.address(2)));
    SocketRef socket = TRY(socket_argument(lwp, call.integer(0)));
    SocketName name = socket->local_name();
    if (name.length == 0 && !is_dragonfly(lwp)) // which tells nothing then
        name = unnamed_local();
    TRY(put_name(lwp, name, call.address(1), call.address(2), length));
    return Return();
}

SysResult<Return> sys_getpeername(Lwp& lwp, const SystemCall& call) {
    std::uint32_t length = TRY(length_argument(lwp, call.address(2)));
    SocketRef socket = TRY(socket_argument(lwp, call.integer(0)));
    if (!socket->is(socket_connected))
        return Failure(Errno::enotconn);
    TRY(put_name(lwp, socket->peer_name(), call.address(1), call.address(2), length));
    return Return();
}

SysResult<Return> sys_shutdown(Lwp& lwp, const SystemCall& call) {
    SocketRef socket = TRY(socket_argument(lwp, call.integer(0)));
    TRY(socket->shutdown(call.integer(1)));
    return Return();
}

} // namespace bsd
