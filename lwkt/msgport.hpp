// SPDX-License-Identifier: BSD-2-Clause
// Message ports. A message is sent to a port, may complete at once or later, and is replied to its reply
// port. Ports of this kind belong to a thread: only it receives from the port, and the queue is touched on
// its core only; messages from other cores travel through the core's inbox (linked through the message, so
// sending never fails).
#pragma once

#include "lwkt/thread.hpp"

namespace lwkt {

class Port;

struct Message {
    enum Flags : std::uint32_t {
        flag_done = 1,   // has been replied, or completed at once
        flag_queued = 2, // is on a port's queue
        flag_sync = 4,   // the sender waits for exactly this one: the reply is not queued
        flag_reply = 8,  // on its way back
        flag_abort = 16, // the sender asked to give it up
    };
    Message* next = nullptr;     // owned by the queue it is on
    Port* target_port = nullptr; // where it was sent
    Port* travels_to = nullptr;  // internal: whose queue it is put on
    Port* reply_port = nullptr;  // where it returns to; set by the sender
    std::uint32_t flags = 0;     // atomic: read by the sender while the other side works
    std::int32_t command = 0;    // meaning is the receiver's
    std::int32_t error = 0;      // result, set by the reply
    std::uint64_t argument[4] = {};
    std::uint64_t result[2] = {};

    bool done() const { return (__atomic_load_n(&flags, __ATOMIC_ACQUIRE) & flag_done) != 0; }
};

inline constexpr std::int32_t message_asynchronous = 99; // from a begin function: the reply comes later

class Port {
public:
    // Called in the sender's context by send/domsg. Completes the message at once (its result is the
    // message's error), or takes it over (usually port.put(message)) and returns message_asynchronous.
    using BeginFunction = std::int32_t (*)(Port& port, Message& message);

    // A port whose messages `owner` will receive.
    explicit Port(Thread* owner, BeginFunction begin = nullptr) : owner_(owner), begin_(begin) {}
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;
    ~Port() { verify(head_ == nullptr); }

    // Sends and returns. The reply arrives at message.reply_port, also if the message completed at once.
    void send(Message& message);
    // Sends and waits for the reply. Returns message.error. Blocks: tokens are lost meanwhile (not when it
    // completes at once). message.reply_port need not be set.
    std::int32_t domsg(Message& message);
    // Puts a message on the queue, by whom it may concern. Any core, any context.
    void put(Message& message);

    // The owner only: takes the oldest message or reply; poll() returns nullptr when there is none, wait()
    // blocks until there is one or the deadline passes (nullptr).
    Message* poll();
    Message* wait(Nanoseconds deadline = Nanoseconds{~std::uint64_t{0}});
    // The owner of the reply port only: waits until this message has been replied and takes it off the queue.
    std::int32_t wait_message(Message& message);

    Thread* owner() const { return owner_; }

private:
    friend void reply(Message& message, std::int32_t error);
    friend struct PortDelivery; // lwkt/msgport.cpp
    void enqueue(Message& message);
    void deliver(Message& message);
    void take(Message& message);
    Thread* owner_; // immutable
    BeginFunction begin_;
    Message* head_ = nullptr; // owned by the owner's core
    Message* tail_ = nullptr;
    bool waiting_ = false; // the owner sleeps for a message
};

// Replies a message. Any core, any context; the message belongs to its sender again.
void reply(Message& message, std::int32_t error);

} // namespace lwkt
