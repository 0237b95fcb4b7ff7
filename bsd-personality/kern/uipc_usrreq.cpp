// SPDX-License-Identifier: BSD-2-Clause
// The local domain: names, connections, ends. Transfers are in uipc_usrsend.cpp.
#include "bsd-personality/kern/uipc_usrreq.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/abi/socket_records.hpp"
#include "bsd-personality/vfs/namei.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

namespace {

constexpr ProtocolSwitch table[] = {
    {af_local, SocketType::stream, 0, false, true, LocalSocket::create},
    {af_local, SocketType::sequenced, 0, true, true, LocalSocket::create},
    {af_local, SocketType::datagram, 0, true, false, LocalSocket::create},
};

// The path in a name. Errors: EAFNOSUPPORT, EINVAL (too long, or none).
SysResult<Text> path_of(const SocketName& name) {
    if (name.family != af_local)
        return Failure(Errno::eafnosupport);
    if (name.length > local_name_size || name.length <= local_name_path)
        return Failure(Errno::einval);
    Text path{name.data, 0};
    while (path.size < static_cast<std::size_t>(name.length - local_name_path) &&
           name.data[path.size] != '\0')
        path.size++;
    return path;
}

} // namespace

ProtocolTable protocols() {
    return {table, sizeof table / sizeof table[0]};
}

// The sizes are those of the real systems, but for FreeBSD's streams, whose 8 KiB cost it many switches.
SysResult<SocketRef> LocalSocket::create(const ProtocolSwitch& protocol, Lwp& lwp) {
    constexpr std::uint32_t usual = 65536, small = 8192;
    std::uint32_t send = usual, receive = usual;
    if (lwp.proc.abi->kind == AbiKind::freebsd && protocol.type != SocketType::stream) {
        send = small;
        receive = protocol.type == SocketType::datagram ? 2 * small : small;
    }
    auto* socket = lwkt::construct<LocalSocket>(protocol, lwp.proc.cred, send, receive);
    if (!socket)
        return Failure(Errno::enobufs);
    return SocketRef::adopt(socket);
}

// --- names -----------------------------------------------------------------------------------------------
SysResult<void> LocalSocket::bind(Lwp& lwp, int directory, const SocketName& name) {
    Text path = TRY(path_of(name));
    if (vnode_)
        return Failure(Errno::einval);
    if (path.size == 0)
        return Failure(Errno::enoent);
    LookupResult found;
    TRY(namei(lwp, directory, path, lookup_parent, found));
    if (found.vnode)
        return Failure(Errno::eaddrinuse);
    if (found.wants_directory)
        return Failure(Errno::enoent);
    TRY(check_permission(*found.directory, *lwp.proc.cred, may_write));
    vnode_ = TRY(found.directory->create(found.name_view(), VnodeType::socket,
                                         static_cast<std::uint16_t>(0777 & ~lwp.proc.umask), *lwp.proc.cred));
    vnode_->bound_socket = this;
    name_ = name;
    return {};
}

// Whoever is bound to a name, if this socket may talk to it.
SysResult<Ref<LocalSocket>> LocalSocket::find(Lwp& lwp, int directory, const SocketName& name) {
    Text path = TRY(path_of(name));
    LookupResult found;
    TRY(namei(lwp, directory, path, lookup_follow, found));
    if (found.vnode->type != VnodeType::socket)
        return Failure(Errno::enotsock);
    TRY(check_permission(*found.vnode, *lwp.proc.cred, may_write));
    if (!found.vnode->bound_socket)
        return Failure(Errno::econnrefused);
    auto* other = static_cast<LocalSocket*>(found.vnode->bound_socket);
    if (other->protocol.type != protocol.type)
        return Failure(Errno::eprototype);
    return Ref<LocalSocket>(other);
}

SocketName LocalSocket::local_name() const {
    return name_;
}
SocketName LocalSocket::peer_name() const {
    return peer_ && peer_->name_.length != 0 ? peer_->name_ : unnamed_local();
}

// --- connections -----------------------------------------------------------------------------------------
SysResult<void> LocalSocket::prepare_listen(Lwp& lwp) {
    if (protocol.type == SocketType::datagram)
        return Failure(Errno::eopnotsupp);
    if (!vnode_)
        return Failure(lwp.proc.abi->kind == AbiKind::freebsd ? Errno::edestaddrreq : Errno::einval);
    peer_owner_ = lwp.proc.cred;
    peer_pid_ = lwp.proc.pid;
    return {};
}

void LocalSocket::remember_peer(const LocalSocket& other) {
    peer_owner_ = other.peer_owner_;
    peer_pid_ = other.peer_pid_;
}

void LocalSocket::join(LocalSocket& other) {
    peer_ = &other;
    if (protocol.needs_connection)
        other.peer_ = this;
    else
        other.referrers_.push_back(this);
}

// The other end of a connection to this listening socket, which has what that has.
SysResult<Ref<LocalSocket>> LocalSocket::new_connection(Lwp& lwp) {
    auto* made = lwkt::construct<LocalSocket>(protocol, owner, send_limit, receive_limit);
    if (!made)
        return Failure(Errno::econnrefused);
    made->options = options;
    made->flags |= flags & open_no_sigpipe;
    made->linger = linger;
    made->receive_low = receive_low;
    made->send_low = send_low;
    made->receive_timeout = receive_timeout;
    made->send_timeout = send_timeout;
    made->name_ = name_;
    made->peer_owner_ = lwp.proc.cred;
    made->peer_pid_ = lwp.proc.pid;
    made->wants_credentials_ = wants_credentials_;
    made->always_wants_credentials_ = always_wants_credentials_;
    return Ref<LocalSocket>::adopt(made);
}

SysResult<void> LocalSocket::start_connect(Lwp& lwp, int directory, const SocketName& name) {
    Ref<LocalSocket> other = TRY(find(lwp, directory, name));
    if (!protocol.needs_connection) {
        join(*other);
        set_connected();
        return {};
    }
    if (!other->is(socket_listening) || !other->may_queue())
        return Failure(Errno::econnrefused);
    Ref<LocalSocket> end = TRY(other->new_connection(lwp));
    remember_peer(*other);
    join(*end);
    end->set_connected();
    if (waits_for_accept_ || other->waits_for_accept_)
        state |= socket_connecting;
    else
        set_connected();
    other->enqueue(SocketRef::adopt(end.release()));
    return {};
}

SysResult<void> LocalSocket::connect_pair(Lwp& lwp, Socket& with) {
    auto& other = static_cast<LocalSocket&>(with);
    join(other);
    set_connected();
    if (!protocol.needs_connection) {
        other.join(*this);
    } else {
        peer_owner_ = other.peer_owner_ = lwp.proc.cred;
        peer_pid_ = other.peer_pid_ = lwp.proc.pid;
    }
    other.set_connected();
    return {};
}

void LocalSocket::accepted() {
    if (peer_ && peer_->is(socket_connecting))
        peer_->set_connected();
}

void LocalSocket::disconnect() {
    LocalSocket* other = std::exchange(peer_, nullptr);
    if (!other)
        return;
    if (!protocol.needs_connection) {
        other->referrers_.remove(this);
        state &= static_cast<std::uint16_t>(~socket_connected);
        return;
    }
    other->peer_ = nullptr;
    set_disconnected();
    other->set_disconnected();
}

void LocalSocket::destroy() {
    if (vnode_)
        vnode_->bound_socket = nullptr;
    disconnect();
    while (LocalSocket* each = referrers_.first()) {
        each->fail(Errno::econnreset);
        each->disconnect();
        each->wake_readers();
        each->wake_writers();
    }
    // Connections that nobody accepted.
    while (Socket* pending = queue.pop_front()) {
        auto& end = static_cast<LocalSocket&>(*pending);
        end.listener = nullptr;
        if (end.peer_)
            end.peer_->fail(Errno::econnreset);
        end.unref();
    }
    lwkt::destroy(this); // its buffer closes what nobody received
}

// --- options ---------------------------------------------------------------------------------------------
SysResult<void> LocalSocket::get_option(Lwp& lwp, std::int32_t level, std::int32_t name, OptionValue& out) {
    const bool freebsd = lwp.proc.abi->kind == AbiKind::freebsd;
    if (freebsd && level != 0)
        return Failure(Errno::einval);
    if (name == local_peer_credentials) {
        if (!peer_owner_ || is(socket_listening))
            return Failure(protocol.type == SocketType::stream || (!freebsd && protocol.needs_connection)
                               ? Errno::enotconn
                               : Errno::einval);
        PeerCredentialRecord record{};
        record.uid = peer_owner_->uid;
        record.groups[0] = peer_owner_->gid;
        std::uint32_t count = 1;
        for (std::uint32_t i = 0; i < peer_owner_->group_count && count < credential_groups; i++)
            record.groups[count++] = peer_owner_->groups[i];
        record.group_count = static_cast<std::int16_t>(count);
        record.pid = freebsd ? peer_pid_ : 0;
        out.set(record);
        return {};
    }
    if (!freebsd)
        return Failure(Errno::eopnotsupp);
    switch (name) {
    case local_credentials:
        out.set<std::int32_t>(wants_credentials_);
        return {};
    case local_credentials_persistent:
        out.set<std::int32_t>(always_wants_credentials_);
        return {};
    case local_connection_wait:
        out.set<std::int32_t>(waits_for_accept_);
        return {};
    default:
        return Failure(Errno::eopnotsupp);
    }
}

SysResult<void> LocalSocket::set_option(Lwp& lwp, std::int32_t level, std::int32_t name,
                                        const OptionValue& value) {
    if (lwp.proc.abi->kind == AbiKind::dragonfly)
        return Failure(Errno::eopnotsupp);
    if (level != 0)
        return Failure(Errno::einval);
    if (name < local_credentials || name > local_connection_wait)
        return Failure(Errno::enoprotoopt);
    const bool on = TRY(value.get<std::int32_t>()) != 0;
    switch (name) {
    case local_credentials:
        if (on && always_wants_credentials_)
            return Failure(Errno::einval);
        wants_credentials_ = on;
        return {};
    case local_credentials_persistent:
        if (on && wants_credentials_)
            return Failure(Errno::einval);
        always_wants_credentials_ = on;
        return {};
    default:
        waits_for_accept_ = on;
        return {};
    }
}

} // namespace bsd
