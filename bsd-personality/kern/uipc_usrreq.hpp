// SPDX-License-Identifier: BSD-2-Clause
// Sockets of the local domain (AF_LOCAL, AF_UNIX). What is sent lies in the buffer of the receiver from the
// start; a sender's own limit says how much of it may wait there. A name is a vnode of type socket, which
// finds the bound socket as long as that lives.
#pragma once

#include "bsd-personality/kern/uipc_socket.hpp"

namespace bsd {

/// Options at level 0; only the first in DragonFly.
enum LocalOption : std::int32_t {
    local_peer_credentials = 1,
    local_credentials = 2,
    local_credentials_persistent = 3,
    local_connection_wait = 4,
};

class LocalSocket final : public Socket {
public:
    static SysResult<SocketRef> create(const ProtocolSwitch& protocol, Lwp& lwp);
    LocalSocket(const ProtocolSwitch& kind, UcredRef creator, std::uint32_t send_bytes,
                std::uint32_t receive_bytes)
        : Socket(kind, static_cast<UcredRef&&>(creator), send_bytes, receive_bytes) {}
    ~LocalSocket() = default;

    SysResult<void> bind(Lwp& lwp, int directory, const SocketName& name) override;
    SysResult<void> prepare_listen(Lwp& lwp) override;
    SysResult<void> start_connect(Lwp& lwp, int directory, const SocketName& name) override;
    SysResult<void> connect_pair(Lwp& lwp, Socket& other) override;
    void disconnect() override;
    void accepted() override;
    SysResult<void> internalize(Lwp& lwp, const std::byte* raw, std::uint32_t length, Controls& out) override;
    std::uint32_t send_space() const override;
    SysResult<void> transmit(Lwp& lwp, OutgoingMessage& message, std::uint32_t length) override;
    void received() override;
    void send_closed() override;
    SocketName local_name() const override;
    SocketName peer_name() const override;
    SysResult<void> get_option(Lwp& lwp, std::int32_t level, std::int32_t name, OptionValue& out) override;
    SysResult<void> set_option(Lwp& lwp, std::int32_t level, std::int32_t name,
                               const OptionValue& value) override;
    SysResult<void> read_shared(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<void> write_shared(Lwp& lwp, Uio& uio, const std::int64_t* position) override;

    /// Discards what waits here and in sockets that wait to be accepted (uipc_rights.cpp).
    void flush();

    // Of a socket in flight (uipc_rights.cpp).
    std::uint32_t in_flight = 0; // references that control messages hold
    Link<LocalSocket> flying;
    std::uint32_t unexplained = 0; // while collecting
    bool doubtful = false;
    LocalSocket* next_found = nullptr;

private:
    void destroy() override;
    SysResult<Ref<LocalSocket>> find(Lwp& lwp, int directory, const SocketName& name);
    SysResult<Ref<LocalSocket>> new_connection(Lwp& lwp);
    void join(LocalSocket& other);
    SysResult<Record*> make_record(OutgoingMessage& message);
    SysResult<void> send_datagram(Lwp& lwp, OutgoingMessage& message, std::uint32_t length);
    SysResult<void> add_credentials(Lwp& lwp, Controls& controls);
    void remember_peer(const LocalSocket& listener_or_self);

    LocalSocket* peer_ = nullptr; // connected to; cleared by whichever goes first
    Link<LocalSocket> in_referrers_;
    List<LocalSocket, &LocalSocket::in_referrers_> referrers_; // datagram sockets connected to this one
    VnodeRef vnode_;                                           // bound to
    SocketName name_;
    UcredRef peer_owner_; // LOCAL_PEERCRED; of a listening socket: what its clients will see
    std::int32_t peer_pid_ = 0;
    bool wants_credentials_ = false, always_wants_credentials_ = false, waits_for_accept_ = false;
};

} // namespace bsd
