// SPDX-License-Identifier: BSD-2-Clause
// For programs that run LWKT alone, on the kernel or as a Linux process: threads that are waited for.
#pragma once

#include "lwkt/sleepqueue.hpp"

namespace lwkt {

// Threads that run one function with a number each; wait() returns when all have ended.
class Group {
public:
    using Body = void (*)(void* context, unsigned number);
    void spawn(unsigned cpu, Body body, void* context, unsigned number,
               Priority priority = Priority::user_normal) {
        verify(count_ != sizeof starts_ / sizeof *starts_);
        Start& start = starts_[count_++];
        start = {this, body, context, number};
        Thread* thread = create(main, &start, priority, CpuId{cpu}, "test");
        verify(thread != nullptr);
        __atomic_fetch_add(&left_, 1, __ATOMIC_SEQ_CST);
        schedule(thread);
    }
    void wait() {
        for (;;) {
            tsleep_interlock(this, 0);
            if (__atomic_load_n(&left_, __ATOMIC_SEQ_CST) == 0)
                return tsleep_remove();
            (void)tsleep(this, sleep_interlocked, "group");
        }
    }

private:
    struct Start {
        Group* group;
        Body body;
        void* context;
        unsigned number;
    };
    static void main(void* argument) {
        auto& start = *static_cast<Start*>(argument);
        start.body(start.context, start.number);
        Group* group = start.group;
        __atomic_fetch_sub(&group->left_, 1, __ATOMIC_SEQ_CST);
        wakeup(group); // only the address
    }
    Start starts_[32];
    unsigned count_ = 0;
    int left_ = 0;
};

inline std::uint64_t next_random(std::uint64_t& state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

} // namespace lwkt
