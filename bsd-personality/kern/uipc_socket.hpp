// SPDX-License-Identifier: BSD-2-Clause
// Sockets. What all protocols share is here: states, waiting, accept queues, options, the order of transfers.
// A protocol is a class that derives from Socket and does the rest, and a row of protocols() (BSD's protosw).
// A socket is the open file itself; one that waits to be accepted is a file without a descriptor, held by the
// queue of the listening one.
//
// Under the giant token. In shared mode (giant.hpp) only plain bytes of a stream move, under a Claim of the
// buffer that they lie in; everything else that may be looked at there changes exclusively.
#pragma once

#include "bsd-personality/kern/proc.hpp"
#include "bsd-personality/kern/uipc_sockbuf.hpp"

namespace bsd {

enum class SocketType : std::uint8_t { stream = 1, datagram = 2, raw = 3, sequenced = 5 };

enum SocketState : std::uint16_t {
    socket_connected = 1,
    socket_connecting = 2,
    socket_cannot_send = 4,    // nothing more goes out: EPIPE
    socket_cannot_receive = 8, // nothing more comes in: end of file
    socket_listening = 16,
};

/// Flags of the send and receive calls with FreeBSD's numbers; DragonFly's are translated where calls enter.
enum MessageFlag : std::uint32_t {
    msg_oob = 1,
    msg_peek = 2,
    msg_end_of_record = 8,
    msg_truncated = 0x10,
    msg_controls_truncated = 0x20,
    msg_wait_all = 0x40,
    msg_dont_wait = 0x80,
    msg_no_signal = 0x2'0000,
    msg_close_on_exec = 0x4'0000, // of received descriptors
};

/// Bits of Socket::options; numbers of both systems.
enum SocketOption : std::uint32_t {
    so_accepting = 2,
    so_linger = 0x80,
    so_no_signal = 0x800,
    so_kept = 0x2f7d,           // bits that setsockopt just keeps: DEBUG, REUSEADDR, KEEPALIVE, ...
    so_kept_freebsd = 0x1'c000, // and more of them
};

struct OutgoingMessage {
    Uio& uio;
    Controls controls;
    const SocketName* name = nullptr; // null: to the peer
    std::uint32_t flags = 0;
};
struct IncomingMessage {
    Uio& uio;
    Controls* controls = nullptr; // null: they are discarded
    SocketName* name = nullptr;
    std::uint32_t flags = 0; // and what recvmsg adds to them
};

/// A value of getsockopt or setsockopt.
struct OptionValue {
    static constexpr std::uint32_t capacity = 128;
    alignas(8) std::byte bytes[capacity] = {};
    std::uint32_t length = 0;

    template <class T>
    void set(const T& value) {
        static_assert(sizeof(T) <= capacity);
        memcpy(bytes, &value, length = sizeof value);
    }
    /// EINVAL when it is too short.
    template <class T>
    SysResult<T> get() const {
        if (length < sizeof(T))
            return Failure(Errno::einval);
        T value;
        memcpy(&value, bytes, sizeof value);
        return value;
    }
};

/// Lets one transfer a direction at a time through, in the order in which they came.
class TransferLock {
public:
    bool taken() const { return taken_; }
    /// EAGAIN when it would have to wait and must not; ERESTART.
    SysResult<void> acquire(Lwp& lwp, bool wait) {
        if (taken_)
            return acquire_slow(lwp, wait);
        taken_ = true;
        return {};
    }
    void release() {
        taken_ = false;
        if (!waiters_.empty())
            pass_on();
    }

private:
    struct Waiter {
        Link<Waiter> in_line;
        bool granted = false;
    };
    SysResult<void> acquire_slow(Lwp& lwp, bool wait);
    void pass_on();
    List<Waiter, &Waiter::in_line> waiters_;
    bool taken_ = false;
};

class Socket;
/// A protocol that sockets can be made for.
struct ProtocolSwitch {
    std::uint8_t family;
    SocketType type;
    std::uint16_t number;
    bool messages;         // keeps their boundaries (PR_ATOMIC)
    bool needs_connection; // PR_CONNREQUIRED
    SysResult<Ref<Socket>> (*create)(const ProtocolSwitch& protocol, Lwp& lwp);
};

class Socket : public File {
public:
    /// What socket(2) makes. Errors: EAFNOSUPPORT, EPROTONOSUPPORT, EPROTOTYPE, ENOBUFS.
    static SysResult<Ref<Socket>> create(Lwp& lwp, std::uint32_t family, std::uint32_t type,
                                         std::uint32_t number);

    // --- what a protocol does -----------------------------------------------------------------------------
    virtual SysResult<void> bind(Lwp& lwp, int directory, const SocketName& name) = 0;
    /// May this socket listen? socket_listening is set afterwards.
    virtual SysResult<void> prepare_listen(Lwp& lwp) = 0;
    /// Begins to connect; done or failed at once unless socket_connecting is set afterwards.
    virtual SysResult<void> start_connect(Lwp& lwp, int directory, const SocketName& name) = 0;
    virtual SysResult<void> connect_pair(Lwp& lwp, Socket& other) = 0;
    virtual void disconnect() = 0;
    /// This socket leaves the accept queue for a descriptor.
    virtual void accepted() {}
    /// Checks what a sender gave as control messages (`raw`, as in user memory) and makes them Controls.
    virtual SysResult<void> internalize(Lwp& lwp, const std::byte* raw, std::uint32_t length,
                                        Controls& out) = 0;
    /// Bytes that may be sent at once.
    virtual std::uint32_t send_space() const = 0;
    /// Takes `length` bytes of the message on their way, and its controls.
    virtual SysResult<void> transmit(Lwp& lwp, OutgoingMessage& message, std::uint32_t length) = 0;
    /// Bytes have left `receive`.
    virtual void received() = 0;
    /// This side will send nothing any more.
    virtual void send_closed() = 0;
    virtual SocketName local_name() const = 0; // length 0: none
    virtual SocketName peer_name() const = 0;
    virtual SysResult<void> get_option(Lwp& lwp, std::int32_t level, std::int32_t name, OptionValue& out) = 0;
    virtual SysResult<void> set_option(Lwp& lwp, std::int32_t level, std::int32_t name,
                                       const OptionValue& value) = 0;

    // --- the calls (uipc_socket.cpp, uipc_transfer.cpp, uipc_sockopt.cpp)
    // -----------------------------------
    SysResult<void> listen(Lwp& lwp, std::int32_t backlog);
    SysResult<void> connect(Lwp& lwp, int directory, const SocketName& name, bool wait);
    /// The next connection; the caller gets the queue's reference. Errors: EINVAL, EAGAIN, ERESTART, ...
    SysResult<Ref<Socket>> accept(Lwp& lwp, bool wait);
    /// `connection` could not be given to anybody: it is the next one again.
    void accept_later(Ref<Socket> connection);
    SysResult<void> shutdown(int how);
    /// Errors: those of send(2). Bytes that left before an error are not in the Uio any more.
    SysResult<void> send(Lwp& lwp, OutgoingMessage& message);
    SysResult<void> receive_message(Lwp& lwp, IncomingMessage& message);
    SysResult<void> get(Lwp& lwp, std::int32_t level, std::int32_t name, OptionValue& out);
    SysResult<void> set(Lwp& lwp, std::int32_t level, std::int32_t name, const OptionValue& value);

    // --- as a file
    SysResult<void> read(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<void> write(Lwp& lwp, Uio& uio, const std::int64_t* position) override;
    SysResult<int> ioctl(Lwp& lwp, std::uint64_t command, void* argument) override;
    SysResult<void> attributes(Lwp& lwp, Attributes& out) override;
    Readiness readiness(Direction direction) override;
    EventSource* events(Direction direction) override {
        return direction == Direction::read ? &readers_ : &writers_;
    }
    Socket* socket() override { return this; }

    void wake_readers();
    void wake_writers();
    /// Nothing goes or comes any more.
    void set_disconnected();
    void stop_receiving();
    void stop_sending();
    void fail(Errno what) { error = what; }
    void set_connected();
    bool is(SocketState bit) const { return (state & bit) != 0; }
    /// A connection made for this listening socket enters its queue, or false: there are too many.
    bool may_queue() const;
    void enqueue(Ref<Socket> connection);

    const ProtocolSwitch& protocol;
    std::uint16_t state = 0;   // SocketState
    std::uint32_t options = 0; // SocketOption
    Errno error{};             // to be reported by the next call; Errno{} none
    SocketBuffer receive;
    Claimable contents; // `receive`, in shared mode
    std::uint32_t receive_limit, send_limit;
    std::uint32_t receive_low = 1, send_low = 2048;      // SO_RCVLOWAT, SO_SNDLOWAT
    std::uint64_t receive_timeout = 0, send_timeout = 0; // nanoseconds; 0: none
    std::int32_t linger = 0, timestamp_clock = 0;        // options without effect here
    UcredRef owner;                                      // of who made it
    Link<Socket> in_queue;                               // of a listening socket
    Socket* listener = nullptr;                          // whose queue this is in
    List<Socket, &Socket::in_queue> queue;               // listening: what waits to be accepted
    std::uint32_t queue_length = 0, backlog = 0;

protected:
    Socket(const ProtocolSwitch& kind, UcredRef creator, std::uint32_t send_bytes,
           std::uint32_t receive_bytes);
    ~Socket() = default;
    bool nobody_receives() const { return !receiving_.taken(); }
    bool nobody_sends() const { return !sending_.taken(); }
    bool readers_watched() const { return readers_.watched(); }
    bool writers_watched() const { return writers_.watched(); }

private:
    SysResult<void> check_sendable(Lwp& lwp, const OutgoingMessage& message) const;
    SysResult<bool> wait_for_bytes(Lwp& lwp, const IncomingMessage& message, bool wait);
    SysResult<void> receive_stream(Lwp& lwp, IncomingMessage& message, bool wait);
    SysResult<void> receive_record(Lwp& lwp, IncomingMessage& message);
    SysResult<void> wait(Lwp& lwp, std::uint32_t& sleepers, std::uint64_t timeout, const char* why);
    Errno take_error() { return std::exchange(error, Errno{}); }

    TransferLock receiving_, sending_;
    std::uint32_t readers_asleep_ = 0, writers_asleep_ = 0;
    std::uint32_t wanted_ = 0; // space that the sleeping writers wait for, at least
    EventSource readers_, writers_;
    std::uint64_t inode_, birth_;
};
using SocketRef = Ref<Socket>;

/// All protocols there are.
struct ProtocolTable {
    const ProtocolSwitch* first;
    unsigned count;
};
ProtocolTable protocols();

} // namespace bsd
