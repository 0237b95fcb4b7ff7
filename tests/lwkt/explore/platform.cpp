// SPDX-License-Identifier: BSD-2-Clause
// The explorer's machine: vCPUs, time, memory, and the decision at each step.
#include "explore.hpp"
#include "glue/fiber.hpp"
#include "glue/vcpu.hpp"
#include "lwkt/arch/x86_64/stack.hpp"
#include "lwkt/slab.hpp"
#include "lwkt/sleepqueue.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include <sys/mman.h>

namespace {

constexpr unsigned max_cpus = 8;
constexpr std::size_t stack_bytes = 64 * 1024, arena_bytes = 64 << 20;
constexpr std::uint64_t step_limit = 2'000'000; // of a schedule: beyond it nobody gets anywhere

struct Machine {
    glue::Vcpu vcpus[max_cpus];
    void* stack_pointer[max_cpus];
    void* cpu_local[max_cpus];
    bool ended[max_cpus];
    void* main_stack_pointer;
    glue::CoreEntry entry;
    unsigned cpus = 1, current = 0;
    std::uint64_t now = 1;
    bool on = false; // vCPUs run
    bool exploring = false;
    std::uint64_t random_state = 1;
    // Of the random ways: a change of core every so many steps, or priorities and the steps that lower one.
    std::uint64_t change_one_in = 0;
    std::uint64_t priority[max_cpus], change_at[4];
    std::size_t decisions = 0;
    const explore::Scenario* scenario = nullptr;
    explore::Run* run = nullptr;
} machine;

alignas(64) std::byte core_stacks[max_cpus][stack_bytes];
std::byte* arena;
std::size_t arena_used;
struct FreeBlock {
    FreeBlock* next;
} * free_blocks[5];

std::uint64_t next_random() {
    std::uint64_t z = (machine.random_state += 0x9e37'79b9'7f4a'7c15u); // splitmix64
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9u;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebu;
    return z ^ (z >> 31);
}

void* allocate_pages(std::size_t pages) {
    FreeBlock*& list = free_blocks[__builtin_ctzl(pages)];
    if (list)
        return std::exchange(list, list->next);
    std::size_t bytes = pages * glue::page_size;
    arena_used = (arena_used + bytes - 1) & ~(bytes - 1);
    explore::check(arena_used + bytes <= arena_bytes, "the arena is too small");
    arena_used += bytes;
    return arena + arena_used - bytes;
}
void release_pages(void* block, std::size_t pages) {
    auto* free = static_cast<FreeBlock*>(block);
    free->next = free_blocks[__builtin_ctzl(pages)];
    free_blocks[__builtin_ctzl(pages)] = free;
}

void switch_to(unsigned cpu) {
    unsigned from = machine.current;
    if (cpu == from)
        return;
    machine.cpu_local[from] = glue::explored::cpu_local;
    machine.current = cpu;
    glue::explored::cpu_local = machine.cpu_local[cpu];
    lwkt_switch_stacks(&machine.stack_pointer[from], machine.stack_pointer[cpu]);
}

bool can_run(unsigned cpu) {
    return !machine.ended[cpu] && machine.vcpus[cpu].can_run(machine.now);
}

// The next decision: 0 to go on (or, when forced, the first), up to count - 1.
unsigned decide(unsigned count, bool forced) {
    explore::Run& run = *machine.run;
    std::size_t index = machine.decisions++;
    unsigned chosen = index < run.prefix.size() ? run.prefix[index].chosen : 0;
    run.made.push_back({static_cast<std::uint32_t>(run.steps), static_cast<std::uint16_t>(chosen),
                        static_cast<std::uint16_t>(count), forced});
    return chosen;
}

unsigned choose(const unsigned* others, unsigned count, bool forced, bool spinning) {
    if (machine.run->way == explore::Way::enumerated) {
        unsigned choice = decide(forced ? count : count + 1, forced);
        return forced ? others[choice] : choice == 0 ? machine.current : others[choice - 1];
    }
    if (machine.change_one_in != 0) {
        if (!forced && !spinning && next_random() % machine.change_one_in != 0)
            return machine.current;
        return others[next_random() % count];
    }
    for (std::uint64_t at : machine.change_at)
        if (at == machine.run->steps || spinning)
            machine.priority[machine.current] = next_random() >> 1; // below all initial ones
    unsigned best = forced ? others[0] : machine.current;
    for (unsigned i = 0; i != count; ++i)
        if (machine.priority[others[i]] > machine.priority[best])
            best = others[i];
    return best;
}

// One step of the current core; `forced`: it waits or has ended, `spinning`: others should run.
void step(bool forced, bool spinning) {
    if (++machine.run->steps > step_limit)
        explore::violation("no end in sight: cores run, but nothing gets done");
    ++machine.now;
    for (;;) {
        unsigned others[max_cpus], count = 0;
        for (unsigned n = 1; n != machine.cpus; ++n) {
            unsigned cpu = (machine.current + n) % machine.cpus;
            if (can_run(cpu))
                others[count++] = cpu;
        }
        if (forced && can_run(machine.current))
            forced = false; // its wait is over
        if (count != 0) {
            if (machine.exploring)
                return switch_to(choose(others, count, forced, spinning));
            return forced || spinning ? switch_to(others[0]) : void();
        }
        if (!forced)
            return;
        std::uint64_t next = ~std::uint64_t{0};
        for (unsigned cpu = 0; cpu != machine.cpus; ++cpu)
            if (!machine.ended[cpu] && machine.vcpus[cpu].deadline().value < next)
                next = machine.vcpus[cpu].deadline().value;
        if (next == ~std::uint64_t{0})
            explore::violation("all cores wait for ever: a wake-up was lost, or threads wait for each other");
        machine.now = next;
    }
}

void core_main() {
    unsigned cpu = machine.current;
    machine.entry(glue::CpuId{cpu});
    machine.ended[cpu] = true;
    for (unsigned other = 0; other != machine.cpus; ++other)
        if (!machine.ended[other]) {
            step(true, false);
            std::abort();
        }
    void* unused;
    lwkt_switch_stacks(&unused, machine.main_stack_pointer);
}

void crashed(int) {
    explore::violation("a signal: memory was used wrongly");
}

} // namespace

extern "C" void explore_point() {
    if (!machine.on)
        return;
    step(false, false);
    machine.vcpus[machine.current].take_interrupt(machine.now);
}
extern "C" void explore_pause() {
    if (!machine.on)
        return;
    step(false, true);
    machine.vcpus[machine.current].take_interrupt(machine.now);
}

namespace glue {

void* explored::cpu_local;

Ticks Clock::ticks() {
    return Ticks{machine.now};
}
unsigned Vcpu::count() {
    return machine.cpus;
}
Vcpu& Vcpu::of(CpuId cpu) {
    return machine.vcpus[cpu.value];
}

// As the kernel does: pending is set, and an upcall comes if enabled, which disables upcalls.
void Vcpu::take_interrupt(std::uint64_t now) {
    if (!due(now))
        return;
    if (deadline_.value <= now)
        deadline_fired_ = true;
    interrupt_ = false;
    pending_ = true;
    if (upcalls_) {
        upcalls_ = false;
        handler_();
    }
}

void Vcpu::wait() {
    waiting_ = true;
    if (!can_run(machine.now))
        step(true, false);
    waiting_ = false;
    if (due(machine.now)) {
        if (deadline_.value <= machine.now)
            deadline_fired_ = true;
        interrupt_ = false;
        pending_ = true;
    }
}

Outcome<void> Vcpu::start_all(CoreEntry entry) {
    machine.entry = entry;
    for (unsigned cpu = 0; cpu != machine.cpus; ++cpu) {
        auto* top = reinterpret_cast<std::uint64_t*>(core_stacks[cpu] + stack_bytes);
        *--top = 0;
        *--top = reinterpret_cast<std::uint64_t>(core_main);
        for (int callee_saved = 0; callee_saved != 6; ++callee_saved)
            *--top = 0;
        machine.stack_pointer[cpu] = top;
        machine.ended[cpu] = false;
    }
    machine.current = 0;
    machine.on = true;
    lwkt_switch_stacks(&machine.main_stack_pointer, machine.stack_pointer[0]);
    machine.on = false;
    return {};
}

} // namespace glue

namespace lwkt {
void panic(const char* text, const char* file, int line) {
    explore::violation(text, file, line);
}
} // namespace lwkt

namespace explore {

void begin() {
    machine.exploring = true;
}
void end() {
    machine.exploring = false;
}
std::uint64_t random() {
    return next_random();
}

void violation(const char* text, const char* file, int line) {
    std::string how;
    if (machine.run->way == Way::random) {
        how = "--replay " + std::to_string(machine.run->seed);
    } else {
        how = "--decisions ";
        for (std::size_t i = 0; i != machine.run->made.size(); ++i)
            if (machine.run->made[i].chosen != 0)
                how += std::to_string(i) + ":" + std::to_string(machine.run->made[i].chosen) + ",";
        how += "0:0";
    }
    std::printf("VIOLATION in %s: %s (%s:%d), core %u, step %lu; again: --scenario %s %s\n",
                machine.scenario->name, text, file, line, machine.current,
                static_cast<unsigned long>(machine.run->steps), machine.scenario->name, how.c_str());
    std::fflush(stdout);
    _exit(1);
}

void run(const Scenario& scenario, Run& run) {
    if (arena == nullptr) {
        // Always at the same address, since sleep queues hash addresses: a seed means the same in each
        // process.
        void* memory = mmap(reinterpret_cast<void*>(0x2000'0000'0000), arena_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        if (memory == MAP_FAILED)
            std::abort();
        arena = static_cast<std::byte*>(memory);
        static std::byte signal_stack[64 * 1024];
        stack_t stack{signal_stack, 0, sizeof signal_stack};
        sigaltstack(&stack, nullptr);
        struct sigaction action {};
        action.sa_handler = crashed;
        action.sa_flags = SA_ONSTACK;
        for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE})
            sigaction(number, &action, nullptr);
    }
    arena_used = 0;
    for (FreeBlock*& list : free_blocks)
        list = nullptr;
    machine.scenario = &scenario;
    machine.run = &run;
    machine.cpus = scenario.cpus;
    machine.now = 1;
    machine.exploring = false;
    machine.decisions = 0;
    machine.random_state = run.seed * 0x2545'f491'4f6c'dd1du + 1;
    run.steps = 0;
    run.made.clear();
    for (glue::Vcpu& vcpu : machine.vcpus)
        vcpu.reset();
    static constexpr std::uint64_t one_in[] = {3, 8, 20, 60, 0, 0};
    machine.change_one_in = one_in[next_random() % 6];
    for (std::uint64_t& priority : machine.priority)
        priority = next_random() | (std::uint64_t{1} << 63);
    for (std::uint64_t& at : machine.change_at)
        at = next_random() % 800;
    auto started = lwkt::start(
        [](void* s) {
            static_cast<const Scenario*>(s)->body();
            end();
            lwkt::shutdown();
        },
        const_cast<Scenario*>(&scenario), {allocate_pages, release_pages});
    if (!started.ok())
        violation("LWKT does not start");
}

void Group::main(void* argument) {
    auto& start = *static_cast<Start*>(argument);
    start.body();
    if (--start.group->left_ == 0)
        end();
    lwkt::wakeup(start.group); // only the address
}

void Group::spawn(unsigned cpu, std::function<void()> body) {
    auto* start = new Start{this, std::move(body), nullptr};
    start->thread = reinterpret_cast<struct Thread*>(
        lwkt::create(main, start, lwkt::Priority::kernel_daemon, glue::CpuId{cpu}, "explored"));
    check(start->thread != nullptr, "no memory for a thread");
    starts_.push_back(start);
    ++left_;
}

void Group::run() {
    for (Start* start : starts_)
        lwkt::schedule(reinterpret_cast<lwkt::Thread*>(start->thread));
    begin();
    while (left_ != 0) {
        lwkt::tsleep_interlock(this, 0);
        if (left_ != 0)
            (void)lwkt::tsleep(this, lwkt::sleep_interlocked, "group");
    }
    lwkt::tsleep_remove();
    for (Start* start : starts_)
        delete start;
    starts_.clear();
}

} // namespace explore
