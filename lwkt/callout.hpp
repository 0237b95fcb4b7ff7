// SPDX-License-Identifier: BSD-2-Clause
// System timers. A callout calls a function once at an absolute monotonic time, on the core that set it, in
// that core's callout thread: the function may take tokens and sleep shortly. There is no periodic tick: the
// earliest callout of a core is programmed as its vCPU's deadline. Callouts are embedded in their users;
// nothing is allocated.
//
// Calls on one callout must be serialized by the caller (a token, or being its only user). Since the function
// runs without that token, it takes it first and then checks that the timer is still wanted.
#pragma once

#include "lwkt/thread.hpp"

namespace lwkt {

class Callout {
public:
    using Function = void (*)(void* argument);

    constexpr Callout() = default;
    Callout(const Callout&) = delete;
    Callout& operator=(const Callout&) = delete;
    ~Callout() { verify(state_ == idle); }

    // Arms it, on this core; an earlier arming that has not begun to run is forgotten. Never fails, does not
    // block.
    void reset(Nanoseconds deadline, Function function, void* argument);

    // Disarms it. True: it was armed and will not run. False: it was not armed, or its function has begun to
    // run and may still be running (drain() waits for that). Does not block; any core. The function itself
    // may call it.
    bool stop();

    // Disarms it and waits until the function does not run any more: afterwards its memory may go. Blocks
    // (tokens are lost meanwhile), so a token that the function needs cannot deadlock it. Not from the
    // function itself.
    void drain() LWKT_BLOCKS;

    // Armed, and the function has not begun to run.
    bool pending() const { return __atomic_load_n(&state_, __ATOMIC_RELAXED) >= armed; }

private:
    friend struct CalloutQueue; // lwkt/callout.cpp
    enum State : std::uint8_t { idle, armed, expired };

    // All fields are guarded by the spin lock of the queue of `cpu_`.
    std::uint8_t state_ = idle; // a State; atomic: pending() reads it without the lock
    bool direct_ = false;       // internal: runs in hard context
    std::uint32_t cpu_ = 0;     // the core whose queue it is, or was last, on
    Ticks deadline_;
    Function function_ = nullptr;
    void* argument_ = nullptr;
    Callout* child_ = nullptr;    // pairing heap; first child
    Callout* sibling_ = nullptr;  // next sibling; the expired list uses it too
    Callout* previous_ = nullptr; // previous sibling, or the parent of a first child
};

} // namespace lwkt
