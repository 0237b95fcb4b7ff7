// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/kern/timekeep.hpp"

#include "bsd-personality/kern/time.hpp"
#include "bsd-personality/kern/upmap.hpp"
#include "lwkt/callout.hpp"
#include "lwkt/spinlock.hpp"

namespace bsd {

std::uint8_t timekeep_state = timekeep_running; // for ever, if nothing is published

namespace {

constexpr std::uint64_t period = 250'000'000, tick_period = 10'000'000; // ns
// The line is given as of a moment ago: a core whose counter is a little behind does not read one of the
// future.
constexpr std::uint64_t moment = 4096; // counts

lwkt::SpinLock lock; // guards writing, the callout and the state
lwkt::Callout callout;
VdsoTimekeep* timekeep; // immutable after start; null: not published
KernelPage* tick_page;  // DragonFly's; null: nobody has mapped it

BinaryTime to_binary(std::uint64_t nanoseconds, std::uint32_t fraction) {
    std::uint64_t rest = nanoseconds % nanoseconds_per_second << 32 | fraction; // 2^-32 ns
    return {nanoseconds / nanoseconds_per_second,
            rest / nanoseconds_per_second << 32 |
                (rest % nanoseconds_per_second << 32) / nanoseconds_per_second};
}

// Readers go on when generation and `current` are what they were before they read; so the last hand stays
// good while the next one is written. False: programs cannot read the clock after all.
bool write_hand() {
    glue::ClockLine line;
    if (!glue::Clock::line(line))
        return false;
    VdsoTimehands next = timehands_of(line.moved_to(line.counter - moment), wall_zero());
    std::uint32_t last = timekeep->current, number = (last + 1) % VdsoTimekeep::hands;
    VdsoTimehands& hand = timekeep->hand[number];
    next.generation = timekeep->hand[last].generation + 1;
    next.generation += next.generation == 0;
    __atomic_store_n(&hand.generation, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    std::uint32_t generation = next.generation;
    next.generation = 0;
    hand = next;
    __atomic_store_n(&hand.generation, generation, __ATOMIC_RELEASE);
    __atomic_store_n(&timekeep->current, number, __ATOMIC_RELEASE);
    return true;
}

UserMapTime to_user(std::uint64_t nanoseconds) {
    return {static_cast<std::int64_t>(nanoseconds / nanoseconds_per_second),
            static_cast<std::int64_t>(nanoseconds % nanoseconds_per_second)};
}

// Readers take what the last tick wrote, and do it again if two more have come meanwhile.
void write_tick() {
    std::int32_t next = tick_page->ticks + 1;
    std::uint64_t now = glue::Clock::now().value;
    tick_page->up_time[next & 1] = to_user(now);
    tick_page->wall_time[next & 1] = to_user(now + wall_zero());
    __atomic_store_n(&tick_page->ticks, next, __ATOMIC_RELEASE);
}

// Whichever there are.
void write_pages() {
    if (timekeep != nullptr)
        write_hand();
    if (tick_page != nullptr)
        write_tick();
}

void set_state(TimekeepState state) {
    __atomic_store_n(&timekeep_state, state, __ATOMIC_RELEASE);
}

void tick(void*);

void arm() {
    callout.reset(Nanoseconds{glue::Clock::now().value + (tick_page != nullptr ? tick_period : period)}, tick,
                  nullptr);
}

// Other cores tell by themselves whether they do something. On this one the callout's thread does; whoever it
// interrupted says so when it goes on (wake_timekeep). Looking twice before the rest leaves a core that has
// just ceased to be idle a whole period to see `stopping`, or to be seen.
void tick(void*) {
    lwkt::SpinGuard guard(lock);
    write_pages();
    bool busy = false;
    for (std::uint32_t cpu = 0; cpu != lwkt::cpu_count(); ++cpu)
        busy = busy || (cpu != lwkt::current_cpu().value && !lwkt::core_idle(lwkt::CpuId{cpu}));
    if (!busy && timekeep_state == timekeep_stopping)
        return set_state(timekeep_stopped);
    set_state(busy ? timekeep_running : timekeep_stopping);
    arm();
}

} // namespace

VdsoTimehands timehands_of(const glue::ClockLine& line, std::uint64_t wall_zero) {
    VdsoTimehands hands{};
    hands.algorithm = 1;
    hands.counter_mask = ~std::uint32_t{0};
    // 2^-64 s a count, from 2^-32 ns a count.
    std::uint64_t scale = line.multiplier / nanoseconds_per_second << 32 |
                          (line.multiplier % nanoseconds_per_second << 32) / nanoseconds_per_second;
    // The counter's 32 bits must last for a second.
    while ((~std::uint64_t{0} / scale) >> hands.shift >= std::uint64_t{1} << 32)
        hands.shift++;
    glue::ClockLine start = line.moved_to(line.counter >> hands.shift << hands.shift);
    hands.scale = scale << hands.shift;
    hands.offset_count = static_cast<std::uint32_t>(start.counter >> hands.shift);
    hands.offset = to_binary(start.nanoseconds, start.fraction);
    // What is lost in a second when the counter is shifted and the scale rounded down, and when nanoseconds
    // are made of a fraction's upper half.
    std::uint64_t rounded_away = (hands.shift != 0 ? hands.scale : 0) + (std::uint64_t{3} << 32);
    hands.offset.fraction += rounded_away;
    hands.offset.seconds += hands.offset.fraction < rounded_away;
    hands.boottime = to_binary(wall_zero, 0);
    return hands;
}

void start_timekeep(VdsoTimekeep& at) {
    at = {};
    timekeep = &at;
    if (!write_hand()) {
        timekeep = nullptr;
        return;
    }
    at.version = at.enabled = 1;
    set_state(timekeep_stopped);
}

void publish_ticks(KernelPage& page) {
    lwkt::SpinGuard guard(lock);
    page.tick_rate = nanoseconds_per_second / tick_period;
    tick_page = &page;
    write_tick();
    arm();
}

bool timekeep_published() {
    return timekeep != nullptr;
}

void wake_timekeep() {
    lwkt::SpinGuard guard(lock);
    if (timekeep_state == timekeep_stopped) {
        write_pages();
        arm();
    }
    set_state(timekeep_running);
}

} // namespace bsd
