// SPDX-License-Identifier: BSD-2-Clause
// The local domain: bytes, messages and credentials on their way.
#include <string.h>

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/abi/socket_records.hpp"
#include "bsd-personality/kern/uipc_rights.hpp"
#include "bsd-personality/kern/uipc_usrreq.hpp"
#include "bsd-personality/vfs/namei.hpp"
#include "lwkt/slab.hpp"

namespace bsd {

SysResult<void> LocalSocket::internalize(Lwp& lwp, const std::byte* raw, std::uint32_t length,
                                         Controls& out) {
    return internalize_controls(lwp, raw, length, out);
}

// A datagram socket's space is at whom it sends to, and is not waited for.
std::uint32_t LocalSocket::send_space() const {
    if (!protocol.needs_connection)
        return send_limit;
    const std::uint32_t waiting = peer_ ? peer_->receive.charged() : 0;
    return waiting < send_limit ? send_limit - waiting : 0;
}

void LocalSocket::received() {
    if (peer_ && protocol.needs_connection)
        peer_->wake_writers();
}

void LocalSocket::send_closed() {
    if (peer_ && protocol.needs_connection)
        peer_->stop_receiving();
}

// What a receiver that asked for it (LOCAL_CREDS) hears about the sender with a message.
SysResult<void> LocalSocket::add_credentials(Lwp& lwp, Controls& controls) {
    if (!wants_credentials_ && !always_wants_credentials_)
        return {};
    const Ucred& cred = *lwp.proc.cred;
    SocketCredential2Record record{};
    record.pid = lwp.proc.pid;
    record.uid = cred.ruid;
    record.euid = cred.uid;
    record.gid = cred.rgid;
    record.egid = cred.gid;
    record.groups[0] = cred.gid;
    std::uint32_t count = 1;
    for (std::uint32_t i = 0; i < cred.group_count && count < credential_groups; i++)
        record.groups[count++] = cred.groups[i];
    record.group_count = static_cast<std::int32_t>(count);
    // The older record is the newer one without version and pid.
    const std::uint32_t skipped = always_wants_credentials_ ? 0 : offsetof(SocketCredential2Record, uid);
    const auto size =
        static_cast<std::uint32_t>(offsetof(SocketCredential2Record, groups) + count * 4 - skipped);
    Control* control = Control::create(always_wants_credentials_ ? scm_creds2 : scm_creds, size);
    if (!control)
        return Failure(Errno::enobufs);
    memcpy(control->bytes(), reinterpret_cast<const std::byte*>(&record) + skipped, size);
    if (!always_wants_credentials_)
        controls.remove(scm_creds); // of another layout
    controls.push_front(control);
    if (protocol.needs_connection)
        wants_credentials_ = false; // once a connection
    return {};
}

SysResult<Record*> LocalSocket::make_record(OutgoingMessage& message) {
    auto* record = lwkt::construct<Record>();
    if (!record)
        return Failure(Errno::enobufs);
    record->controls.append(message.controls);
    record->ends_record = (message.flags & msg_end_of_record) != 0;
    record->name = name_.length != 0 && protocol.type == SocketType::datagram ? name_ : unnamed_local();
    return record;
}

SysResult<void> LocalSocket::send_datagram(Lwp& lwp, OutgoingMessage& message, std::uint32_t length) {
    Ref<LocalSocket> to;
    if (message.name) {
        if (peer_)
            return Failure(Errno::eisconn);
        to = TRY(find(lwp, at_fdcwd, *message.name));
    } else {
        to = Ref<LocalSocket>(peer_);
    }
    if (!to)
        return Failure(Errno::enotconn);
    TRY(to->add_credentials(lwp, message.controls));
    const std::uint64_t after =
        static_cast<std::uint64_t>(to->receive.charged()) + message.controls.charge() + length;
    if (to->is(socket_cannot_receive) || after > to->receive_limit ||
        (length == 0 && after == to->receive_limit)) {
        const bool tells_apart = lwp.proc.abi->kind == AbiKind::freebsd;
        return Failure(tells_apart && nonblocking() ? Errno::eagain : Errno::enobufs);
    }
    Record* record = TRY(make_record(message));
    auto sent = to->receive.append(message.uio, length, record);
    if (!sent.ok()) {
        lwkt::destroy(record);
        return sent;
    }
    to->wake_readers();
    return {};
}

SysResult<void> LocalSocket::transmit(Lwp& lwp, OutgoingMessage& message, std::uint32_t length) {
    if (!protocol.needs_connection)
        return send_datagram(lwp, message, length);
    if (!peer_)
        return Failure(Errno::enotconn);
    if (peer_->is(socket_cannot_receive))
        return Failure(Errno::epipe);
    TRY(peer_->add_credentials(lwp, message.controls));
    Record* record = nullptr;
    if (protocol.messages || !message.controls.empty())
        record = TRY(make_record(message));
    auto sent = peer_->receive.append(message.uio, length, record);
    if (!sent.ok()) {
        lwkt::destroy(record);
        return sent;
    }
    peer_->wake_readers();
    return {};
}

// --- in shared mode: plain bytes of streams that nobody watches ------------------------------------------
SysResult<void> LocalSocket::read_shared(Lwp&, Uio& uio, const std::int64_t* position) {
    Claim claim(contents);
    if (!claim || position || !receive.gives_plain(uio.residual()) || receive.used() < receive_low ||
        !nobody_receives() || (peer_ && peer_->writers_watched()) || !uio.at_hand(receive.used(), true))
        return Failure(Errno::eexclusive);
    auto length = static_cast<std::uint32_t>(least<std::uint64_t>(uio.residual(), receive.lead()));
    TRY(receive.get_plain(uio, length));
    if (peer_)
        peer_->wake_writers();
    return {};
}

SysResult<void> LocalSocket::write_shared(Lwp&, Uio& uio, const std::int64_t* position) {
    LocalSocket* to = peer_;
    if (!to || position || protocol.messages || !protocol.needs_connection || is(socket_cannot_send) ||
        error != Errno{} || !nobody_sends())
        return Failure(Errno::eexclusive);
    Claim claim(to->contents);
    const std::uint64_t length = uio.residual();
    if (!claim || length == 0 || !to->receive.takes_plain(length) || send_space() < length ||
        to->is(socket_cannot_receive) || to->wants_credentials_ || to->always_wants_credentials_ ||
        to->readers_watched() || !uio.at_hand(length, false))
        return Failure(Errno::eexclusive);
    TRY(to->receive.put_plain(uio, static_cast<std::uint32_t>(length)));
    to->wake_readers();
    return {};
}

} // namespace bsd
