// SPDX-License-Identifier: BSD-2-Clause
// What becomes of the partners when a thread leaves IPC without an end: it is stopped, destroyed or
// cancelled, or its deadline passes. A chain of calls has one context, at its end; it always goes back to
// whose it is. A server that loses its client's time in the middle of a request, and has none of its own, is
// an orphan of the endpoint it serves, and so is every server that works for it at the end of a chain: the
// next call to one of these endpoints lends the chain time until that server comes back to receive. So nobody
// can hold up a server that others use by letting a client vanish behind one of his own.
#include <initializer_list>

#include "kernel/invocation.hpp"
#include "kernel/ipc.hpp"
#include "kernel/scheduler.hpp"

namespace kernel {

namespace {

// The first orphan that serves the endpoint, unless it waits for `helper` itself; only so many are looked at.
Thread* find_orphan(const Thread& helper, const Endpoint& endpoint) {
    unsigned steps = 64;
    Thread* server = endpoint.servers;
    while (server && !server->orphan && steps-- > 0)
        server = server->service_next;
    if (!server || !server->orphan)
        return nullptr;
    for (const Thread* at = server; at; at = at->callee)
        if (at == &helper)
            return nullptr;
    return server;
}

// Who runs at the end of the chain of calls that `server` is in; priorities are inherited on the way.
Thread& inherit(Thread& server) {
    Thread* last = &server;
    for (Thread* next; (next = last->callee); last = next) {
        next->priority = last->priority > next->base_priority ? last->priority : next->base_priority;
        next->depth = last->depth + 1;
    }
    return *last;
}

// The context or priority of the last of a chain has changed.
void reconsider(Core& core, Thread& last) {
    if (core.current == &last) {
        core.reschedule = true;
    } else if (last.state == ThreadState::ready) {
        dequeue(core, last);
        make_ready(core, last); // if it has a context
    }
}

// Where the chain has lost its time, or has some again, all of its servers are orphans, or none.
void mark_orphans(Thread& first, bool orphan) {
    for (Thread* at = &first; at; at = at->callee)
        at->orphan = orphan && at->service;
}

// The caller of `server` takes its time back from the end of the chain, where then the first that has time of
// its own lends that. If one of them does so already, the caller's own callers took theirs back before.
void take_back(Core& core, Thread& caller, Thread& server) {
    server.caller = nullptr;
    caller.callee = nullptr;
    server.depth = 0;
    server.priority = server.base_priority;
    Thread& last = inherit(server);
    SchedulingContext* first = nullptr;
    bool theirs = false;
    for (const Thread* at = &server; at; at = at->callee) {
        first = first ? first : at->own_context;
        theirs |= at->own_context && at->own_context == last.context;
    }
    if (!theirs) {
        caller.context = last.context;
        last.context = first;
    }
    reconsider(core, last);
    mark_orphans(server, !last.context);
    server.orphan = !server.own_context && server.service;
    for (Thread* at = &server; at && !server.caller; at = at->callee) {
        if (!at->orphan)
            continue;
        Thread* next = at->service->senders.first; // who waits for it already
        if (next == &caller)
            next = caller.queue_next;
        if (next && !next->callee && !at->service->dying)
            help_orphan(core, *next, *at->service);
    }
}

} // namespace

void help_orphan(Core& core, Thread& helper, Endpoint& endpoint) {
    Thread* server = find_orphan(helper, endpoint);
    if (!server)
        return;
    account(core, arch::read_tsc());
    while (server->caller) // the whole chain is without time, and its first thread without a caller
        server = server->caller;
    mark_orphans(*server, false);
    server->caller = &helper;
    server->depth = helper.depth + 1;
    helper.callee = server;
    if (helper.priority > server->priority)
        server->priority = helper.priority;
    Thread& last = inherit(*server);
    last.context = helper.context;
    helper.context = nullptr;
    reconsider(core, last);
}

void leave_service(Thread& server) {
    server.orphan = false;
    if (!server.service)
        return;
    *server.service_link = server.service_next;
    if (server.service_next)
        server.service_next->service_link = server.service_link;
    server.service = nullptr;
}

void enter_service(Thread& server, Endpoint& endpoint) {
    leave_service(server);
    server.service = &endpoint;
    server.service_next = endpoint.servers;
    server.service_link = &endpoint.servers;
    if (server.service_next)
        server.service_next->service_link = &server.service_next;
    endpoint.servers = &server;
}

void withdraw_help(Core& core, Thread& helper) {
    take_back(core, helper, *helper.callee);
}

// A thread that goes away: who waits for its reply, or owes it one, is set free.
void abort_partners(Core& core, Thread& thread) {
    if (core.current)
        account(core, arch::read_tsc()); // whoever runs may have another context from here on
    if (Thread* server = thread.callee)
        take_back(core, thread, *server);
    leave_service(thread);
    if (Thread* caller = thread.caller) {
        give_back(thread);
        if (caller->state == ThreadState::sending) {
            reconsider(core, *caller); // it only helped, and goes on waiting
        } else if (caller->fault_pending) {
            caller->fault_pending = false;
            caller->state = ThreadState::faulted;
        } else {
            caller->registers.rax = static_cast<Word>(Error::aborted);
            make_ready(core, *caller);
        }
    }
}

bool kill_endpoint(Core& core, Endpoint& endpoint, unsigned limit) {
    for (ThreadQueue* queue : {&endpoint.senders, &endpoint.posts, &endpoint.receivers})
        while (Thread* thread = queue->first) {
            if (limit == 0)
                return false;
            --limit;
            if (thread->callee) {
                withdraw_help(core, *thread); // walks chains of calls: enough for a step
                limit = 0;
            }
            if (thread->fault_pending) {
                dequeue(core, *thread);
                thread->fault_pending = false;
                thread->state = ThreadState::faulted;
            } else {
                finish(core, *thread, Error::aborted);
            }
        }
    while (endpoint.servers) {
        if (limit-- == 0)
            return false;
        leave_service(*endpoint.servers);
    }
    return true;
}

// Ends what a blocked thread waits for: a call, send, receive, wait or vcpu_wait.
void cancel(Core& core, Thread& thread, Error error) {
    if (thread.state == ThreadState::ready || thread.state == ThreadState::inactive ||
        thread.state == ThreadState::faulted || thread.state == ThreadState::dead || thread.fault_pending)
        return;
    if (Thread* server = thread.callee)
        take_back(core, thread, *server);
    finish(core, thread, error);
}

// thread_cancel()
void invoke_thread_cancel(Core& core, Thread& thread) {
    Registers& r = thread.registers;
    Lookup<Thread> target(thread, r.rdi, abi::thread_right::control);
    if (!target)
        return reply(r, target.error);
    reply(r, Error::ok);
    if (target->core != core.index)
        return send_request(*target, request_cancel);
    account(core, arch::read_tsc());
    cancel(core, *target, Error::aborted);
}

} // namespace kernel
