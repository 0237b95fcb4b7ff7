// SPDX-License-Identifier: BSD-2-Clause
// Sockets from socket(2) to close, without their transfers and options.
#include "bsd-personality/kern/uipc_socket.hpp"

#include "bsd-personality/abi/abi.hpp"
#include "bsd-personality/kern/ioctl.hpp"
#include "bsd-personality/kern/sleep.hpp"
#include "bsd-personality/kern/time.hpp"

namespace bsd {

namespace {
constexpr std::int32_t most_backlog = 128; // kern.ipc.somaxconn
std::uint64_t next_inode = 1;              // guarded by giant
} // namespace

// --- one transfer at a time ------------------------------------------------------------------------------
SysResult<void> TransferLock::acquire_slow(Lwp& lwp, bool wait) {
    if (!wait)
        return Failure(Errno::eagain);
    Waiter self;
    waiters_.push_back(&self);
    while (!self.granted) {
        auto woken = interruptible_sleep(lwp, &self, "sblock");
        if (!woken.ok() && !self.granted) {
            waiters_.remove(&self);
            return Failure(woken.error());
        }
    }
    return {};
}

void TransferLock::pass_on() {
    Waiter* next = waiters_.pop_front();
    taken_ = true;
    next->granted = true;
    lwkt::wakeup(next);
}

// --- made ------------------------------------------------------------------------------------------------
Socket::Socket(const ProtocolSwitch& kind, UcredRef creator, std::uint32_t send_bytes,
               std::uint32_t receive_bytes)
    : File(FileType::socket, open_read_write), protocol(kind), receive_limit(receive_bytes),
      send_limit(send_bytes), owner(static_cast<UcredRef&&>(creator)), inode_(next_inode++),
      birth_(wall_clock()) {}

SysResult<SocketRef> Socket::create(Lwp& lwp, std::uint32_t family, std::uint32_t type,
                                    std::uint32_t number) {
    const bool dragonfly = lwp.proc.abi->kind == AbiKind::dragonfly;
    bool known_family = false;
    for (unsigned i = 0; i < protocols().count; i++) {
        const ProtocolSwitch& row = protocols().first[i];
        if (row.family != family)
            continue;
        known_family = true;
        if (static_cast<std::uint32_t>(row.type) != type)
            continue;
        // FreeBSD's programs name the local domain's family as its protocol, too.
        if (number == 0 || number == row.number || (!dragonfly && number == af_local && family == af_local))
            return row.create(row, lwp);
    }
    if (dragonfly)
        return Failure(Errno::eprotonosupport);
    if (!known_family)
        return Failure(Errno::eafnosupport);
    return Failure(number == 0 && type != 0 ? Errno::eprototype : Errno::eprotonosupport);
}

// --- changes of state ------------------------------------------------------------------------------------
void Socket::wake_readers() {
    if (readers_asleep_ != 0)
        lwkt::wakeup(&readers_asleep_);
    readers_.notify();
}

// Writers of much wait until much fits: fewer switches, and each moves a good piece.
void Socket::wake_writers() {
    if (writers_asleep_ != 0 && (send_space() >= wanted_ || !is(socket_connected)))
        lwkt::wakeup(&writers_asleep_);
    writers_.notify();
}

void Socket::stop_receiving() {
    state |= socket_cannot_receive;
    wake_readers();
}

void Socket::stop_sending() {
    state |= socket_cannot_send;
    if (writers_asleep_ != 0)
        lwkt::wakeup(&writers_asleep_);
    writers_.notify();
}

void Socket::set_disconnected() {
    state &= static_cast<std::uint16_t>(~(socket_connected | socket_connecting));
    stop_sending();
    stop_receiving();
}

void Socket::set_connected() {
    state = static_cast<std::uint16_t>((state & ~socket_connecting) | socket_connected);
    wake_writers();
    wake_readers();
}

SysResult<void> Socket::wait(Lwp& lwp, std::uint32_t& sleepers, std::uint64_t timeout, const char* why) {
    lwkt::Nanoseconds deadline = lwkt::no_timeout;
    if (timeout != 0)
        deadline = lwkt::Nanoseconds{glue::Clock::now().value + timeout};
    sleepers++;
    auto woken = interruptible_sleep(lwp, &sleepers, why, deadline);
    sleepers--;
    if (!woken.ok())
        return Failure(woken.error());
    if (!woken.take())
        return Failure(Errno::eagain);
    return {};
}

// --- connections -----------------------------------------------------------------------------------------
SysResult<void> Socket::listen(Lwp& lwp, std::int32_t wanted) {
    if (is(socket_connected) || is(socket_connecting))
        return Failure(Errno::einval);
    TRY(prepare_listen(lwp));
    state |= socket_listening;
    backlog = static_cast<std::uint32_t>(wanted < 0 ? most_backlog : least(wanted, most_backlog));
    return {};
}

bool Socket::may_queue() const {
    return queue_length <= 3 * backlog / 2;
}

void Socket::enqueue(SocketRef connection) {
    connection->listener = this;
    queue.push_back(connection.release());
    queue_length++;
    wake_readers();
}

SysResult<SocketRef> Socket::accept(Lwp& lwp, bool wait_for_one) {
    if (!is(socket_listening))
        return Failure(Errno::einval);
    while (queue.empty()) {
        if (error != Errno{})
            return Failure(take_error());
        if (is(socket_cannot_receive))
            return Failure(Errno::econnaborted);
        if (!wait_for_one)
            return Failure(Errno::eagain);
        TRY(wait(lwp, readers_asleep_, 0, "accept"));
    }
    SocketRef connection = SocketRef::adopt(queue.pop_front());
    connection->listener = nullptr;
    queue_length--;
    return connection;
}

void Socket::accept_later(SocketRef connection) {
    connection->listener = this;
    queue.push_front(connection.release());
    queue_length++;
    wake_readers();
}

SysResult<void> Socket::connect(Lwp& lwp, int directory, const SocketName& name, bool wait_for_it) {
    if (is(socket_listening))
        return Failure(Errno::eopnotsupp);
    if (is(socket_connecting))
        return Failure(Errno::ealready);
    if (is(socket_connected)) {
        if (protocol.needs_connection)
            return Failure(Errno::eisconn);
        disconnect();
    }
    error = Errno{};
    TRY(start_connect(lwp, directory, name));
    if (is(socket_connecting) && !wait_for_it)
        return Failure(Errno::einprogress);
    while (is(socket_connecting) && error == Errno{}) {
        auto waited = wait(lwp, writers_asleep_, 0, "connec");
        if (!waited.ok()) // it goes on without this thread
            return Failure(never_restart(waited.error()));
    }
    if (error != Errno{}) {
        state &= static_cast<std::uint16_t>(~socket_connecting);
        return Failure(take_error());
    }
    return {};
}

SysResult<void> Socket::shutdown(int how) {
    if (how < 0 || how > 2)
        return Failure(Errno::einval);
    if (is(socket_listening)) { // ends waiting for connections, as the real systems do besides the error
        if (how != 1) {
            error = Errno::econnaborted;
            wake_readers();
        }
        return Failure(Errno::enotconn);
    }
    const bool connected = is(socket_connected) || is(socket_connecting);
    if (!connected && protocol.needs_connection)
        return Failure(Errno::enotconn);
    if (how != 1) {
        receive.clear();
        stop_receiving();
        received();
    }
    if (how != 0) {
        stop_sending();
        send_closed();
    }
    if (!connected)
        return Failure(Errno::enotconn);
    return {};
}

// --- as a file -------------------------------------------------------------------------------------------
SysResult<int> Socket::ioctl(Lwp&, std::uint64_t command, void* argument) {
    auto& value = *static_cast<std::int32_t*>(argument);
    switch (command) {
    case fionread:
        value = static_cast<std::int32_t>(receive.used());
        return 0;
    case fionwrite: // what is sent is with the receiver at once
        value = 0;
        return 0;
    case fionspace:
        value = static_cast<std::int32_t>(send_space());
        return 0;
    case siocatmark:
        value = 0;
        return 0;
    case fiogetown:
    case siocgpgrp:
        value = static_cast<std::int32_t>(owner_pgrp);
        return 0;
    case siocspgrp:
        owner_pgrp = static_cast<std::uint32_t>(value);
        return 0;
    default:
        return Failure(Errno::eopnotsupp);
    }
}

SysResult<void> Socket::attributes(Lwp&, Attributes& out) {
    out = {};
    out.type = VnodeType::socket;
    out.mode = static_cast<std::uint16_t>((!is(socket_cannot_receive) || receive.used() != 0 ? 0444 : 0) |
                                          (!is(socket_cannot_send) ? 0222 : 0));
    out.inode = inode_;
    out.links = 0;
    out.uid = owner->uid;
    out.gid = owner->gid;
    out.size = receive.used();
    out.block_size = static_cast<std::int32_t>(send_limit);
    TimeSpec birth = to_timespec(birth_);
    out.access = out.modify = out.change = out.birth = {birth.seconds, birth.nanoseconds};
    return {};
}

Readiness Socket::readiness(Direction direction) {
    const bool hangup = is(socket_cannot_receive) && is(socket_cannot_send);
    const auto problem = static_cast<std::uint32_t>(error);
    if (is(socket_listening)) {
        if (direction == Direction::write)
            return {.ready = false};
        return {!queue.empty() || error != Errno{}, false, queue_length, problem};
    }
    if (direction == Direction::read) {
        const bool eof = is(socket_cannot_receive);
        const bool some = protocol.messages ? receive.first() != nullptr : receive.used() >= receive_low;
        return {some || eof || error != Errno{}, eof, receive.used(), problem, hangup};
    }
    const bool eof = is(socket_cannot_send);
    const std::uint32_t space = send_space();
    const bool able = is(socket_connected) || !protocol.needs_connection;
    return {(able && space >= send_low) || eof || error != Errno{}, eof, space, problem, hangup};
}

} // namespace bsd
