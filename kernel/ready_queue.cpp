// SPDX-License-Identifier: BSD-2-Clause
// The lists that threads wait in; nothing here needs the machine.
#include "kernel/core.hpp"

namespace kernel {

void ThreadQueue::push_front(Thread& thread) {
    thread.queue = this;
    thread.queue_previous = nullptr;
    thread.queue_next = first;
    (first ? first->queue_previous : last) = &thread;
    first = &thread;
}

void ThreadQueue::remove(Thread& thread) {
    (thread.queue_previous ? thread.queue_previous->queue_next : first) = thread.queue_next;
    (thread.queue_next ? thread.queue_next->queue_previous : last) = thread.queue_previous;
    thread.queue = nullptr;
}

void ReadyQueue::mark(unsigned priority) {
    bitmap_[priority / 64] |= Word{1} << priority % 64;
    if (static_cast<int>(priority) > listed_)
        listed_ = static_cast<int>(priority);
}

void ReadyQueue::append(Thread& thread) {
    queues_[thread.priority].push(thread);
    mark(thread.priority);
    thread.ready_queued = true;
}

void ReadyQueue::prepend(Thread& thread) {
    queues_[thread.priority].push_front(thread);
    mark(thread.priority);
    thread.ready_queued = true;
}

void ReadyQueue::unlink(Thread& thread) {
    unsigned priority = static_cast<unsigned>(thread.queue - queues_);
    queues_[priority].remove(thread);
    if (queues_[priority].first)
        return;
    bitmap_[priority / 64] &= ~(Word{1} << priority % 64);
    if (static_cast<int>(priority) < listed_)
        return;
    listed_ = -1;
    for (int i = abi::priorities / 64 - 1; i >= 0 && listed_ < 0; --i)
        if (bitmap_[i])
            listed_ = i * 64 + 63 - __builtin_clzll(bitmap_[i]);
}

} // namespace kernel
