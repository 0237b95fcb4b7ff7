// SPDX-License-Identifier: BSD-2-Clause
// Byte rings in shared memory: one producer, one consumer, each in a task that does not trust the other.
// Positions run freely and are reduced by the size, which each side takes from its own knowledge, never from
// the ring. A side that finds positions that cannot be treats the ring as empty (or full): a hostile peer
// harms only its own stream. Doorbells are not here: who made progress signals the peer's notification.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

namespace glue {

// Lies in shared memory; the data follow elsewhere in the same mapping.
struct RingHeader {
    alignas(64) std::uint32_t head; // bytes ever written; owned by the producer
    std::uint32_t closed;           // producer: no more will come
    alignas(64) std::uint32_t tail; // bytes ever read; owned by the consumer
    std::uint32_t waiting;          // producer sets it before it sleeps for space
};
static_assert(sizeof(RingHeader) == 128);

class Ring {
public:
    // `size` is a power of two, at most 2^30, agreed on beforehand.
    Ring(RingHeader* header, std::byte* data, std::uint32_t size)
        : header_(header), data_(data), size_(size) {}
    Ring() = default;

    // Producer: copies as much as fits, returns how much.
    std::uint32_t write(std::span<const std::byte> from) {
        std::uint32_t head = __atomic_load_n(&header_->head, __ATOMIC_RELAXED);
        auto count = static_cast<std::uint32_t>(std::min<std::size_t>(from.size(), space()));
        for (std::uint32_t done = 0; done < count;) {
            std::uint32_t at = (head + done) & (size_ - 1), run = std::min(count - done, size_ - at);
            std::memcpy(data_ + at, from.data() + done, run);
            done += run;
        }
        __atomic_store_n(&header_->head, head + count, __ATOMIC_SEQ_CST);
        return count;
    }
    // Consumer: copies what is there, returns how much; 0 with closed() means the end.
    std::uint32_t read(std::span<std::byte> to) {
        std::uint32_t tail = __atomic_load_n(&header_->tail, __ATOMIC_RELAXED);
        auto count = static_cast<std::uint32_t>(std::min<std::size_t>(to.size(), available()));
        for (std::uint32_t done = 0; done < count;) {
            std::uint32_t at = (tail + done) & (size_ - 1), run = std::min(count - done, size_ - at);
            std::memcpy(to.data() + done, data_ + at, run);
            done += run;
        }
        __atomic_store_n(&header_->tail, tail + count, __ATOMIC_SEQ_CST);
        return count;
    }
    std::uint32_t available() const {
        std::uint32_t used = __atomic_load_n(&header_->head, __ATOMIC_SEQ_CST) -
                             __atomic_load_n(&header_->tail, __ATOMIC_SEQ_CST);
        return used <= size_ ? used : 0;
    }
    std::uint32_t space() const {
        std::uint32_t used = __atomic_load_n(&header_->head, __ATOMIC_SEQ_CST) -
                             __atomic_load_n(&header_->tail, __ATOMIC_SEQ_CST);
        return used <= size_ ? size_ - used : 0;
    }
    void close() { __atomic_store_n(&header_->closed, 1, __ATOMIC_SEQ_CST); }
    bool closed() const { return __atomic_load_n(&header_->closed, __ATOMIC_SEQ_CST) != 0; }
    // Producer, before it sleeps for space: set, look at space() again, sleep. Consumer: rings when set.
    void set_waiting(bool waiting) { __atomic_store_n(&header_->waiting, waiting ? 1 : 0, __ATOMIC_SEQ_CST); }
    bool waiting() const { return __atomic_load_n(&header_->waiting, __ATOMIC_SEQ_CST) != 0; }

private:
    RingHeader* header_ = nullptr;
    std::byte* data_ = nullptr;
    std::uint32_t size_ = 0;
};

} // namespace glue
