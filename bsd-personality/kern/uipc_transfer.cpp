// SPDX-License-Identifier: BSD-2-Clause
// Sending and receiving, as sosend and soreceive: when to wait, when to stop, what a caller hears.
#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/uipc_socket.hpp"

namespace bsd {

namespace {

// Holds one direction of a socket for a transfer.
class Turn {
public:
    Turn() = default;
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
        if (lock_)
            lock_->release();
    }
    SysResult<void> take(Lwp& lwp, TransferLock& lock, bool wait) {
        TRY(lock.acquire(lwp, wait));
        lock_ = &lock;
        return {};
    }

private:
    TransferLock* lock_ = nullptr;
};

} // namespace

// --- out -------------------------------------------------------------------------------------------------
inline SysResult<void> Socket::check_sendable(Lwp& lwp, const OutgoingMessage& message) const {
    if (is(socket_connected))
        return {};
    if (protocol.needs_connection)
        return Failure(Errno::enotconn);
    if (!message.name)
        return Failure(lwp.proc.abi->kind == AbiKind::dragonfly ? Errno::edestaddrreq : Errno::enotconn);
    return {};
}

SysResult<void> Socket::send(Lwp& lwp, OutgoingMessage& message) {
    if (message.flags & msg_oob)
        return Failure(Errno::eopnotsupp);
    if (protocol.type == SocketType::stream && (message.flags & msg_end_of_record))
        return Failure(Errno::einval);
    const bool may_wait = !nonblocking() && !(message.flags & msg_dont_wait);
    Turn turn;
    TRY(turn.take(lwp, sending_, may_wait));
    for (;;) {
        if (is(socket_cannot_send))
            return Failure(Errno::epipe);
        if (error != Errno{})
            return Failure(take_error());
        TRY(check_sendable(lwp, message));
        const std::uint64_t left = message.uio.residual();
        const std::uint32_t extra = message.controls.charge();
        if ((protocol.messages && left > send_limit) || extra > send_limit)
            return Failure(Errno::emsgsize);
        const std::uint32_t space = send_space();
        if (protocol.messages ? space < left + extra || space == 0
                              : space < left + extra && (space < send_low || space < extra)) {
            if (!may_wait)
                return Failure(Errno::eagain);
            auto enough =
                protocol.messages
                    ? static_cast<std::uint32_t>(left) + extra
                    : static_cast<std::uint32_t>(least<std::uint64_t>(left + extra, send_limit / 2));
            enough = most(enough, least(send_low, send_limit));
            wanted_ = wanted_ ? least(wanted_, enough) : enough;
            auto waited = wait(lwp, writers_asleep_, send_timeout, "sbwait");
            if (writers_asleep_ == 0)
                wanted_ = 0;
            TRY(waited);
            continue;
        }
        TRY(transmit(lwp, message,
                     protocol.messages
                         ? static_cast<std::uint32_t>(left)
                         : static_cast<std::uint32_t>(least<std::uint64_t>(left, space - extra))));
        if (protocol.messages || message.uio.residual() == 0)
            return {};
    }
}

// --- in --------------------------------------------------------------------------------------------------
// True: there is something to take. False: there is nothing, and the answer is 0 bytes.
inline SysResult<bool> Socket::wait_for_bytes(Lwp& lwp, const IncomingMessage& message, bool may_wait) {
    for (;;) {
        const std::uint64_t wanted = message.uio.residual();
        if (protocol.messages) {
            if (receive.first())
                return true;
        } else if (receive.used() != 0 && (receive.used() >= least<std::uint64_t>(receive_low, wanted) ||
                                           !may_wait || is(socket_cannot_receive) || error != Errno{})) {
            return true;
        }
        if (error != Errno{})
            return Failure((message.flags & msg_peek) ? error : take_error());
        if (is(socket_cannot_receive))
            return false;
        if (!is(socket_connected) && protocol.needs_connection)
            return Failure(Errno::enotconn);
        if (wanted == 0 && !protocol.messages)
            return false;
        if (!may_wait)
            return Failure(Errno::eagain);
        TRY(wait(lwp, readers_asleep_, receive_timeout, "sbwait"));
    }
}

inline SysResult<void> Socket::receive_stream(Lwp& lwp, IncomingMessage& message, bool may_wait) {
    if (message.flags & msg_peek) {
        if (TRY(wait_for_bytes(lwp, message, may_wait)))
            TRY(receive.peek(message.uio, static_cast<std::uint32_t>(
                                              least<std::uint64_t>(message.uio.residual(), receive.run()))));
        return {};
    }
    for (;;) {
        if (!TRY(wait_for_bytes(lwp, message, may_wait)))
            return {};
        Controls taken;
        receive.open_records(taken);
        if (message.controls) {
            if (!lwp.proc.files->has_room(taken.rights()))
                return Failure(Errno::emsgsize); // the rights are lost, the bytes are not
            message.controls->append(taken);
        }
        auto length =
            static_cast<std::uint32_t>(least<std::uint64_t>(message.uio.residual(), receive.lead()));
        if (receive.gives_plain(length)) {
            TRY(receive.get_plain(message.uio, length));
        } else {
            TRY(receive.peek(message.uio, length));
            receive.drop(length);
        }
        received();
        // Bytes of different control messages do not mix.
        if (!(message.flags & msg_wait_all) || message.uio.residual() == 0 || receive.first() ||
            error != Errno{})
            return {};
    }
}

inline SysResult<void> Socket::receive_record(Lwp& lwp, IncomingMessage& message) {
    Record& record = *receive.first();
    auto length = static_cast<std::uint32_t>(least<std::uint64_t>(message.uio.residual(), record.length));
    if (message.name)
        *message.name = record.name;
    if (record.ends_record && length == record.length)
        message.flags |= msg_end_of_record;
    if (length < record.length)
        message.flags |= msg_truncated;
    if (message.flags & msg_peek)
        return receive.peek(message.uio, length);
    Controls taken;
    receive.take_controls(taken);
    if (message.controls && !lwp.proc.files->has_room(taken.rights()))
        return Failure(Errno::emsgsize);
    auto copied = receive.peek(message.uio, length);
    receive.drop_record();
    received();
    if (message.controls && copied.ok())
        message.controls->append(taken);
    return copied;
}

SysResult<void> Socket::receive_message(Lwp& lwp, IncomingMessage& message) {
    if (message.flags & msg_oob)
        return Failure(Errno::eopnotsupp);
    if (is(socket_listening))
        return Failure(Errno::enotconn);
    message.flags &= ~std::uint32_t{msg_end_of_record | msg_truncated | msg_controls_truncated};
    const bool may_wait = !nonblocking() && !(message.flags & msg_dont_wait);
    Turn turn;
    TRY(turn.take(lwp, receiving_, may_wait));
    if (!protocol.messages)
        return receive_stream(lwp, message, may_wait);
    if (!TRY(wait_for_bytes(lwp, message, may_wait)))
        return {};
    return receive_record(lwp, message);
}

SysResult<void> Socket::read(Lwp& lwp, Uio& uio, const std::int64_t* position) {
    if (position)
        return Failure(Errno::espipe);
    IncomingMessage message{uio};
    return receive_message(lwp, message);
}

SysResult<void> Socket::write(Lwp& lwp, Uio& uio, const std::int64_t* position) {
    if (position)
        return Failure(Errno::espipe);
    OutgoingMessage message{uio, {}};
    return send(lwp, message);
}

} // namespace bsd
