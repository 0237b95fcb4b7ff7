// SPDX-License-Identifier: BSD-2-Clause
// Light weight kernel threads. A thread belongs to one core until it tells itself to move, and is scheduled
// only there, by fixed priority, first in first out within one priority. Nothing but an interrupt thread
// preempts a running thread; it runs until it blocks and then the preempted thread continues.
//
// Contexts. "Thread": an LWKT thread outside critical sections. "Critical": inside a critical section;
// nothing preempts, blocking is an error (except by the functions that say otherwise). "Hard": event
// handlers, IPI functions and direct callouts; they run in a critical section on the stack of whoever was
// interrupted and never block.
#pragma once

#include "glue/fiber.hpp"
#include "glue/vcpu.hpp"
#include "lwkt/annotations.hpp"
#include "lwkt/verify.hpp"

namespace lwkt {

using glue::CpuId;
using glue::Nanoseconds;
using glue::Ticks;

class Token;
struct PageProvider;

// Fixed priorities, higher runs first. Threads at `interrupt_low` and above are interrupt threads: they
// preempt.
enum class Priority : std::uint8_t {
    idle = 0,           // the idle thread of each core, nobody else
    user_idle = 4,      // BSD idprio
    user_normal = 8,    // a BSD thread that runs, or is about to run, user code
    user_realtime = 12, // BSD rtprio
    kernel_user = 16,   // a BSD thread that was woken inside a system call
    kernel_daemon = 18,
    soft = 20,
    interrupt_low = 22, // from here on threads preempt
    soft_timer = 24,    // callouts
    interrupt = 26,
    interrupt_high = 28,
    maximum = 31,
};

enum class ThreadState : std::uint8_t {
    blocked,       // off all queues until schedule(); also the state after create()
    runnable,      // on its core's run queue, or the current thread of its core
    preempted,     // an interrupt thread took the core; continues when that one blocks
    waiting_token, // waits for a token before it may continue
    moving,        // on its way to another core (migrate)
    zombie,        // has exited; its memory goes when the core has left its stack
};

// One held or wanted token of a thread: the token's address and a mode in the low bits.
struct TokenReference {
    std::uintptr_t word;
};
inline constexpr unsigned max_tokens = 15; // held by one thread at a time, recursions counted

// A link of a sleep queue.
struct ThreadLink {
    struct Thread* next = nullptr;
    struct Thread* previous = nullptr;
};

using ThreadFunction = void (*)(void* argument);

enum class Wake : std::uint8_t; // lwkt/sleepqueue.hpp

// Fields belong to the thread's core and are touched there only, in a critical section or by the thread
// itself, unless they say otherwise.
struct Thread {
    void* stack_pointer = nullptr; // while not running; first, for arch/x86_64/switch.S
    Priority priority = Priority::idle;
    ThreadState state = ThreadState::blocked;
    bool interruptible = false;   // sleeps and may be woken by interrupt()
    bool call_done = false;       // its waited IPI has run
    Wake wake_result{};           // why the last sleep ended
    std::uint32_t cpu = 0;        // atomic: others read it, and it changes in migrate()
    std::uint32_t woken_from = 0; // the core that ended its last sleep
    Thread* run_next = nullptr;   // on its core's run queue
    // The tokens end at a multiple of 128, so that "full" and "none" are one test of the address.
    alignas(256) TokenReference* token_top; // one past the last held token
    TokenReference tokens[max_tokens];
    ThreadLink sleep_link;            // on a sleep queue; a thread that timed out is on both until it runs
    Thread* preempted = nullptr;      // the thread whose core this interrupt thread took
    const void* wait_ident = nullptr; // sleeps on this address
    const char* wmesg = nullptr;      // why it sleeps, for people
    // Set by any core with a bit of why; whoever set the first bit has pushed the thread on the core's inbox.
    std::uint32_t inbox_reasons = 0;   // atomic: several cores may wake at once
    Thread* inbox_next = nullptr;      // owned by the inbox
    Thread* token_next = nullptr;      // owned by the token's waiter list
    std::byte* stack = nullptr;        // immutable
    std::size_t stack_size = 0;        // immutable
    ThreadFunction function = nullptr; // immutable
    void* argument = nullptr;          // immutable once it has been scheduled
    glue::Fiber fiber;                 // what sanitizers must know of the stack; empty on native
    std::uint32_t moves_to = 0;        // while it is moving
    void* owner = nullptr;             // for the layer above (a BSD thread), not used here
    std::uint64_t switches = 0;        // times it was given the core
    char name[24] = {};
    std::uint32_t guard = guard_value; // last: a stack overflow would write here first

    static constexpr std::uint32_t guard_value = 0x6b77'6c67;

    Thread() : token_top(tokens) {}
    bool has_tokens() const {
        return static_cast<std::uint8_t>(reinterpret_cast<std::uintptr_t>(token_top)) != offsetof_tokens;
    }
    static constexpr std::uint8_t offsetof_tokens = 8; // in its 256 bytes
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
};

// Head of each core's globaldata, reached by glue::cpu_local. Owned by its core.
struct CoreHead {
    CoreHead* self;
    Thread* current;
    std::uint32_t requests; // deferred work, set by upcalls; run when the outermost critical section is left
    // How many critical sections the running thread is in, with gate_quiet set while nothing is requested: so
    // leaving the outermost section with work to do is the one way to zero. It belongs to the core, not to
    // the thread, because every switch of threads happens in exactly one critical section.
    std::uint32_t gate;
    std::uint32_t cpu; // number of the vCPU
};
inline constexpr std::uint32_t gate_quiet = 0x8000'0000;

// Why run_deferred() has something to do.
enum Request : std::uint32_t {
    request_events = 1,  // the vCPU has events or its deadline passed
    request_preempt = 2, // an interrupt thread became ready
    request_reap = 4,    // a thread has exited
    request_move = 8,    // a thread is off this core and goes to another one
};

inline CoreHead& core() {
    return *glue::cpu_local<CoreHead>();
}

// The running thread. Any context.
inline Thread* current() {
    return glue::cpu_local_constant<Thread*, offsetof(CoreHead, current)>();
}
inline bool tokens_full(const TokenReference* top) {
    return (reinterpret_cast<std::uintptr_t>(top) & 127) == 0;
}
inline CpuId current_cpu() {
    return CpuId{core().cpu};
}
inline unsigned cpu_count() {
    return glue::Vcpu::count();
}

// --- critical sections
// ---------------------------------------------------------------------------------------------
void run_deferred(); // internal: the outermost section was left and there are requests

inline std::uint32_t critical_count() {
    return __atomic_load_n(&core().gate, __ATOMIC_RELAXED) & ~gate_quiet;
}
inline bool in_critical_section() {
    return critical_count() != 0;
}
inline void critical_enter() {
    glue::cpu_local_increment<offsetof(CoreHead, gate)>();
}
inline void critical_exit() {
    if (glue::cpu_local_decrement<offsetof(CoreHead, gate)>() ||
        (core().gate == gate_quiet && glue::upcall_due())) [[unlikely]]
        run_deferred();
}

// Nothing on this core preempts while one lives. Nests. Do not block inside.
class LWKT_SCOPED CriticalSection {
public:
    [[nodiscard]] CriticalSection() LWKT_ACQUIRE_SHARED(no_block) { critical_enter(); }
    ~CriticalSection() LWKT_RELEASE() { critical_exit(); }
    CriticalSection(const CriticalSection&) = delete;
    CriticalSection& operator=(const CriticalSection&) = delete;
    static void* operator new(std::size_t) = delete;
};

// --- life of threads
// -------------------------------------------------------------------------------------------------

// Makes a thread that will run function(argument) on `cpu`; it does not run before schedule(). The stack
// comes from the page provider. nullptr when memory is exhausted or the CPU does not exist. Does not block.
// `stack_size` 0 is the platform's default (glue::default_stack_size), in whole pages. Of it, `room` bytes
// (at most a quarter) are the caller's, aligned to 64, as long as the thread lives: room_of().
[[nodiscard]] Thread* create(ThreadFunction function, void* argument, Priority priority, CpuId cpu,
                             const char* name, std::size_t stack_size = 0, std::size_t room = 0);
// Where the room begins that create() was asked for.
void* room_of(Thread* thread, std::size_t room);
// Frees a thread that was created and never scheduled.
void destroy_unstarted(Thread* thread);

// Makes a blocked thread runnable, on its own core, from any core and context. No effect on a thread that is
// not blocked: a wake-up is not remembered (sleep queues and ports are the tools for that). The caller must
// know that the thread has not exited. A sleeping thread (tsleep) that is scheduled returns Wake::woken.
void schedule(Thread* thread);

// Ends the calling thread, releasing the tokens it holds. Returning from its function does the same.
[[noreturn]] void exit() LWKT_BLOCKS;

// Gives the core to the next ready thread of the same or a higher priority, if there is one. Tokens are lost
// and reacquired when that happens. Thread context.
void yield() LWKT_BLOCKS;
// True when yield() would give up the core: another thread of at least this priority is ready. Any context.
bool should_yield();

// Takes the calling thread to another core; returns there, soon. The thread holds no token, owns no thread
// port and is no interrupt thread; what its function remembers of the core (current_cpu() before, references
// to data of the core) is of the old one, also what the compiler remembers: call it between functions that
// are not inlined. Thread context.
void migrate(CpuId cpu) LWKT_BLOCKS;
// Whether a core has nothing to do, as of a moment ago. Any context.
bool core_idle(CpuId cpu);

// Changes the priority of the calling thread, or (in a critical section) of a thread of this core that is not
// runnable; does not give up the core (see should_yield). Not across `interrupt_low`.
void set_priority(Thread* thread, Priority priority);
// Whether a thread of this core has the core or would run if nobody else wanted to. In a critical section.
inline bool is_runnable(const Thread* thread) {
    return thread->state == ThreadState::runnable || thread->state == ThreadState::preempted;
}

// A function that each core calls, in hard context, when it has no thread to run and before it waits: a
// scheduler above LWKT gives it one by schedule(). Before start().
void set_idle_handler(void (*handler)());

// Blocks the calling thread until schedule(). The caller is in exactly one critical section, entered before
// it checked that it must wait; tokens are lost and reacquired. For building sleep primitives; others use
// tsleep().
void lwkt_switch_blocked();

// --- start, events and time slices
// --------------------------------------------------------------------------------- Starts all vCPUs and runs
// main(argument) as the first LWKT thread (priority kernel_daemon) on vCPU 0. The provider must work before
// LWKT runs. Returns only with an error (or, on the hosted platform, after shutdown()).
glue::Outcome<void> start(ThreadFunction main, void* argument, const PageProvider& provider,
                          std::size_t main_stack_size = 0);
// Ends the idle loops of all cores, so that start() returns on the hosted platform. All threads must have
// exited.
void shutdown();

// To be called when Vcpu::enter returned Trap::event or Trap::deadline: takes the events, runs event
// handlers, drains the IPI queue, runs expired callouts and wakes interrupt threads (which run before this
// returns). True when the caller should call yield() before it enters user mode again: its time slice has
// ended and somebody of the same priority is ready, or somebody of higher priority is. Thread context.
bool vcpu_event(glue::Trap trap) LWKT_BLOCKS;

// The end of the running BSD thread's time slice on this core, absolute; glue::no_deadline for none. Programs
// the vCPU's deadline with the earlier of it and the next callout, and only writes when that changes. It
// stays set until changed, and is cleared when it has passed (vcpu_event then says to yield if there is
// somebody to yield to).
void set_slice_deadline(Ticks deadline);
// True once after the slice deadline passed; reading it clears it.
bool take_slice_expired();

// What a core's scheduler has done, counted on its slow ways only. Any core; relaxed.
struct SchedulerStatistics {
    std::uint64_t upcalls;     // events and deadlines that interrupted LWKT's own code
    std::uint64_t preemptions; // an interrupt thread took the core from a thread
    std::uint64_t events;      // times events and timers were looked at
    std::uint64_t idle_waits;  // times the core had nothing to do and waited in the kernel below
    std::uint64_t given_away;  // times it waited there for another core's spin lock or IPI queue
    std::uint64_t callouts;    // callouts that ran in the callout thread
    std::uint64_t wakeups;     // threads that were woken out of a sleep
    std::uint64_t departures;  // threads that went to another core
    std::uint64_t timers;      // times that its deadline came, for a time slice or callouts
};
SchedulerStatistics scheduler_statistics(CpuId cpu);

// A handler for bits of the vCPU's event word (glue::Vcpu::event_doorbell and those of IRQ threads) on one
// core. Runs in hard context with the bits that arrived; it may schedule(), wakeup() and send messages.
// Replaces an earlier one for the same bit. Thread or boot context on any core, before the event can arrive.
using EventHandler = void (*)(void* argument);
void set_event_handler(CpuId cpu, unsigned bit, EventHandler handler, void* argument);

} // namespace lwkt
