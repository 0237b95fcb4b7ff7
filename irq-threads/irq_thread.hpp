// SPDX-License-Identifier: BSD-2-Clause
// IRQ threads: an L4 thread above the core's vCPU waits for an interrupt line, a message (MSI, MSI-X) or a
// timer, runs the top halves of the drivers that share it, and signals whom they made work for. A top half
// touches its device, its own state and its queue (queue.hpp) and nothing else: neither LWKT nor memory that
// a thread of the core may be in the middle of changing.
//
// A storm is throttled: after storm_limit interrupts within storm_window the line stays masked until the
// window ends, so the thread gives the core back; what it costs runs on the budget of the thread's scheduling
// context. A line without a driver stays masked until there is one again. Messages are edges, which the
// kernel does not mask: their device does (MessageDevice). A device with a vector a queue has an IrqThread a
// vector.
//
// A line can be served in several places, of which each is a thread on some core; one serves at a time. It
// hands over itself, between two turns, so that top halves never run on two cores at once.
#pragma once

#include "glue/clock.hpp"
#include "glue/thread.hpp"
#include "irq-threads/histogram.hpp"

namespace irq {

// The interrupt side of a device that sends messages: its MSI registers, or its MSI-X table, which is written
// by whoever owns it and never by a driver. Called where the thread is started, then on the thread, whose
// first turn comes without an interrupt: edges from before are lost, but not the device's state.
struct MessageDevice {
    // Lets the vector send this message from now on; or nullptr, it cannot be changed: the line stays where
    // it is.
    void (*program)(void* device, unsigned vector, const glue::InterruptMessage& message) = nullptr;
    // Keeps the vector from sending, or lets it send again. What happens meanwhile is sent then, or found by
    // the top half in the device's state, which is asked after that in any case.
    void (*mask)(void* device, unsigned vector, bool masked) = nullptr;
    void* device = nullptr;
    unsigned vector = 0;
};

// What happened on a line. Written by its IRQ thread; others read it relaxed, field by field.
struct Counters {
    std::uint64_t interrupts = 0; // turns of the thread for an interrupt
    std::uint64_t signals = 0;    // times a top half made work
    std::uint64_t unclaimed = 0;  // turns in which none did
    std::uint64_t throttled = 0;  // times the line was held back
    std::uint64_t moves = 0;      // times another place took over
    std::uint64_t ticks = 0;      // in top halves
    std::uint64_t longest = 0;    // ticks of the longest turn
};

class IrqThread {
public:
    // Serves the device; true when the target has something to do. Runs on the IRQ thread.
    using TopHalf = bool (*)(void* argument);

    // A driver at the line.
    struct Driver {
        TopHalf top_half = nullptr;
        void* argument = nullptr;
        glue::Notification target; // signals the bit that the target's core waits for
        Stamp* stamp = nullptr;    // where the interrupt thread finds when that was; or nullptr
    };

    // What a thread needs; all of it lives as long as the IrqThread does.
    struct Parameters {
        abi::Selector pool = 0;
        std::uint32_t core = 0;       // of the machine
        unsigned priority = 0;        // above the vCPU's
        abi::Selector scheduling = 0; // a context of its own
        std::uint64_t buffer = 0;     // address for its message buffer page
        std::byte* stack = nullptr;   // 16-byte aligned
        std::size_t stack_size = 0;
        TopHalf top_half = nullptr; // the first driver, if there is one: as in Driver
        void* argument = nullptr;
        glue::Notification target;
        Stamp* stamp = nullptr;
        unsigned storm_limit = 1000;
        glue::Nanoseconds storm_window{10'000'000};
    };

    // A thread on a core that can serve the line.
    class Place {
    public:
        Place() = default;
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;

    private:
        friend class IrqThread;
        IrqThread* owner = nullptr; // immutable after start, like all of it
        std::uint32_t core = 0;
        glue::Thread thread;
        glue::Notification notification, kick;
        glue::Timer timer;
    };

    IrqThread() = default;
    IrqThread(const IrqThread&) = delete;
    IrqThread& operator=(const IrqThread&) = delete;

    // For an interrupt line: binds `line` of the `irqs` capability. Errors: of the kernel's create
    // operations.
    glue::Outcome<void> start(const Parameters& parameters, abi::Selector irqs, unsigned line);
    // For a message: makes one, programs the device with it and unmasks the vector. Errors: as above.
    glue::Outcome<void> start_message(const Parameters& parameters, abi::Selector irqs,
                                      const MessageDevice& device);
    // For a driver that was given its interrupt and may make none: both objects are of its pool, and the
    // interrupt signals `given_bit` of the notification. `device` says that it is a message.
    static constexpr std::uint64_t given_bit = 1;
    glue::Outcome<void> start_given(const Parameters& parameters, const glue::Notification& notification,
                                    const glue::Irq& irq, const MessageDevice* device = nullptr);
    // For a periodic timer: the top half runs every `period`, in phase with the first time.
    glue::Outcome<void> start_periodic(const Parameters& parameters, glue::Nanoseconds first,
                                       glue::Nanoseconds period);
    // Ends the threads at their next turn; the line is masked, served no more, and free for others.
    void stop();
    // After stop(): all threads are done with the line, its drivers and this object; not yet with their
    // stacks.
    bool ended() const { return __atomic_load_n(&ended_, __ATOMIC_SEQ_CST) == place_count_; }

    // --- drivers that share the line. Calls are serialized by the caller; any thread but the line's own.
    static constexpr unsigned max_drivers = 8;
    // The place of a new driver, which is served from now on. Error: limit, all places are in use.
    glue::Outcome<unsigned> attach(const Driver& driver);
    // A driver goes, or has died: its top half is not called any more. The place is free, and what the top
    // half touched may go, when forgotten() says so: at once, or as soon as a turn that goes on has ended.
    void detach(unsigned driver);
    bool forgotten(unsigned driver);

    // --- places. Calls are serialized with those above.
    // Makes another place, with its own core, stack, buffer and scheduling context; the rest of the
    // parameters says nothing here. The pool is that of the line. Error: limit, with a place on each core.
    glue::Outcome<void> prepare(Place& place, const Parameters& parameters);
    // Lets the place on a core take over soon. False: there is none, or the line cannot move.
    bool move(std::uint32_t core);
    std::uint32_t core() const;                    // where it is served
    std::uint64_t cores() const { return cores_; } // where it can be served, a bit each

    Counters counters() const;
    const Histogram& turns() const { return turns_; }       // ticks of each turn
    const Histogram& lateness() const { return lateness_; } // of a periodic timer: from due to the turn

private:
    enum class Source : std::uint8_t { timer, line, message };
    enum Bits : std::uint64_t { bit_interrupt = given_bit, bit_timer = 2, bit_kick = 4 };
    enum SlotState : std::uint8_t { slot_free, slot_used, slot_going };
    struct Slot {
        std::uint8_t state = slot_free; // atomic, a SlotState
        std::uint64_t left_in = 0;      // of a going one: the turn it may still be in; owned by callers
        Driver driver;                  // immutable while used
    };
    static void main(void* place);
    void set_up(const Parameters& parameters, Source source);
    glue::Outcome<void> make(Place& place, const Parameters& parameters);
    glue::Outcome<void> run(Place& place, const Parameters& parameters);
    bool serve(Place& place, std::uint64_t bits);
    void serve_interrupt(Place& place);
    void settle_requests(Place& place);
    bool hand_over(Place& to);
    bool turn();
    void acknowledge(Place& place);
    void hold();
    void release();

    glue::Irq irq_; // immutable after start, like all up to the list of places
    Source source_ = Source::timer;
    MessageDevice device_;
    glue::Nanoseconds period_, storm_window_;
    unsigned storm_limit_ = 0;
    Slot slots_[max_drivers];
    Place first_;
    Place* places_[abi::max_cores]{}; // owned by callers: to be stopped
    unsigned place_count_ = 0;
    std::uint64_t cores_ = 0; // owned by callers
    // What callers ask for. A caller sets it, then kicks the place that serves; a place that takes over
    // looks, too: so one of them sees it.
    bool stopping_ = false;    // atomic
    unsigned leaving_ = 0;     // atomic: threads that serve no more; the last one gives the line back
    unsigned ended_ = 0;       // atomic
    Place* wanted_ = nullptr;  // atomic: who shall take over
    Place* serving_ = nullptr; // atomic: written by the place that hands over
    // Owned by the place that serves.
    glue::Nanoseconds next_;
    bool unserved_ = false;  // an interrupt came and there was no driver: the line is masked
    bool held_back_ = false; // until the window ends, for a storm
    bool masked_ = false;    // the device's vector
    unsigned in_window_ = 0;
    glue::Ticks window_end_;
    std::uint64_t turn_ = 0; // atomic: odd while top halves run
    Counters counters_;      // atomic, relaxed: read by others
    Histogram turns_, lateness_;
};

} // namespace irq
