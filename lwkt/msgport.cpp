// SPDX-License-Identifier: BSD-2-Clause
// Message ports. deliver() runs on the owner's core, in a critical section: at once when the sender is there,
// else out of the core's message inbox.
#include "lwkt/globaldata.hpp"

namespace lwkt {

namespace {
void set_flags(Message& message, std::uint32_t bits) {
    __atomic_fetch_or(&message.flags, bits, __ATOMIC_RELEASE);
}
std::uint32_t flags_of(const Message& message) {
    return __atomic_load_n(&message.flags, __ATOMIC_ACQUIRE);
}
} // namespace

struct PortDelivery {
    static void deliver(Port& port, Message& message) { port.deliver(message); }
};

void Port::deliver(Message& message) {
    std::uint32_t flags = flags_of(message);
    if ((flags & (Message::flag_reply | Message::flag_sync)) == (Message::flag_reply | Message::flag_sync)) {
        bool wake = waiting_;
        Thread* owner = owner_; // the port may be on the sender's stack: it may be gone after flag_done
        set_flags(message, Message::flag_done);
        if (wake && owner->state == ThreadState::blocked)
            make_ready(here(), owner);
        return;
    }
    enqueue(message);
    set_flags(message, (flags & Message::flag_reply) ? Message::flag_queued | Message::flag_done
                                                     : Message::flag_queued);
    if (waiting_ && owner_->state == ThreadState::blocked)
        make_ready(here(), owner_);
}

void Port::enqueue(Message& message) {
    message.next = nullptr;
    (tail_ ? tail_->next : head_) = &message;
    tail_ = &message;
}

void Port::put(Message& message) {
    CriticalSection critical;
    GlobalData& gd = here();
    if (owner_->cpu == gd.cpu)
        return deliver(message);
    message.travels_to = this;
    GlobalData& target = *globaldata_of[owner_->cpu];
    Message* head = __atomic_load_n(&target.message_inbox, __ATOMIC_RELAXED);
    do
        message.next = head;
    while (!__atomic_compare_exchange_n(&target.message_inbox, &head, &message, true, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED));
    notify(target);
}

void drain_messages(GlobalData& gd) {
    if (__atomic_load_n(&gd.message_inbox, __ATOMIC_RELAXED) == nullptr)
        return;
    Message* newest = __atomic_exchange_n(&gd.message_inbox, nullptr, __ATOMIC_SEQ_CST);
    Message* oldest = nullptr;
    while (newest) { // in the order of arrival
        Message* next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        Message* message = oldest;
        oldest = message->next;
        PortDelivery::deliver(*message->travels_to, *message);
    }
}

void Port::send(Message& message) {
    message.target_port = this;
    __atomic_store_n(&message.flags, 0, __ATOMIC_RELAXED);
    std::int32_t error = begin_ ? begin_(*this, message) : (put(message), message_asynchronous);
    if (error != message_asynchronous)
        reply(message, error);
}

std::int32_t Port::domsg(Message& message) {
    Port sync(current());
    message.target_port = this;
    message.reply_port = &sync;
    __atomic_store_n(&message.flags, Message::flag_sync, __ATOMIC_RELAXED);
    std::int32_t error = begin_ ? begin_(*this, message) : (put(message), message_asynchronous);
    if (error != message_asynchronous) {
        message.error = error;
        set_flags(message, Message::flag_reply | Message::flag_done);
        message.reply_port = nullptr;
        return error;
    }
    {
        CriticalSection critical;
        while (!message.done()) {
            sync.waiting_ = true;
            lwkt_switch_blocked();
        }
    }
    message.reply_port = nullptr;
    return message.error;
}

Message* Port::poll() {
    verify(current() == owner_);
    CriticalSection critical;
    Message* message = head_;
    if (message) {
        head_ = message->next;
        if (head_ == nullptr)
            tail_ = nullptr;
        message->next = nullptr;
        __atomic_fetch_and(&message->flags, ~std::uint32_t{Message::flag_queued}, __ATOMIC_RELAXED);
    }
    return message;
}

Message* Port::wait(Nanoseconds deadline) {
    CriticalSection critical;
    bool in_time = true;
    for (;;) {
        Message* message = poll();
        if (message || !in_time)
            return message;
        waiting_ = true;
        in_time = block_until(here(), deadline);
        waiting_ = false;
    }
}

void Port::take(Message& message) {
    Message** link = &head_;
    Message* before = nullptr;
    while (*link != &message) {
        before = *link;
        verify(before != nullptr);
        link = &before->next;
    }
    *link = message.next;
    if (tail_ == &message)
        tail_ = before;
    message.next = nullptr;
    __atomic_fetch_and(&message.flags, ~std::uint32_t{Message::flag_queued}, __ATOMIC_RELAXED);
}

std::int32_t Port::wait_message(Message& message) {
    verify(current() == owner_ && message.reply_port == this);
    CriticalSection critical;
    while (!message.done()) {
        waiting_ = true;
        lwkt_switch_blocked();
        waiting_ = false;
    }
    if (flags_of(message) & Message::flag_queued)
        take(message);
    return message.error;
}

void reply(Message& message, std::int32_t error) {
    message.error = error;
    set_flags(message, Message::flag_reply);
    if (message.reply_port)
        message.reply_port->put(message);
    else
        set_flags(message, Message::flag_done);
}

} // namespace lwkt
