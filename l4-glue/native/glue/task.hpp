// SPDX-License-Identifier: BSD-2-Clause
// A jail's task and its box: the memory that they share and their doorbells.
#pragma once

#include "glue/invoke.hpp"
#include "l4-glue/start.hpp"

namespace glue {

// What the box shares with this task (proto/jail.hpp).
inline void* shared_memory() {
    return reinterpret_cast<void*>(shared_window);
}
inline void ring_box() {
    (void)native::invoke(abi::Operation::signal, start_doorbell);
}
// Nothing is left to run; the box has been told why.
[[noreturn]] inline void wait_for_ever() {
    for (;;)
        (void)native::invoke(abi::Operation::wait, start_event);
}

} // namespace glue
