// SPDX-License-Identifier: BSD-2-Clause
// Message ports. A thread port's queue is changed on its owner's core in critical sections only: at once when
// the sender is there, else by deliver() out of the core's message inbox.
//
// Which side writes `flags` is a question of whom the message belongs to; each hand-over between cores
// (inbox, spin lock) orders it. `flag_done` is set last, on the sender's core or under the spin port's lock:
// after it the message, and a port on the sender's stack, may be gone.
#include "lwkt/msgport_queue.hpp"
#include "lwkt/switch.hpp"

namespace lwkt {

namespace {
// Puts a message on its way to another core. A nullptr for `port` means the sender that waits in domsg().
[[gnu::noinline]] void travel(GlobalData& target, Message& message, Port* port) {
    message.travels_to = port;
    ++here().port_counters.travelled;
    ktr(KtrEvent::message_travels, &message, target.cpu);
    Message* head = __atomic_load_n(&target.message_inbox, __ATOMIC_RELAXED);
    do
        message.next = head;
    while (!__atomic_compare_exchange_n(&target.message_inbox, &head, &message, true, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED));
    notify(target);
}

// On the sender's core, in a critical section. It may sleep for something else, if a begin function does:
// then that sleep ends for no reason, as sleeps may.
[[gnu::always_inline]] inline void complete(GlobalData& gd, Message& message) {
    Thread* sender = message.sender;
    set_flags(message, Message::flag_sync | Message::flag_reply | Message::flag_done);
    if (sender->state == ThreadState::blocked) [[likely]]
        wake_local(gd, sender);
}
} // namespace

// --- putting
struct PortDelivery {
    static void deliver(Port& port, Message& message) { port.deliver(message); }
};

[[gnu::always_inline]] inline void Port::deliver(Message& message) {
    if (message.aborted() && !(message.flags & Message::flag_reply)) [[unlikely]]
        return reply(message, message_aborted);
    enqueue(message);
    if (waiting_ == Waiting::asleep)
        wakeup(this);
    else if (waiting_ != Waiting::no && owner_->state == ThreadState::blocked)
        wake_local(here(), owner_);
}

void Port::put(Message& message) {
    if (kind_ != Kind::thread) [[unlikely]]
        return put_spin(message);
    CriticalSection critical;
    GlobalData& gd = here();
    if (owner_->cpu == gd.cpu)
        deliver(message);
    else
        travel(*globaldata_of[owner_->cpu], message, this);
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
        if (message->travels_to)
            PortDelivery::deliver(*message->travels_to, *message);
        else
            complete(gd, *message);
    }
}

// --- sending
std::int32_t Port::begin_with_put(Port& port, Message& message) {
    port.put(message);
    return message_asynchronous;
}

void Port::send(Message& message) {
    ++here().port_counters.sent;
    __atomic_store_n(&message.target_port, this, __ATOMIC_RELAXED);
    message.abort_function = nullptr;
    message.abort_wish = 0;
    set_flags(message, 0);
    std::int32_t error = begin(message);
    if (error != message_asynchronous) {
        ++here().port_counters.at_once;
        reply(message, error);
    }
}

// The way without detours: the receiver sleeps at its port on this core, and nobody else is to run before it.
// It gets the message and the core.
std::int32_t Port::domsg(Message& message) {
    GlobalData& gd = here();
    Thread* self = current();
    Thread* receiver = owner_;
    __atomic_store_n(&message.target_port, this, __ATOMIC_RELAXED);
    message.abort_function = nullptr;
    message.abort_wish = 0;
    message.sender = self;
    ++gd.port_counters.sent;
    set_flags(message, Message::flag_sync);
    if (begin_ || receiver->cpu != self->cpu) [[unlikely]]
        return domsg_begin(message);
    verify(gd.gate == gate_quiet); // it is going to block
    critical_enter();
    if (waiting_ != Waiting::handed || receiver->state != ThreadState::blocked ||
        !can_hand_over(gd, self, receiver)) [[unlikely]]
        return domsg_queue(message);
    waiting_ = Waiting::no;
    handed_ = &message;
    hand_over(gd, self, receiver);
    if (!message.done()) [[unlikely]]
        return domsg_wait(message);
    critical_exit();
    return message.error;
}

// In a critical section, on the receiver's core.
std::int32_t Port::domsg_queue(Message& message) {
    deliver(message);
    return domsg_wait(message);
}

// In a critical section.
std::int32_t Port::domsg_wait(Message& message) {
    while (!message.done())
        lwkt_switch_blocked();
    critical_exit();
    return message.error;
}

std::int32_t Port::domsg_begin(Message& message) {
    std::int32_t error = begin(message);
    if (error != message_asynchronous) {
        ++here().port_counters.at_once;
        message.error = error;
        set_flags(message, Message::flag_sync | Message::flag_reply | Message::flag_done);
        return error;
    }
    verify(here().gate == gate_quiet);
    critical_enter();
    return domsg_wait(message);
}

std::int32_t Port::domsg(Message& message, SleepFlags flags) {
    if (!(flags & sleep_interruptible))
        return domsg(message);
    Port replies(current());
    message.reply_port = &replies;
    send(message);
    return replies.wait_message(message, flags);
}

// By a queue or a function; or to a sender on another core that waits in domsg(). In a critical section, so
// that an abort() on this core sees it replied or not.
[[gnu::noinline]] static void reply_slowly(Message& message) {
    if (message.flags & Message::flag_sync) {
        set_flags(message, Message::flag_sync | Message::flag_reply);
        travel(*globaldata_of[message.sender->cpu], message, nullptr);
    } else {
        set_flags(message, message.flags | Message::flag_reply);
        if (message.reply_port)
            message.reply_port->put(message);
        else
            set_flags(message, message.flags | Message::flag_done);
    }
    critical_exit();
}

void reply(Message& message, std::int32_t error) {
    message.error = error;
    critical_enter();
    GlobalData& gd = here();
    ++gd.port_counters.replied;
    if (!(message.flags & Message::flag_sync) || message.sender->cpu != gd.cpu) [[unlikely]]
        return reply_slowly(message);
    complete(gd, message);
    critical_exit();
}

void forward(Message& message, Port& to) {
    ++here().port_counters.forwarded;
    message.abort_function = nullptr;
    __atomic_store_n(&message.target_port, &to, __ATOMIC_SEQ_CST);
    std::int32_t error = message.aborted() ? message_aborted : to.begin(message);
    if (error != message_asynchronous)
        reply(message, error);
}

// --- receiving
Message* Port::poll() {
    if (kind_ == Kind::spin) {
        SpinGuard guard(lock_);
        return dequeue();
    }
    verify(current() == owner_);
    CriticalSection critical;
    return dequeue();
}

Message* Port::wait() {
    GlobalData& gd = here();
    Thread* self = current();
    if (self != owner_) [[unlikely]]
        return wait(no_timeout);
    verify(gd.gate == gate_quiet);
    critical_enter();
    if (head_ != nullptr)
        return wait_slowly();
    waiting_ = Waiting::handed;
    block_self(gd, self);
    Message* message = handed_;
    if (message == nullptr) [[unlikely]]
        return wait_slowly();
    handed_ = nullptr;
    critical_exit();
    return message;
}

// In a critical section.
Message* Port::wait_slowly() {
    waiting_ = Waiting::queued;
    while (head_ == nullptr)
        lwkt_switch_blocked();
    waiting_ = Waiting::no;
    Message* message = dequeue();
    critical_exit();
    return message;
}

Message* Port::wait(Nanoseconds deadline) {
    if (kind_ == Kind::spin)
        return wait_spin(deadline);
    verify(current() == owner_);
    CriticalSection critical;
    bool in_time = true;
    for (;;) {
        Message* message = dequeue();
        if (message || !in_time)
            return message;
        waiting_ = Waiting::queued;
        in_time = block_until(here(), deadline);
        waiting_ = Waiting::no;
    }
}

std::int32_t Port::wait_message(Message& message, SleepFlags flags) {
    verify(message.reply_port == this);
    if (kind_ == Kind::spin || (flags & sleep_interruptible))
        return wait_message_asleep(message, flags);
    verify(current() == owner_);
    CriticalSection critical;
    while (!done_and_taken(message)) {
        waiting_ = Waiting::queued;
        lwkt_switch_blocked();
        waiting_ = Waiting::no;
    }
    return message.error;
}

PortStatistics port_statistics(CpuId cpu) {
    return globaldata_of[cpu.value]->port_counters;
}

} // namespace lwkt
