// SPDX-License-Identifier: BSD-2-Clause
// IRQ threads: an L4 thread above the core's vCPU waits for an interrupt line or a timer, runs a driver's top
// half, and signals whom the top half made work for. The top half touches its device, its own state and its
// queue (queue.hpp) and nothing else: neither LWKT nor memory that a thread of the core may be in the middle
// of changing.
//
// A storm is throttled: after storm_limit interrupts within storm_window the line stays masked until the
// window ends, so the thread gives the core back; what it costs runs on the budget of the thread's scheduling
// context.
#pragma once

#include "glue/clock.hpp"
#include "glue/thread.hpp"

namespace irq {

// What happened on a line. Written by its IRQ thread; others read it relaxed, field by field.
struct Counters {
    std::uint64_t interrupts = 0; // times the top half ran
    std::uint64_t signals = 0;    // times it made work
    std::uint64_t throttled = 0;  // times the line was held back
    std::uint64_t longest = 0;    // ticks of the longest top half
};

class IrqThread {
public:
    // Serves the device; true when the target has something to do. Runs on the IRQ thread.
    using TopHalf = bool (*)(void* argument);

    // What a thread needs; all of it lives as long as the IrqThread does.
    struct Parameters {
        abi::Selector pool = 0;
        std::uint32_t core = 0;
        unsigned priority = 0;        // above the vCPU's
        abi::Selector scheduling = 0; // a context of its own
        std::uint64_t buffer = 0;     // address for its message buffer page
        std::byte* stack = nullptr;   // 16-byte aligned
        std::size_t stack_size = 0;
        TopHalf top_half = nullptr;
        void* argument = nullptr;
        glue::Notification target; // signals the bit that the target's core waits for
        unsigned storm_limit = 1000;
        glue::Nanoseconds storm_window{10'000'000};
    };

    IrqThread() = default;
    IrqThread(const IrqThread&) = delete;
    IrqThread& operator=(const IrqThread&) = delete;

    // For an interrupt line: binds `line` of the `irqs` capability. Errors: of the kernel's create
    // operations.
    glue::Outcome<void> start(const Parameters& parameters, abi::Selector irqs, unsigned line);
    // For a periodic timer: the top half runs every `period`, in phase with the first time.
    glue::Outcome<void> start_periodic(const Parameters& parameters, glue::Nanoseconds first,
                                       glue::Nanoseconds period);
    // Ends the thread at its next turn, for drivers that are replaced; the line stays masked.
    void stop();

    Counters counters() const;

private:
    enum Bits : std::uint64_t { bit_interrupt = 1, bit_timer = 2, bit_stop = 4 };
    static void main(void* self);
    glue::Outcome<void> create(const Parameters& parameters);
    glue::Outcome<void> run(const Parameters& parameters);
    bool serve(std::uint64_t bits);
    void run_top_half();
    void acknowledge();

    TopHalf top_half_ = nullptr; // immutable after start, like all up to the line of counters
    void* argument_ = nullptr;
    glue::Thread thread_;
    glue::Notification notification_, target_, stop_;
    glue::Timer timer_;
    glue::Irq irq_;
    bool has_line_ = false;
    glue::Nanoseconds period_, next_, storm_window_;
    unsigned storm_limit_ = 0;
    // Owned by the thread.
    bool held_back_ = false;
    unsigned in_window_ = 0;
    glue::Ticks window_end_;
    Counters counters_; // atomic, relaxed: read by others
};

} // namespace irq
