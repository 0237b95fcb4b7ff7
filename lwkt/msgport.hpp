// SPDX-License-Identifier: BSD-2-Clause
// Message ports. A message is sent to a port, completes at once or later, and is replied to its reply port.
// Between send and reply it belongs to the receiver, else to its sender.
//
// Kinds of ports:
//  - thread: belongs to a thread; only it receives. The queue is touched on the owner's core only, so it
//  needs
//    no lock; messages from other cores travel through the core's inbox, linked through the message, so
//    sending never fails.
//  - spin: a spin lock guards the queue; any thread of any core may receive.
//  - put-only, reply-only: a function is called with each message (each reply), in the context of whoever
//  sends
//    (replies), which may be hard; nothing is queued and nobody waits.
//  - null: as a reply port, forgets: the message is done and nobody is told.
#pragma once

#include "lwkt/sleepqueue.hpp"
#include "lwkt/spinlock.hpp"

namespace lwkt {

class Port;

inline constexpr std::int32_t message_asynchronous = 99; // from a begin function: the reply comes later
inline constexpr std::int32_t message_aborted = -1;      // the error of a message that was given up unserved

struct Message {
    enum Flags : std::uint32_t {
        flag_done = 1,   // has been replied, or completed at once
        flag_queued = 2, // is on a port's queue
        flag_sync = 4,   // its sender waits in domsg() for exactly this one: the reply is not queued
        flag_reply = 8,  // on its way back
    };
    Message* next = nullptr;     // owned by the queue it is on
    Port* target_port = nullptr; // where it was sent; atomic: written by forward(), read by abort()
    Port* travels_to = nullptr;  // internal: whose queue it is put on when it arrives at the core
    Port* reply_port = nullptr;  // where it returns to; set by the sender before send()
    Thread* sender = nullptr;    // internal: who waits in domsg()
    // Called by abort() while the receiver has the message, in hard context on the core of the port it was
    // sent to. The receiver sets it in a critical section there, and takes it away before it replies.
    void (*abort_function)(Message& message) = nullptr;
    std::uint32_t flags = 0;      // atomic: written by whom the message belongs to, read by the sender
    std::uint32_t abort_wish = 0; // atomic: set by the sender while the other side works
    std::int32_t command = 0;     // meaning is the receiver's
    std::int32_t error = 0;       // result, set by the reply
    std::uint64_t argument[4] = {};
    std::uint64_t result[2] = {};

    bool done() const { return (__atomic_load_n(&flags, __ATOMIC_ACQUIRE) & flag_done) != 0; }
    // For the receiver: the sender does not want it any more. It still wants the reply, soon.
    bool aborted() const { return __atomic_load_n(&abort_wish, __ATOMIC_RELAXED) != 0; }
};

class Port {
public:
    // Called in the sender's context by send, domsg and forward. Completes the message at once (its result is
    // the message's error), or takes it over (usually port.put(message)) and returns message_asynchronous.
    using BeginFunction = std::int32_t (*)(Port& port, Message& message);
    // Takes over a message (a reply) of a port without a queue. Any context.
    using PutFunction = void (*)(Port& port, Message& message);

    // A thread port, whose messages `owner` will receive.
    explicit Port(Thread* owner, BeginFunction begin = nullptr)
        : owner_(owner), begin_(begin), kind_(Kind::thread) {}
    static Port spin(BeginFunction begin = nullptr) { return Port(Kind::spin, begin, nullptr, nullptr); }
    static Port put_only(PutFunction function, void* argument) {
        return Port(Kind::put_only, nullptr, function, argument);
    }
    static Port reply_only(PutFunction function, void* argument) {
        return Port(Kind::reply_only, nullptr, function, argument);
    }
    static Port null() { return Port(Kind::null, nullptr, nullptr, nullptr); }
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;
    ~Port() { verify(head_ == nullptr); }

    // Sends and returns. The reply arrives at message.reply_port, also if the message completed at once.
    void send(Message& message);
    // Sends and waits for the reply. Returns message.error. Blocks: tokens are lost meanwhile (not when it
    // completes at once). message.reply_port need not be set. With sleep_interruptible, interrupt() aborts
    // the message; its reply is waited for nevertheless, since only then the message is the caller's again.
    std::int32_t domsg(Message& message) LWKT_BLOCKS;
    std::int32_t domsg(Message& message, SleepFlags flags) LWKT_BLOCKS;
    // Puts a message on the queue, by whom it may concern. Any core, any context (hard ones: not spin ports
    // of which the interrupted code may hold the lock; it never does, since that is a critical section).
    void put(Message& message);

    // Thread ports: their owner only; spin ports: anybody. poll() takes the oldest message or reply, nullptr
    // when there is none; wait() blocks until there is one, or the deadline passes (nullptr).
    Message* poll();
    Message* wait() LWKT_BLOCKS;
    Message* wait(Nanoseconds deadline) LWKT_BLOCKS;
    // By who sent the message with this port as its reply port: waits until it has been replied and takes it
    // off the queue. Returns its error. With sleep_interruptible, interrupt() aborts it.
    std::int32_t wait_message(Message& message, SleepFlags flags = sleep_plain) LWKT_BLOCKS;
    // Takes a queued message off out of turn. False when it is not on the queue.
    bool drop(Message& message);

    Thread* owner() const { return owner_; }
    void* argument() const { return argument_; }

private:
    friend void reply(Message& message, std::int32_t error);
    friend void forward(Message& message, Port& to);
    friend void abort(Message& message);
    friend struct PortDelivery; // lwkt/msgport.cpp

    enum class Kind : std::uint8_t { thread, spin, put_only, reply_only, null };
    Port(Kind kind, BeginFunction begin, PutFunction put, void* argument)
        : begin_(begin ? begin : begin_with_put), put_(put), argument_(argument), kind_(kind) {}
    std::int32_t begin(Message& message) { return (begin_ ? begin_ : begin_with_put)(*this, message); }
    static std::int32_t begin_with_put(Port& port, Message& message);
    std::int32_t domsg_begin(Message& message);
    std::int32_t domsg_queue(Message& message);
    [[gnu::noinline]] static std::int32_t domsg_wait(Message& message);
    Message* wait_slowly();
    Message* wait_spin(Nanoseconds deadline);
    std::int32_t wait_message_asleep(Message& message, SleepFlags flags);
    void enqueue(Message& message);
    void unlink(Message& message);
    bool unlink_if_queued(Message& message);
    Message* dequeue();
    void deliver(Message& message);
    void put_spin(Message& message);
    bool abort_queued(Message& message);
    bool done_and_taken(Message& message);

    Thread* owner_ = nullptr;       // immutable; of thread ports
    BeginFunction begin_ = nullptr; // immutable; nullptr in thread ports only
    // The queue: touched on the owner's core in critical sections, or under the spin lock.
    Message* head_ = nullptr;
    Message** tail_ = &head_;
    Message* handed_ = nullptr;
    PutFunction put_ = nullptr; // immutable
    void* argument_ = nullptr;  // immutable
    SpinLock lock_;             // of spin ports
    const Kind kind_;
    // What the owner sleeps for; guarded like the queue. A message that is handed over never sees the queue.
    enum class Waiting : std::uint8_t { no, queued, handed, asleep } waiting_ = Waiting::no;
    unsigned sleepers_ = 0; // threads that wait at a spin port; under the lock
};

// Replies a message. Any core, any context; the message belongs to its sender again.
void reply(Message& message, std::int32_t error);
// By the receiver: sends the message on to another port, whose receiver replies it in our stead. Context as
// that port's begin function wants it; any without one.
void forward(Message& message, Port& to);
// By the sender: asks for a message back. It is replied in any case: with message_aborted at once while
// nobody has received it, else when the receiver gives it up (Message::aborted, abort_function) or has done
// it. Until this returns nobody may use the message for something else. Blocks. Thread context.
void abort(Message& message) LWKT_BLOCKS;

struct PortStatistics {
    std::uint64_t sent;    // send() and domsg() on this core
    std::uint64_t at_once; // completed by a begin function
    std::uint64_t replied;
    std::uint64_t forwarded;
    std::uint64_t aborted;   // abort() on this core
    std::uint64_t travelled; // messages and replies that went to another core
};
PortStatistics port_statistics(CpuId cpu);

} // namespace lwkt
