// SPDX-License-Identifier: BSD-2-Clause
// IPI queues: messages between cores, first in first out for each pair of source and destination. The
// function of a message runs on the destination core in hard context: in a critical section, never blocking,
// on whatever stack was running. It may schedule(), wakeup(), reply and try_send(), but not send().
#pragma once

#include "lwkt/thread.hpp"

namespace lwkt {

using IpiFunction = void (*)(void* argument, std::uintptr_t word);

// Runs function on `cpu` soon (at once, in a critical section, when it is this core). A full queue is waited
// for: the core serves its own queue meanwhile, spins a bounded time and then gives its L4 time away. Thread
// context.
void send_ipiq(CpuId cpu, IpiFunction function, void* argument, std::uintptr_t word = 0) LWKT_BLOCKS;
// The same, but false when the queue is full. Any context.
[[nodiscard]] bool try_send_ipiq(CpuId cpu, IpiFunction function, void* argument, std::uintptr_t word = 0);
// Runs function on `cpu` and returns when it has returned. Blocks: tokens are lost meanwhile. Thread context.
void call_ipiq(CpuId cpu, IpiFunction function, void* argument, std::uintptr_t word = 0) LWKT_BLOCKS;

struct IpiStatistics {
    std::uint64_t sent, received, kicks, full;
    std::uint64_t arrivals; // times that others had interrupted or woken the core
};
IpiStatistics ipiq_statistics(CpuId cpu);

} // namespace lwkt
