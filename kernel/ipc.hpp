// SPDX-License-Identifier: BSD-2-Clause
// How time and priority travel with a call, and back with the reply. Shared by the fast and the general path.
#pragma once

#include "kernel/thread.hpp"

namespace kernel {

// How long a chain of calls may be: breaking it in the middle walks it.
inline constexpr unsigned max_call_depth = 32;

// The caller waits; the server runs on its context, and at its priority if that is higher.
[[gnu::always_inline]] inline void lend(Thread& caller, Thread& server, ThreadState state) {
    server.caller = &caller;
    server.depth = caller.depth + 1;
    caller.callee = &server;
    caller.state = state;
    server.context = caller.context;
    caller.context = nullptr;
    if (caller.priority > server.priority)
        server.priority = caller.priority;
}

// A server that runs on its own context keeps it: its callers' was taken back before (ipc_abort.cpp).
[[gnu::always_inline]] inline void give_back(Thread& server) {
    Thread& caller = *server.caller;
    if (server.context != server.own_context) [[likely]] {
        caller.context = server.context;
        server.context = server.own_context;
    }
    server.priority = server.base_priority;
    server.caller = nullptr;
    server.depth = 0;
    caller.callee = nullptr;
}

// ipc_items.cpp: the items that a message with this tag carries go to the receiver; its tag tells which came.
// `rights` are those of the capability that the call goes through, there and back.
Word pass_items(const Thread& sender, const Thread& receiver, Word tag, std::uint32_t rights);
Error pass_page(const Thread& sender, const Thread& receiver, Word address);

struct Core;

// The server joins the endpoint's list; it leaves the one it served before.
void enter_service(Thread& server, Endpoint& endpoint);
void leave_service(Thread& server);
// ipc_abort.cpp: a call that waits at an endpoint lends its time to an orphaned server of it, and takes it
// back.
void help_orphan(Core& core, Thread& helper, Endpoint& endpoint);
void withdraw_help(Core& core, Thread& helper);

} // namespace kernel
