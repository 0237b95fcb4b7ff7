// SPDX-License-Identifier: BSD-2-Clause
// Internal: the queue of a port, inline for the two files of message ports. Callers are on the owner's core
// in a critical section, or hold the spin lock.
#pragma once

#include "lwkt/msgport.hpp"

namespace lwkt {

inline void set_flags(Message& message, std::uint32_t value) {
    __atomic_store_n(&message.flags, value, __ATOMIC_RELEASE);
}
inline std::uint32_t flags_of(const Message& message) {
    return __atomic_load_n(&message.flags, __ATOMIC_ACQUIRE);
}

[[gnu::always_inline]] inline void Port::enqueue(Message& message) {
    message.next = nullptr;
    *tail_ = &message;
    tail_ = &message.next;
    std::uint32_t flags = message.flags | Message::flag_queued;
    if (flags & Message::flag_reply)
        flags |= Message::flag_done;
    set_flags(message, flags);
}

[[gnu::always_inline]] inline Message* Port::dequeue() {
    Message* message = head_;
    if (message) {
        head_ = message->next;
        if (head_ == nullptr)
            tail_ = &head_;
        set_flags(*message, message->flags & ~std::uint32_t{Message::flag_queued});
    }
    return message;
}

} // namespace lwkt
