// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/usched.hpp"

#include "lwkt/ipiq.hpp"
#include "lwkt/sleepqueue.hpp"

namespace bsd {

UserCpu user_cpus[abi::max_cores];

namespace {

constexpr std::uint64_t settled_nanoseconds = 100'000'000; // rebalance()

// What other vCPUs know of each: a CpuLoad in a word. Atomic, written by its core.
struct alignas(64) Published {
    std::uint32_t word = no_load;
    static constexpr std::uint32_t no_load = nobody_priority;
};
Published published[abi::max_cores];

glue::Ticks after(glue::Ticks time, std::uint64_t nanoseconds) {
    return glue::Clock::to_ticks(glue::Clock::to_nanoseconds(time) + glue::Nanoseconds{nanoseconds});
}

UserCpu& here() {
    return user_cpus[lwkt::current_cpu().value];
}

void publish(const UserCpu& cpu) {
    std::uint32_t running = cpu.current != nullptr ? cpu.current->priority : nobody_priority;
    __atomic_store_n(&published[&cpu - user_cpus].word, cpu.queue.size() << 16 | running, __ATOMIC_RELAXED);
}

struct Loads {
    CpuLoad of[abi::max_cores];
    Loads() {
        for (unsigned cpu = 0; cpu != lwkt::cpu_count(); cpu++) {
            std::uint32_t word = __atomic_load_n(&published[cpu].word, __ATOMIC_RELAXED);
            of[cpu] = {static_cast<UserPriority>(word), static_cast<std::uint16_t>(word >> 16)};
        }
    }
};

// Brings estimate and priority of a thread of this core up to date. In a critical section.
void refresh(Lwp& lwp) {
    glue::Ticks now = glue::Clock::ticks();
    lwp.estimate.update(tick_nanoseconds(lwp.cpu_time.total(now)), glue::Clock::to_nanoseconds(now).value);
    lwp.nice = __atomic_load_n(&lwp.proc.nice, __ATOMIC_RELAXED);
    lwp.priority =
        least(user_priority(lwp.scheduling_class(), lwp.nice, lwp.estimate.value()), lwp.lent_priority());
}

// The current lwp, unless it is blocked: then it has left, only later. In a critical section.
Lwp* live_current(const UserCpu& cpu) {
    return cpu.current != nullptr && lwkt::is_runnable(cpu.current->thread) ? cpu.current : nullptr;
}

void arm_at(UserCpu& cpu, glue::Ticks when) {
    if (cpu.slice_armed && cpu.due <= when)
        return;
    cpu.slice_armed = true;
    cpu.due = when;
    lwkt::set_slice_deadline(when);
}

void arm_slice(UserCpu& cpu) {
    if (!cpu.slice_armed || cpu.slice_end == glue::no_deadline)
        cpu.slice_end = after(glue::Clock::ticks(), slice_nanoseconds);
    arm_at(cpu, cpu.slice_end);
}

// Before slice_end, which the queue says when it is not empty.
void arm_early(UserCpu& cpu, glue::Ticks when) {
    if (!cpu.slice_armed)
        cpu.slice_end = glue::no_deadline;
    arm_at(cpu, when);
}

// Whether somebody of this priority takes user mode from a current thread that would go on. If only not yet,
// end_slice() is called when it is time.
bool takes_turn(UserCpu& cpu, UserPriority priority, glue::Ticks now) {
    if (!displaces(priority, cpu.current->priority))
        return false;
    if (class_of(priority) != class_of(cpu.current->priority) || now >= cpu.kept_until)
        return true;
    arm_early(cpu, cpu.kept_until);
    return false;
}

// Who is ready already keeps its LWKT priority: a displaced one until it runs, and one that is chosen while
// lwp.ast has woken it until it sees that it was chosen.
void set_priority(Lwp& lwp, lwkt::Priority priority) {
    if (lwp.thread == lwkt::current() || !lwkt::is_runnable(lwp.thread))
        lwkt::set_priority(lwp.thread, priority);
}

void set_current(UserCpu& cpu, Lwp& lwp) {
    if (cpu.current != nullptr)
        set_priority(*cpu.current, lwkt::Priority::kernel_user);
    cpu.current = &lwp;
    cpu.kept_until = after(glue::Clock::ticks(), granularity_nanoseconds);
    set_priority(lwp, lwkt::Priority::user_normal);
    if (cpu.queue.size() != 0)
        arm_slice(cpu);
    publish(cpu);
}

// Who is in the queue and has waited so long that `rival` has to wait, whatever it uses; null if nobody has.
Lwp* overdue(const UserCpu& cpu, const Schedulable& rival, glue::Ticks now) {
    if (now < cpu.fair_at)
        return nullptr;
    auto* lwp = static_cast<Lwp*>(cpu.queue.longest_waiting(rival));
    return lwp != nullptr && now >= after(glue::Ticks{lwp->queued_at}, fair_nanoseconds) ? lwp : nullptr;
}

// There is somebody in the queue and nobody has user mode.
void choose_next(UserCpu& cpu) {
    glue::Ticks now = glue::Clock::ticks();
    auto* best = static_cast<Lwp*>(cpu.queue.best());
    Lwp* late = overdue(cpu, *best, now);
    Lwp& next = late != nullptr ? *late : *best;
    cpu.queue.remove(next);
    set_current(cpu, next);
    if (late != nullptr) {
        cpu.kept_until = after(now, slice_nanoseconds);
        cpu.fair_at = after(now, fair_nanoseconds);
    }
    lwkt::schedule(next.thread); // no effect on the calling thread
}

// The calling thread waits in the queue; in one critical section, which it leaves meanwhile. Returns when it
// was chosen, when it is asked to move, or when lwp.ast is set.
void wait_in_queue(UserCpu& cpu, Lwp& lwp) {
    if (cpu.current == &lwp)
        cpu.current = nullptr;
    set_priority(lwp, lwkt::Priority::kernel_user);
    lwp.queued_at = glue::Clock::ticks().value;
    cpu.queue.insert(lwp);
    if (live_current(cpu) == nullptr)
        choose_next(cpu);
    publish(cpu);
    if (!lwp.queued())
        return;
    arm_slice(cpu);
    lwp.cpu_time.stop(glue::Clock::ticks(), lwp.thread->switches);
    // interrupt() ends it as it would a sleep; set_ast() may have come from another core meanwhile, and is
    // seen here, or its interrupt() is handled after the switch.
    lwkt::tsleep_interlock(&lwp.link, lwkt::sleep_interruptible);
    if (__atomic_load_n(&lwp.ast, __ATOMIC_SEQ_CST) == 0)
        lwkt::lwkt_switch_blocked();
    lwkt::tsleep_remove();
    lwp.cpu_time.start(glue::Clock::ticks(), lwp.thread->switches);
    if (cpu.current == &lwp)
        set_priority(lwp, lwkt::Priority::user_normal);
    if (lwp.queued()) {
        cpu.queue.remove(lwp);
        publish(cpu);
    }
}

void give_turn(UserCpu& cpu, Lwp& lwp) {
    lwp.cpu_time.involuntary_switches++;
    wait_in_queue(cpu, lwp);
}

// True: lwp became the current one.
bool try_user_mode(UserCpu& cpu, Lwp& lwp) {
    unsigned home = lwkt::current_cpu().value;
    Lwp* holder = live_current(cpu);
    if (holder == nullptr && cpu.queue.size() == 0 && lwp.allowed(home)) {
        set_current(cpu, lwp);
        return true;
    }
    refresh(lwp);
    glue::Ticks now = glue::Clock::ticks();
    if (holder == nullptr && overdue(cpu, lwp, now) != nullptr) {
        choose_next(cpu);
        holder = cpu.current;
    }
    if (holder != nullptr)
        refresh(*holder);
    UserPriority rival = holder             ? holder->priority
                         : cpu.queue.size() ? cpu.queue.best()->priority
                                            : nobody_priority;
    if (holder == nullptr && lwp.allowed(home) && !displaces(rival, lwp.priority)) {
        set_current(cpu, lwp);
        return true;
    }
    publish(cpu);
    unsigned best =
        choose_cpu(Loads().of, lwkt::cpu_count(), __atomic_load_n(&lwp.affinity, __ATOMIC_RELAXED), home,
                   lwp.thread->woken_from, lwp.priority);
    if (best != home) {
        lwp.moves_to = lwkt::CpuId{best};
        lwp.moves = true;
        return false;
    }
    if (holder != nullptr ? !takes_turn(cpu, lwp.priority, now) : !displaces(lwp.priority, rival))
        return false;
    set_current(cpu, lwp);
    hurry(lwp); // the displaced one is ready in the kernel, and has to come as far as the queue
    return true;
}

// Those who wait use nothing: the first of each queue rises in time.
void age_queue(UserCpu& cpu) {
    for (Schedulable* item = cpu.queue.best(); item != nullptr;) {
        unsigned next = item->queue + 1u;
        refresh(static_cast<Lwp&>(*item));
        if (queue_of(item->priority) != item->queue) {
            cpu.queue.remove(*item);
            cpu.queue.insert(*item);
        }
        item = cpu.queue.first_from(next);
    }
}

// On the core that was asked, in hard context: its best thread that may run on the one that asks.
void give_thread(void*, std::uintptr_t to) {
    UserCpu& cpu = here();
    auto* lwp = static_cast<Lwp*>(cpu.queue.best_for(static_cast<unsigned>(to)));
    if (lwp == nullptr)
        return;
    cpu.queue.remove(*lwp);
    publish(cpu);
    lwp->moves_to = lwkt::CpuId{static_cast<std::uint32_t>(to)};
    lwp->moves = true;
    lwkt::schedule(lwp->thread);
}

} // namespace

void initialize_usched() {
    lwkt::set_idle_handler(core_is_idle);
}

void core_is_idle() {
    UserCpu& cpu = here();
    if (cpu.queue.size() != 0)
        return choose_next(cpu);
    if (cpu.current && cpu.current->thread->state == lwkt::ThreadState::waiting_token)
        return; // it is back at once
    if (cpu.current != nullptr) {
        set_priority(*cpu.current, lwkt::Priority::kernel_user);
        cpu.current = nullptr;
        publish(cpu);
    }
    unsigned self = lwkt::current_cpu().value;
    unsigned busiest = busiest_cpu(Loads().of, lwkt::cpu_count(), self);
    if (busiest != self)
        (void)lwkt::try_send_ipiq(lwkt::CpuId{busiest}, give_thread, nullptr,
                                  self); // it has other news, else
}

void acquire_user_mode(Lwp& lwp) {
    lwkt::CriticalSection critical;
    UserCpu& cpu = here();
    while (cpu.current != &lwp && !lwp.moves && __atomic_load_n(&lwp.ast, __ATOMIC_RELAXED) == 0)
        if (!try_user_mode(cpu, lwp) && !lwp.moves)
            wait_in_queue(cpu, lwp);
}

void end_slice(Lwp& lwp) {
    lwkt::CriticalSection critical;
    UserCpu& cpu = here();
    cpu.slice_armed = cpu.hurried = false;
    if (cpu.queue.size() == 0)
        return; // nobody waits, or somebody who is ready in the kernel
    if (cpu.current != &lwp)
        return arm_slice(cpu); // it was another one's
    glue::Ticks now = glue::Clock::ticks();
    refresh(lwp);
    if (now < cpu.slice_end) { // it was for somebody in the kernel, or for one who comes first
        arm_at(cpu, cpu.slice_end);
        if (takes_turn(cpu, cpu.queue.best()->priority, now))
            give_turn(cpu, lwp);
        return;
    }
    age_queue(cpu);
    publish(cpu);
    unsigned home = lwkt::current_cpu().value;
    unsigned best =
        rebalance(Loads().of, lwkt::cpu_count(), __atomic_load_n(&lwp.affinity, __ATOMIC_RELAXED), home,
                  glue::Clock::to_nanoseconds(now).value - lwp.arrived > settled_nanoseconds);
    if (best != home) {
        lwp.moves_to = lwkt::CpuId{best};
        lwp.moves = true;
        return;
    }
    unsigned others = queue_of(cpu.queue.best()->priority), own = queue_of(lwp.priority);
    if (overdue(cpu, lwp, now) == nullptr &&
        (own < others || (own == others && lwp.scheduling_class().kind == SchedulingKind::fifo)))
        return arm_slice(cpu);
    give_turn(cpu, lwp);
}

void hurry(Lwp& lwp) {
    lwkt::CriticalSection critical;
    UserCpu& cpu = here();
    if (cpu.hurried || cpu.current != &lwp)
        return;
    cpu.hurried = true;
    arm_early(cpu, after(glue::Clock::ticks(), patience_nanoseconds));
}

void yield_user_mode(Lwp& lwp) {
    if (lwkt::should_yield())
        yield_core(lwp);
    lwkt::CriticalSection critical;
    UserCpu& cpu = here();
    if (cpu.current != &lwp || cpu.queue.size() == 0)
        return;
    refresh(lwp);
    if (!displaces(lwp.priority, cpu.queue.best()->priority))
        wait_in_queue(cpu, lwp);
}

void obey_scheduling(Lwp& lwp) {
    lwkt::CriticalSection critical;
    UserCpu& cpu = here();
    refresh(lwp);
    if (cpu.current == &lwp) {
        publish(cpu);
        if (cpu.queue.size() != 0 && displaces(cpu.queue.best()->priority, lwp.priority)) {
            cpu.slice_end = glue::Clock::ticks();
            arm_at(cpu, cpu.slice_end);
        }
    }
    unsigned home = lwkt::current_cpu().value;
    if (lwp.allowed(home))
        return;
    lwp.moves_to =
        lwkt::CpuId{choose_cpu(Loads().of, lwkt::cpu_count(), lwp.affinity, home, home, lwp.priority)};
    lwp.moves = true;
}

void leave_user_mode(Lwp& lwp) {
    lwkt::CriticalSection critical;
    UserCpu& cpu = here();
    set_priority(lwp, lwkt::Priority::kernel_user);
    if (cpu.current == &lwp) {
        cpu.current = nullptr;
        publish(cpu);
    }
}

void yield_core(Lwp& lwp) {
    lwp.cpu_time.stop(glue::Clock::ticks(), lwp.thread->switches);
    lwkt::yield();
    lwp.cpu_time.start(glue::Clock::ticks(), lwp.thread->switches);
}

} // namespace bsd
