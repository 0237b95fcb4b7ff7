// SPDX-License-Identifier: BSD-2-Clause
// IPC: synchronous rendezvous at an endpoint, whose threads are all on its home core; so queues need no lock
// and a message goes from the sender's registers to the receiver's. A call lends the caller's scheduling
// context to the receiver, and its priority if that is higher; the reply gives both back. So a server needs
// no context of its own. A fault is a call that the kernel makes for the faulting thread.
#include <cstring>
#include <initializer_list>

#include "kernel/invocation.hpp"
#include "kernel/ipc.hpp"
#include "kernel/scheduler.hpp"
#include "kernel/trace.hpp"

namespace kernel {

namespace {

constexpr unsigned refused_at_once = 4;

// Copies tag and words; the register words first, the rest from buffer to buffer.
void copy_words(Thread& to, const Registers& from_registers, Word tag, const Thread& from) {
    Registers& r = to.registers;
    r.rsi = tag;
    r.r12 = from_registers.r12;
    r.r13 = from_registers.r13;
    r.r14 = from_registers.r14;
    r.r15 = from_registers.r15;
    unsigned words = tag & 0x7f;
    if (words > abi::register_words) {
        if (words > abi::message_words)
            words = abi::message_words;
        std::memcpy(to.buffer->words + abi::register_words, from.buffer->words + abi::register_words,
                    (words - abi::register_words) * sizeof(Word));
    }
}

void deliver(Core& core, Thread& from, Thread& to) {
    trace(core, abi::Event::message, &from, from.fault_pending ? 0 : from.registers.rsi, number_of(&to));
    Registers& r = to.registers;
    r.rax = static_cast<Word>(Error::ok);
    r.rdi = from.badge;
    if (from.fault_pending) {
        r.rsi = abi::make_tag(from.fault_label, 4);
        r.r12 = from.fault_message[0];
        r.r13 = from.fault_message[1];
        r.r14 = from.fault_message[2];
        r.r15 = from.fault_message[3];
        return;
    }
    Word tag = from.registers.rsi;
    if (tag & abi::tag_items)
        tag = pass_items(from, to, tag, from.sent_rights);
    copy_words(to, from.registers, tag, from);
}

// Waits in the queue of senders until the deadline; a call also lends its time to a server whose client went
// away in the middle of its request (helping), so that the endpoint is served again.
void queue_sender(Core& core, Thread& sender, Endpoint& endpoint, Word deadline) {
    (sender.one_way ? endpoint.posts : endpoint.senders).push(sender);
    sender.state = ThreadState::sending;
    core.reschedule = true;
    if (deadline)
        set_timeout(core, sender, deadline);
    if (endpoint.servers && !sender.one_way)
        help_orphan(core, sender, endpoint);
}

// The caller waits for `endpoint`'s receiver, which runs at once if it may.
void send_call(Core& core, Thread& caller, Endpoint& endpoint) {
    caller.one_way = false;
    Thread* server = endpoint.receivers.pop();
    if (!server)
        return queue_sender(core, caller, endpoint, 0);
    core.timers.remove(server->timer);
    deliver(core, caller, *server);
    lend(caller, *server, ThreadState::waiting_reply);
    if (core.current == &caller) [[likely]] {
        switch_to(core, *server); // same context: nothing to charge, nobody to look for
        return;
    }
    make_ready(core, *server);
    core.reschedule = true;
}

// The reply of `server` to its caller, who can run then and is in no queue; nullptr if nobody can.
Thread* answer(Thread& server) {
    Thread* caller = server.caller;
    if (!caller)
        return nullptr;
    give_back(server);
    if (caller->state == ThreadState::sending)
        return nullptr; // it only helped: its own message comes next
    Registers& r = server.registers;
    Word tag = r.rsi;
    trace(this_core(), abi::Event::reply, &server, tag, number_of(caller));
    if (caller->fault_pending) {
        caller->fault_pending = false;
        if (tag & abi::tag_page_item && caller->fault_label == abi::label_page_fault) {
            if (pass_page(server, *caller, caller->fault_message[0]) == Error::ok)
                return caller;
        } else if (abi::tag_label(tag) == 0) {
            return caller; // resume
        }
        caller->state = ThreadState::faulted; // the handler refuses: stopped until started anew
        return nullptr;
    }
    caller->registers.rax = static_cast<Word>(Error::ok);
    caller->registers.rdi = 0;
    if (tag & abi::tag_items)
        tag = pass_items(server, *caller, tag, caller->sent_rights);
    copy_words(*caller, r, tag, server);
    return caller;
}

// Whose message `receiver` takes next, out of its queue; nullptr if there is none for it. Without time of its
// own it can only serve calls: one-way senders are refused, a few at a time.
Thread* pop_sender(Core& core, const Thread& receiver, Endpoint& endpoint) {
    if (!receiver.own_context) {
        for (unsigned i = 0; i < refused_at_once && endpoint.posts.first; ++i)
            finish(core, *endpoint.posts.first, Error::wrong_state);
        return endpoint.senders.pop();
    }
    bool post = endpoint.posts.first && (endpoint.post_is_next || !endpoint.senders.first);
    if (post || endpoint.senders.first) // whether somebody looked in vain is nobody's business
        endpoint.post_is_next = !post;
    return post ? endpoint.posts.pop() : endpoint.senders.pop();
}

// Takes the message of the next sender; true if there was one.
bool take_message(Core& core, Thread& thread, Endpoint& endpoint) {
    Thread* sender = pop_sender(core, thread, endpoint);
    if (!sender)
        return false;
    core.timers.remove(sender->timer);
    if (sender->one_way) {
        deliver(core, *sender, thread);
        finish(core, *sender, Error::ok);
        return true;
    }
    account(core, arch::read_tsc()); // another context pays from here on
    if (sender->callee)              // it helped a server that has finished
        withdraw_help(core, *sender);
    deliver(core, *sender, thread);
    lend(*sender, thread, ThreadState::waiting_reply);
    if (!thread.context) [[unlikely]] { // the sender's own clients took theirs back: whose time is next?
        thread.context = thread.own_context;
        thread.orphan = !thread.context && thread.service;
    }
    if (thread.priority >= abi::realtime_priority)
        core.reschedule = true; // it holds interrupts back from here on
    return true;
}

// Makes the thread wait at the endpoint, or takes what waits there for it. True if it can go on at once.
bool start_receive(Core& core, Thread& thread, Endpoint& endpoint) {
    thread.orphan = false;
    if (thread.service != &endpoint)
        enter_service(thread, endpoint);
    core.switched = true; // the words are in its stored registers
    if (deliver_bound(core, thread) || take_message(core, thread, endpoint))
        return true;
    endpoint.receivers.push(thread);
    thread.state = ThreadState::receiving;
    return false;
}

bool is_valid(Word tag) {
    return (tag & 0x7f) <= abi::message_words && !(tag & 0xffff'ffff & ~Word{0x7f | abi::tag_items});
}

// Where the thread receives: an endpoint of this core, or nullptr after an error reply.
Endpoint* find_source(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Endpoint> endpoint(thread, r.rdi, abi::endpoint_right::receive);
    if (endpoint && endpoint->core == core.index)
        return endpoint.object;
    reply(r, endpoint ? Error::wrong_core : endpoint.error);
    return nullptr;
}

// Where the thread sends the message in its registers, which is checked; nullptr after an error reply. What
// it sends with is remembered in the thread.
Endpoint* find_destination(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Endpoint> endpoint(thread, r.rdi, abi::endpoint_right::send);
    Error error = !endpoint                      ? endpoint.error
                  : endpoint->core != core.index ? Error::wrong_core
                  : !is_valid(r.rsi)             ? Error::bad_argument
                  : r.rsi & abi::tag_capability_item && !(endpoint.rights & abi::endpoint_right::grant)
                      ? Error::no_right
                      : Error::ok;
    if (error != Error::ok) {
        reply(r, error);
        return nullptr;
    }
    thread.badge = endpoint.badge;
    thread.sent_rights = endpoint.rights;
    return endpoint.object;
}

} // namespace

void invoke_call(Core& core, Thread& thread) {
    Endpoint* endpoint = find_destination(core, thread);
    if (!endpoint)
        return;
    if (thread.depth >= max_call_depth)
        return reply(thread.registers, Error::limit);
    send_call(core, thread, *endpoint);
}

// send(message, deadline): the receiver owes no reply, and needs time of its own.
void invoke_send(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Endpoint* endpoint = find_destination(core, thread);
    if (!endpoint)
        return;
    thread.one_way = true;
    if (Thread* receiver = endpoint->receivers.first) {
        if (!receiver->own_context)
            return reply(r, Error::wrong_state);
        dequeue(core, *receiver);
        deliver(core, thread, *receiver);
        make_ready(core, *receiver);
        return reply(r, Error::ok);
    }
    if (has_passed(r.rdx))
        return reply(r, Error::would_block);
    queue_sender(core, thread, *endpoint, r.rdx);
}

// receive(deadline)
void invoke_receive(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Endpoint* endpoint = find_source(core, thread);
    if (!endpoint)
        return;
    if (thread.caller)
        return reply(r, Error::wrong_state); // owes a reply: reply_wait
    Word deadline = r.rdx;
    if (start_receive(core, thread, *endpoint))
        return;
    if (has_passed(deadline)) {
        dequeue(core, thread);
        thread.state = ThreadState::ready;
        return reply(r, Error::would_block);
    }
    if (deadline)
        set_timeout(core, thread, deadline);
    core.reschedule = true;
}

// reply(message): without waiting for the next; on its own time from here on
void invoke_reply(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    if (!thread.caller || !thread.own_context)
        return reply(r, Error::wrong_state);
    if (!is_valid(r.rsi))
        return reply(r, Error::bad_argument);
    account(core, arch::read_tsc());
    if (Thread* caller = answer(thread))
        make_ready(core, *caller);
    reply(r, Error::ok);
    core.reschedule = true; // with another budget, perhaps another priority
}

void invoke_reply_wait(Core& core, Thread& thread) {
    Endpoint* endpoint = find_source(core, thread);
    if (!endpoint)
        return;
    if (thread.caller && !is_valid(thread.registers.rsi))
        return reply(thread.registers, Error::bad_argument);
    account(core, arch::read_tsc());
    Thread* caller = answer(thread);
    if (!start_receive(core, thread, *endpoint)) {
        if (caller && caller->context && caller->priority >= core.ready.highest()) [[likely]] {
            caller->state = ThreadState::ready;
            return switch_to(core, *caller); // its own context comes back with it
        }
        core.reschedule = true;
    }
    if (caller)
        make_ready(core, *caller);
    if (!thread.context)
        core.reschedule = true;
}

void send_fault(Core& core, Thread& thread, std::uint32_t label, Word address, Word error, Word vector) {
    thread.fault_label = label;
    thread.fault_message[0] = address;
    thread.fault_message[1] = thread.registers.rip;
    thread.fault_message[2] = error;
    thread.fault_message[3] = vector;
    if (!thread.fault_endpoint || thread.fault_endpoint->dying || thread.fault_endpoint->core != core.index) {
        block_current(core, ThreadState::faulted);
        return;
    }
    thread.fault_pending = true;
    thread.badge = thread.fault_badge;
    send_call(core, thread, *thread.fault_endpoint);
}

} // namespace kernel
