// SPDX-License-Identifier: BSD-2-Clause
// Internal: what a core knows. Only lwkt/*.cpp include this. Fields above the line "other cores" belong to
// the core and are touched in critical sections there; fields below it are atomics that other cores push to.
#pragma once

#include "lwkt/callout.hpp"
#include "lwkt/ipiq.hpp"
#include "lwkt/ktr.hpp"
#include "lwkt/msgport.hpp"
#include "lwkt/slab.hpp"
#include "lwkt/sleepqueue.hpp"
#include "lwkt/spinlock.hpp"
#include "lwkt/token.hpp"

namespace lwkt {

inline constexpr unsigned priority_levels = 32;
inline constexpr unsigned sleep_buckets = 64; // one word of bits
inline constexpr unsigned ipiq_length = 64;   // messages a pair of cores; a power of two
inline constexpr unsigned slab_classes = 17;

// Why a thread is on its core's inbox.
enum InboxReason : std::uint32_t {
    inbox_schedule = 1,
    inbox_token = 2,
    inbox_interrupt = 4,
    inbox_call = 8, // its waited IPI has run
};

struct SleepQueue {
    Thread* head = nullptr;
    Thread* tail = nullptr;

    bool empty() const { return head == nullptr; }
    void push_back(Thread* thread) {
        thread->sleep_link = {nullptr, tail};
        (tail ? tail->sleep_link.next : head) = thread;
        tail = thread;
    }
    void remove(Thread* thread) {
        ThreadLink& at = thread->sleep_link;
        (at.previous ? at.previous->sleep_link.next : head) = at.next;
        (at.next ? at.next->sleep_link.previous : tail) = at.previous;
    }
};

// One source core's messages to one destination core.
struct IpiQueue {
    struct Entry {
        IpiFunction function;
        void* argument;
        std::uintptr_t word;
    };
    alignas(64) std::uint32_t head; // atomic: written by the source
    alignas(64) std::uint32_t tail; // atomic: written by the destination
    Entry entries[ipiq_length];
};

struct CalloutQueue {
    SpinLock lock;
    Callout* root = nullptr;    // pairing heap by deadline
    Callout* expired = nullptr; // oldest first, for the callout thread
    Callout* expired_tail = nullptr;
    Callout* running = nullptr; // atomic: the callout thread is in its function
    Thread* thread = nullptr;   // immutable after start

    void insert(Callout& callout);
    void remove(Callout& callout);
    void append_expired(Callout& callout);
    Callout* take_expired();
    Ticks earliest();
    bool expire(Ticks now);
    static Callout* merge(Callout* a, Callout* b);
    static Callout* merge_siblings(Callout* first);

    // Takes an armed callout off whatever core's queue it is on. True if it was armed.
    static bool cancel(Callout& callout);
    // Arms a callout on this core; direct ones run in hard context. In a critical section.
    static void arm(Callout& callout, Ticks deadline, Callout::Function function, void* argument,
                    bool direct);
    static void thread_main(void* queue);
};

struct SlabZone;
struct SlabClass {
    SlabZone* partial = nullptr; // zones with free objects
    unsigned empty_zones = 0;    // of them, entirely free ones
};

inline constexpr unsigned ktr_words = 5; // ticks, event, thread, first, second
inline constexpr std::uint32_t ktr_being_written = ~std::uint32_t{0};
struct KtrSlot { // atomic words: other cores read them
    std::uint32_t sequence = ktr_being_written;
    std::uint64_t words[ktr_words];
};

struct EventSlot {
    EventHandler handler = nullptr;
    void* argument = nullptr;
};

struct alignas(256) GlobalData : CoreHead {
    glue::Vcpu* vcpu;
    // Ready threads, a ring for each priority, first in first out, never removed from the middle. Of each the
    // last one is known, whose run_next is the first; the word says nothing while the priority's bit is
    // clear.
    std::uint32_t ready_bits = 0;
    bool slice_expired = false;
    bool reaping = false;
    Thread* ready_last[priority_levels];
    Thread* zombies = nullptr; // exited, linked by run_next; freed by the next thread that runs
    Thread* movers = nullptr;  // off the core, linked by run_next; sent by the next thread that runs
    Thread idle;

    Ticks programmed = glue::no_deadline; // what the vCPU page says
    Ticks slice = glue::no_deadline;
    CalloutQueue callouts;
    std::uint64_t stashed_events = 0; // taken while giving time away in a spin lock
    EventSlot events[64];

    SleepQueue sleepers[sleep_buckets];
    SlabClass slab[slab_classes];
    SlabStatistics slab_counters{};
    IpiStatistics ipi_counters{};
    PortStatistics port_counters{};
    SchedulerStatistics counters{}; // atomic, relaxed: read by others
    bool draining = false;          // IPI functions run: they may not send() and wait
    std::uint32_t waker = 0;        // the core in whose name sleeps end: this one, or a message's source

    std::uint32_t ktr_next = 0; // atomic: read by others
    KtrSlot ktr_ring[ktr_entries];

    // --- other cores ---
    alignas(64) Thread* inbox = nullptr; // threads to wake, newest first
    Message* message_inbox = nullptr;    // messages for ports of this core, newest first
    void* remote_frees = nullptr;        // objects of this core's slab zones
    std::uint64_t wakeup_overflow = 0;   // sleep buckets to wake entirely: an IPI queue was full
    std::uint32_t remote_free_count = 0; // about, since the last drain
    std::uint32_t waiting = 0;           // 1: the core has nothing to do; written by itself
    std::uint32_t notified = 0;          // 1: this core has been kicked and has not looked yet
    IpiQueue* from = nullptr;            // immutable: one queue a source core
};

inline void count(std::uint64_t& counter) { // of this core; others read it
    __atomic_store_n(&counter, counter + 1, __ATOMIC_RELAXED);
}
inline std::uint32_t home_of(const Thread* thread) { // may be over at once, unless it is here
    return __atomic_load_n(&thread->cpu, __ATOMIC_SEQ_CST);
}
inline GlobalData& here() {
    return static_cast<GlobalData&>(core());
}
extern GlobalData* globaldata_of[abi::max_cores]; // immutable after start
extern bool running;                              // immutable after start: LWKT is up
extern PageProvider page_provider;                // immutable after start

// scheduler.cpp. All in a critical section.
void enqueue_ready(GlobalData& gd, Thread* thread); // state becomes runnable
void make_ready(GlobalData& gd, Thread* thread);    // and asks for preemption if it is due
void switch_away(GlobalData& gd);                   // the caller has set the current thread's state
void switch_released(GlobalData& gd);               // the same, its tokens are released already
void wake_elsewhere(Thread* thread, std::uint32_t reason);
void drain_inbox(GlobalData& gd);
void send_movers(GlobalData& gd);
void reap(GlobalData& gd); // frees exited threads, of which none is the current one
// Blocks the current thread until make_ready() or the deadline. False: by the deadline.
bool block_until(GlobalData& gd, Nanoseconds deadline);
inline void request(GlobalData& gd, std::uint32_t what) {
    __atomic_fetch_or(&gd.requests, what, __ATOMIC_RELAXED);
    __atomic_fetch_and(&gd.gate, ~gate_quiet, __ATOMIC_RELAXED); // after it: an upcall may come in between
}

// events.cpp
void notify(GlobalData& target);                      // its inboxes have something
void process_events(GlobalData& gd);                  // in a critical section
void process_timers(GlobalData& gd);                  // callout.cpp
void program_deadline(GlobalData& gd);                // callout.cpp; the queue's lock not held
void drain_ipiq(GlobalData& gd);                      // ipiq.cpp
void drain_messages(GlobalData& gd);                  // msgport.cpp
void drain_remote_frees(GlobalData& gd);              // slab.cpp
void release_empty_zones(GlobalData& gd);             // slab.cpp
void interrupt_local(GlobalData& gd, Thread* thread); // sleepqueue.cpp
void wakeup_buckets(GlobalData& gd, std::uint64_t buckets);
// events.cpp: sleeps shortly in the kernel below, the longer the more `times` it was done before
void give_time_away(GlobalData& gd, unsigned times);

struct TokenScheduler {
    static void release_all(Thread* thread, TokenReference* end);
    // All or nothing; on failure the thread waits for one of them (or is ready again).
    static bool reacquire_all(GlobalData& gd, Thread* thread);
    static bool try_one(Token& token, Thread* thread, std::uintptr_t mode);
    static void release_one(Token& token, std::uintptr_t mode);
    static void wait_for(GlobalData& gd, Token& token, Thread* thread);
    static void wake(Token& token);
};

// Frees a thread whose stack is not in use any more.
void free_thread(Thread* thread);

} // namespace lwkt
