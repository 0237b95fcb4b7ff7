// SPDX-License-Identifier: BSD-2-Clause
// What the three programs of the chain agree on: the root task (chain_root.cpp), a driver (chain_driver.cpp)
// and a client that runs LWKT (chain_client.cpp). Driver and client share a page window with the root task.
#pragma once

#include "irq-threads/histogram.hpp"
#include "irq-threads/queue.hpp"
#include "l4-glue/start.hpp"

namespace chain {

// Two devices, which interrupt by a message and by a line.
enum Kind : unsigned { message, line, kinds };
inline constexpr const char* kind_names[] = {"msi", "line"};
// What is preempted: an endless LWKT thread, and user mode in an endless loop.
enum Loop : unsigned { lwkt_loop, user_loop, loops };
inline constexpr const char* loop_names[] = {"lwkt", "user"};
// From raising the device to the top half, from there to the interrupt thread, and both together.
enum Stage : unsigned { to_top_half, to_thread, whole, stages };
inline constexpr const char* stage_names[] = {"top_half", "thread", "whole"};
inline constexpr unsigned samples = 100;
inline constexpr unsigned events_after_restart = 10;

// Capabilities that the root task gives, one a kind: of both, the device's registers; of the driver, its
// interrupt, the notification that this signals, time for its IRQ thread, and the client's bell.
inline constexpr abi::Selector device_region = 100, interrupt = 102, interrupt_notification = 104,
                               interrupt_scheduling = 106, client_bell = 108;
inline constexpr std::uint64_t device_address = 0x5000'0000; // a page a kind
inline constexpr unsigned register_status = 0x24, register_raise = 0x60, register_lower = 0x64;
inline constexpr unsigned client_bit = 9; // event bit of the client's first kind, the other one follows

struct Event {
    std::uint64_t top_half; // ticks when it began
};

enum Phase : std::uint32_t { measuring, measured, driver_is_dead, over };

struct Shared {
    std::uint32_t phase;                // atomic; owned by the root task while `measured`, else by the client
    std::uint32_t drivers;              // atomic: times a driver began to serve
    irq::Queue<Event, 64> queue[kinds]; // from the driver to the client
    irq::Stamp stamp[kinds];            // of signals on the way
    irq::Histogram latency[kinds][loops][stages];
    std::uint64_t ticks[kinds][loops][stages][samples];
};

inline Shared& shared() {
    return *reinterpret_cast<Shared*>(glue::shared_window);
}
inline volatile std::uint32_t& device(Kind kind, unsigned at) {
    return *reinterpret_cast<volatile std::uint32_t*>(device_address + kind * glue::page_size + at);
}

} // namespace chain
