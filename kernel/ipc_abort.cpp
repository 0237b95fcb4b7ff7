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
    unsigned depth = 0;
    for (const Thread* at = server; at; at = at->callee) {
        if (at == &helper)
            return nullptr;
        depth = at->depth;
    }
    return helper.depth + 1u + depth <= max_call_depth ? server : nullptr; // chains stay short enough to walk
}

// Who runs at the end of the chain of calls that `server` is in, and the first context that is one of its
// threads' own; priorities are inherited on the way, and nobody is an orphan for now.
struct Chain {
    Thread* last;
    SchedulingContext* own;
};
Chain inherit(Thread& server) {
    Chain chain{&server, server.own_context};
    server.orphan = false;
    for (Thread* next; (next = chain.last->callee); chain.last = next) {
        const Thread& last = *chain.last;
        next->priority = last.priority > next->base_priority ? last.priority : next->base_priority;
        next->depth = last.depth + 1;
        next->orphan = false;
        if (!chain.own)
            chain.own = next->own_context;
    }
    return chain;
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

// The first who waits for a server of the chain, and can lend it time: not who is just leaving, nor the last
// of the chain itself.
Thread* find_helper(const Thread& server, const Thread& leaving, const Thread& last) {
    Thread* next = server.service->senders.first;
    if (next == &leaving)
        next = leaving.queue_next;
    bool can = next && next != &last && !next->callee && next->depth + 1u + last.depth <= max_call_depth;
    return can && !server.service->dying ? next : nullptr;
}

// Where the chain has lost its time all of its servers are orphans, and where it has some again, none.
// Whoever walks a chain does so for as many ends as possible: it is long, and walked with interrupts off.
void help(Core& core, Thread& helper, Thread& first) {
    account(core, arch::read_tsc());
    first.caller = &helper;
    first.depth = helper.depth + 1;
    helper.callee = &first;
    if (helper.priority > first.priority)
        first.priority = helper.priority;
    Thread& last = *inherit(first).last;
    last.context = helper.context;
    helper.context = nullptr;
    reconsider(core, last);
}

// The caller of `server` takes its time back from the end of the chain, where then the first that has time of
// its own lends that. If one of them does so already, the caller's own callers took theirs back before.
void take_back(Core& core, Thread& caller, Thread& server) {
    server.caller = nullptr;
    caller.callee = nullptr;
    server.depth = 0;
    server.priority = server.base_priority;
    auto [last, own] = inherit(server);
    const Thread *payer = own && last->context ? last->context->owner : nullptr, *found = nullptr;
    for (const Thread* at = &server; payer && at && !found; at = at->callee)
        found = at == payer ? at : nullptr;
    if (!found) { // nobody of the chain
        caller.context = last->context;
        last->context = own;
    }
    reconsider(core, *last);
    Thread* helper = nullptr;
    bool orphans = !last->context;
    for (Thread* at = &server; at; at = at->callee) {
        at->orphan = at->service && (orphans || (at == &server && !at->own_context));
        if (at->orphan && !helper)
            helper = find_helper(*at, caller, *last);
    }
    if (helper)
        help(core, *helper, server);
}

} // namespace

void help_orphan(Core& core, Thread& helper, Endpoint& endpoint) {
    Thread* server = find_orphan(helper, endpoint);
    if (!server)
        return;
    while (server->caller) // the whole chain is without time, and its first thread without a caller
        server = server->caller;
    help(core, helper, *server);
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
