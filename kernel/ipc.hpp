// SPDX-License-Identifier: BSD-2-Clause
// How time and priority travel with a call, and back with the reply. Shared by the fast and the general path.
#pragma once

#include "kernel/thread.hpp"

namespace kernel {

// The caller waits; the server runs on its context, and at its priority if that is higher.
[[gnu::always_inline]] inline void lend(Thread& caller, Thread& server, ThreadState state) {
    server.caller = &caller;
    caller.callee = &server;
    caller.state = state;
    server.context = caller.context;
    caller.context = nullptr;
    if (caller.priority > server.priority)
        server.priority = caller.priority;
}

[[gnu::always_inline]] inline void give_back(Thread& server) {
    Thread& caller = *server.caller;
    caller.context = server.context;
    server.context = server.own_context;
    server.priority = server.base_priority;
    server.caller = nullptr;
    caller.callee = nullptr;
}

} // namespace kernel
