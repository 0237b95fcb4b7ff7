// SPDX-License-Identifier: BSD-2-Clause
// The one way out of a top half: a queue with one producer (the IRQ thread) and one consumer (a core). No
// lock, no allocation; a full queue refuses, and counts what was lost.
#pragma once

#include <cstdint>

namespace irq {

template <class T, std::uint32_t capacity>
class Queue {
    static_assert((capacity & (capacity - 1)) == 0 && capacity != 0);

public:
    // Producer. False when full; the item is counted as dropped.
    bool push(const T& item) {
        std::uint32_t head = __atomic_load_n(&head_, __ATOMIC_RELAXED);
        if (head - __atomic_load_n(&tail_, __ATOMIC_ACQUIRE) == capacity) {
            __atomic_store_n(&dropped_, __atomic_load_n(&dropped_, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
            return false;
        }
        items_[head % capacity] = item;
        __atomic_store_n(&head_, head + 1, __ATOMIC_RELEASE);
        return true;
    }
    // Consumer. False when empty.
    bool pop(T& item) {
        std::uint32_t tail = __atomic_load_n(&tail_, __ATOMIC_RELAXED);
        if (tail == __atomic_load_n(&head_, __ATOMIC_ACQUIRE))
            return false;
        item = items_[tail % capacity];
        __atomic_store_n(&tail_, tail + 1, __ATOMIC_RELEASE);
        return true;
    }
    // Either side, and others for statistics; may be out of date at once.
    std::uint32_t size() const {
        return __atomic_load_n(&head_, __ATOMIC_ACQUIRE) - __atomic_load_n(&tail_, __ATOMIC_ACQUIRE);
    }
    std::uint64_t dropped() const { return __atomic_load_n(&dropped_, __ATOMIC_RELAXED); }

private:
    alignas(64) std::uint32_t head_ = 0; // atomic: written by the producer
    std::uint64_t dropped_ = 0;          // atomic: written by the producer
    alignas(64) std::uint32_t tail_ = 0; // atomic: written by the consumer
    T items_[capacity];
};

} // namespace irq
