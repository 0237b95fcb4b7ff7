// SPDX-License-Identifier: BSD-2-Clause
// Message ports off the common way: kinds without an owner, messages taken out of turn, aborts.
#include "lwkt/msgport_queue.hpp"
#include "lwkt/switch.hpp"

namespace lwkt {

void Port::unlink(Message& message) {
    Message** link = &head_;
    while (*link != &message) {
        verify(*link != nullptr); // it is on another port's queue
        link = &(*link)->next;
    }
    *link = message.next;
    if (message.next == nullptr)
        tail_ = link;
    set_flags(message, message.flags & ~std::uint32_t{Message::flag_queued});
}

bool Port::unlink_if_queued(Message& message) {
    bool queued = (flags_of(message) & Message::flag_queued) != 0;
    if (queued)
        unlink(message);
    return queued;
}

// With the queue held still: the message has come back, and is off the queue.
bool Port::done_and_taken(Message& message) {
    if (!message.done())
        return false;
    (void)unlink_if_queued(message);
    return true;
}

// All kinds but thread ports. Wakes after unlocking, by address only: a reply port may be gone by then.
void Port::put_spin(Message& message) {
    bool is_reply = (flags_of(message) & Message::flag_reply) != 0;
    switch (kind_) {
    case Kind::put_only:
        verify(!is_reply);
        return put_(*this, message);
    case Kind::reply_only:
        verify(is_reply);
        return put_(*this, message);
    case Kind::null:
        verify(is_reply);
        return set_flags(message, message.flags | Message::flag_done);
    default:
        break;
    }
    bool wake = false, unwanted;
    {
        SpinGuard guard(lock_);
        unwanted = message.aborted() && !is_reply;
        if (!unwanted) {
            enqueue(message);
            wake = sleepers_ != 0;
        }
    }
    if (unwanted)
        reply(message, message_aborted);
    else if (wake)
        wakeup(this);
}

// At a spin port, with a deadline.
Message* Port::wait_spin(Nanoseconds deadline) {
    for (bool in_time = true;;) {
        tsleep_interlock(this, sleep_plain);
        Message* message;
        {
            SpinGuard guard(lock_);
            message = dequeue();
            sleepers_ += message == nullptr && in_time;
        }
        if (message || !in_time) {
            tsleep_remove();
            return message;
        }
        in_time = tsleep(this, sleep_interlocked, "port", deadline) != Wake::timed_out;
        SpinGuard guard(lock_);
        --sleepers_;
    }
}

// Sleeps where interrupt(), or a reply from another thread of any core, finds us.
std::int32_t Port::wait_message_asleep(Message& message, SleepFlags flags) {
    bool interruptible = (flags & sleep_interruptible) != 0;
    for (;;) {
        tsleep_interlock(this, interruptible ? sleep_interruptible : sleep_plain);
        bool done;
        if (kind_ == Kind::spin) {
            SpinGuard guard(lock_);
            done = done_and_taken(message);
            sleepers_ += !done;
        } else {
            CriticalSection critical;
            verify(current() == owner_);
            done = done_and_taken(message);
            waiting_ = done ? Waiting::no : Waiting::asleep;
        }
        if (done) {
            tsleep_remove();
            return message.error;
        }
        Wake why = tsleep(this, sleep_interlocked, "msg");
        if (kind_ == Kind::spin) {
            SpinGuard guard(lock_);
            --sleepers_;
        } else {
            waiting_ = Waiting::no;
        }
        if (why == Wake::interrupted && interruptible) {
            interruptible = false; // the reply is waited for in any case
            abort(message);
        }
    }
}

bool Port::drop(Message& message) {
    if (kind_ == Kind::spin) {
        SpinGuard guard(lock_);
        return unlink_if_queued(message);
    }
    verify(current() == owner_);
    CriticalSection critical;
    return unlink_if_queued(message);
}

// --- aborting
// With the queue held still, and the message sent to this port. True when it was queued: the caller replies
// it. Else it is under way to this port (its arrival looks at the wish), or somebody has it, or it is on its
// way back and may be queued there: a forward() that sees the wish replies what it has just sent on to us.
bool Port::abort_queued(Message& message) {
    __atomic_store_n(&message.abort_wish, 1, __ATOMIC_SEQ_CST);
    std::uint32_t flags = flags_of(message);
    if ((flags & (Message::flag_queued | Message::flag_reply)) != Message::flag_queued)
        return false;
    unlink(message);
    return true;
}

void abort(Message& message) {
    ++here().port_counters.aborted;
    struct Call {
        Message& message;
        Port& port;
        bool moved;
    };
    for (;;) {
        if (flags_of(message) & (Message::flag_reply | Message::flag_done))
            return;
        Port& port = *__atomic_load_n(&message.target_port, __ATOMIC_SEQ_CST);
        Call call{message, port, false};
        auto here_it_is = [](const Call& c) {
            return __atomic_load_n(&c.message.target_port, __ATOMIC_SEQ_CST) == &c.port;
        };
        if (port.kind_ == Port::Kind::spin) {
            bool unserved = false;
            {
                SpinGuard guard(port.lock_);
                if (!here_it_is(call))
                    continue;
                unserved = port.abort_queued(message);
            }
            if (unserved)
                reply(message, message_aborted);
            return;
        }
        if (port.kind_ != Port::Kind::thread) {
            __atomic_store_n(&message.abort_wish, 1, __ATOMIC_SEQ_CST);
            return;
        }
        call_ipiq(
            CpuId{port.owner_->cpu},
            [](void* argument, std::uintptr_t) {
                auto& c = *static_cast<Call*>(argument);
                if (flags_of(c.message) & Message::flag_reply)
                    return;
                c.moved = __atomic_load_n(&c.message.target_port, __ATOMIC_SEQ_CST) != &c.port;
                if (c.moved)
                    return;
                if (c.port.abort_queued(c.message))
                    reply(c.message, message_aborted);
                else if (c.message.abort_function && !(flags_of(c.message) & Message::flag_reply))
                    c.message.abort_function(c.message);
            },
            &call);
        if (!call.moved)
            return;
    }
}

} // namespace lwkt
