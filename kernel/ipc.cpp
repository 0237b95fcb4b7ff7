// SPDX-License-Identifier: BSD-2-Clause
// IPC: synchronous rendezvous at an endpoint, whose threads are all on its home core; so queues need no lock
// and a message goes from the sender's registers to the receiver's. A call lends the caller's scheduling
// context to the receiver, and its priority if that is higher; the reply gives both back. So a server needs
// no context of its own. A fault is a call that the kernel makes for the faulting thread.
#include <cstring>
#include <initializer_list>

#include "kernel/flush.hpp"
#include "kernel/invocation.hpp"
#include "kernel/ipc.hpp"
#include "kernel/scheduler.hpp"

namespace kernel {

namespace {

// A page item: one page of a region that the sender has bound for the receiver's space.
Error map_item(Thread& sender, Thread& receiver, Word address) {
    abi::PageItem item = sender.buffer->item;
    Lookup<Binding> binding(sender, item.binding, abi::binding_right::map);
    if (!binding)
        return binding.error;
    if (binding->task != receiver.task)
        return Error::bad_argument;
    return map_page(*binding, address & ~(abi::page_size - 1), item.offset, item.flags);
}

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

void deliver(Core&, Thread& from, Thread& to) {
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
    copy_words(to, from.registers, tag, from);
    if (tag & abi::tag_page_item)
        if (Error error = map_item(from, to, from.buffer->item.address); error != Error::ok)
            r.rsi &= ~abi::tag_page_item; // the receiver sees that none came
}

// The caller waits for `endpoint`'s receiver, which runs at once if it may.
void send(Core& core, Thread& caller, Endpoint& endpoint) {
    Thread* server = endpoint.receivers.pop();
    if (!server) {
        endpoint.senders.push(caller);
        caller.state = ThreadState::sending;
        core.reschedule = true;
        return;
    }
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
    Registers& r = server.registers;
    Word tag = r.rsi;
    if (caller->fault_pending) {
        caller->fault_pending = false;
        if (tag & abi::tag_page_item && caller->fault_label == abi::label_page_fault) {
            if (map_item(server, *caller, caller->fault_message[0]) == Error::ok)
                return caller;
        } else if (abi::tag_label(tag) == 0) {
            return caller; // resume
        }
        caller->state = ThreadState::faulted; // the handler refuses: stopped until started anew
        return nullptr;
    }
    caller->registers.rax = static_cast<Word>(Error::ok);
    caller->registers.rdi = 0;
    copy_words(*caller, r, tag, server);
    if (tag & abi::tag_page_item)
        if (map_item(server, *caller, server.buffer->item.address) != Error::ok)
            caller->registers.rsi &= ~abi::tag_page_item;
    return caller;
}

// Makes the thread wait at the endpoint, or takes what waits there for it. True if it can go on at once.
bool start_receive(Core& core, Thread& thread, Endpoint& endpoint) {
    core.switched = true; // the words are in its stored registers
    if (deliver_bound(core, thread))
        return true;
    if (Thread* caller = endpoint.senders.pop()) {
        account(core, arch::read_tsc()); // another context pays from here on
        deliver(core, *caller, thread);
        lend(*caller, thread, ThreadState::waiting_reply);
        return true;
    }
    endpoint.receivers.push(thread);
    thread.state = ThreadState::receiving;
    return false;
}

} // namespace

void invoke_call(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Endpoint> endpoint(thread, r.rdi, abi::endpoint_right::send);
    if (!endpoint) [[unlikely]]
        return reply(r, endpoint.error);
    if (endpoint->core != core.index) [[unlikely]]
        return reply(r, Error::wrong_core);
    thread.badge = endpoint.badge;
    send(core, thread, *endpoint);
}

void invoke_receive(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Endpoint> endpoint(thread, r.rdi, abi::endpoint_right::receive);
    if (!endpoint)
        return reply(r, endpoint.error);
    if (endpoint->core != core.index)
        return reply(r, Error::wrong_core);
    if (thread.caller)
        return reply(r, Error::wrong_state); // owes a reply: reply_wait
    if (!start_receive(core, thread, *endpoint))
        core.reschedule = true;
}

void invoke_reply_wait(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Endpoint> endpoint(thread, r.rdi, abi::endpoint_right::receive);
    if (!endpoint) [[unlikely]]
        return reply(r, endpoint.error);
    if (endpoint->core != core.index) [[unlikely]]
        return reply(r, Error::wrong_core);
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
    send(core, thread, *thread.fault_endpoint);
}

// A thread that goes away: who waits for its reply, or owes it one, is set free.
void abort_partners(Core& core, Thread& thread) {
    if (core.current)
        account(core, arch::read_tsc()); // whoever runs may have another context from here on
    if (Thread* server = thread.callee) {
        // A chain of calls has one context, at its end: it comes back here, and the server's own goes there.
        server->caller = nullptr;
        thread.callee = nullptr;
        server->priority = server->base_priority;
        Thread* last = server;
        for (Thread* next; (next = last->callee); last = next)
            next->priority = last->priority > next->base_priority ? last->priority : next->base_priority;
        thread.context = last->context;
        last->context = server->own_context;
        if (core.current == last) {
            core.reschedule = true;
        } else if (last->state == ThreadState::ready) {
            dequeue(core, *last);
            make_ready(core, *last); // if it has a context; else it is passive and without its client
        }
    }
    if (Thread* caller = thread.caller) {
        give_back(thread);
        if (caller->fault_pending) {
            caller->fault_pending = false;
            caller->state = ThreadState::faulted;
        } else {
            caller->registers.rax = static_cast<Word>(Error::aborted);
            make_ready(core, *caller);
        }
    }
}

bool kill_endpoint(Core& core, Endpoint& endpoint, unsigned limit) {
    for (ThreadQueue* queue : {&endpoint.senders, &endpoint.receivers})
        while (Thread* thread = queue->first) {
            if (limit-- == 0)
                return false;
            if (thread->fault_pending) {
                dequeue(core, *thread);
                thread->fault_pending = false;
                thread->state = ThreadState::faulted;
            } else {
                finish(core, *thread, Error::aborted);
            }
        }
    return true;
}

} // namespace kernel
